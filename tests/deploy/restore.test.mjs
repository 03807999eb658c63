// The drill of docs/operations/backup.md: a system with conversations, a takeover, a task, a token and a linked device is
// dumped and lost, and comes back in a new cluster.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import pg from 'pg';
import { alive, freePort, root, start, stop, until } from '../support/processes.mjs';

const bin = process.env.MEDIDESK_BIN;
const masterKey = 'YmJiYmJiYmJiYmJiYmJiYmJiYmJiYmJiYmJiYmJiYmI=';
// Of a Baileys bot that was linked at the simulator once; no account of WhatsApp knows these keys.
const authInfo = path.join(root, 'tests/deploy/testdata/auth_info');
const postgres = ['15', ...readdirSync('/usr/lib/postgresql').sort().reverse()].map((version) => `/usr/lib/postgresql/${version}/bin`)
  .find((folder) => existsSync(path.join(folder, 'pg_dump')));

const run = (program, args, env = {}) => new Promise((resolve) => execFile(program, args, { env: { PATH: process.env.PATH, ...env }, maxBuffer: 16 << 20 },
  (error, stdout, stderr) => resolve({ code: error ? (error.code ?? 1) : 0, out: stdout, err: stderr })));
async function done(program, args, env) {
  const result = await run(program, args, env);
  assert.equal(result.code, 0, `${path.basename(program)}: ${result.out}${result.err}`);
  return result.out;
}

// A cluster of its own, by tests/with-postgres, with the login and the empty database that docs/operations name.
async function newCluster() {
  const { TEST_DATABASE_URL: _, ...env } = process.env;
  const child = spawn(path.join(root, 'tests/with-postgres'), ['bash', '-c', 'echo "$TEST_DATABASE_URL"; exec sleep 1000'],
    { env, stdio: ['ignore', 'pipe', 'inherit'], detached: true });
  process.once('exit', () => { if (child.exitCode === null) child.kill('SIGTERM'); });
  let text = '';
  child.stdout.on('data', (data) => { text += data; });
  const admin = await until('a cluster', 60, () => text.match(/^postgresql:\S+/)?.[0]);
  const client = new pg.Client(admin);
  await client.connect();
  await client.query("create role medidesk login createrole password 'medidesk'");
  await client.query('create role medidesk_service nologin noinherit');
  await client.query('grant medidesk_service to medidesk');
  await client.query('create database medidesk owner medidesk');
  await client.end();
  const url = new URL(admin);
  Object.assign(url, { username: 'medidesk', password: 'medidesk', pathname: '/medidesk' });
  const exited = new Promise((resolve) => child.once('exit', resolve));
  return { url: url.toString(), destroy: () => { child.kill('SIGTERM'); return exited; } };
}

