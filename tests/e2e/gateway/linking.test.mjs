// Linking through the real gateway process, and what the number does afterwards.
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { pause, until } from '../../support/processes.mjs';
import { newMasterKey, startSite } from './site.mjs';

describe('one gateway', () => {
  let site;
  beforeEach(async () => {
    site = await startSite();
    await site.start('a');
  });
  afterEach(() => site.end());

  test('links by QR, stores sealed keys, and is connected', async () => {
    const phone = await site.link('a', 'front-desk');
    await site.state('front-desk', 'connected');
    const number = await site.number('front-desk');
    assert.equal(number.phone, `+${phone}`);
    assert.equal(number.device_jid, `${phone}:1@s.whatsapp.net`);
    assert.equal(number.platform, 'smba');
    const [device] = await site.sim.devices(phone);
    assert.equal(device.name, 'MediDesk');
    assert.equal(device.active, true);
    assert.equal(device.pre_keys, 812);
    const [{ count }] = await site.sql('select count(*)::int from medidesk.device_state where kind = 4');
    assert.equal(count, 812);
    assert.equal(await site.metric('a', 'medidesk_gateway_number_connected{number="front-desk"}'), 1);
    assert.equal(await site.metric('a', 'medidesk_gateway_links_total{outcome="linked"}'), 1);
    assert.deepEqual(await site.events(phone, 'problem'), []);
    const listed = await site.cli(['number', 'list']);
    assert.match(listed.output, /front-desk +\+15\*+\d\d +connected/);
    assert.doesNotMatch(site.gateways.a.child.output, new RegExp(phone));
  });

  test('links by a code that the person types', async () => {
    const phone = await site.link('a', 'front-desk', { byCode: true });
    await site.state('front-desk', 'connected');
    assert.equal((await site.number('front-desk')).phone, `+${phone}`);
    assert.deepEqual(await site.events(phone, 'problem'), []);
  });

  test('refuses a second link, a phone that is linked elsewhere, and a name that is none', async () => {
    const phone = await site.link('a', 'front-desk');
    await site.state('front-desk', 'connected');
    const again = await site.cli(['link', 'front-desk', '--plain'], { gateway: 'a' });
    assert.equal(again.code, 1);
    assert.match(again.output, /unlink it first/);
    const elsewhere = await site.cli(['link', 'other-desk', '--plain'], {
      gateway: 'a',
      onLine: async (line) => {
        if (line.startsWith('qr ')) await site.sim.post('/scan', { phone, qr: line.slice(3) });
      },
    });
    assert.equal(elsewhere.code, 1);
    assert.match(elsewhere.output, /linked under another number already/);
    await site.state('other-desk', 'needs_link');
    await until('the lease to be released', 20, async () => (await site.number('other-desk')).lease_instance === null);
    assert.equal((await site.cli(['link', 'No Name'], { gateway: 'a' })).code, 2);
  });

  test('an attempt ends with whoever started it', async () => {
    const left = await site.cli(['link', 'front-desk', '--plain'], {
      gateway: 'a',
      onLine: (line, child) => { if (line.startsWith('qr ')) child.kill('SIGKILL'); },
    });
    assert.equal(left.code, null);
    await until('the attempt to end', 20, async () => (await site.number('front-desk')).lease_instance === null);
    assert.equal((await site.number('front-desk')).state, 'needs_link');
    await site.link('a', 'front-desk');
    await site.state('front-desk', 'connected');
  });

  test('a restart on the same machine takes its numbers at once, also after kill -9', async () => {
    const phone = await site.link('a', 'front-desk');
    await site.state('front-desk', 'connected');
    const before = await site.number('front-desk');
    await site.stop('a', 'SIGKILL');
    const killed = Date.now();
    await site.start('a');
    await site.loggedIn(phone, 2, 10);
    assert.ok(Date.now() - killed < 10_000);
    await site.state('front-desk', 'connected');
    const after = await site.number('front-desk');
    assert.equal(after.gateway_id, before.gateway_id);
    assert.ok(after.lease_token > before.lease_token);
    assert.equal((await site.sim.devices(phone))[0].pre_keys, 812);
  });

  test('unlinks: the phone forgets the device, the store its keys', async () => {
    const phone = await site.link('a', 'front-desk');
    await site.state('front-desk', 'connected');
    const done = await site.cli(['unlink', 'front-desk'], { gateway: 'a' });
    assert.equal(done.code, 0, done.output);
    assert.doesNotMatch(done.output, /remove the device/);
    assert.deepEqual(await site.sim.devices(phone), []);
    const number = await site.number('front-desk');
    assert.equal(number.state, 'needs_link');
    assert.equal(number.phone, null);
    assert.equal(number.device_jid, null);
    assert.deepEqual(await site.sql('select 1 from medidesk.device_state'), []);
    assert.equal((await site.cli(['unlink', 'front-desk'], { gateway: 'a' })).code, 1);
    await site.link('a', 'front-desk');
    await site.state('front-desk', 'connected');
  });

  test('a number whose device the phone has removed waits for a person and can be linked again', async () => {
    const phone = await site.link('a', 'front-desk');
    await site.state('front-desk', 'connected');
    await site.sim.post('/unlink', { phone, device: 1 });
    await site.state('front-desk', 'needs_link');
    assert.deepEqual((await site.sql('select reason from tasks')).map((row) => row.reason.split(':')[0]), ['number_attention']);
    // A restart does not knock again with keys that are dead.
    const logins = (await site.events(phone, 'login', 'refused')).length;
    await site.stop('a');
    await site.start('a');
    await until('the number to be taken', 20, async () => (await site.number('front-desk')).lease_instance !== null);
    await pause(1000);
    assert.equal((await site.events(phone, 'login', 'refused')).length, logins);
    assert.equal((await site.number('front-desk')).state, 'needs_link');
    await site.link('a', 'front-desk');
    await site.state('front-desk', 'connected');
  });

  test('a number that is switched off closes its socket, and comes back when it is switched on', async () => {
    const phone = await site.link('a', 'front-desk');
    await site.state('front-desk', 'connected');
    assert.equal((await site.cli(['number', 'off', 'front-desk'])).code, 0);
    await site.state('front-desk', 'stopped');
    await until('the lease to be released', 20, async () => (await site.number('front-desk')).lease_instance === null);
    assert.equal((await site.sim.devices(phone))[0].connected, false);
    assert.equal((await site.cli(['number', 'on', 'front-desk'])).code, 0);
    await site.state('front-desk', 'connected');
  });

  test('a number that another program has replaced stays away until it is switched off and on', async () => {
    const phone = await site.link('a', 'front-desk');
    await site.state('front-desk', 'connected');
    await site.sim.fault({ kind: 'stream_error', code: 440, how: 'replaced' });
    await site.state('front-desk', 'replaced');
    await site.stop('a');
    await site.start('a');
    await until('the number to be taken', 20, async () => (await site.number('front-desk')).lease_instance !== null);
    await pause(1000);
    assert.equal((await site.number('front-desk')).state, 'replaced');
    assert.equal((await site.events(phone, 'login')).length, 1);
    assert.equal((await site.cli(['number', 'off', 'front-desk'])).code, 0);
    await site.state('front-desk', 'stopped');
    assert.equal((await site.cli(['number', 'on', 'front-desk'])).code, 0);
    await site.state('front-desk', 'connected');
    assert.equal((await site.events(phone, 'login')).length, 2);
  });

  test('another master key: the number stops with a task, and its keys are not touched', async () => {
    const phone = await site.link('a', 'front-desk');
    await site.state('front-desk', 'connected');
    await site.stop('a');
    const before = await site.sql('select key, revision from medidesk.device_state order by kind, key');
    site.setMasterKey(newMasterKey());
    await site.start('a');
    await until('the reason', 20, async () => (await site.number('front-desk')).state_reason === 'keys.master_key');
    assert.equal((await site.sql('select 1 from tasks')).length, 1);
    assert.deepEqual(await site.sql('select key, revision from medidesk.device_state order by kind, key'), before);
    assert.equal((await site.events(phone, 'login')).length, 1);
  });

  test('a new master key takes over record by record while the number runs', async () => {
    const [oldKey, newKey] = [newMasterKey(), newMasterKey()];
    await site.stop('a');
    site.setMasterKey(oldKey);
    await site.start('a');
    const phone = await site.link('a', 'front-desk');
    await site.state('front-desk', 'connected');
    await site.stop('a');
    site.setMasterKey(`${newKey},${oldKey}`);
    await site.start('a');
    await until('everything to be sealed anew', 60, () => site.gateways.a.child.output.includes('number.resealed'));
    const [{ ids }] = await site.sql('select count(distinct substr(sealed, 2, 4))::int as ids from medidesk.device_state');
    assert.equal(ids, 1);
    await site.stop('a');
    site.setMasterKey(newKey);
    await site.start('a');
    await site.loggedIn(phone, 3, 20);
    await site.state('front-desk', 'connected');
  });
});
