// The event feed with a real redis-server: what happens arrives once and in order, through restarts of everything, and by two
// relays at a time.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { execFile, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import pg from 'pg';
import { createDatabase } from '../support/database.mjs';
import { alive, freePort, pause, start, stop, until } from '../support/processes.mjs';

// Debian's package redis-tools holds the server's program too, by the name of redis-check-rdb: no service comes with it.
const server = '/usr/bin/redis-check-rdb';
const installed = !spawnSync(server, ['--version'], { argv0: 'redis-server' }).error;
const skip = installed ? false : 'redis-tools is not installed';
const stream = 'hospital:events';
let folder, redisPort, redis, databaseUrl, store, ports;
const admins = {};

async function startRedis() {
  redis = spawn(server, ['--port', String(redisPort), '--bind', '127.0.0.1', '--dir', folder, '--appendonly', 'yes', '--appendfsync', 'always', '--save', '',
    '--requirepass', 'secret', '--daemonize', 'no'], { argv0: 'redis-server', stdio: 'ignore' });
  process.once('exit', () => redis.kill('SIGKILL'));
  await until('redis-server', 20, async () => (await cli('PING')).trim() === 'PONG');
}
const stopRedis = () => new Promise((resolve) => { redis.once('exit', resolve); redis.kill('SIGTERM'); });
const cli = (...words) => new Promise((resolve) => execFile('redis-cli', ['-p', String(redisPort), '--no-auth-warning', '-a', 'secret', '--json', ...words],
  (error, stdout) => resolve(error ? '' : words[0] === 'PING' ? stdout.replace(/"/g, '') : stdout)));
async function entries() {
  const list = JSON.parse(await cli('XRANGE', stream, '-', '+') || '[]');
  return list.map(([id, words]) => ({ entry: id, ...Object.fromEntries(Array.from({ length: words.length / 2 }, (_, i) => [words[2 * i], words[2 * i + 1]])) }));
}
const less = (a, b) => { const [x, y] = [a, b].map((id) => id.split('-').map(BigInt)); return x[0] < y[0] || (x[0] === y[0] && x[1] < y[1]); };

function startAdmin(name, extra = {}) {
  admins[name] = start('medidesk-admin', [], {
    PORT: String(ports[name]), STORE_ADDRESS: `127.0.0.1:${ports.store}`, ASSISTANT_ADDRESS: `127.0.0.1:${ports.assistant}`, WEBHOOK_RATE_PHONE: '0',
    REDIS_URL: `redis://:secret@127.0.0.1:${redisPort}/0`, REDIS_STREAM: stream, REDIS_ENTRIES: '100000', ...extra,
  });
  return until(`admin ${name}`, 60, async () => {
    if (!alive(admins[name])) throw new Error(admins[name].output);
    return (await fetch(`http://127.0.0.1:${ports[name]}/readyz`).catch(() => null))?.status === 200;
  });
}
function startStore() {
  store = start('medidesk-store', ['--metrics_address='], { DATABASE_URL: databaseUrl.toString(), STORE_ADDRESS: `127.0.0.1:${ports.store}`, MEDIDESK_HOSPITAL_FILE: 'examples/hospital.yaml' });
}
let assistant, written = 0, sent = 0, base = { message: 0, reply: 0 };  // base: what the stream held when counting began
async function write(name = 'a') {
  const n = written++;
  sent += 1;
  await until('an answer', 30, async () => {
    const answer = await fetch(`http://127.0.0.1:${ports[name]}/functions/v1/whatsapp-webhook`, { method: 'POST', headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ phone: `+1555090${1000 + n}`, message: 'Is there parking?', messageId: `f-${n}` }) }).catch(() => null);
    return answer?.status === 200;
  });
}
const count = (all, resource) => all.filter((one) => one.resource === resource && one.action === 'create').length - base[resource];
// Each message as accepted and with its reply, once.
async function complete(what) {
  await until(what, 40, async () => {
    const all = await entries();
    return count(all, 'message') >= sent && count(all, 'reply') >= sent;
  });
  const all = await entries();
  assert.deepEqual({ messages: count(all, 'message'), replies: count(all, 'reply') }, { messages: sent, replies: sent });
  assert.equal(new Set(all.map((one) => one.id)).size, all.length, 'no event twice');
  for (let i = 1; i < all.length; ++i) assert.ok(less(all[i - 1].entry, all[i].entry));
  return all;
}

before(async () => {
  if (!installed) return;
  folder = mkdtempSync(path.join(os.tmpdir(), 'redis.'));
  redisPort = await freePort();
  databaseUrl = await createDatabase(pg);
  ports = { store: await freePort(), assistant: await freePort(), a: await freePort(), b: await freePort() };
  await startRedis();
  startStore();
  assistant = start('medidesk-assistant', ['--metrics_address='], { ASSISTANT_ADDRESS: `127.0.0.1:${ports.assistant}`, STORE_ADDRESS: `127.0.0.1:${ports.store}` });
  await startAdmin('a');
  // The feed begins with what happens after it has reached the store: until then nothing is counted.
  await until('the feed', 60, async () => {
    await write();
    await pause(500);
    return (await (await fetch(`http://127.0.0.1:${ports.a}/metrics`)).text()).includes('medidesk_admin_feed_connected 1');
  });
  await pause(2000);
  const begun = await entries();
  base = { message: count(begun, 'message'), reply: count(begun, 'reply') };
  sent = 0;
});
after(async () => {
  if (!installed) return;
  await Promise.all([...Object.values(admins), assistant, store].filter(Boolean).map((child) => stop(child)));
  if (redis.exitCode === null) await stopRedis();
  rmSync(folder, { recursive: true, force: true });
});

test('what happens arrives as ids and states, without a word of anybody', { skip }, async () => {
  await write();
  const all = await complete('the first events');
  const message = all.find((one) => one.resource === 'message');
  assert.match(message.id, /^[0-9a-f-]{36}$/);
  assert.match(message.conversation_id, /^[0-9a-f-]{36}$/);
  assert.match(message.trace_id, /^[0-9a-f]{32}$/);
  assert.match(message.time, /^\d{4}-\d\d-\d\dT.*Z$/);
  const text = JSON.stringify(all);
  assert.doesNotMatch(text, /parking|\+1555/i);
});

test('two relays write one stream', { skip }, async () => {
  await startAdmin('b');
  for (let i = 0; i < 10; ++i) await write(i % 2 ? 'a' : 'b');
  await complete('events of ten messages');
});

test('a relay that was killed goes on where the stream ends', { skip }, async () => {
  await Promise.all([stop(admins.a, 'SIGKILL'), stop(admins.b, 'SIGKILL')]);
  await startAdmin('a', { REDIS_URL: '' });  // events come while nobody relays
  for (let i = 0; i < 5; ++i) await write();
  await stop(admins.a);
  await startAdmin('a');
  await write();
  await complete('what had happened meanwhile');
});

test('Redis may be away, and the store too', { skip }, async () => {
  await stopRedis();
  for (let i = 0; i < 3; ++i) await write();
  await startRedis();
  await complete('what had happened without Redis');
  await stop(store, 'SIGKILL');
  startStore();
  await write();
  await complete('what happened after the store was back');
});

test('the stream is cut to its length', { skip }, async () => {
  await stop(admins.a);
  await startAdmin('a', { REDIS_ENTRIES: '100' });
  for (let i = 0; i < 120; ++i) await write();
  // Redis cuts whole nodes of a hundred entries.
  await until('the cut', 40, async () => { const { length } = await entries(); return length > 0 && length <= 220; });
  assert.ok(Number(JSON.parse(await cli('XLEN', stream))) < 2 * written);
});

test('a wrong password is said once, in one line, and MediDesk works on', { skip }, async () => {
  await stop(admins.a);
  await startAdmin('a', { REDIS_URL: `redis://:wr0ng@127.0.0.1:${redisPort}` });
  await until('the line', 20, () => admins.a.output.includes('feed_interrupted'));
  await write();
  assert.doesNotMatch(admins.a.output, /wr0ng/);
});

test('a malformed URL stops the start', { skip }, async () => {
  const child = start('medidesk-admin', ['--redis_url=rediss://:s3cret@h']);
  assert.equal((await child.ended).code, 2);
  assert.match(child.output, /--redis_url: TLS is not offered/);
  assert.doesNotMatch(child.output, /s3cret/);
});
