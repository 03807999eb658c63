// What the webhook's rate limits do for fair callers beside one that floods: 10,000 phones, each from an address of its own,
// for a while without and then with a flooder. Prints one JSON document.
//
//   unshare --net sh -c 'ip link set lo up && ip addr add 10.77.0.0/16 dev lo &&
//     MEDIDESK_BIN=build/release/bin tests/with-postgres node tests/bench/rate_limits.mjs [SECONDS=60] [CALLERS=10000] [PER_SECOND=300]'
//
// It runs in a network of its own because callers from loopback have no limit of addresses: every address of 10.77.0.0/16
// is this machine there, and nothing else can be reached. Uses the packages of tests/web; limits are the shipped ones.
import { readFileSync } from 'node:fs';
import http from 'node:http';
import { createRequire } from 'node:module';
import path from 'node:path';
import { pause, root, startClaude, stop } from '../support/processes.mjs';
import { startMedidesk } from '../support/medidesk.mjs';

const pg = createRequire(path.join(root, 'tests/web/'))('pg');
const [seconds, callers, perSecond] = [60, 10_000, 300].map((usual, i) => Number(process.argv[2 + i] ?? usual));
const flooders = 16;  // connections of the one that floods, all from one address

const claude = await startClaude();
const system = await startMedidesk(pg, { env: {
  HTTP_ADDRESS: '0.0.0.0', WEBHOOK_OPEN: '1', WEBHOOK_RATE_PHONE: '1', ANTHROPIC_BASE_URL: claude.url, ANTHROPIC_API_KEY: 'sk-ant-bench', LOG_LEVEL: 'error',
} });
const pssKib = () => Number(readFileSync(`/proc/${system.child.pid}/smaps_rollup`, 'utf8').match(/^Pss: +(\d+) kB/m)[1]);

let messages = 0;
function ask(localAddress, phone, agent = false) {
  const body = JSON.stringify({ phone, message: 'What are your visiting hours?', messageId: `rate-${messages++}` });
  const begun = performance.now();
  return new Promise((resolve) => {
    const request = http.request({
      host: '10.77.0.1', port: system.ports.http, path: '/functions/v1/whatsapp-webhook', method: 'POST', localAddress, agent,
      headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) },
    }, (answer) => {
      answer.resume();
      answer.on('end', () => resolve({ status: answer.statusCode, wait: Number(answer.headers['retry-after'] ?? 0), ms: performance.now() - begun }));
    });
    request.on('error', (error) => resolve({ status: 0, error: error.code, ms: performance.now() - begun }));
    request.end(body);
  });
}

const address = (n) => `10.77.${1 + Math.floor(n / 250)}.${1 + (n % 250)}`;
const phone = (n) => `+1555${String(n).padStart(7, '0')}`;
const tally = (into, status) => { into[status] = (into[status] ?? 0) + 1; };

// Fair callers in turn, so many a second whatever the answers take.
async function fair(end) {
  const statuses = {}, times = [], open = [];
  const begun = Date.now();
  for (let sent = 0; Date.now() < end;) {
    const due = Math.floor((Date.now() - begun) / 1000 * perSecond);
    for (; sent < due; ++sent) {
      const n = sent % callers;
      open.push(ask(address(n), phone(n)).then(({ status, ms }) => { tally(statuses, status); if (status === 200) times.push(ms); }));
    }
    await pause(5);
  }
  await Promise.all(open);
  times.sort((a, b) => a - b);
  const at = (share) => Number((times[Math.floor(times.length * share)] ?? NaN).toFixed(1));
  return { statuses, p50_ms: at(0.5), p99_ms: at(0.99), max_ms: at(0.99999) };
}

async function flood(end) {
  const statuses = {};
  let without = 0;
  await Promise.all(Array.from({ length: flooders }, async () => {
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    while (Date.now() < end) {
      const { status, wait } = await ask('10.77.200.1', '+15559999999', agent);
      tally(statuses, status);
      if (status === 429 && wait < 1) ++without;
    }
    agent.destroy();
  }));
  return { statuses, refused_without_retry_after: without };
}

async function round(flooded) {
  const end = Date.now() + seconds * 1000, memory = [];
  const watch = (async () => { while (Date.now() < end) { memory.push(pssKib()); await pause(seconds * 100); } })();
  const [callersSaw, flooderSaw] = await Promise.all([fair(end), flooded ? flood(end) : null, watch]);
  return { fair: callersSaw, ...(flooded && { flooder: flooderSaw }), pss_kib: memory };
}

try {
  await fair(Date.now() + 5000);  // caches and connections
  const result = { callers, seconds, fair_requests_per_second: perSecond, alone: await round(false), beside_a_flooder: await round(true) };
  console.log(JSON.stringify(result, null, 2));
} finally {
  await system.stop();
  await stop(claude.child);
}
