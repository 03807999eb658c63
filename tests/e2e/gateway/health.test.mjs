// A WhatsApp number in the program that runs all services: /health shows it as the original did.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import pg from 'pg';
import { alive, start, stop, until } from '../../support/processes.mjs';
import { startMedidesk } from '../../support/medidesk.mjs';
import { Simulator } from '../../interop/whatsapp/simulator.mjs';
import { newMasterKey } from './site.mjs';

test('/health shows connected and user, and loses them with the link', async () => {
  const simulator = start('whatsapp-sim', []);
  const about = await until('the simulator', 20, () => alive(simulator) && simulator.output.includes('\n') && simulator.output.split('\n')[0]);
  const sim = new Simulator(simulator, JSON.parse(about));
  const medidesk = await startMedidesk(pg, { env: {
    WHATSAPP_URL: sim.url, WHATSAPP_ROOT_KEY: sim.rootKey.toString('hex'), MEDIDESK_MASTER_KEY: newMasterKey(), GATEWAY_ID: 'one',
  } });
  const health = async () => (await fetch(`${medidesk.base}/health`)).json();
  const cli = async (words, onLine = () => {}) => {
    const child = start('medidesk-cli', [`--gateway_address=127.0.0.1:${medidesk.ports.gateway}`, ...words],
      { STORE_ADDRESS: `127.0.0.1:${medidesk.ports.store}` });
    child.stdout.on('data', (data) => { for (const line of String(data).split('\n')) onLine(line); });
    const { code } = await child.ended;
    assert.equal(code, 0, child.output);
  };
  try {
    const before = await health();
    assert.equal(before.connected, false);
    assert.equal(before.user, null);
    assert.deepEqual(before.numbers, []);
    const phone = await sim.phone();
    const link = () => cli(['link', 'front-desk', '--plain'], (line) => { if (line.startsWith('qr ')) sim.post('/scan', { phone, qr: line.slice(3) }); });
    await link();
    const linked = await until('health to show it', 30, async () => {
      const now = await health();
      return now.connected && now;
    });
    assert.equal(linked.status, 'running');
    assert.equal(linked.user, `${phone}:1@s.whatsapp.net`);
    assert.equal(linked.numbers[0].name, 'front-desk');
    assert.equal(linked.services.gateway, 'up');
    await cli(['unlink', 'front-desk']);
    const after = await until('health to lose it', 30, async () => {
      const now = await health();
      return !now.connected && now;
    });
    assert.equal(after.user, null);
    assert.equal(after.numbers[0].state, 'needs_link');
    assert.equal(after.status, 'degraded');
    await link();  // stops below with a number in its hands
    await until('health to show it again', 30, async () => (await health()).connected);
  } finally {
    assert.deepEqual(await medidesk.stop(), { code: 0, signal: null }, medidesk.child.output.slice(-2000));
    await stop(simulator);
  }
});
