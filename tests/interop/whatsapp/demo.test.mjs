// What `./medidesk demo` plays: a phone scans the code of the hospital's number, two patients write to it, every answer
// holds the stored facts, and at the end whoever sits at the terminal is a patient.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';

import { root, startClaude, stop } from '../../support/processes.mjs';
import { startClinic } from './clinic.mjs';

test('the demo\'s conversation on WhatsApp is right, and one can go on typing', { timeout: 180_000 }, async () => {
  const claude = await startClaude(['--facts']);
  const clinic = await startClinic({ env: { ANTHROPIC_API_KEY: 'demo', ANTHROPIC_BASE_URL: claude.url } });
  const folder = mkdtempSync(path.join(os.tmpdir(), 'medidesk-demo-'));
  try {
    const { sim, medidesk: { ports, base } } = clinic;
    const about = path.join(folder, 'whatsapp-sim.json');
    writeFileSync(about, `${JSON.stringify({ ws_url: sim.url, control_url: sim.control, root_key: sim.rootKey.toString('hex') })}\n`);
    const demo = spawn('/usr/bin/python3', ['-B', path.join(root, 'tools/demo.py'), `--url=${base}`, `--hospital=${path.join(root, 'examples/hospital.yaml')}`,
      `--whatsapp=${about}`, `--programs=${process.env.MEDIDESK_BIN}`, `--store=127.0.0.1:${ports.store}`, `--gateway=127.0.0.1:${ports.gateway}`]);
    const ended = new Promise((resolve) => demo.once('close', resolve));
    process.once('exit', () => demo.kill('SIGKILL'));
    let text = '';
    for (const stream of [demo.stdout, demo.stderr]) stream.on('data', (data) => { text += data; });
    demo.stdin.end('What are your visiting hours in the ICU?\n');
    assert.equal(await ended, 0, text);
    assert.match(text, /11 checks of the conversation, 0 wrong/);
    assert.match(text.slice(text.indexOf('Now you are a patient')), /You: +What are your visiting hours.*\n *MediDesk: .*[^]*14:00/);
    // The three patients wrote on WhatsApp, as what they are.
    const people = await clinic.sql("select distinct phone from contacts where phone is not null and lid is not null");
    assert.equal(people.length, 3);
    assert.deepEqual(await clinic.problems(), []);
  } finally {
    await clinic.end();
    await stop(claude.child);
    rmSync(folder, { recursive: true, force: true });
  }
});
