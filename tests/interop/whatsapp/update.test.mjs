// A rolling update of the gateways while patients on real Baileys write: the new process is started, and once it serves
// the old one gets its TERM. Twice, so that the number also comes back. Every message is answered once and in order, and
// by the simulator's account no two logins of the number ever lived at once.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import pg from 'pg';
import { createDatabase } from '../../support/database.mjs';
import { alive, freePort, start, startClaude, stop } from '../../support/processes.mjs';
import { BaileysClient } from './baileys_client.mjs';
import { Simulator, pause, until } from './simulator.mjs';

const patients = 4;

async function startSite() {
  const databaseUrl = await createDatabase(pg);
  const pool = new pg.Pool({ connectionString: databaseUrl.toString(), max: 2 });
  pool.on('error', () => {});
  const sim = await Simulator.start();
  const claude = await startClaude();
  await claude.control('script', { mode: 'echo' });
  const folder = mkdtempSync(path.join(os.tmpdir(), 'medidesk-update-'));
  const addresses = { ASSISTANT_ADDRESS: `127.0.0.1:${await freePort()}`, STORE_ADDRESS: `127.0.0.1:${await freePort()}` };
  const masterKey = randomBytes(32).toString('base64');
  const children = {};
  const launch = (name, program, env) => (children[name] = start(program, ['--metrics_address='], { ...addresses, ...env }));
  launch('store', 'medidesk-store', { DATABASE_URL: databaseUrl.toString(), MEDIDESK_HOSPITAL_FILE: 'examples/hospital.yaml' });
  launch('assistant', 'medidesk-assistant', { ANTHROPIC_API_KEY: 'test', ANTHROPIC_BASE_URL: claude.url });
  const cli = (...words) => start('medidesk-cli', words, addresses);

  const site = {
    sim, children, addresses,
    sql: async (text, values) => (await pool.query(text, values)).rows,
    // A pod of its own: another id, folder and address each time. There when it answers its health check.
    async startGateway(name) {
      const address = `127.0.0.1:${await freePort()}`;
      launch(name, 'medidesk-gateway', {
        GATEWAY_ADDRESS: address, GATEWAY_ID: name, MEDIDESK_VAR: path.join(folder, name), MEDIDESK_MASTER_KEY: masterKey,
        WHATSAPP_URL: sim.url, WHATSAPP_ROOT_KEY: sim.rootKey.toString('hex'), BURST_QUIET: '20ms', SEND_GOVERNOR: 'false', TYPING: 'false',
      });
      await until(`${name} to serve`, async () => {
        assert.ok(alive(children[name]), children[name].output);
        return (await cli(`--gateway_address=${address}`, '--timeout=2s', 'health', 'gateway').ended).code === 0;
      });
      return address;
    },
    owner: async () => (await site.sql(
      `select g.gateway_id, s.state from numbers n join medidesk.gateways g on g.instance_id = n.lease_instance
         join number_states s on s.number_id = n.id where n.name = 'front-desk'`))[0] ?? {},
    connected: (name) => until(`the number to be connected by ${name}`, async () => {
      const { gateway_id: id, state } = await site.owner();
      return id === name && state === 'connected';
    }),
    async end() {
      for (const name of Object.keys(children).reverse()) await stop(children[name]);
      await Promise.all([stop(claude.child), pool.end()]);
      await sim.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
  try {
    await until('the store', async () => (await cli('number', 'list').ended).code === 0);
    const address = await site.startGateway('gateway-1');
    site.phone = await sim.phone({ platform: 'smba', business_name: 'City Hospital' });
    const link = start('medidesk-cli', [`--gateway_address=${address}`, 'link', 'front-desk', '--plain'], addresses);
    const qr = await until('a QR code', () => {
      assert.ok(alive(link), link.output);
      return link.output.match(/^qr (\S+)/m)?.[1];
    });
    await sim.post('/scan', { phone: site.phone, qr });
    assert.equal((await link.ended).code, 0, link.output);
    await site.connected('gateway-1');
    const { phones } = await sim.get('/phones');
    site.address = `${phones.find((entry) => entry.phone === site.phone).lid}@lid`;
  } catch (error) {
    await site.end();
    throw error;
  }
  return site;
}

test('a rolling update hands the number over: nothing lost, nothing twice, never two logins', { timeout: 240_000 }, async () => {
  const site = await startSite();
  const people = [];
  try {
    for (let i = 0; i < patients; ++i) people.push(Object.assign(await BaileysClient.patient(site.sim, `Patient ${i}`), { log: [] }));  // {token, id} of what was written, in order
    let over = false;
    // One message after another, also while nobody answers.
    const talking = Promise.all(people.map(async (patient, index) => {
      for (let n = 0; !over; ++n) {
        const token = `t${index}x${n}e`;
        patient.log.push({ token, id: await patient.send(site.address, { text: `question ${token}` }) });
        const end = Date.now() + 400;
        while (!over && Date.now() < end) await pause(20);
      }
    }));
    talking.catch(() => {});  // told below
    const written = () => people.reduce((sum, patient) => sum + patient.log.length, 0);
    const answered = () => people.every((patient) => patient.log.some(({ token }) => patient.answersTo(token).size > 0));
    await until('everybody to have an answer', answered);

    const handOvers = [];
    for (const [old, fresh] of [['gateway-1', 'gateway-2'], ['gateway-2', 'gateway-3']]) {
      await site.startGateway(fresh);
      assert.equal((await site.owner()).gateway_id, old, 'a new gateway does not take what has an owner');
      const [logins, before, begin] = [(await site.sim.names(site.phone)).filter((name) => name === 'login').length, written(), Date.now()];
      const ended = await stop(site.children[old]);
      assert.deepEqual(ended, { code: 0, signal: null }, `${old} stops in good order\n${site.children[old].output.slice(-2000)}`);
      await until('the next login', async () => (await site.sim.names(site.phone)).filter((name) => name === 'login').length > logins);
      handOvers.push(Date.now() - begin);
      await site.connected(fresh);
      await until('somebody to write on', () => written() >= before + patients);
    }
    over = true;
    await talking;

    const open = (of) => people.flatMap((patient) => patient.log.filter((entry) => of(patient, entry)).map(({ token }) => token));
    await until('every message to be delivered', () => open((patient, { id }) => !patient.receipts.has(id)).length === 0);
    const missing = () => open((patient, { token }) => patient.answersTo(token).size === 0);
    await until('every message to be answered', () => missing().length === 0).catch((error) => { throw new Error(`${error.message}: ${missing().slice(0, 10)}`); });
    // A second answer would have been committed by now, or is about to leave: nothing may be on its way any more.
    await until('nothing to be on its way', async () =>
      (await site.sql("select 1 from turns where state in ('open', 'sealed') union all select 1 from reply_parts where state in ('queued', 'sending')")).length === 0);

    for (const patient of people) {
      const places = patient.log.map(({ token }) => {
        const ids = patient.answersTo(token);
        assert.equal(ids.size, 1, `${token} has ${ids.size} answers`);
        return patient.received.findIndex(({ key }) => ids.has(key.id));
      });
      places.slice(1).forEach((place, i) => assert.ok(place >= places[i], `${patient.log[i + 1].token} is answered before ${patient.log[i].token}`));
    }
    const [{ count }] = await site.sql("select count(*)::int from replies where source in ('apology', 'stale_notice')");
    assert.equal(count, 0);
    assert.deepEqual(await site.sim.assertOneLoginAtATime(site.phone), handOvers.map(() => 'close'), 'each old connection was closed by its owner');
    console.log(`${written()} messages; from the old gateway's TERM to the new one's login: ${handOvers.join(' ms, ')} ms`);
  } catch (error) {
    for (const [name, child] of Object.entries(site.children)) console.log(`--- ${name}\n${child.output.slice(-4000)}`);
    throw error;
  } finally {
    for (const patient of people) patient.stop();
    await site.end();
  }
});
