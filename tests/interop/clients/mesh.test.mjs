// The four services as separate processes over mutual TLS, with the certificates that `medidesk certs` makes.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import grpc from '@grpc/grpc-js';
import loader from '@grpc/proto-loader';
import pg from 'pg';
import { createDatabase } from '../../support/database.mjs';
import { alive, freePort, root, start, stop, until } from '../../support/processes.mjs';
import { cli, output, run } from './system.mjs';

const contract = loader.loadSync(['medidesk/assistant/v1/assistant.proto', 'medidesk/store/v1/access.proto', 'medidesk/store/v1/conversation.proto'],
  { includeDirs: [path.join(root, 'protos')], enums: String });
const { assistant: { v1: assistantV1 }, store: { v1: storeV1 } } = grpc.loadPackageDefinition(contract).medidesk;

const folder = mkdtempSync(path.join(os.tmpdir(), 'medidesk-mesh-'));
const certs = path.join(folder, 'ours'), others = path.join(folder, 'others');
const children = [];
let address, httpBase, settings, token;

const files = (name, from = certs) => ({
  TLS_CA: path.join(from, 'ca.pem'), TLS_CERT: path.join(from, `${name}.pem`), TLS_KEY: path.join(from, `${name}.key`) });
const read = (name, from = certs) => readFileSync(path.join(from, name));
// Trusts our CA; shows the certificate of `name`, if any.
const credentials = (name, from = certs) =>
  name ? grpc.credentials.createSsl(read('ca.pem'), read(`${name}.key`, from), read(`${name}.pem`, from))
    : grpc.credentials.createSsl(read('ca.pem'));

function call(Service, where, channel, method, request, secret) {
  const client = new Service(where, channel);
  const metadata = new grpc.Metadata();
  if (secret) metadata.set('authorization', `Bearer ${secret}`);
  return new Promise((resolve) => client[method](request, metadata, { deadline: Date.now() + 25_000 },
    (error, response) => { client.close(); resolve(error
      ? { code: grpc.status[error.code], details: error.metadata.get('grpc-status-details-bin')[0] }
      : { code: 'OK', response }); }));
}
const ask = (channel, secret, phone = '+15550702001') => call(assistantV1.AssistantService, address.assistant, channel, 'Reply',
  { inbound: { phone, text: 'What are the visiting hours of the ICU?' } }, secret);
const listTokens = (channel, secret, where = address.store) =>
  call(storeV1.AccessService, where, channel, 'ListTokens', {}, secret);

before(async () => {
  await output(cli, ['certs', certs]);
  await output(cli, ['certs', others]);
  address = {};
  for (const name of ['gateway', 'assistant', 'store']) address[name] = `127.0.0.1:${await freePort()}`;
  const http = await freePort();
  httpBase = `http://127.0.0.1:${http}`;
  settings = {
    GATEWAY_ADDRESS: address.gateway, ASSISTANT_ADDRESS: address.assistant, STORE_ADDRESS: address.store, PORT: String(http),
    METRICS_ADDRESS: `127.0.0.1:${await freePort()}`, MEDIDESK_HOSPITAL_FILE: 'examples/hospital.yaml',
    DATABASE_URL: (await createDatabase(pg)).toString() };
  for (const name of ['store', 'assistant', 'gateway', 'admin']) {
    children.push(start(`medidesk-${name}`, [], { ...settings, METRICS_ADDRESS: `127.0.0.1:${await freePort()}`, ...files(name) }));
  }
  await until('the services to be ready', 60, async () => {
    for (const child of children) if (!alive(child)) throw new Error(`a service ended:\n${child.output}`);
    return (await fetch(`${httpBase}/readyz`).catch(() => null))?.status === 200;
  });
  token = await output(cli, ['token', 'create', 'lab-system', '--scope', 'reply'], { ...settings, ...files('cli') });
});
after(async () => {
  for (const child of children.reverse()) await stop(child);
  rmSync(folder, { recursive: true });
});

test('the webhook is answered through all of them', async () => {
  const answer = await fetch(`${httpBase}/functions/v1/whatsapp-webhook`, {
    method: 'POST', headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ phone: '+15550702000', message: 'What are the visiting hours of the ICU?', messageId: 'm-1' }) });
  const body = await answer.json();
  assert.equal(answer.status, 200, JSON.stringify(body));
  assert.match(body.response, /14:00-16:00/);
});

test('the assistant answers one of our services, and an outside caller with a token', async () => {
  const ours = await ask(credentials('gateway'));
  assert.equal(ours.code, 'OK');
  assert.match(ours.response.text, /14:00-16:00/);
  assert.equal((await ask(credentials(), token)).code, 'OK');
  assert.equal((await ask(credentials(), `mdk_${'A'.repeat(43)}`)).code, 'UNAUTHENTICATED');
});

