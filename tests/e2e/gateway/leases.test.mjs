// Two gateway processes and one number: at no moment do both hold a login that can change anything.
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { pause, until } from '../../support/processes.mjs';
import { startSite } from './site.mjs';

describe('two gateways', () => {
  let site;
  beforeEach(async () => {
    site = await startSite();
    await site.start('a');
  });
  afterEach(() => site.end());

  // Number linked by "a", with "b" standing by; "a" has been told that it is not alone.
  async function linkedWithStandby() {
    const phone = await site.link('a', 'front-desk');
    await site.state('front-desk', 'connected');
    await site.start('b');
    await until('both to live', 20, async () =>
      (await site.sql('select 1 from medidesk.gateways where live_until > now()')).length === 2);
    // The promise made to an owner that was alone holds until it knows better.
    await until('the owner to know that it is not alone', 20, async () =>
      (await site.sql("select 1 from medidesk.gateways g join numbers n on n.lease_instance = g.instance_id where g.alone_until is null")).length === 1);
    return phone;
  }
  const owner = async () => (await site.sql(
    'select g.address from numbers n join medidesk.gateways g on g.instance_id = n.lease_instance'))[0]?.address;

  // The number's row once its owner has nothing more to write.
  async function settled(name) {
    let last = await site.number(name), since = Date.now();
    await until('the owner to have written all', 20, async () => {
      const now = await site.number(name);
      if (now.revision !== last.revision) [last, since] = [now, Date.now()];
      return Date.now() - since > 1500;
    });
    return last;
  }

  test('kill -9 of the owner: the other has the number in less than 20 s', async () => {
    const phone = await linkedWithStandby();
    const before = await site.number('front-desk');
    const killed = Date.now();
    await site.stop('a', 'SIGKILL');
    await site.loggedIn(phone, 2, 25);
    const taken = Date.now() - killed;
    assert.ok(taken < 20_000, `${taken} ms`);
    await site.state('front-desk', 'connected');
    const after = await site.number('front-desk');
    assert.equal(await owner(), site.gateways.b.address);
    assert.equal(Number(after.lease_token), Number(before.lease_token) + 1);
    await site.sim.assertOneLoginAtATime(phone);
    assert.equal((await site.sim.devices(phone))[0].pre_keys, 812);
    console.log(`taken over ${taken} ms after kill -9`);
  });

  test('a paused owner that wakes up finds its lease lost, and has written nothing', async () => {
    const phone = await linkedWithStandby();
    const [first] = await site.events(phone, 'login');
    site.gateways.a.child.kill('SIGSTOP');
    // Work is waiting for it when it wakes: its stock of pre-keys has run low, which wants a commit and an upload.
    await site.sim.post('/pre-keys', { phone, device: 1, left: 3 });
    await site.loggedIn(phone, 2, 30);
    await site.state('front-desk', 'connected');
    await until('the new owner to have filled the stock', 20, async () => (await site.sim.devices(phone))[0].pre_keys > 3);
    const [replaced] = await site.events(phone, 'replaced');
    assert.equal(replaced.connection, first.connection);
    const before = await settled('front-desk');
    const last = (await site.sim.get('/stanzas')).stanzas.at(-1)?.seq ?? 0;
    site.gateways.a.child.kill('SIGCONT');
    await until('the old owner to notice', 20, () => site.gateways.a.child.output.includes('gateway.number_lost'));
    await pause(1000);
    assert.equal(await owner(), site.gateways.b.address);
    assert.deepEqual(await site.number('front-desk'), before);
    const late = (await site.sim.get(`/stanzas?after=${last}`)).stanzas
      .filter((stanza) => stanza.from_client && stanza.connection === first.connection);
    assert.deepEqual(late, []);
    assert.equal((await site.events(phone, 'login')).length, 2);
    assert.equal(await site.metric('a', 'medidesk_gateway_leases_lost_total'), 1);
    assert.equal(await site.metric('a', 'medidesk_gateway_number_connected{number="front-desk"}'), 0);
  });

  test('an owner cut off from the store closes its socket before the other opens one', async () => {
    const phone = await linkedWithStandby();
    const [first] = await site.events(phone, 'login');
    site.gateways.a.link.refuse();
    await site.loggedIn(phone, 2, 30);
    const close = (await site.events(null, 'close')).find((event) => event.connection === first.connection);
    const second = (await site.events(phone, 'login'))[1];
    assert.ok(close && close.seq < second.seq);
    assert.ok(second.time_us - close.time_us > 2_000_000, 'at 10 s the one closes, at 15 s the other opens');
    assert.equal(close.detail, 'client');
    assert.deepEqual(await site.events(phone, 'replaced'), []);
    await site.state('front-desk', 'connected');
    const before = await settled('front-desk');
    site.gateways.a.link.accept();
    await until('the first to meet the store again', 20, () => site.gateways.a.child.output.includes('gateway.store_back'));
    await pause(3000);
    assert.deepEqual(await site.number('front-desk'), before);
    assert.equal((await site.events(phone, 'login')).length, 2);
    await site.sim.assertOneLoginAtATime(phone);
  });

  test('an owner that is alone keeps its socket while the store is away', async () => {
    const phone = await site.link('a', 'front-desk');
    await site.state('front-desk', 'connected');
    // The answer that says `alone` comes with the second heartbeat at the latest.
    await until('to be told', 20, async () => (await site.sql('select 1 from medidesk.gateways where alone_until is not null')).length === 1);
    await pause(5500);
    site.gateways.a.link.refuse();
    await until('the gateway to notice', 20, () => site.gateways.a.child.output.includes('gateway.store_away'));
    await pause(16_000);
    assert.equal((await site.sim.devices(phone))[0].connected, true);
    site.gateways.a.link.accept();
    await until('the store to be back', 20, () => site.gateways.a.child.output.includes('gateway.store_back'));
    await pause(1000);
    assert.equal((await site.events(phone, 'login')).length, 1);
    assert.equal((await site.number('front-desk')).state, 'connected');
  });

  test('a planned stop hands the number over in seconds', async () => {
    const phone = await linkedWithStandby();
    const stopped = Date.now();
    const { code } = await site.stop('a');
    assert.equal(code, 0);
    await site.loggedIn(phone, 2, 20);
    const taken = Date.now() - stopped;
    assert.ok(taken < 8_000, `${taken} ms`);
    await site.state('front-desk', 'connected');
    await site.sim.assertOneLoginAtATime(phone);
    console.log(`handed over in ${taken} ms`);
  });

  test('the number is linked and unlinked by its owner, whichever gateway is asked', async () => {
    const phone = await linkedWithStandby();
    const done = await site.cli(['unlink', 'front-desk'], { gateway: 'b' });
    assert.equal(done.code, 0, done.output);
    assert.deepEqual(await site.sim.devices(phone), []);
    await until('the lease to be released', 10, async () => (await site.number('front-desk')).lease_instance === null);
    await site.link('b', 'front-desk');
    await site.state('front-desk', 'connected');
    assert.equal(await owner(), site.gateways.b.address);
  });

  test('connections to the store that break cost no login', async () => {
    const phone = await linkedWithStandby();
    for (let i = 0; i < 3; ++i) {
      site.gateways.a.link.cut();
      site.gateways.b.link.cut();
      await pause(1500);
    }
    await pause(6000);
    assert.equal((await site.events(phone, 'login')).length, 1);
    assert.equal(await owner(), site.gateways.a.address);
  });
});
