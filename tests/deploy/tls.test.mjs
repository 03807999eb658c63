// Services with mutual TLS as the chart sets them up: the startup probe's command works with the pod's own certificate, nobody without
// one is let in, and each process tells how long its certificate lasts.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import pg from 'pg';
import { createDatabase } from '../support/database.mjs';
import { alive, freePort, start, stop, until } from '../support/processes.mjs';

const cli = (args, env = {}) => new Promise((resolve) => execFile(path.join(process.env.MEDIDESK_BIN, 'medidesk-cli'), args,
  { env: { PATH: process.env.PATH, ...env } }, (error, stdout, stderr) => resolve({ code: error?.code ?? 0, text: stdout + stderr })));

test('probes over mutual TLS', async () => {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'tls.'));
  const certificates = path.join(folder, 'certs');
  const children = [];
  try {
    const made = await cli(['certs', certificates]);
    assert.equal(made.code, 0, made.text);
    const tls = (name) => ({ TLS_CA: `${certificates}/ca.pem`, TLS_CERT: `${certificates}/${name}.pem`, TLS_KEY: `${certificates}/${name}.key` });
    const ports = { store: await freePort(), assistant: await freePort(), metrics: await freePort(), http: await freePort() };
    const addresses = { STORE_ADDRESS: `localhost:${ports.store}`, ASSISTANT_ADDRESS: `localhost:${ports.assistant}` };
    children.push(start('medidesk-store', [`--metrics_address=127.0.0.1:${ports.metrics}`], { ...tls('store'), STORE_ADDRESS: `127.0.0.1:${ports.store}`,
      DATABASE_URL: (await createDatabase(pg)).toString(), MEDIDESK_HOSPITAL_FILE: 'examples/hospital.yaml' }));
    children.push(start('medidesk-assistant', ['--metrics_address='], { ...tls('assistant'), ...addresses, ASSISTANT_ADDRESS: `127.0.0.1:${ports.assistant}` }));
    children.push(start('medidesk-admin', [], { ...tls('admin'), ...addresses, PORT: String(ports.http) }));
    const probe = (service, files) => cli([`--${service}_address=localhost:${ports[service]}`, '--timeout=4s', 'health', service], files);
    for (const service of ['store', 'assistant']) {
      await until(`${service} to be ready`, 60, async () => {
        for (const child of children) if (!alive(child)) throw new Error(child.output);
        return (await probe(service, tls(service))).code === 0;
      });
    }
    const ready = await until('admin', 30, async () => { const asked = await cli([`--admin_url=http://127.0.0.1:${ports.http}`, 'health', 'admin']); return asked.code === 0 && asked; });
    assert.match(ready.text, /admin: ready/);
    assert.equal((await probe('store', {})).code, 3, 'without a certificate');
    assert.notEqual((await probe('store', tls('store'))).code, 3);
    const answer = await fetch(`http://127.0.0.1:${ports.http}/functions/v1/whatsapp-webhook`, { method: 'POST', headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ phone: '+15550961000', message: 'Is there parking?' }) });
    assert.equal(answer.status, 200);

    const page = await (await fetch(`http://127.0.0.1:${ports.metrics}/metrics`)).text();
    const left = Number(page.match(/^medidesk_process_certificate_seconds (\S+)$/m)[1]);
    assert.ok(Math.abs(left - 365 * 86400) < 2 * 86400, `${left} s`);
    const adminPage = await (await fetch(`http://127.0.0.1:${ports.http}/metrics`)).text();
    assert.match(adminPage, /^medidesk_process_certificate_seconds /m);
  } finally {
    await Promise.all(children.map((child) => stop(child)));
    rmSync(folder, { recursive: true, force: true });
  }
});

test('health says what is not ready, and of what it does not know', async () => {
  const nobody = await cli(['--store_address=127.0.0.1:1', '--admin_url=http://127.0.0.1:1', '--timeout=2s', 'health', 'store', 'admin']);
  assert.equal(nobody.code, 3);
  assert.match(nobody.text, /store: .*\nadmin: /);
  assert.equal((await cli(['health', 'database'])).code, 2);
  assert.equal((await cli(['health'])).code, 2);
});
