// The clients of examples/clients as their README runs them, with a token that may ask for replies alone.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { copyFileSync, existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import pg from 'pg';
import { startMedidesk } from '../../support/medidesk.mjs';
import { root } from '../../support/processes.mjs';
import { cli, output, run } from './system.mjs';

const QUESTION = 'What are the visiting hours of the ICU?';
const FACT = /14:00-16:00/; // of examples/hospital.yaml
let system, store, token, wrongScope, pythonMissing;

const python = path.join(process.env.MEDIDESK_BUILD, 'clients-python');
const clients = {
  node: ['node', ['examples/clients/node/client.mjs']],
  python: ['/usr/bin/python3', ['examples/clients/python/client.py']],
  curl: ['examples/clients/curl/ask.sh', []],
};

function ask(name, secret, phone) {
  const [program, args] = clients[name];
  return run(program, [...args, QUESTION, phone], {
    MEDIDESK_ADDRESS: `127.0.0.1:${system.ports.assistant}`, MEDIDESK_URL: system.base, PYTHONPATH: python,
    ...(secret ? { MEDIDESK_TOKEN: secret } : {}),
  });
}

// Into the build folder, once for each list of packages.
async function installPython() {
  const wanted = path.join(root, 'examples/clients/python/requirements.txt'), stamp = path.join(python, 'installed.txt');
  if (existsSync(stamp) && readFileSync(stamp).equals(readFileSync(wanted))) return;
  const { code } = await run('/usr/bin/python3', ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--no-deps',
    '--require-hashes', '--only-binary=:all:', '--root-user-action=ignore', '--upgrade', '--target', python, '-r', wanted], {}, 300);
  if (code === 0) copyFileSync(wanted, stamp);
  else pythonMissing = 'the Python packages of the example cannot be installed here';
}

before(async () => {
  await output('bash', ['-c', '. tools/common.sh && . tools/node.sh && use_node && npm_install examples/clients/node'], {}, 300);
  await installPython();
  system = await startMedidesk(pg);
  store = { STORE_ADDRESS: `127.0.0.1:${system.ports.store}` };
  token = await output(cli, ['token', 'create', 'lab-system', '--scope', 'reply'], store);
  wrongScope = await output(cli, ['token', 'create', 'monitor', '--scope', 'screen,read'], store);
});
after(() => system?.stop());

for (const [index, name] of Object.keys(clients).entries()) {
  const available = (t) => {
    if (name !== 'python' || !pythonMissing) return true;
    t.skip(pythonMissing);
    return false;
  };

  test(`${name}: gets an answer at once and as a stream`, async (t) => {
    if (!available(t)) return;
    const { code, stdout, stderr } = await ask(name, token, `+155507010${index}`);
    assert.equal(code, 0, stdout + stderr);
    const [once, streamed] = stdout.split('StreamReply:');
    assert.match(once, /^Reply:/);
    assert.match(once, FACT);
    assert.match(streamed, FACT);
  });

  test(`${name}: is refused without the scope, and with what is no token`, async (t) => {
    if (!available(t)) return;
    for (const [secret, why] of [[wrongScope, /PERMISSION_DENIED|403/], [`mdk_${'A'.repeat(43)}`, /UNAUTHENTICATED|401/]]) {
      const { code, stdout, stderr } = await ask(name, secret, `+155507011${index}`);
      assert.notEqual(code, 0);
      assert.match(stdout + stderr, why);
    }
  });
}

test('a revoked token is refused within 5 s, by gRPC and by HTTP', async () => {
  const secret = await output(cli, ['token', 'create', 'brief', '--scope', 'reply'], store);
  const asked = (name) => ask(name, secret, '+15550701200');
  for (const name of ['node', 'curl']) assert.equal((await asked(name)).code, 0);
  await output(cli, ['token', 'revoke', 'brief'], store);
  const revoked = Date.now();
  const refused = new Set();
  while (refused.size < 2 && Date.now() < revoked + 60_000) {
    for (const name of ['node', 'curl']) {
      const begun = Date.now();
      if ((await asked(name)).code !== 0) refused.add(name);
      else assert.ok(begun < revoked + 5_000, `${name} was answered ${begun - revoked} ms after the revocation`);
    }
  }
  assert.equal(refused.size, 2);
});

test('the list tells when a token was last used, and no secret', async () => {
  const list = await output(cli, ['token', 'list', '--all'], store);
  assert.match(list, /lab-system +mdk_.{4} +reply +\d{4}-\d\d-\d\d \d\d:\d\dZ +live/);
  assert.match(list, /brief .*revoked/);
  assert.ok(!list.includes(token));
});