async function startOn(url, extra = {}) {
  const ports = { http: await freePort(), gateway: await freePort(), assistant: await freePort(), store: await freePort() };
  const child = start('medidesk-all', [], {
    DATABASE_URL: url, PORT: String(ports.http), GATEWAY_ADDRESS: `127.0.0.1:${ports.gateway}`, ASSISTANT_ADDRESS: `127.0.0.1:${ports.assistant}`,
    STORE_ADDRESS: `127.0.0.1:${ports.store}`, WEBHOOK_RATE_PHONE: '0', REST_OPEN: '0', ...extra,
  });
  const base = `http://127.0.0.1:${ports.http}`;
  await until('medidesk-all', 90, async () => {
    if (!alive(child)) throw new Error(`medidesk-all ended:\n${child.output}`);
    return (await fetch(`${base}/readyz`).catch(() => null))?.status === 200;
  });
  return {
    base, child,
    cli: (...words) => run(path.join(bin, 'medidesk-cli'), [`--store_address=127.0.0.1:${ports.store}`, ...words], { MEDIDESK_MASTER_KEY: masterKey }),
    async post(body) {
      const answer = await fetch(`${base}/functions/v1/whatsapp-webhook`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
      assert.equal(answer.status, 200);
      return answer.json();
    },
    async get(route, token) {
      return (await fetch(base + route, { headers: { authorization: `Bearer ${token}` } })).status;
    },
  };
}

const tables = ['contacts', 'conversations', 'messages', 'turns', 'replies', 'tasks', 'numbers', 'number_states', 'faqs', 'departments', 'doctors', 'tokens', 'audit_log'];
async function counts(url) {
  const client = new pg.Client(url);
  await client.connect();
  const found = {};
  for (const table of tables) found[table] = (await client.query(`select count(*)::int as n from public.${table}`)).rows[0].n;
  found.texts = (await client.query("select md5(string_agg(content, '|' order by seq)) as sum from public.messages")).rows[0].sum;
  await client.end();
  return found;
}
const deviceKinds = async (url) => {
  const client = new pg.Client(url);
  await client.connect();
  const { rows } = await client.query('select kind, key from medidesk.device_state order by kind, key');
  await client.end();
  return rows.map(({ kind, key }) => `${kind}:${key}`);
};

test('a lost database comes back, and the work goes on', async () => {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'restore.'));
  const clusters = [], children = [];
  try {
    clusters.push(await newCluster());
    const first = await startOn(clusters[0].url, { MEDIDESK_HOSPITAL_FILE: 'examples/hospital.yaml' });
    children.push(first.child);
    const answers = [];
    for (let i = 0; i < 40; ++i) {
      answers.push(await first.post({ phone: `+1555080${1000 + i % 20}`, message: i % 2 ? 'What are your visiting hours?' : 'Is there parking?', messageId: `r-${i}` }));
    }
    assert.equal((await first.post({ phone: '+15550809999', message: 'I have crushing chest pain', messageId: 'r-red' })).status, 'human_takeover');
    const token = (await first.cli('token', 'create', 'lab', '--scope', 'read')).out.match(/mdk_\S+/)[0];
    assert.equal((await first.cli('device', 'import-baileys', authInfo, '--as', 'front-desk')).code, 0);
    const verdict = await until('the audit log to be sealed', 30, async () => {
      const { out } = await first.cli('audit', 'verify');
      return out.includes(', 0 not sealed') && out;
    });
    const [, position, hash] = verdict.match(/--from (\d+) --hash ([0-9a-f]+)/);

    // Backing up.
    const backup = path.join(folder, 'front-desk.backup'), dump = path.join(folder, 'medidesk.dump');
    assert.equal((await first.cli('device', 'export', 'front-desk', backup)).code, 0);
    let begin = performance.now();
    await done(path.join(postgres, 'pg_dump'), ['--format=custom', `--file=${dump}`, clusters[0].url]);
    const dumped = performance.now() - begin;
    const before = await counts(clusters[0].url);

    // The loss.
    await stop(first.child, 'SIGKILL');
    await clusters[0].destroy();

    // Restoring.
    clusters.push(await newCluster());
    begin = performance.now();
    await done(path.join(postgres, 'pg_restore'), ['--no-owner', '--exit-on-error', `--dbname=${clusters[1].url}`, dump]);
    const restored = performance.now() - begin;
    begin = performance.now();
    const second = await startOn(clusters[1].url);
    children.push(second.child);
    const ready = performance.now() - begin;
    console.log(`dump of ${(statSync(dump).size / 1024).toFixed(0)} KiB in ${dumped.toFixed(0)} ms, restored in ${restored.toFixed(0)} ms, ready ${ready.toFixed(0)} ms after the start`);

    // What came back is what was dumped, texts included.
    assert.deepEqual(await counts(clusters[1].url), before);
    const again = await second.cli('audit', 'verify');
    assert.equal(again.code, 0, again.out);
    const from = await second.cli('audit', 'verify', '--from', position, '--hash', hash);
    assert.equal(from.code, 0, from.out + from.err);

    // The device: its identity stays, ratchets of the backup go, pre-keys move on.
    const renewed = await second.cli('device', 'renew', 'front-desk');
    assert.equal(renewed.code, 0, renewed.err);
    assert.deepEqual(await deviceKinds(clusters[1].url), ['1:self', '14:connection']);
    const imported = await second.cli('device', 'import', backup);
    assert.equal(imported.code, 0, imported.err);
    const wrongKey = await run(path.join(bin, 'medidesk-cli'), ['device', 'import', backup], { MEDIDESK_MASTER_KEY: 'YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWE=' });
    assert.notEqual(wrongKey.code, 0);
    assert.match(wrongKey.err, /MEDIDESK_MASTER_KEY/);

    // The work goes on: one answer for a message that was answered, takeovers hold, tokens open the same doors.
    const repeat = await second.post({ phone: '+15550801000', message: 'Is there parking?', messageId: 'r-0' });
    assert.equal(repeat.response, answers[0].response);
    assert.equal(repeat.duplicate, true);
    const next = await second.post({ phone: '+15550801000', message: 'And what are your visiting hours?', messageId: 'r-next' });
    assert.equal(next.conversationId, answers[0].conversationId);
    assert.ok(next.response.length > 0);
    assert.equal((await second.post({ phone: '+15550809999', message: 'hello?', messageId: 'r-red-2' })).response, null);
    assert.equal(await second.get('/v1/conversations', token), 200);
    assert.equal(await second.get('/v1/conversations', 'mdk_wrong'), 401);
  } finally {
    await Promise.all(children.map((child) => stop(child)));
    await Promise.all(clusters.map((cluster) => cluster.destroy()));
    rmSync(folder, { recursive: true, force: true });
  }
});