test('a turn is the gateway\'s alone', async () => {
  const turn = { turnId: '6f1c1f5e-1f0e-4c53-8d3a-2a6d1b7f9c01' };
  const reply = (channel, secret) => call(assistantV1.AssistantService, address.assistant, channel, 'Reply', turn, secret);
  assert.equal((await reply(credentials('gateway'))).code, 'NOT_FOUND');
  assert.equal((await reply(credentials('admin'))).code, 'PERMISSION_DENIED');
  assert.equal((await reply(credentials(), token)).code, 'PERMISSION_DENIED');
});

test('a stranger\'s certificate is refused, by every service', async () => {
  for (const where of Object.values(address)) {
    assert.equal((await listTokens(credentials('store', others), undefined, where)).code, 'UNAVAILABLE', where);
  }
  // With a token too: the certificate is looked at first.
  assert.equal((await ask(credentials('gateway', others), token)).code, 'UNAVAILABLE');
});

test('a certificate of our CA that names none of our services is refused', async () => {
  const make = ['req', '-new', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-subj', '/CN=printer',
    '-keyout', path.join(certs, 'printer.key'), '-out', path.join(certs, 'printer.csr')];
  await output('openssl', make);
  await output('openssl', ['x509', '-req', '-in', path.join(certs, 'printer.csr'), '-CA', path.join(certs, 'ca.pem'),
    '-CAkey', path.join(certs, 'ca.key'), '-CAcreateserial', '-days', '1', '-out', path.join(certs, 'printer.pem')]);
  assert.equal((await listTokens(credentials('printer'))).code, 'PERMISSION_DENIED');
  assert.equal((await ask(credentials('printer'))).code, 'PERMISSION_DENIED');
  assert.equal((await ask(credentials('printer'), token)).code, 'OK'); // the token says what it may
});

test('the store wants a certificate, and nobody speaks plaintext', async () => {
  assert.equal((await listTokens(credentials(), token)).code, 'UNAVAILABLE');
  assert.equal((await listTokens(grpc.credentials.createInsecure())).code, 'UNAVAILABLE');
  assert.equal((await ask(grpc.credentials.createInsecure(), token)).code, 'UNAVAILABLE');
  assert.equal((await listTokens(credentials('cli'))).code, 'OK');
  // Whoever holds a certificate and shows a token is held to the token.
  assert.equal((await listTokens(credentials('cli'), token)).code, 'PERMISSION_DENIED');
});

test('a token that asks too often is told when to come back', async () => {
  const secret = await output(cli, ['token', 'create', 'eager', '--scope', 'screen'], { ...settings, ...files('cli') });
  const eager = (await listTokens(credentials('cli'))).response.tokens.find((one) => one.name === 'eager');
  const set = await call(storeV1.AccessService, address.store, credentials('cli'), 'SetLimit', {
    commitId: randomUUID(), actor: { kind: 'ACTOR_KIND_OPERATOR' },
    limit: { kind: 'LIMIT_KIND_REQUESTS', subject: 'LIMIT_SUBJECT_TOKEN', subjectId: eager.id, amount: 2, period: { seconds: 3600 } } });
  assert.equal(set.code, 'OK');
  const screen = () => call(assistantV1.AssistantService, address.assistant, credentials(), 'Screen', { text: 'hello' }, secret);
  assert.equal((await screen()).code, 'OK');
  assert.equal((await screen()).code, 'OK');
  const refused = await screen();
  assert.equal(refused.code, 'RESOURCE_EXHAUSTED');
  assert.match(refused.details.toString('latin1'), /google\.rpc\.RetryInfo/);
  assert.equal((await ask(credentials(), token)).code, 'OK'); // another token is not held up
});

test('a service beyond loopback does not start without certificates', async () => {
  const { code, stderr } = await run(path.join(process.env.MEDIDESK_BIN, 'medidesk-store'), [],
    { ...settings, STORE_ADDRESS: '0.0.0.0:0', METRICS_ADDRESS: '' });
  assert.equal(code, 2);
  assert.match(stderr, /not local: set TLS_CA, TLS_CERT and TLS_KEY\n$/);
});

test('the command line says what is wrong when it shows a stranger\'s certificate', async () => {
  const { code, stderr } = await run(cli, ['token', 'list'], { ...settings, ...files('cli', others) });
  assert.equal(code, 3);
  assert.match(stderr, /cannot reach the store at 127\.0\.0\.1/);
});

test('keys are for their owner alone, and nothing is overwritten', async () => {
  for (const name of ['ca', 'store', 'gateway', 'assistant', 'admin', 'cli']) {
    assert.equal(statSync(path.join(certs, `${name}.key`)).mode & 0o777, 0o600);
  }
  const before = read('store.key').toString();
  assert.equal((await run(cli, ['certs', certs])).code, 1);
  assert.equal(read('store.key').toString(), before);
});
