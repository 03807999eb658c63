// The real Baileys against the simulator: what it accepts from the simulator is what it would accept from WhatsApp.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import https from 'node:https';
import os from 'node:os';
import path from 'node:path';
import { after, afterEach, before, describe, test } from 'node:test';

import { BaileysClient } from './baileys_client.mjs';
import { Simulator, until } from './simulator.mjs';

let sim;
const clients = [];
const client = (options) => {
  const made = new BaileysClient(sim, options);
  clients.push(made);
  return made;
};

before(async () => { sim = await Simulator.start(); });
afterEach(() => { for (const made of clients.splice(0)) made.stop(); });
after(async () => { assert.equal(await sim.stop(), 0); });

// The lines that tell the client's own mistakes.
async function assertNoProblems(phone) {
  assert.deepEqual((await sim.events(phone)).filter((event) => event.event === 'problem'), []);
}

describe('linking', () => {
  test('by QR, with the restart, the first login and 812 pre-keys', async () => {
    const phone = await sim.phone();
    const baileys = client();
    assert.equal(await baileys.linkByQr(phone), 515);
    baileys.connect();
    await baileys.opened();
    assert.equal(baileys.socket.user.id, `${phone}:1@s.whatsapp.net`);
    assert.match(baileys.socket.user.lid, /^1\d{14}:1@lid$/);
    const [device] = await sim.devices(phone);
    assert.equal(device.pre_keys, 812);
    assert.equal(device.key_index, 1);
    assert.equal(device.name, 'Mac OS');
    assert.equal(device.active, true);
    assert.deepEqual((await sim.names(phone)).filter((name) => name !== 'close'), ['scanned', 'linked', 'login', 'active']);
    await assertNoProblems(phone);
  });

  test('by a code', async () => {
    const phone = await sim.phone();
    const baileys = client();
    baileys.connect();
    await baileys.qr();
    const code = await baileys.socket.requestPairingCode(phone);
    await until('the code to be asked for', async () =>
      (await sim.get('/connections')).connections.some((connection) => connection.code_wanted_by === phone));
    await sim.post('/code', { phone, code });
    assert.equal(await baileys.ended(), 515);
    baileys.connect();
    await baileys.opened();
    assert.equal(baileys.socket.user.id, `${phone}:1@s.whatsapp.net`);
    assert.equal((await sim.devices(phone)).length, 1);
    await assertNoProblems(phone);
  });

  test('a wrong code links nothing', async () => {
    const phone = await sim.phone();
    const baileys = client();
    baileys.connect();
    await baileys.qr();
    await baileys.socket.requestPairingCode(phone, 'ABCDEFGH');
    await until('the code to be asked for', async () =>
      (await sim.get('/connections')).connections.some((connection) => connection.code_wanted_by === phone));
    await sim.post('/code', { phone, code: 'ABCD-EFGJ' });
    await baileys.ended();
    assert.deepEqual(await sim.devices(phone), []);
  });

  test('a second phone gets a QR of its own, and a QR of nobody is refused', async () => {
    const phone = await sim.phone();
    const baileys = client();
    baileys.connect();
    const [address, fields] = (await baileys.qr()).split('#');
    assert.equal(address, 'https://wa.me/settings/linked_devices');
    const [ref, ...keys] = fields.split(',');
    await assert.rejects(sim.post('/scan', { phone, qr: `2@nobody,${keys.join(',')}` }), /404/);
    await assert.rejects(sim.post('/scan', { phone, qr: [ref, keys[1], keys[0], ...keys.slice(2)].join(',') }), /400/);
    await sim.post('/scan', { phone, qr: fields });
    assert.equal(await baileys.ended(), 515);
  });

  test('two devices of one phone have numbers and key indexes of their own', async () => {
    const phone = await sim.phone({ business_name: 'City Hospital', platform: 'smba' });
    const first = await client().start(phone);
    const second = await client().start(phone);
    assert.equal(first.socket.user.id, `${phone}:1@s.whatsapp.net`);
    assert.equal(second.socket.user.id, `${phone}:2@s.whatsapp.net`);
    assert.equal(second.creds.platform, 'smba');
    assert.deepEqual((await sim.devices(phone)).map((device) => device.key_index), [1, 2]);
  });

  for (const how of ['bad_hmac', 'garbage']) {
    test(`an endorsement with ${how} links nothing`, async () => {
      const phone = await sim.phone();
      await sim.fault({ kind: 'adv', how, phone });
      const baileys = client();
      baileys.connect();
      await sim.post('/scan', { phone, qr: await baileys.qr() });
      await baileys.ended();
      assert.deepEqual(await sim.devices(phone), []);
    });
  }

  test('over TLS, under a certificate of the test', async () => {
    const folder = mkdtempSync(path.join(os.tmpdir(), 'whatsapp-sim-'));
    const [cert, key] = ['cert.pem', 'key.pem'].map((name) => path.join(folder, name));
    execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2',
      '-subj', '/CN=whatsapp-sim', '-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', key, '-out', cert], { stdio: 'pipe' });
    const secure = await Simulator.start(`--tls_cert=${cert}`, `--tls_key=${key}`);
    try {
      assert.match(secure.url, /^wss:/);
      const phone = await secure.phone();
      const stranger = new BaileysClient(secure);
      stranger.connect();
      await stranger.ended();
      const baileys = new BaileysClient(secure, { agent: new https.Agent({ ca: readFileSync(cert) }) });
      clients.push(baileys);
      await baileys.start(phone);
      assert.equal((await secure.devices(phone))[0].active, true);
      baileys.stop();
    } finally {
      assert.equal(await secure.stop(), 0);
      rmSync(folder, { recursive: true });
    }
  });

  test('refs that run out end the connection', async () => {
    await sim.post('/settings', { first_ref_ms: 300, next_ref_ms: 100, refs: 2 });
    const baileys = client({ qrTimeout: 60_000 });
    baileys.connect();
    await baileys.qr();
    await baileys.ended();
    await sim.post('/settings', { first_ref_ms: 60_000, next_ref_ms: 20_000, refs: 6 });
  });
});

