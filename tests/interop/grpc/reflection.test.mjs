// The services as other developers meet them: with buf curl and grpcurl, which know the contracts by
// reflection alone, and by the commands of the README.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import pg from 'pg';
import { root, startClaude, stop } from '../../support/processes.mjs';
import { startMedidesk } from '../../support/medidesk.mjs';

let claude, system, grpcurlMissing;

// Runs a command in the root of the project; gives its exit code and output.
function run(program, args, seconds = 60) {
  return new Promise((resolve) => {
    const options = { cwd: root, timeout: seconds * 1000, env: { ...process.env, PATH: `${path.join(root, 'tools')}:${process.env.PATH}` } };
    execFile(program, args, options, (error, stdout, stderr) => resolve({ code: error ? (error.code ?? 1) : 0, stdout, stderr }));
  });
}

async function output(program, args) {
  const { code, stdout, stderr } = await run(program, args);
  assert.equal(code, 0, `${program} ${args.join(' ')}: ${stdout}${stderr}`);
  return stdout;
}

// JSON values one after the other, as both tools print a stream.
function values(text) {
  return text.trim().split(/\n(?=\{)/).map((value) => JSON.parse(value));
}

before(async () => {
  const found = await run('tools/grpcurl', ['--version'], 800);
  if (found.code === 77) grpcurlMissing = found.stderr.trim();
  else assert.equal(found.code, 0, found.stderr);
  claude = await startClaude();
  system = await startMedidesk(pg, { env: { ANTHROPIC_API_KEY: 'test', ANTHROPIC_BASE_URL: claude.url } });
});
after(async () => {
  await system?.stop();
  if (claude) await stop(claude.child);
});

const tools = {
  'buf curl': (service, method, request) => output('tools/buf', ['curl', '--protocol', 'grpc', '--http2-prior-knowledge',
    '-d', JSON.stringify(request), `http://127.0.0.1:${system.ports[service]}/${method}`]),
  grpcurl: (service, method, request) => output('tools/grpcurl', ['-plaintext',
    '-d', JSON.stringify(request), `127.0.0.1:${system.ports[service]}`, method]),
};

for (const [index, [tool, call]] of Object.entries(tools).entries()) {
  const phone = `+155506010${index}`;
  const available = (t) => {
    if (tool === 'grpcurl' && grpcurlMissing) t.skip(grpcurlMissing);
    return tool !== 'grpcurl' || !grpcurlMissing;
  };

  test(`${tool}: Reply answers, and StreamReply gives the text as it is made`, async (t) => {
    if (!available(t)) return;
    const reply = JSON.parse(await call('assistant', 'medidesk.assistant.v1.AssistantService/Reply', { inbound: { phone, text: 'first question', messageId: 'g-1' } }));
    assert.match(reply.text, /stub: first question$/);
    assert.equal(reply.status, 'CONVERSATION_STATUS_ACTIVE');

    const events = values(await call('assistant', 'medidesk.assistant.v1.AssistantService/StreamReply', { inbound: { phone, text: 'One sentence. Another one. And a third.', messageId: 'g-2' } }));
    const delta = (event) => event.textDelta ?? event.text_delta;
    const { result } = events.at(-1);
    assert.match(result.text, /stub: One sentence\. Another one\. And a third\.$/);
    assert.ok(events.length >= 2, 'a delta and the result');
    assert.equal(events.slice(0, -1).map(delta).join(''), result.text);
  });

  test(`${tool}: ListConversations shows the conversation`, async (t) => {
    if (!available(t)) return;
    const list = JSON.parse(await call('store', 'medidesk.store.v1.ConversationService/ListConversations', { phone }));
    assert.deepEqual(list.conversations.map((conversation) => conversation.phone), [phone]);
  });

  test(`${tool}: an error is a code with a text`, async (t) => {
    if (!available(t)) return;
    await assert.rejects(call('assistant', 'medidesk.assistant.v1.AssistantService/Reply', { inbound: { phone: 'nobody', text: 'x' } }), /invalid.?argument/i);
  });

  test(`${tool}: every service is healthy and describes itself`, async (t) => {
    if (!available(t)) return;
    for (const service of ['gateway', 'assistant', 'store']) {
      assert.deepEqual(JSON.parse(await call(service, 'grpc.health.v1.Health/Check', {})), { status: 'SERVING' });
    }
  });
}

test('grpcurl describes every service and every message it uses', async (t) => {
  if (grpcurlMissing) return t.skip(grpcurlMissing);
  for (const service of ['gateway', 'assistant', 'store']) {
    const address = `127.0.0.1:${system.ports[service]}`;
    const names = (await output('tools/grpcurl', ['-plaintext', address, 'list'])).trim().split('\n');
    assert.ok(names.some((name) => name.startsWith(`medidesk.${service}.v1.`)), names.join());
    const described = await output('tools/grpcurl', ['-plaintext', address, 'describe']);
    for (const name of names) assert.ok(described.includes(`${name} is a service`), `${name}: ${described}`);
  }
});

// The README's commands, as they stand there but for the ports.
const readme = [...readFileSync(path.join(root, 'README.md'), 'utf8').matchAll(/^```sh\n(.*?)^```/gms)]
  .map((match) => match[1].trim()).filter((block) => /^(curl|grpcurl|tools\/buf curl) /.test(block));

test('the README shows curl, grpcurl and buf curl', () => {
  assert.deepEqual(readme.map((block) => block.split(' ')[0]).sort(), ['curl', 'grpcurl', 'tools/buf']);
});

for (const block of readme) {
  test(`README: ${block.split(' ')[0]}`, async (t) => {
    if (block.startsWith('grpcurl') && grpcurlMissing) return t.skip(grpcurlMissing);
    const ports = { 8080: system.ports.http, 7001: system.ports.gateway, 7002: system.ports.assistant, 7003: system.ports.store };
    const command = block.replace(/127\.0\.0\.1:(\d+)/g, (_, port) => `127.0.0.1:${ports[port]}`);
    const last = values(await output('bash', ['-c', command])).at(-1);
    const text = last.response ?? last.result?.text ?? last.text;
    const question = block.match(/"(?:text|message)": "([^"]+)"/)[1];
    assert.ok(text.endsWith(`stub: ${question}`), text);
  });
}
