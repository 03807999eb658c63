// Store, assistant and gateway as processes of their own that a test kills and starts again, with PostgreSQL behind a proxy,
// and one number linked to WhatsApp's simulator:
//
//   patients -> simulator -> gateway -> assistant -> [storeLink] -> store -> [databaseLink] -> PostgreSQL
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import pg from 'pg';
import { viaPort } from '../../support/database.mjs';
import { alive, freePort, start, startClaude, stop } from '../../support/processes.mjs';
import { startProxy } from '../../support/proxy.mjs';
import { Simulator, until } from './simulator.mjs';

// `databaseUrl`: an empty database; it is the caller's. `name`: in the names of its folders.
export async function startSite(name, databaseUrl) {
  const database = new URL(databaseUrl);
  const pool = new pg.Pool({ connectionString: databaseUrl.toString(), max: 2 });
  pool.on('error', () => {});
  const sim = await Simulator.start();
  const claude = await startClaude();
  await claude.control('script', { mode: 'echo' });
  const folder = mkdtempSync(path.join(os.tmpdir(), `medidesk-${name}-`));
  const [storePort, assistantPort, gatewayPort] = [await freePort(), await freePort(), await freePort()];
  const databaseLink = await startProxy(Number(database.port || 5432), database.hostname);
  const storeLink = await startProxy(storePort);
  const addresses = { ASSISTANT_ADDRESS: `127.0.0.1:${assistantPort}`, STORE_ADDRESS: `127.0.0.1:${storeLink.port}` };
  const settings = {
    store: { DATABASE_URL: viaPort(database, databaseLink.port), STORE_ADDRESS: `127.0.0.1:${storePort}`, MEDIDESK_HOSPITAL_FILE: 'examples/hospital.yaml' },
    assistant: { ...addresses, ANTHROPIC_API_KEY: 'test', ANTHROPIC_BASE_URL: claude.url },
    gateway: {
      ...addresses, GATEWAY_ADDRESS: `127.0.0.1:${gatewayPort}`, WHATSAPP_URL: sim.url, WHATSAPP_ROOT_KEY: sim.rootKey.toString('hex'),
      MEDIDESK_MASTER_KEY: randomBytes(32).toString('base64'), MEDIDESK_VAR: folder, GATEWAY_ID: name,
      BURST_QUIET: '20ms', SEND_GOVERNOR: 'false', TYPING: 'false',
    },
  };
  const children = {}, before = {};  // processes by name; what earlier ones said
  const site = {
    sim, claude, databaseLink, storeLink, children,
    sql: async (text, values) => (await pool.query(text, values)).rows,
    start(service) {
      if (children[service]) before[service] = `${before[service] ?? ''}${children[service].output}--- killed\n`.slice(-100_000);
      children[service] = start(`medidesk-${service}`, ['--metrics_address='], settings[service]);
    },
    said: (service) => (before[service] ?? '') + children[service].output,
    kill: (service) => stop(children[service], 'SIGKILL'),
    async end() {
      for (const service of ['gateway', 'assistant', 'store']) {
        children[service].kill('SIGCONT');
        await stop(children[service]);
      }
      await Promise.all([storeLink.close(), databaseLink.close(), stop(claude.child), pool.end()]);
      await sim.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
  for (const service of ['store', 'assistant', 'gateway']) site.start(service);
  const phone = await sim.phone({ platform: 'smba', business_name: 'City Hospital' });
  const link = await until('a QR code', async () => {
    const child = start('medidesk-cli', [`--gateway_address=127.0.0.1:${gatewayPort}`, 'link', 'front-desk', '--plain'], { STORE_ADDRESS: `127.0.0.1:${storePort}` });
    const qr = await until('a QR code or an end', () => child.output.match(/^qr (\S+)/m)?.[1] ?? (alive(child) ? null : 'ended'));
    return qr === 'ended' ? null : { child, qr };
  });
  await sim.post('/scan', { phone, qr: link.qr });
  assert.equal((await link.child.ended).code, 0, link.child.output);
  const { phones } = await sim.get('/phones');
  return Object.assign(site, { phone, address: `${phones.find((entry) => entry.phone === phone).lid}@lid` });
}