describe('a linked device', () => {
  test('stays up through its pings, which the server answers', async () => {
    const phone = await sim.phone();
    const baileys = await client({ keepAliveIntervalMs: 300 }).start(phone);
    const pings = async () => (await sim.stanzas(phone)).filter((entry) => entry.from_client && entry.node.attrs.xmlns === 'w:p').length;
    const before = await pings();
    // It gives a silent peer up 5 s after the interval: 20 answered pings are beyond that.
    await until('20 pings', async () => (await pings()) >= before + 20);
    assert.ok(!baileys.updates.some((update) => update.connection === 'close'));
    await sim.fault({ kind: 'no_pong', phone });
    assert.equal(await baileys.ended(), 408);
    await baileys.reconnect();
  });

  test('uploads pre-keys when it is told that few are left', async () => {
    const phone = await sim.phone();
    await client().start(phone);
    assert.equal((await sim.post('/pre-keys', { phone, device: 1, left: 3 })).left, 3);
    await until('fresh pre-keys', async () => (await sim.devices(phone))[0].pre_keys === 8);
    await until('the notification to be acknowledged', async () => (await sim.devices(phone))[0].pending === 0);
  });

  test('is given at the next login what it did not acknowledge', async () => {
    const phone = await sim.phone();
    const baileys = await client().start(phone);
    baileys.stop();
    await until('the end', async () => !(await sim.devices(phone))[0].connected);
    const node = { tag: 'notification', attrs: { from: '@s.whatsapp.net', type: 'server', id: '77', t: '1750000000' } };
    await sim.post('/send', { phone, device: 1, node });
    assert.equal((await sim.devices(phone))[0].pending, 1);
    baileys.connect();
    await baileys.opened();
    await until('the acknowledgement', async () => (await sim.devices(phone))[0].pending === 0);
    const sent = (await sim.stanzas(phone)).find((entry) => !entry.from_client && entry.node.attrs.id === '77');
    assert.equal(sent.node.attrs.offline, '0');
  });

  test('hands the routing info back', async () => {
    const phone = await sim.phone();
    const baileys = await client().start(phone);
    await until('routing info', () => baileys.creds.routingInfo);
    baileys.stop();
    await baileys.reconnect();
    const { connections } = await sim.get('/connections');
    const own = connections.find((connection) => connection.phone === phone && connection.state === 'active');
    assert.match(own.routing_info, /^080208/);
  });

  test('learns that another connection took its place', async () => {
    const phone = await sim.phone();
    const first = await client().start(phone);
    const second = client();
    Object.assign(second, { creds: first.creds, keys: first.keys });
    second.connect();
    await second.opened();
    assert.equal(await first.ended(), 440);
    assert.ok((await sim.names(phone)).includes('replaced'));
  });

  test('logs out', async () => {
    const phone = await sim.phone();
    const baileys = await client().start(phone);
    await baileys.socket.logout();
    assert.equal(await baileys.ended(), 401);
    await until('the device to be gone', async () => (await sim.devices(phone)).length === 0);
    assert.ok((await sim.names(phone)).includes('logout'));
    baileys.connect();
    assert.equal(await baileys.ended(), 401);
  });

  test('is logged out by the phone', async () => {
    const phone = await sim.phone();
    const baileys = await client().start(phone);
    await sim.post('/unlink', { phone, device: 1 });
    assert.equal(await baileys.ended(), 401);
    baileys.connect();
    assert.equal(await baileys.ended(), 401);
    assert.deepEqual((await sim.names(phone)).slice(-3).filter((name) => name !== 'close' && name !== 'open'), ['refused']);
  });
});

