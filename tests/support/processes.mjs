// Processes of the system for Node tests: programs of MEDIDESK_BIN on ports of 127.0.0.1, each ended by
// its pid, at the latest when the test's own process ends.
import { spawn } from 'node:child_process';
import net from 'node:net';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../..', import.meta.url));
const bin = process.env.MEDIDESK_BIN;
if (!bin) throw new Error('MEDIDESK_BIN is not set: run this through ctest');

export const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// Looks until `look` gives something true, and returns that; throws after `seconds`.
export async function until(what, seconds, look) {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    const found = await look();
    if (found) return found;
    if (Date.now() > end) throw new Error(`waited ${seconds} s for ${what}`);
    await pause(20);
  }
}

// A port nobody listens on, below the range that outgoing connections take theirs from: a server that
// is killed finds it free again, and nobody who knocks meanwhile can be given it.
export async function freePort() {
  for (let attempt = 0; attempt < 100; ++attempt) {
    const port = 15_000 + Math.floor(Math.random() * 17_000);
    const server = net.createServer();
    const free = await new Promise((resolve) => server.once('error', () => resolve(false)).listen(port, '127.0.0.1', () => resolve(true)));
    if (!free) continue;
    await new Promise((resolve) => server.close(resolve));
    return port;
  }
  throw new Error('no free port found');
}

// Patients of tests write faster, and the same, than people do.
const asATest = { REPLIES_AN_HOUR: '0', LOOP_GUARD: 'false' };

const running = new Set();
process.on('exit', () => { for (const child of running) child.kill('SIGKILL'); });
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, () => process.exit(1));

// A child with the given settings and nothing else of our environment. The end of its output is kept
// for a failure's report.
export function start(program, args, env = {}) {
  const child = spawn(path.join(bin, program), args, { env: { PATH: process.env.PATH, ...asATest, ...env }, cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
  running.add(child);
  child.output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (data) => { child.output = (child.output + data).slice(-100_000); });
  }
  child.ended = new Promise((resolve) => {
    const done = (code, signal) => { running.delete(child); resolve({ code, signal }); };
    child.on('exit', done);
    child.on('error', () => done(127, null));
  });
  return child;
}

export const alive = (child) => child.exitCode === null && child.signalCode === null;

// Ends a child and waits for its end; what does not stop within 15 s is killed.
export async function stop(child, signal = 'SIGTERM') {
  if (alive(child)) child.kill(signal);
  const timer = setTimeout(() => child.kill('SIGKILL'), 15_000);
  const end = await child.ended;
  clearTimeout(timer);
  return end;
}

// The Claude stub. `asked(text)`: how many times the model was asked with `text` in the request.
export async function startClaude(args = []) {
  const child = start('claude-stub', ['--port=0', ...args]);
  const url = await until('the Claude stub', 20, () => child.output.match(/http:\/\/\S+/)?.[0]);
  const control = async (name, body) => {
    const answer = await fetch(`${url}/__stub/${name}`, body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) });
    const told = await answer.json();
    if (!answer.ok) throw new Error(`the Claude stub: ${told.error}`);
    return told;
  };
  const asked = async (text = '') =>
    (await control('requests')).requests.filter((r) => r.path === '/v1/messages' && JSON.stringify(r).includes(text)).length;
  return { url, child, control, asked };
}

