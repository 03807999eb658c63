// Asks MediDesk over gRPC: node client.mjs "a question" [phone]
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import grpc from '@grpc/grpc-js';
import loader from '@grpc/proto-loader';

const address = process.env.MEDIDESK_ADDRESS ?? '127.0.0.1:7002';
const token = process.env.MEDIDESK_TOKEN;
const ca = process.env.MEDIDESK_CA;
const [text = 'What are your visiting hours?', phone = '+15550109999'] = process.argv.slice(2);

const protos = fileURLToPath(new URL('../../../protos', import.meta.url));
const contract = loader.loadSync('medidesk/assistant/v1/assistant.proto', { includeDirs: [protos], enums: String });
const { AssistantService } = grpc.loadPackageDefinition(contract).medidesk.assistant.v1;
const assistant = new AssistantService(
  address, ca ? grpc.credentials.createSsl(readFileSync(ca)) : grpc.credentials.createInsecure());

const metadata = new grpc.Metadata();
if (token) metadata.set('authorization', `Bearer ${token}`);
const options = () => ({ deadline: Date.now() + 25_000 });
const RETRY = new Set([grpc.status.UNAVAILABLE, grpc.status.RESOURCE_EXHAUSTED, grpc.status.ABORTED]);

// One answer. The same message id makes a repetition harmless.
async function reply(request) {
  for (let attempt = 1; ; ++attempt) {
    try {
      return await new Promise((resolve, reject) =>
        assistant.Reply(request, metadata, options(), (error, response) => (error ? reject(error) : resolve(response))));
    } catch (error) {
      if (attempt === 3 || !RETRY.has(error.code)) throw error;
      await new Promise((resolve) => setTimeout(resolve, attempt * 1000));
    }
  }
}

// The text as it is made; gives the result that was committed.
async function streamReply(request, onText) {
  let result;
  for await (const event of assistant.StreamReply(request, metadata, options())) {
    if (event.textDelta) onText(event.textDelta);
    if (event.result) result = event.result;
  }
  return result;
}

const message = () => ({ inbound: { phone, text, messageId: randomUUID() } });
try {
  const answer = await reply(message());
  console.log(`Reply: ${answer.text ?? '(a person has taken over)'}`);

  const result = await streamReply(message(), (part) => process.stderr.write(part));
  process.stderr.write('\n');
  console.log(`StreamReply: ${result.text ?? '(a person has taken over)'}`);
} catch (error) {
  console.error(`${grpc.status[error.code] ?? 'ERROR'}: ${error.details ?? error.message}`);
  process.exitCode = 1;
}
assistant.close();
