// A real Prometheus, with the shipped configuration on other ports and a faster clock, scrapes what `up` runs and a store of
// its own: targets are healthy, every rule and every panel is evaluated, an alert fires and resolves.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import pg from 'pg';
import { createDatabase } from '../support/database.mjs';
import { freePort, root, start, stop, until } from '../support/processes.mjs';
import { startMedidesk } from '../support/medidesk.mjs';

let folder, system, store, storeMetrics, prometheus, api;

async function query(route) {
  const answer = await fetch(api + route);
  const body = await answer.json();
  assert.equal(body.status, 'success', `${route}: ${body.error}`);
  return body.data;
}
const rules = async () => (await query('/api/v1/rules')).groups.flatMap((group) => group.rules);
const target = (name) => async () => (await query('/api/v1/targets')).activeTargets.find((one) => one.labels.service === name);

before(async () => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'prometheus.'));
  system = await startMedidesk(pg);
  storeMetrics = `127.0.0.1:${await freePort()}`;
  store = start('medidesk-store', [`--metrics_address=${storeMetrics}`], { DATABASE_URL: (await createDatabase(pg)).toString(), STORE_ADDRESS: `127.0.0.1:${await freePort()}` });
  await until('the store', 60, () => fetch(`http://${storeMetrics}/metrics`).then((answer) => answer.ok).catch(() => false));

  const shipped = readFileSync(path.join(root, 'deploy/prometheus/prometheus.yml'), 'utf8');
  const config = shipped.replace(/_interval: 15s/g, '_interval: 1s').replace('127.0.0.1:8080', new URL(system.base).host)
    .replace('../../helm/medidesk/files/alerts.yaml', 'alerts.yaml')
    + `  - job_name: medidesk-services\n    static_configs:\n      - targets: ["${storeMetrics}"]\n        labels: {service: store}\n`;
  writeFileSync(path.join(folder, 'prometheus.yml'), config);
  const alerts = readFileSync(path.join(root, 'helm/medidesk/files/alerts.yaml'), 'utf8');
  writeFileSync(path.join(folder, 'alerts.yaml'), alerts.replace(/for: \d+m/g, 'for: 2s'));

  const port = await freePort();
  api = `http://127.0.0.1:${port}`;
  prometheus = spawn(path.join(root, 'tools/prometheus'), [`--config.file=${folder}/prometheus.yml`, `--storage.tsdb.path=${folder}/data`, `--web.listen-address=127.0.0.1:${port}`],
    { stdio: ['ignore', 'ignore', 'pipe'] });
  process.once('exit', () => prometheus.kill('SIGKILL'));
  let log = '';
  prometheus.stderr.on('data', (data) => { log = (log + data).slice(-4000); });
  await until('Prometheus', 120, () => {
    if (prometheus.exitCode !== null) throw new Error(`Prometheus ended: ${log}`);
    return fetch(`${api}/-/ready`).then((answer) => answer.ok).catch(() => false);
  });
});
after(async () => {
  if (prometheus && prometheus.exitCode === null) {
    const ended = new Promise((resolve) => prometheus.once('exit', resolve));
    prometheus.kill('SIGTERM');
    await ended;
  }
  await system?.stop();
  if (store) await stop(store);
  rmSync(folder, { recursive: true, force: true });
});

test('every target is healthy', async () => {
  for (const name of ['all', 'store']) {
    await until(`the target ${name}`, 30, async () => (await target(name)())?.health === 'up');
  }
  assert.ok((await query('/api/v1/targets')).activeTargets.every((one) => one.lastError === ''));
});

test('every rule is loaded and evaluated', async () => {
  const loaded = await until('the first evaluations', 30, async () => {
    const all = await rules();
    return all.every((rule) => rule.lastEvaluation > '2000') && all;
  });
  assert.equal(loaded.length, readFileSync(path.join(root, 'helm/medidesk/files/alerts.yaml'), 'utf8').match(/- alert:/g).length);
  for (const rule of loaded) assert.equal(rule.health, 'ok', `${rule.name}: ${rule.lastError}`);
});

test('every panel can be drawn', async () => {
  const ask = () => fetch(`${system.base}/functions/v1/whatsapp-webhook`, { method: 'POST', headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ phone: '+15550901000', message: 'What are your visiting hours?' }) });
  const boards = path.join(root, 'helm/medidesk/files/dashboards');
  const drawn = async () => {
    assert.equal((await ask()).status, 200);
    let panels = 0;
    for (const name of readdirSync(boards)) {
      for (const panel of JSON.parse(readFileSync(path.join(boards, name), 'utf8')).panels) {
        for (const { expr } of panel.targets) {
          const { result } = await query(`/api/v1/query?query=${encodeURIComponent(expr.replaceAll('$__rate_interval', '1m').replaceAll('$instance', '.*'))}`);
          panels += result.length > 0 ? 1 : 0;
        }
      }
    }
    return panels > 30;
  };
  await until('thirty panels with data', 60, drawn);
});

test('an alert fires when a process is gone, and resolves when it is back', async () => {
  const down = async () => (await rules()).find((rule) => rule.name === 'MediDeskDown');
  await until('no alert', 30, async () => (await down()).state === 'inactive');
  const port = new URL(`http://${storeMetrics}`).port;
  await stop(store);
  const firing = await until('the alert', 60, async () => { const rule = await down(); return rule.state === 'firing' && rule; });
  assert.equal(firing.alerts.length, 1);
  assert.equal(firing.alerts[0].labels.service, 'store');
  assert.equal(firing.alerts[0].labels.severity, 'page');
  assert.equal(firing.alerts[0].annotations.summary, `${storeMetrics} has not answered for two minutes`);
  assert.equal(firing.alerts[0].annotations.runbook, 'docs/operations/process-down.md');
  store = start('medidesk-store', [`--metrics_address=127.0.0.1:${port}`], { DATABASE_URL: (await createDatabase(pg)).toString(), STORE_ADDRESS: `127.0.0.1:${await freePort()}` });
  await until('the alert to resolve', 60, async () => (await down()).state === 'inactive');
});
