// The system as separate processes, with a bad network where it hurts:
//
//   callers -> admin -> assistant -> [storeLink] -> store -> [databaseLink] -> PostgreSQL
//                \---------------------------------/^  (health only)
import pg from 'pg';
import { createDatabase, viaPort } from '../support/database.mjs';
import { alive, freePort, pause, start, startClaude, stop, until } from '../support/processes.mjs';
import { startProxy } from '../support/proxy.mjs';

const patience = 60;  // seconds that a caller waits for one answer; the webhook's own limit is 25

// `password`: of a login made for these services; else they use the cluster's own.
export async function startServices({ env = {}, databaseAway = false, password = '' } = {}) {
  const databaseUrl = await createDatabase(pg);
  const pool = new pg.Pool({ connectionString: databaseUrl.toString(), max: 4 });
  pool.on('error', () => {});
  if (password) {
    databaseUrl.username = `login_${databaseUrl.pathname.slice(1)}`;
    await pool.query(`create role ${databaseUrl.username} superuser login password '${password}'`);
    databaseUrl.password = password;
  }
  const claude = await startClaude();
  const [storePort, assistantPort, gatewayPort, port] = [await freePort(), await freePort(), await freePort(), await freePort()];
  const databaseLink = await startProxy(Number(databaseUrl.port || 5432), databaseUrl.hostname);
  const storeLink = await startProxy(storePort);
  if (databaseAway) databaseLink.refuse();

  const settings = {
    store: {
      DATABASE_URL: viaPort(databaseUrl, databaseLink.port), STORE_ADDRESS: `127.0.0.1:${storePort}`,
      MEDIDESK_HOSPITAL_FILE: 'examples/hospital.yaml', ...env,
    },
    assistant: {
      ASSISTANT_ADDRESS: `127.0.0.1:${assistantPort}`, STORE_ADDRESS: `127.0.0.1:${storeLink.port}`,
      ANTHROPIC_API_KEY: 'test', ANTHROPIC_BASE_URL: claude.url, ...env,
    },
    admin: {
      PORT: String(port), STORE_ADDRESS: `127.0.0.1:${storePort}`, ASSISTANT_ADDRESS: `127.0.0.1:${assistantPort}`,
      GATEWAY_ADDRESS: `127.0.0.1:${gatewayPort}`, WEBHOOK_RATE_PHONE: '0', ...env,
    },
  };
  const base = `http://127.0.0.1:${port}`;
  let stopped = false;
  const services = {
    base, claude, databaseLink, storeLink, children: {},
    sql: async (text, values) => (await pool.query(text, values)).rows,

    start(name) {
      const args = name === 'admin' ? [] : ['--metrics_address='];
      services.children[name] = start(`medidesk-${name}`, args, settings[name]);
    },
    // SIGKILL; returns when the process is gone.
    kill: (name) => stop(services.children[name], 'SIGKILL'),
    status: async (path) => (await fetch(base + path, { signal: AbortSignal.timeout(10_000) }).catch(() => null))?.status,
    ready: () => until('the services to be ready', 90, async () => {
      services.assertAlive();
      return (await services.status('/readyz')) === 200;
    }),
    assertAlive() {
      for (const [name, child] of Object.entries(services.children)) {
        if (!alive(child)) throw new Error(`${name} ended:\n${child.output}`);
      }
    },
    post: (body) => post(base, body),
    // As a caller does who wants his answer: the same messageId until it is there.
    async ask(body, seconds = 90) {
      const end = Date.now() + seconds * 1000;
      for (let attempts = 1; ; ++attempts) {
        const answer = await services.post(body);
        if (answer.status === 200) return { ...answer, attempts };
        if (![503, 409].includes(answer.status)) throw new Error(`status ${answer.status}: ${JSON.stringify(answer.body)}`);
        if (Date.now() > end) throw new Error(`no answer within ${seconds} s, last status ${answer.status}`);
        await pause(Math.min(500, 1000 * Number(answer.headers.get('retry-after') ?? 1)));
      }
    },
    // What the database holds of one patient's messages.
    async rows(phone) {
      const [found] = await services.sql(
        `select (select count(*)::int from messages m where m.conversation_id = c.id and m.direction = 'received') as received,
                (select count(*)::int from messages m where m.conversation_id = c.id and m.direction = 'sent') as sent,
                (select count(*)::int from turns t where t.conversation_id = c.id) as turns,
                (select count(*)::int from replies r where r.conversation_id = c.id) as replies,
                (select min(m.content) from messages m where m.conversation_id = c.id and m.direction = 'sent') as reply
           from conversations c where c.phone = $1`, [phone]);
      return found;
    },
    // Ends everything, once; how each service ended.
    async stop() {
      const ends = {};
      for (const name of ['admin', 'assistant', 'store']) {
        if (services.children[name]) ends[name] = await stop(services.children[name]);
      }
      if (!stopped) await Promise.all([storeLink.close(), databaseLink.close(), stop(claude.child), pool.end()]);
      stopped = true;
      return ends;
    },
  };
  for (const name of ['store', 'assistant', 'admin']) services.start(name);
  try {
    if (!databaseAway) await services.ready();
  } catch (error) {
    await services.stop();
    throw new Error(`${error.message}:\n${Object.entries(services.children).map(([name, child]) => `${name}: ${child.output.slice(-2000)}`).join('\n')}`);
  }
  return services;
}

export async function post(base, body) {
  const answer = await fetch(`${base}/functions/v1/whatsapp-webhook`, {
    method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body),
    signal: AbortSignal.timeout(patience * 1000),
  });
  return { status: answer.status, headers: answer.headers, body: await answer.json() };
}

let patients = 0;
export const newPhone = () => `+1555030${String(1000 + patients++)}`;
