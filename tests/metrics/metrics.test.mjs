// The metrics page of a running medidesk-all against Prometheus's own checker and against docs/metrics.md,
// which names every metric once: none on the page or in the sources is missing there, and none there is made up.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import pg from 'pg';
import { createDatabase } from '../support/database.mjs';
import { freePort, root, start, startClaude, stop, until } from '../support/processes.mjs';
import { startMedidesk } from '../support/medidesk.mjs';

const services = ['assistant', 'gateway', 'store'];
const general = (name) => name.replace(new RegExp(`^medidesk_(${services.join('|')})_rpc_`), 'medidesk_<service>_rpc_');
const document = readFileSync(path.join(root, 'docs/metrics.md'), 'utf8');
const section = (title) => document.split(/^## /m).find((text) => text.startsWith(title));
const rows = (text) => text.split('\n').filter((line) => line.startsWith('|')).slice(2)
  .map((line) => line.slice(1, -1).split(/(?<!\\)\|/).map((cell) => cell.trim()));
const words = (cell) => [...cell.matchAll(/`([^`]+)`/g)].map((match) => match[1]);

const documented = rows(section('Every metric')).map(([name, type, labels, meaning]) =>
  ({ name: words(name)[0], type, labels: words(labels).sort(), meaning, late: name.endsWith('†') }));

// {name: {type, labels}} of a page.
function families(page) {
  const found = {};
  for (const [, name, type] of page.matchAll(/^# TYPE (\S+) (\S+)$/gm)) {
    const samples = page.matchAll(new RegExp(`^${name}(?:_bucket|_sum|_count)?(?:\\{(.*)\\})? \\S+$`, 'gm'));
    const labels = new Set();
    for (const [, list] of samples) for (const [, label] of (list ?? '').matchAll(/(\w+)="/g)) labels.add(label);
    labels.delete('le');
    found[general(name)] = { type, labels: [...labels].sort() };
  }
  return found;
}

let claude, system, page;
before(async () => {
  claude = await startClaude();
  system = await startMedidesk(pg, { env: { ANTHROPIC_API_KEY: 'test', ANTHROPIC_BASE_URL: claude.url } });
  const post = async (body, status) => {
    const answer = await fetch(`${system.base}/functions/v1/whatsapp-webhook`, {
      method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body),
    });
    assert.equal(answer.status, status);
    return answer.json();
  };
  const question = { phone: '+15550701000', message: 'What are your visiting hours?', messageId: 'm-1' };
  await post(question, 200);
  await post(question, 200);
  await claude.control('reply', { content: [{ type: 'text', text: 'Take 500 mg of paracetamol twice a day.' }] });
  const dose = await post({ phone: '+15550701001', message: 'Is there parking?', messageId: 'm-2' }, 200);
  assert.doesNotMatch(dose.response, /500 mg/);
  assert.equal((await post({ phone: '+15550701002', message: 'I have crushing chest pain', messageId: 'm-3' }, 200)).status, 'human_takeover');
  await post({ message: 'nobody' }, 400);
  page = await until('the counts of tables', 30, async () => {
    const text = await (await fetch(`${system.base}/metrics`)).text();
    return text.includes('medidesk_store_table_rows{') && text;
  });
});
after(async () => {
  await system?.stop();
  if (claude) await stop(claude.child);
});

function promtool(url) {
  return new Promise((resolve) => execFile(path.join(root, 'tests/metrics/check-metrics'), [url], { timeout: 250_000 },
    (error, stdout, stderr) => resolve({ code: error ? (error.code ?? 1) : 0, output: stdout + stderr })));
}

test('promtool has no complaint', async () => {
  assert.deepEqual(await promtool(`${system.base}/metrics`), { code: 0, output: '' });
});

test("nor has it of a single service's page", async () => {
  const metrics = `127.0.0.1:${await freePort()}`;
  const store = start('medidesk-store', [`--metrics_address=${metrics}`],
    { DATABASE_URL: (await createDatabase(pg)).toString(), STORE_ADDRESS: `127.0.0.1:${await freePort()}` });
  try {
    const url = `http://${metrics}/metrics`;
    const own = await until('the metrics of the store', 60, async () => {
      const text = await fetch(url).then((answer) => answer.text()).catch(() => '');
      return text.includes('medidesk_store_table_rows{') && text;
    });
    assert.deepEqual(await promtool(url), { code: 0, output: '' });
    assertDocumented(families(own), /^exposer_/);
  } finally {
    await stop(store);
  }
});

test('every metric of the page is documented with its type and labels', () => {
  const found = families(page);
  assert.ok(Object.keys(found).length > 30);
  assertDocumented(found);
});

function assertDocumented(found, foreign) {
  for (const [name, { type, labels }] of Object.entries(found)) {
    if (foreign?.test(name)) continue;
    const row = documented.find((one) => one.name === name);
    assert.ok(row, `docs/metrics.md does not name ${name}`);
    assert.deepEqual({ name, type: row.type, labels: row.labels }, { name, type, labels });
  }
}

test('every documented metric is on the page, those that wait for an event excepted', () => {
  const found = families(page);
  assert.deepEqual(documented.filter((row) => !row.late && !found[row.name]).map((row) => row.name), []);
  assert.ok(found.medidesk_assistant_checks_failed_total, 'the stopped dose was counted');
});

test('every metric is documented once, with its meaning', () => {
  const names = documented.map((row) => row.name);
  assert.deepEqual(names, [...new Set(names)]);
  assert.deepEqual(documented.filter((row) => !row.meaning), []);
});

test('the sources and the document name the same metrics', () => {
  const names = new Set();
  for (const folder of ['base', 'safety', 'store', 'assistant', 'gateway', 'admin', 'allinone']) {
    for (const file of readdirSync(path.join(root, folder), { recursive: true })) {
      if (!/\.(cc|h)$/.test(file) || /_(test|fuzz|bench)\.cc$|(^|\/)testing\//.test(file)) continue;
      const source = readFileSync(path.join(root, folder, file), 'utf8');
      for (const [, name] of source.replace(/"medidesk_" \+ [\w.]+ \+ "/g, '"medidesk_<service>').matchAll(/"(medidesk_[a-z_<>]+)"/g)) names.add(name);
    }
  }
  names.delete('medidesk_service');  // a role of the database
  names.delete('medidesk_session');  // a cookie
  assert.deepEqual([...names].sort(), documented.map((row) => row.name).sort());
});

test("the original's monitoring points are all there, and name metrics that exist", () => {
  const points = rows(section("The original's monitoring points"));
  assert.deepEqual(points.map(([point]) => point), [
    '`/health` endpoint', 'Connection status', 'Memory usage', 'Uptime',
    'Messages received', 'Messages sent', 'Average response time', 'Error rate of messages',
    'Request count of the webhook', 'Response time of the webhook', 'Error rate of the webhook', 'Timeout rate',
    'Query performance', 'Connection pool usage', 'Row counts', 'Slow queries',
  ]);
  for (const [point, where] of points) {
    const named = [...where.matchAll(/medidesk_\w+/g)].map(([name]) => general(name.replace(/_(bucket|sum|count)$/, '')));
    assert.ok(named.length > 0 || where.includes('/health'), point);
    for (const name of named) assert.ok(documented.some((row) => row.name === name), `${point}: ${name}`);
  }
});
