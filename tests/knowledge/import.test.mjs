// ./medidesk import and export against a running store.
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import test, { after, before } from 'node:test';
import { cli, startTogether } from './systems.mjs';

let system, folder, sample;
const run = (...words) => cli(system.ports.store, ...words);
const file = (name) => path.join(folder, name);
const revision = async () => (await system.knowledge.call('Export')).revision;
const replaced = (from, to) => {
  assert.ok(sample.includes(from), from);
  return sample.replace(from, to);
};

before(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'medidesk-import-'));
  system = await startTogether();
  sample = await readFile(path.join(process.env.MEDIDESK_ROOT, 'examples/hospital.yaml'), 'utf8');
});
after(async () => {
  await system?.stop();
  await rm(folder, { recursive: true, force: true });
});

test('an export is imported without a change, and exported again as the same bytes', async () => {
  assert.equal((await run('export', file('first.yaml'))).code, 0);
  const first = await readFile(file('first.yaml'), 'utf8');
  const round = await run('import', file('first.yaml'));
  assert.deepEqual(round, { code: 0, out: 'Nothing to change: the stored facts say what the file says.\n', errors: '' });
  assert.equal((await run('export')).out, first);
  await writeFile(file('sample.yaml'), sample);
  assert.match((await run('import', file('sample.yaml'))).out, /^Nothing to change/, 'the sample hospital is what was imported first');
  assert.equal(await revision(), 1);
});

test('a dry run shows what would change and changes nothing', async () => {
  await writeFile(file('new.yaml'), replaced('key: parking\n', 'key: car-park\n').replace('name: Cardiology\n', 'name: Heart centre\n'));
  const told = await run('import', file('new.yaml'), '--dry-run');
  assert.equal(told.code, 0);
  assert.match(told.out, /^~ departments\.cardiology\n    name\n      - Cardiology\n      \+ Heart centre\n/m);
  assert.match(told.out, /^\+ faqs\.car-park: Is there parking\?\n- faqs\.parking: Is there parking\?\n/m);
  assert.match(told.out, /^departments: 1 changed, \d+ stay\nfaqs: 1 added, 1 removed, \d+ stay\nNothing was changed: this was a dry run\.\n$/m);
  assert.equal(await revision(), 1);
});

test('an import stores what it shows, with the operator in the history', async () => {
  const done = await run('import', file('new.yaml'));
  assert.equal(done.code, 0);
  assert.match(done.out, /Stored as revision 2\.\n$/);
  const { changes } = await system.knowledge.call('ListKnowledgeChanges', { page_size: 3 });
  assert.deepEqual(changes.map((change) => [change.action, change.key, change.actor.kind]).sort(), [
    ['KNOWLEDGE_ACTION_CREATED', 'car-park', 'ACTOR_KIND_OPERATOR'],
    ['KNOWLEDGE_ACTION_DELETED', 'parking', 'ACTOR_KIND_OPERATOR'],
    ['KNOWLEDGE_ACTION_UPDATED', 'cardiology', 'ACTOR_KIND_OPERATOR'],
  ]);
  const renamed = changes.find((change) => change.key === 'cardiology');
  assert.equal(JSON.parse(renamed.before).name, 'Cardiology');
  assert.equal(JSON.parse(renamed.after).name, 'Heart centre');
  await writeFile(file('sample.yaml'), sample);
  assert.match((await run('import', file('sample.yaml'))).out, /Stored as revision 3\.\n$/);
});

test('every mistake is told at once with file, line and cure', async () => {
  const wrong = replaced('timezone: Asia/Kolkata', 'timezone: Moon').replace('department: cardiology', 'department: brain') +
    Array.from({ length: 40 }, (_, i) => `mistake${i}: 1\n`).join('');
  await writeFile(file('wrong.yaml'), wrong);
  for (const words of [['--dry-run'], []]) {
    const told = await run('import', file('wrong.yaml'), ...words);
    assert.equal(told.code, 1);
    const lines = told.out.trimEnd().split('\n');
    assert.equal(lines.length, 42);
    for (const line of lines) assert.match(line, /^\S+wrong\.yaml:\d+: .*; write /);
    const at = wrong.split('\n').findIndex((line) => line.includes('timezone: Moon')) + 1;
    assert.ok(lines[0].startsWith(`${file('wrong.yaml')}:${at}: hospital.timezone: expected an IANA time zone; write`), lines[0]);
    assert.equal(told.errors, '42 mistakes to mend; nothing was changed\n');
  }
  assert.equal(await revision(), 3);
});

test('wrong usage and unreadable files are told apart', async () => {
  assert.equal((await run('import')).code, 2);
  assert.match((await run('import', file('absent.yaml'))).errors, /FILE cannot be read/);
  assert.equal((await run('import', folder)).code, 1, 'a folder');
  await writeFile(file('empty.yaml'), '');
  assert.match((await run('import', file('empty.yaml'))).errors, /FILE is empty/);
  await writeFile(file('large.yaml'), Buffer.alloc(5 << 20, 'a'));
  assert.match((await run('import', file('large.yaml'))).errors, /FILE exceeds 4 MiB/);
  assert.match((await run('export', file('no/such/folder.yaml'))).errors, /FILE cannot be written/);
  assert.equal((await cli(1, 'export')).code, 3);
});
