// What runs MediDesk without Kubernetes: the Dockerfile, compose.yaml and the systemd units, held to their tools' rules and to
// the programs' settings. deploy/prove-dockerfile runs the Dockerfile's stages; it takes too long for every run of the tests.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { parse } from 'yaml';
import { root } from './helm.mjs';

const require = createRequire(import.meta.url);
const { validate } = require('dockerfile-utils');
const { DockerfileParser } = require('dockerfile-ast');
const bin = process.env.MEDIDESK_BIN;
const read = (name) => readFileSync(path.join(root, name), 'utf8');
const variables = (program) => new Set([...execFileSync(path.join(bin, program), ['--help'], { encoding: 'utf8', env: { PATH: process.env.PATH } })
  .matchAll(/^  --\S+ \[(\S+)\]$/gm)].map(([, variable]) => variable));

test('the Dockerfile lints, and its sources are there', () => {
  const text = read('Dockerfile');
  assert.deepEqual(validate(text).map((one) => `${one.range.start.line + 1}: ${one.message}`), []);
  assert.notDeepEqual(validate('FROM a\nRUNN b\n'), [], 'the linter is really asked');
  const file = DockerfileParser.parse(text);
  for (const copy of file.getCOPYs()) {
    const words = copy.getArguments().map((one) => one.getValue());
    if (copy.getFlags().some((flag) => flag.getName() === 'from')) continue;
    for (const source of words.slice(0, -1)) assert.ok(existsSync(path.join(root, source)), source);
  }
  for (const name of readdirSync(path.join(root, 'deploy/image'))) accessSync(path.join(root, 'deploy/image', name), constants.X_OK);
});

test('each image runs one program, as nobody, from a stage without a compiler', () => {
  const stages = {};
  let stage;
  for (const instruction of DockerfileParser.parse(read('Dockerfile')).getInstructions()) {
    const words = instruction.getArguments().map((one) => one.getValue());
    if (instruction.getKeyword() === 'FROM') stages[words[2]] = stage = { from: words[0], list: [] };
    else stage?.list.push([instruction.getKeyword(), instruction.getArgumentsContent?.() ?? words.join(' ')]);
  }
  const images = Object.keys(stages).filter((name) => !['build', 'base'].includes(name));
  assert.deepEqual(images.sort(), ['admin', 'all', 'assistant', 'gateway', 'store']);
  for (const name of images) {
    const { from, list } = stages[name];
    assert.equal(from, 'base', 'nothing of the build stage but what is copied');
    const keywords = list.map(([keyword]) => keyword);
    assert.ok(keywords.indexOf('USER') > keywords.lastIndexOf('RUN'), name);
    assert.match(list.find(([keyword]) => keyword === 'USER')[1], /^[1-9]\d+:[1-9]\d+$/);
    assert.equal(list.at(-1)[0], 'CMD');
    assert.match(list.at(-1)[1], new RegExp(`medidesk-${name}`));
    assert.ok(list.some(([, words]) => words.includes(`/out/${name}`)), name);
  }
});

test('the scripts of the images are sound shell', { skip: spawnSync('shellcheck', ['--version']).error ? 'shellcheck is not installed' : false }, () => {
  execFileSync('shellcheck', readdirSync(path.join(root, 'deploy/image')).map((name) => path.join(root, 'deploy/image', name)));
});

test('compose.yaml starts what it needs, with settings that exist, locked down', () => {
  const { services, volumes, networks } = parse(read('compose.yaml'));
  const { medidesk, postgres } = services;
  const known = variables('medidesk-all');
  for (const name of Object.keys(medidesk.environment)) assert.ok(known.has(name), name);
  assert.equal(medidesk.build.target, 'all');
  assert.ok(read('Dockerfile').includes(`AS ${medidesk.build.target}\n`));
  assert.equal(medidesk.depends_on.postgres.condition, 'service_healthy');
  assert.ok(postgres.healthcheck && medidesk.healthcheck);
  assert.deepEqual(medidesk.ports, ['127.0.0.1:8080:8080']);
  assert.equal(postgres.ports, undefined, 'the database is not reached from outside');
  assert.equal(networks.inside.internal, true);
  assert.deepEqual({ read_only: medidesk.read_only, cap_drop: medidesk.cap_drop, security_opt: medidesk.security_opt },
    { read_only: true, cap_drop: ['ALL'], security_opt: ['no-new-privileges:true'] });
  for (const service of Object.values(services)) {
    for (const mount of service.volumes) {
      const [source] = mount.split(':');
      assert.ok(source in volumes || existsSync(path.join(root, source)), mount);
    }
    for (const network of service.networks) assert.ok(network in networks);
  }
  const written = Object.values(medidesk.environment).filter((value) => /password|key/i.test(value) && !value.includes('${'));
  assert.deepEqual(written, [], 'no secret is written in the file');
});

const analyze = spawnSync('systemd-analyze', ['--version']).error ? 'systemd-analyze is not installed' : false;
test('the units are what systemd understands', { skip: analyze }, () => {
  // With programs at the place that the units name, in a root of their own.
  const folder = mkdtempSync(path.join(os.tmpdir(), 'units.'));
  try {
    const units = readdirSync(path.join(root, 'deploy/systemd')).filter((name) => /\.(service|target)$/.test(name));
    assert.equal(units.length, 6);
    for (const name of units) writeFileSync(path.join(folder, name), read(`deploy/systemd/${name}`).replace('/usr/local/bin/', `${bin}/`));
    const result = spawnSync('systemd-analyze', ['verify', '--man=no', ...units.map((name) => path.join(folder, name))], { encoding: 'utf8' });
    const ours = result.stderr.split('\n').filter((line) => /medidesk/.test(line));
    assert.deepEqual(ours, [], result.stderr);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('the units name programs and settings that exist', () => {
  for (const name of readdirSync(path.join(root, 'deploy/systemd')).filter((one) => one.endsWith('.service'))) {
    const text = read(`deploy/systemd/${name}`);
    const program = text.match(/^ExecStart=\/usr\/local\/bin\/(\S+)$/m)[1];
    assert.equal(`${program}.service`, name);
    const known = variables(program);
    for (const [, variable] of text.matchAll(/^Environment=([A-Z_]+)=/gm)) assert.ok(known.has(variable), `${name}: ${variable}`);
    for (const line of ['NoNewPrivileges=yes', 'ProtectSystem=strict', 'LimitCORE=0', 'Restart=always', 'User=medidesk']) assert.ok(text.includes(line), `${name}: ${line}`);
    const drain = Number(text.match(/DRAIN_TIME=(\d+)s/)[1]);
    assert.ok(drain * 0.75 > 25 && Number(text.match(/TimeoutStopSec=(\d+)/)[1]) > drain, name);
  }
  const all = variables('medidesk-all');
  for (const [, variable] of read('deploy/systemd/medidesk.env').matchAll(/^#? ?([A-Z][A-Z_]+)=/gm)) assert.ok(all.has(variable), variable);
});
