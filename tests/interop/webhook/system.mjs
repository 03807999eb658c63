// The system under test for Node tests: a database of its own in the cluster of TEST_DATABASE_URL,
// the Claude stub and medidesk-all, all on free ports of 127.0.0.1, ended by their pids.
import pg from 'pg';
import { createDatabase, viaPort } from '../../support/database.mjs';
import { freePort, start, startClaude, stop, until } from '../../support/processes.mjs';
import { startProxy } from '../../support/proxy.mjs';

export { startClaude, stop, until };

export const makeDatabase = async () => (await createDatabase(pg)).toString();

// Forwards to PostgreSQL until told to refuse. `databaseUrl` is reached through `proxy.url`.
export async function databaseProxy(databaseUrl) {
  const target = new URL(databaseUrl);
  const proxy = await startProxy(Number(target.port || 5432), target.hostname);
  return { ...proxy, url: viaPort(target, proxy.port) };
}

// `env`: settings besides; `databaseUrl`: an existing database.
export async function startSystem({ env = {}, databaseUrl, ready = true } = {}) {
  const url = databaseUrl ?? (await makeDatabase());
  const [port, gateway, assistant, store] = [await freePort(), await freePort(), await freePort(), await freePort()];
  const child = start('medidesk-all', [], {
    DATABASE_URL: url, PORT: String(port), MEDIDESK_HOSPITAL_FILE: 'examples/hospital.yaml',
    GATEWAY_ADDRESS: `127.0.0.1:${gateway}`, ASSISTANT_ADDRESS: `127.0.0.1:${assistant}`, STORE_ADDRESS: `127.0.0.1:${store}`,
    WEBHOOK_RATE_PHONE: '1000', WEBHOOK_BURST_PHONE: '1000', ...env,
  });
  const base = `http://127.0.0.1:${port}`;
  const isReady = async () => (await fetch(`${base}/readyz`).catch(() => null))?.status;
  if (ready) {
    await until('medidesk-all to be ready', 60, async () => {
      if (child.exitCode !== null) throw new Error(`medidesk-all ended: ${child.output}`);
      return (await isReady()) === 200;
    }).catch(async (error) => {
      await stop(child);
      throw new Error(`${error.message}\n${child.output}`);
    });
  }
  const pool = new pg.Pool({ connectionString: url, max: 2 });
  pool.on('error', () => {});
  const post = async (body, headers = {}) => {
    const answer = await fetch(`${base}/functions/v1/whatsapp-webhook`, {
      method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body: typeof body === 'string' ? body : JSON.stringify(body),
    });
    return { status: answer.status, headers: answer.headers, body: await answer.json() };
  };
  return {
    base, port, addresses: { gateway, assistant, store }, child, post, isReady,
    sql: async (text, values) => (await pool.query(text, values)).rows,
    stop: async () => { await pool.end(); return stop(child); },
  };
}
