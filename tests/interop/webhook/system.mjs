// The system under test for Node tests: a database of its own in the cluster of TEST_DATABASE_URL,
// the Claude stub and medidesk-all, all on free ports of 127.0.0.1, ended by their pids.
import { spawn } from 'node:child_process';
import net from 'node:net';
import path from 'node:path';
import { randomUUID } from 'node:crypto';
import pg from 'pg';

const bin = process.env.MEDIDESK_BIN;
const root = process.env.MEDIDESK_ROOT;
const cluster = process.env.TEST_DATABASE_URL;
if (!bin || !root) throw new Error('MEDIDESK_BIN and MEDIDESK_ROOT are not set: run this through ctest');
if (!cluster) throw new Error('TEST_DATABASE_URL is not set: run this through tests/with-postgres');

export async function until(what, seconds, look) {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    const found = await look();
    if (found) return found;
    if (Date.now() > end) throw new Error(`waited ${seconds} s for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

export async function freePort() {
  const server = net.createServer();
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

// A child whose output is kept for a failure's report.
export function start(program, args, env) {
  const child = spawn(path.join(bin, program), args, { env: { PATH: process.env.PATH, ...env }, cwd: root });
  child.output = '';
  child.stdout.on('data', (data) => { child.output += data; });
  child.stderr.on('data', (data) => { child.output = (child.output + data).slice(-200_000); });
  child.ended = new Promise((resolve) => child.on('exit', (code, signal) => resolve({ code, signal })));
  return child;
}

export async function stop(child, signal = 'SIGTERM') {
  if (child.exitCode === null && child.signalCode === null) child.kill(signal);
  const timer = setTimeout(() => child.kill('SIGKILL'), 15_000);
  const end = await child.ended;
  clearTimeout(timer);
  return end;
}

export async function makeDatabase() {
  const name = `test_${randomUUID().slice(24)}`;
  const admin = new pg.Client(cluster);
  await admin.connect();
  await admin.query(`create database ${name}`);
  await admin.end();
  const url = new URL(cluster);
  url.pathname = `/${name}`;
  return url.toString();
}

// Forwards to PostgreSQL until told to refuse. `databaseUrl` is reached through `proxy.url`.
export async function databaseProxy(databaseUrl) {
  const target = new URL(databaseUrl);
  const [host, port] = [target.hostname, Number(target.port || 5432)];
  const sockets = new Set();
  let open = true;
  const server = net.createServer((client) => {
    if (!open) return client.destroy();
    const upstream = net.connect(port, host);
    for (const [from, to] of [[client, upstream], [upstream, client]]) {
      sockets.add(from);
      from.pipe(to);
      from.on('error', () => to.destroy());
      from.on('close', () => { sockets.delete(from); to.destroy(); });
    }
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  target.port = String(server.address().port);
  return {
    url: target.toString(),
    refuse() { open = false; for (const socket of sockets) socket.destroy(); },
    accept() { open = true; },
    close() { this.refuse(); return new Promise((resolve) => server.close(resolve)); },
  };
}

export async function startClaude(args = []) {
  const child = start('claude-stub', ['--port=0', ...args], {});
  const url = await until('the Claude stub', 10, () => child.output.match(/http:\/\/\S+/)?.[0]);
  const control = async (name, body) => {
    const answer = await fetch(`${url}/__stub/${name}`, body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) });
    return answer.json();
  };
  return { url, child, control, asked: async () => (await control('requests')).requests.filter((r) => r.path === '/v1/messages').length };
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
