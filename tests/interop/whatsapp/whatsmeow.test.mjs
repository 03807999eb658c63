// The core dialogue once more with a patient on the real whatsmeow, where Go is new enough for it: what holds for Baileys
// alone would be a habit of Baileys.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, describe, test } from 'node:test';

import { root } from '../../support/processes.mjs';
import { startClinic } from './clinic.mjs';
import { until } from './simulator.mjs';

const oldest = 26;  // of Go 1.x, which whatsmeow wants
const go = [process.env.GO, ...(process.env.PATH ?? '').split(':').map((folder) => path.join(folder, 'go')), '/usr/local/go/bin/go']
  .find((program) => program && existsSync(program) &&
    Number(execFileSync(program, ['env', 'GOVERSION'], { encoding: 'utf8' }).match(/^go1\.(\d+)/)?.[1] ?? 0) >= oldest);

// The program of tests/interop/whatsmeow/patient.
class Whatsmeow {
  constructor(program, sim) {
    this.told = [];
    this.child = spawn(program, [new URL(sim.url).host, sim.rootKey.toString('hex')], { stdio: ['pipe', 'pipe', 'inherit'] });
    process.once('exit', () => this.child.kill('SIGKILL'));
    this.ended = new Promise((resolve) => this.child.once('exit', resolve));
    createInterface({ input: this.child.stdout }).on('line', (line) => {
      if (line.startsWith('{')) this.told.push(JSON.parse(line));  // its Signal library logs there, too
    });
  }
  command(command) { this.child.stdin.write(`${JSON.stringify(command)}\n`); }
  all = (kind) => this.told.filter((line) => line[kind]).map((line) => line[kind]);
  connected = (count) => until('whatsmeow to be connected', () => this.all('connected').length >= count);
  texts = () => this.all('inbound').map(({ text }) => text).filter(Boolean);
  async send(chat, text) {
    const before = this.all('sent').length;
    this.command({ send: { chat, text } });
    await until('the ack', () => {
      assert.deepEqual(this.all('error'), []);
      return this.all('sent').length > before;
    });
    return this.all('sent')[before].id;
  }
  had = (id, type) => this.all('receipt').some((receipt) => receipt.type === type && receipt.ids.includes(id));
  answered = (count) => until(`answer ${count}`, () => this.texts().length >= count, 30);
  stop() {
    this.child.stdin.end();
    return this.ended;
  }
}

describe('a patient on whatsmeow', { skip: go ? false : `Go 1.${oldest} or newer is not installed` }, () => {
  let clinic, patient, folder;
  before(async () => {
    folder = mkdtempSync(path.join(os.tmpdir(), 'medidesk-whatsmeow-'));
    const program = path.join(folder, 'patient');
    execFileSync(go, ['build', '-o', program, './patient'],
      { cwd: path.join(root, 'tests/interop/whatsmeow'), env: { ...process.env, GOFLAGS: '-mod=readonly', GOTOOLCHAIN: 'local' }, stdio: ['ignore', 'inherit', 'inherit'] });
    clinic = await startClinic({ env: { SEND_GOVERNOR: 'false' } });
    await clinic.link();
    const phone = await clinic.sim.phone({ name: 'Wilma' });
    patient = new Whatsmeow(program, clinic.sim);
    await until('a QR code', () => patient.all('qr').length > 0);
    await clinic.sim.post('/scan', { phone, qr: patient.all('qr')[0] });
    await patient.connected(1);
    patient.phone = phone;
  });
  after(async () => {
    if (patient) assert.equal(await patient.stop(), 0);
    if (clinic) {
      assert.deepEqual(await clinic.problems(), []);
      assert.equal((await clinic.end()).code, 0);
    }
    rmSync(folder, { recursive: true, force: true });
  });

  test('asks, sees that it was delivered and read, and is answered from the hospital\'s facts', async () => {
    const id = await patient.send(clinic.byLid, 'What are your visiting hours?');
    await patient.answered(1);
    assert.match(patient.texts()[0], /visiting/i);
    assert.equal(patient.all('inbound')[0].chat, clinic.byLid);
    await until('the receipts', () => patient.had(id, 'inactive') && patient.had(id, 'read'));
    await until('the answer\'s delivery to be known', async () =>
      (await clinic.sql("select 1 from reply_parts where state in ('delivered', 'read')")).length === 1);
  });

  test('asks a hundred times and is answered a hundred times, in order', async () => {
    const before = patient.texts().length;
    for (let i = 0; i < 100; ++i) {
      await patient.send(clinic.byLid, `What are your visiting hours? (${i})`);
      await patient.answered(before + i + 1);
    }
    const rows = await clinic.sql(
      `select m.from_me from messages m join contacts c on c.id = m.contact_id where c.phone = $1 order by m.seq`, [`+${patient.phone}`]);
    rows.forEach((row, i) => assert.equal(row.from_me, i % 2 === 1));
    assert.equal(patient.texts().length, before + 100);
  });

  test('is asked for what cannot be read, and is answered once', async () => {
    const before = patient.texts().length;
    await clinic.sim.fault({ kind: 'spoil', phone: patient.phone });
    await patient.send(clinic.byLid, 'Which departments do you have?');
    await patient.answered(before + 1);
    const rows = await clinic.sql("select kind from messages where content = 'Which departments do you have?'");
    assert.equal(rows.length, 1);
  });

  test('asks again for an answer that cannot be read', async () => {
    const before = patient.texts().length;
    await clinic.sim.fault({ kind: 'spoil', phone: clinic.phone });
    await patient.send(clinic.byLid, 'What are your visiting hours?');
    await patient.answered(before + 1);
    assert.equal(patient.texts().length, before + 1);
  });

  test('is answered over a new connection', async () => {
    const before = patient.texts().length;
    await patient.send(clinic.byLid, 'What are your visiting hours?');
    patient.command({ reconnect: true });
    await patient.connected(2);
    await patient.answered(before + 1);
  });

  test('edits and reacts without another answer', async () => {
    const before = patient.texts().length;
    const id = await patient.send(clinic.byLid, 'What are your visiting hours?');
    await patient.answered(before + 1);
    patient.command({ react: { chat: clinic.byLid, id, text: '\u{1F44D}' } });
    patient.command({ edit: { chat: clinic.byLid, id, text: 'What are your visiting hours in the ICU?' } });
    await until('both to be stored', async () => (await clinic.sql(
      "select 1 from messages m join contacts c on c.id = m.contact_id where c.phone = $1 and m.kind in ('edit', 'reaction')", [`+${patient.phone}`])).length === 2);
    assert.equal(patient.texts().length, before + 1);
  });

  test('reports a red flag and gets the emergency text', async () => {
    const before = patient.texts().length;
    await patient.send(clinic.byPhone, 'I have crushing chest pain and cannot breathe');
    await patient.answered(before + 1);
    assert.match(patient.texts()[before], /112/);
    const [{ status }] = await clinic.sql('select status from contacts where phone = $1', [`+${patient.phone}`]);
    assert.equal(status, 'human_takeover');
  });
});
