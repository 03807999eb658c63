// MediDesk in both of its shapes, with a gRPC client of the store's KnowledgeService.
import path from 'node:path';
import grpc from '@grpc/grpc-js';
import loader from '@grpc/proto-loader';
import pg from 'pg';
import { createDatabase } from '../support/database.mjs';
import { startMedidesk } from '../support/medidesk.mjs';
import { alive, freePort, root, start, startClaude, stop, until } from '../support/processes.mjs';

export { startClaude, stop, until };

const protos = path.join(root, 'protos');
const { KnowledgeService } = grpc.loadPackageDefinition(
  loader.loadSync('medidesk/store/v1/knowledge.proto', { includeDirs: [protos], keepCase: true, longs: Number, enums: String }),
).medidesk.store.v1;

function knowledgeOf(port) {
  const client = new KnowledgeService(`127.0.0.1:${port}`, grpc.credentials.createInsecure());
  return {
    // One unary call by the RPC's name.
    call: (name, request = {}) => new Promise((resolve, reject) => {
      client[name](request, { deadline: Date.now() + 20_000 }, (error, response) => (error ? reject(error) : resolve(response)));
    }),
    close: () => client.close(),
  };
}

async function post(base, body) {
  const answer = await fetch(`${base}/functions/v1/whatsapp-webhook`, {
    method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body),
  });
  return { status: answer.status, body: await answer.json() };
}

// All services in one process.
export async function startTogether(env = {}) {
  const system = await startMedidesk(pg, { env });
  const knowledge = knowledgeOf(system.ports.store);
  return {
    knowledge, ports: system.ports, post: (body) => post(system.base, body),
    stop: async () => { knowledge.close(); await system.stop(); },
  };
}

// Two stores on one database, an assistant of the first and an admin: `otherKnowledge` is the second store's.
export async function startApart(env = {}) {
  const databaseUrl = await createDatabase(pg);
  const ports = { http: await freePort(), gateway: await freePort(), assistant: await freePort(), store: await freePort(), other: await freePort() };
  const address = (port) => `127.0.0.1:${port}`;
  const stores = { DATABASE_URL: databaseUrl.toString(), MEDIDESK_HOSPITAL_FILE: 'examples/hospital.yaml' };
  const children = [
    start('medidesk-store', ['--metrics_address='], { ...stores, STORE_ADDRESS: address(ports.store), ...env }),
    start('medidesk-store', ['--metrics_address='], { ...stores, STORE_ADDRESS: address(ports.other), ...env }),
    start('medidesk-assistant', ['--metrics_address='],
      { ASSISTANT_ADDRESS: address(ports.assistant), STORE_ADDRESS: address(ports.store), ...env }),
    start('medidesk-admin', [], {
      PORT: String(ports.http), STORE_ADDRESS: address(ports.store), ASSISTANT_ADDRESS: address(ports.assistant),
      GATEWAY_ADDRESS: address(ports.gateway), WEBHOOK_RATE_PHONE: '0', ...env,
    }),
  ];
  const stopAll = () => Promise.all(children.map((child) => stop(child)));
  const base = `http://127.0.0.1:${ports.http}`;
  try {
    await until('the services to be ready', 90, async () => {
      const ended = children.find((child) => !alive(child));
      if (ended) throw new Error(`a service ended:\n${ended.output}`);
      return (await fetch(`${base}/readyz`).catch(() => null))?.status === 200;
    });
  } catch (error) {
    await stopAll();
    throw error;
  }
  const knowledge = knowledgeOf(ports.store), otherKnowledge = knowledgeOf(ports.other);
  return {
    knowledge, otherKnowledge, ports, post: (body) => post(base, body),
    stop: async () => { knowledge.close(); otherKnowledge.close(); await stopAll(); },
  };
}

// The command line against a store: { code, out, errors }.
export async function cli(port, ...words) {
  const child = start('medidesk-cli', [`--store_address=127.0.0.1:${port}`, ...words]);
  let out = '', errors = '';
  child.stdout.on('data', (data) => { out += data; });
  child.stderr.on('data', (data) => { errors += data; });
  const { code } = await child.ended;
  return { code, out, errors };
}
