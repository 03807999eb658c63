// The store with its database, a WhatsApp simulator, and gateways as processes of their own:
//
//   medidesk-cli -> gateway "a" -> [a.link] -> store -> PostgreSQL
//                   gateway "b" -> [b.link] ----^          each gateway -> simulator
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import pg from 'pg';
import { createDatabase } from '../../support/database.mjs';
import { alive, freePort, start, stop, until } from '../../support/processes.mjs';
import { startProxy } from '../../support/proxy.mjs';
import { Simulator } from '../../interop/whatsapp/simulator.mjs';

export const newMasterKey = () => randomBytes(32).toString('base64');

export async function startSite({ simulatorFlags = [], env = {} } = {}) {
  const databaseUrl = await createDatabase(pg);
  const pool = new pg.Pool({ connectionString: databaseUrl.toString(), max: 2 });
  pool.on('error', () => {});
  const simChild = start('whatsapp-sim', simulatorFlags);
  const about = await until('the simulator', 20, () => alive(simChild) && simChild.output.includes('\n') && simChild.output.split('\n')[0]);
  const sim = new Simulator(simChild, JSON.parse(about));
  const folder = mkdtempSync(path.join(os.tmpdir(), 'medidesk-gateway-'));
  const storePort = await freePort();
  const storeEnv = { DATABASE_URL: databaseUrl.toString(), STORE_ADDRESS: `127.0.0.1:${storePort}` };
  const gateways = {};
  let masterKey = newMasterKey();

  const site = {
    sim, gateways, storePort,
    sql: async (text, values) => (await pool.query(text, values)).rows,
    number: async (name) => (await site.sql(
      `select n.id, n.phone, n.lease_token, n.lease_instance, g.gateway_id, s.state, s.state_reason, s.device_jid, s.platform,
              d.revision
         from numbers n left join number_states s on s.number_id = n.id
              left join medidesk.gateways g on g.instance_id = n.lease_instance
              left join medidesk.device_commits d on d.number_id = n.id where n.name = $1`, [name]))[0],
    setMasterKey(key) { masterKey = key; },

    // A gateway of this name: its own id and folder, the same after a restart.
    async start(name, { settings = {} } = {}) {
      const known = gateways[name];
      const link = known?.link ?? await startProxy(storePort);
      const port = known?.port ?? await freePort();
      const metricsPort = known?.metricsPort ?? await freePort();
      const child = start('medidesk-gateway', [], {
        GATEWAY_ADDRESS: `127.0.0.1:${port}`, METRICS_ADDRESS: `127.0.0.1:${metricsPort}`, STORE_ADDRESS: `127.0.0.1:${link.port}`,
        WHATSAPP_URL: sim.url, WHATSAPP_ROOT_KEY: sim.rootKey.toString('hex'), MEDIDESK_MASTER_KEY: masterKey,
        MEDIDESK_VAR: path.join(folder, name), ...env, ...settings,
      });
      const gateway = { name, link, port, metricsPort, child, address: `127.0.0.1:${port}` };
      gateways[name] = gateway;
      await until(`gateway ${name} to have met the store`, 30, () => site.alive(name) && child.output.includes('gateway.identity'));
      await until(`gateway ${name} to serve`, 30, async () => (await site.cli(['number', 'list'])).code === 0 && (await site.metrics(name)) !== null);
      return gateway;
    },
    alive(name) {
      if (!alive(gateways[name].child)) throw new Error(`gateway ${name} ended:\n${gateways[name].child.output}`);
      return true;
    },
    stop: (name, signal) => stop(gateways[name].child, signal),

    // The text of /metrics; null while nobody answers.
    async metrics(name) {
      const answer = await fetch(`http://127.0.0.1:${gateways[name].metricsPort}/metrics`).catch(() => null);
      return answer === null ? null : await answer.text();
    },
    // The value of one line of it, 0 for one that is not there.
    async metric(name, line) {
      const text = await site.metrics(name);
      const found = text?.split('\n').find((one) => one.startsWith(`${line} `));
      return found ? Number(found.split(' ')[1]) : 0;
    },

    // Runs medidesk-cli; `onLine` sees every line of its output as it comes.
    async cli(words, { gateway = null, onLine = null } = {}) {
      const child = start('medidesk-cli', [...(gateway ? [`--gateway_address=${gateways[gateway].address}`] : []), ...words],
        { STORE_ADDRESS: `127.0.0.1:${storePort}` });
      let rest = '';
      const seen = [];
      child.stdout.on('data', (data) => {
        rest += data;
        for (let end = rest.indexOf('\n'); end >= 0; end = rest.indexOf('\n')) {
          const line = rest.slice(0, end);
          rest = rest.slice(end + 1);
          if (onLine) seen.push(onLine(line, child));
        }
      });
      const { code } = await child.ended;
      await Promise.all(seen);
      return { code, output: child.output };
    },
    // Links a new phone to the number by `gateway`; the phone's digits.
    async link(gateway, name, { byCode = false } = {}) {
      const phone = await sim.phone({ platform: 'smba', business_name: 'City Hospital' });
      let shown = false;
      const done = await site.cli(['link', name, '--plain', ...(byCode ? ['--phone', `+${phone}`] : [])], {
        gateway,
        onLine: async (line) => {
          const [what, text] = line.split(' ');
          if (shown || !['qr', 'code'].includes(what)) return;
          shown = true;
          if (what === 'qr') return await sim.post('/scan', { phone, qr: text });
          await sim.post('/code', { phone, code: text });
        },
      });
      if (done.code !== 0) throw new Error(`link ended with ${done.code}:\n${done.output}\n${gateways[gateway].child.output}`);
      return phone;
    },
    state: (name, wanted, seconds = 30) =>
      until(`number ${name} to be ${wanted}`, seconds, async () => (await site.number(name))?.state === wanted),
    // Logins and ends of this phone's device so far, oldest first.
    events: async (phone, ...names) => (await sim.events(phone)).filter((event) => names.includes(event.event)),
    loggedIn: (phone, times, seconds) =>
      until(`login ${times} of ${phone}`, seconds, async () => (await site.events(phone, 'login')).length >= times),

    async end() {
      for (const gateway of Object.values(gateways)) {
        gateway.child.kill('SIGCONT');
        await stop(gateway.child);
        await gateway.link.close();
      }
      await stop(store);
      await pool.end();
      const code = await sim.stop();
      rmSync(folder, { recursive: true, force: true });
      if (code !== 0) throw new Error(`the simulator ended with ${code}`);
    },
  };
  const store = start('medidesk-store', ['--metrics_address='], storeEnv);
  try {
    await until('the store', 60, async () => alive(store) && (await site.cli(['number', 'list'])).code === 0);
  } catch (error) {
    await stop(store);
    throw new Error(`${error.message}:\n${store.output}`);
  }
  return site;
}
