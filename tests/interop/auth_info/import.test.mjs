// The auth_info folder of a real Baileys bot, linked at the simulator, becomes a device of MediDesk.
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import makeWASocket, { Browsers, useMultiFileAuthState, WA_CERT_DETAILS } from 'baileys';
import pg from 'pg';
import { startMedidesk } from '../../support/medidesk.mjs';
import { createDatabase } from '../../support/database.mjs';
import { until } from '../../support/processes.mjs';

const quiet = { level: 'silent', child: () => quiet, trace() {}, debug() {}, info() {}, warn() {}, error() {} };
const masterKey = 'YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWE=';
let sim, about, system, folder, url;

async function control(pathname, body) {
  const answer = await fetch(about.control_url + pathname, body && { method: 'POST', body: JSON.stringify(body) });
  assert.ok(answer.ok, pathname);
  return answer.json();
}

// As the original bot does: link by QR, restart when told to, be online once.
async function runBot(phone) {
  WA_CERT_DETAILS.PUBLIC_KEY = Buffer.from(about.root_key, 'hex');
  const { state, saveCreds } = await useMultiFileAuthState(folder);
  const connect = async () => {
    const updates = [];
    const socket = makeWASocket({ auth: state, waWebSocketUrl: about.ws_url, logger: quiet, browser: Browsers.macOS('Chrome'),
      syncFullHistory: false, shouldSyncHistoryMessage: () => false });
    socket.ev.on('creds.update', saveCreds);
    socket.ev.on('connection.update', (update) => updates.push(update));
    return { socket, update: (what, look) => until(what, 60, () => updates.find(look)) };
  };
  const first = await connect();
  const { qr } = await first.update('a QR', (update) => update.qr);
  await control('/scan', { phone, qr });
  await first.update('the link', (update) => update.connection === 'close');
  first.socket.end(undefined);
  const second = await connect();
  await second.update('the login', (update) => update.connection === 'open');
  const id = second.socket.user.id;
  await until('the keys to be written', 30, async () => readdirSync(folder).length > 10);
  second.socket.end(undefined);
  await saveCreds();
  return id;
}

const medidesk = (...words) => new Promise((resolve) => execFile(
  path.join(process.env.MEDIDESK_BIN, 'medidesk-cli'), [`--store_address=127.0.0.1:${system.ports.store}`, ...words],
  { env: { PATH: process.env.PATH, MEDIDESK_MASTER_KEY: masterKey } },
  (error, stdout, stderr) => resolve({ code: error?.code ?? 0, text: stdout + stderr })));

before(async () => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'auth_info.'));
  sim = spawn(process.env.WHATSAPP_SIM, [], { stdio: ['ignore', 'pipe', 'inherit'] });
  process.once('exit', () => sim.kill('SIGKILL'));
  about = JSON.parse(await new Promise((resolve) => createInterface({ input: sim.stdout }).once('line', resolve)));
  url = await createDatabase(pg);
  system = await startMedidesk(pg, { env: { DATABASE_URL: url.toString() } });
});
after(async () => {
  await system?.stop();
  sim?.kill('SIGTERM');
  rmSync(folder, { recursive: true, force: true });
});

test('the device moves over with its identity, without its ratchets', async () => {
  const { phone } = await control('/phones', { name: 'Front desk' });
  const id = await runBot(phone);
  const imported = await medidesk('device', 'import-baileys', folder, '--as', 'front-desk');
  assert.equal(imported.code, 0, imported.text);
  assert.match(imported.text, /never start that bot/i);

  const sql = new pg.Client(url.toString());
  await sql.connect();
  const [number] = (await sql.query(`select n.name, n.phone, s.device_jid from numbers n join number_states s on s.number_id = n.id
                                      where n.name = 'front-desk'`)).rows;
  assert.deepEqual(number, { name: 'front-desk', phone: `+${phone}`, device_jid: id });
  // What the folder held besides stays behind: sessions and pre-keys of another program are worse than none.
  const kinds = (await sql.query('select kind, key from medidesk.device_state order by kind, key')).rows;
  assert.deepEqual(kinds.map(({ kind, key }) => `${kind}:${key}`), ['1:self', '14:connection']);
  const sealed = (await sql.query('select sealed from medidesk.device_state')).rows.map((row) => row.sealed.toString('latin1')).join('');
  const creds = JSON.parse(readFileSync(path.join(folder, 'creds.json'), 'utf8'));
  const secret = Buffer.from(creds.noiseKey.private.data, 'base64').toString('latin1');
  assert.equal(secret.length, 32);
  assert.ok(!sealed.includes(secret), 'the store never sees a key open');
  await sql.end();

  // A backup reads every key again and checks it.
  const backup = path.join(folder, 'front-desk.backup');
  const exported = await medidesk('device', 'export', 'front-desk', backup);
  assert.equal(exported.code, 0, exported.text);
  const twice = await medidesk('device', 'import', backup);
  assert.equal(twice.code, 0, twice.text);
});

test('a folder that was never linked, and one that is none, are refused', async () => {
  const empty = mkdtempSync(path.join(os.tmpdir(), 'auth_info.'));
  try {
    assert.match((await medidesk('device', 'import-baileys', empty)).text, /no creds\.json/);
    const { state, saveCreds } = await useMultiFileAuthState(empty);
    state.creds.registered = false;
    await saveCreds();
    const unlinked = await medidesk('device', 'import-baileys', empty);
    assert.equal(unlinked.code, 1);
    assert.match(unlinked.text, /never linked/);
    writeFileSync(path.join(empty, 'creds.json'), '{"noiseKey":');
    const broken = await medidesk('device', 'import-baileys', empty);
    assert.equal(broken.code, 2);
    assert.match(broken.text, /not JSON/);
  } finally {
    rmSync(empty, { recursive: true, force: true });
  }
});