describe('faults', () => {
  // What Baileys says of them; the next connection must work.
  const faults = {
    'a reset': [{ kind: 'drop' }],
    'an end without a close frame': [{ kind: 'cut' }, 428],
    'a close frame': [{ kind: 'close', code: 1011 }, 428],
    'the end of the stream': [{ kind: 'stream_end' }, 428],
    'a restart': [{ kind: 'stream_error', code: 515 }, 515],
    'a stream error 503': [{ kind: 'stream_error', code: 503 }, 503],
    'a rate limit': [{ kind: 'stream_error', code: 429 }, 429],
    'a replaced stream': [{ kind: 'stream_error', how: 'replaced' }, 440],
  };
  for (const [name, [fault, code]] of Object.entries(faults)) {
    test(`${name} ends the connection, and the next one works`, async () => {
      const phone = await sim.phone();
      const baileys = await client().start(phone);
      assert.equal((await sim.fault({ ...fault, phone })).met, 1);
      const ended = await baileys.ended();
      if (code) assert.equal(ended, code);
      await baileys.reconnect();
      await assertNoProblems(phone);
    });
  }

  const refusals = [401, 403, 405, 503];
  for (const code of refusals) {
    test(`a login refused with ${code}`, async () => {
      const phone = await sim.phone();
      const baileys = await client().start(phone);
      baileys.stop();
      await sim.fault({ kind: 'failure', code, phone });
      baileys.connect();
      assert.equal(await baileys.ended(), code);
      await baileys.reconnect();
    });
  }

  // Not an HTTP status instead of the upgrade: Baileys then waits for ever.
  const early = {
    'a reset instead of the upgrade': { kind: 'drop', at: 'upgrade' },
    'a reset instead of ServerHello': { kind: 'drop', at: 'hello' },
    'half a ServerHello': { kind: 'server_hello', how: 'truncated' },
    'a ServerHello that does not decrypt': { kind: 'server_hello', how: 'bad_payload' },
    'a certificate without an intermediate': { kind: 'chain', how: 'no_intermediate' },
    'an end after success': { kind: 'cut', at: 'success' },
  };
  for (const [name, fault] of Object.entries(early)) {
    test(`${name}, and the next connection works`, async () => {
      const phone = await sim.phone();
      const baileys = await client().start(phone);
      baileys.stop();
      await sim.fault(fault);
      baileys.connect();
      await baileys.ended();
      await baileys.reconnect();
    });
  }

  test('silence after the hello is noticed', async () => {
    const phone = await sim.phone();
    const baileys = await client().start(phone);
    baileys.stop();
    await sim.fault({ kind: 'silence', at: 'hello' });
    baileys.options = { connectTimeoutMs: 1000 };
    baileys.connect();
    assert.equal(await baileys.ended(), 408);
    baileys.options = {};
    await baileys.reconnect();
  });

  test('late, split and compressed frames change nothing', async () => {
    const phone = await sim.phone();
    const baileys = await client().start(phone);
    baileys.stop();
    await sim.fault({ kind: 'delay', at: 'hello', ms: 40 });
    await sim.fault({ kind: 'split', at: 'hello', ms: 2 });
    await sim.fault({ kind: 'compress', at: 'hello' });
    baileys.connect();
    await baileys.opened();
    await assertNoProblems(phone);
  });

  test('an old version is refused', async () => {
    const phone = await sim.phone();
    const baileys = await client().start(phone);
    baileys.stop();
    await sim.post('/settings', { oldest_version: 9_999_999_999 });
    baileys.connect();
    assert.equal(await baileys.ended(), 405);
    await sim.post('/settings', { oldest_version: 0 });
    await baileys.reconnect();
  });

  test('errors and silence to its questions do not keep it from opening', async () => {
    const phone = await sim.phone();
    const baileys = await client().start(phone);
    baileys.stop();
    for (const xmlns of ['abt', 'privacy']) await sim.fault({ kind: 'iq_error', code: 500, xmlns, phone });
    await sim.fault({ kind: 'iq_silence', xmlns: 'blocklist', phone });
    baileys.connect();
    await baileys.opened();
  });
});
