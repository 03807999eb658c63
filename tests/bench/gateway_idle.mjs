// What a linked number costs while nothing happens: memory of one gateway process without numbers and with many, and its
// processor time at rest, over ws:// and over wss:// with a certificate of our own. Prints one JSON document.
//
//   MEDIDESK_BIN=build/release/bin tests/with-postgres node tests/bench/gateway_idle.mjs [NUMBERS=100] [SECONDS=60]
//
// Memory is Pss (pages shared with other processes count by their share) right after a restart, so that what linking
// needed is not in it.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { pause, until } from '../support/processes.mjs';
import { startSite } from '../e2e/gateway/site.mjs';

const numbers = Number(process.argv[2] ?? 100), seconds = Number(process.argv[3] ?? 60);
const say = (text) => process.stderr.write(`${text}\n`);

const pssKib = (pid) => Number(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8').match(/^Pss: +(\d+) kB/m)[1]);
const ticks = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));
function cpuSeconds(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /, '').split(' ');
  return (Number(fields[11]) + Number(fields[12])) / ticks;
}

async function measure(scheme) {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'medidesk-idle-'));
  const [cert, key] = ['cert.pem', 'key.pem'].map((name) => path.join(folder, name));
  const flags = [], settings = {};
  if (scheme === 'wss') {
    execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2',
      '-subj', '/CN=whatsapp-sim', '-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', key, '-out', cert], { stdio: 'pipe' });
    flags.push(`--tls_cert=${cert}`, `--tls_key=${key}`);
    settings.WHATSAPP_CA = cert;
  }
  const site = await startSite({ simulatorFlags: flags, env: settings });
  try {
    await site.start('a');
    await pause(5000);
    const empty = pssKib(site.gateways.a.child.pid);
    for (let made = 0; made < numbers;) {
      const some = Math.min(4, numbers - made);
      await Promise.all(Array.from({ length: some }, (_, i) => site.link('a', `n${made + i}`)));
      made += some;
      if (made % 20 < some) say(`${scheme}: ${made} numbers linked`);
    }
    const connected = async () => await site.metric('a', 'medidesk_gateway_numbers{state="connected"}') === numbers;
    await until('all to be connected', 120, connected);
    const linked = pssKib(site.gateways.a.child.pid);
    await site.stop('a');
    const restarted = Date.now();
    await site.start('a');
    await until('all to be connected again', 120, connected);
    const login = Date.now() - restarted;
    await pause(10_000);
    const { pid } = site.gateways.a.child;
    const idle = pssKib(pid), before = cpuSeconds(pid), start = Date.now();
    await pause(seconds * 1000);
    const cpu = (cpuSeconds(pid) - before) / ((Date.now() - start) / 1000);
    if (!await connected()) throw new Error('a number was lost while nothing happened');
    return {
      numbers, pss_kib_without_numbers: empty, pss_kib_after_linking: linked, pss_kib_idle: idle,
      kib_per_number: Math.round((idle - empty) / numbers), cpu_percent_of_a_core: Number((100 * cpu).toFixed(2)),
      all_logged_in_after_ms: login, measured_for_s: seconds, pss_kib_at_the_end: pssKib(pid),
    };
  } finally {
    await site.end();
    rmSync(folder, { recursive: true, force: true });
  }
}

const result = {};
for (const scheme of ['ws', 'wss']) result[scheme] = await measure(scheme);
console.log(JSON.stringify(result, null, 2));
