// Patients on real Baileys write while services are killed and connections cut; then everything is counted at the
// patients' side. MEDIDESK_CHAOS_ROUNDS sets how many losses (60), MEDIDESK_CHAOS_SEED repeats their choice.
//
//   I1  every message whose delivery the patient saw is answered
//   I2  exactly once: answers are told apart by the ids of their stanzas
//   I3  in the order of the messages
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import pg from 'pg';
import { createDatabase, viaPort } from '../../support/database.mjs';
import { alive, freePort, start, startClaude, stop } from '../../support/processes.mjs';
import { startProxy } from '../../support/proxy.mjs';
import { BaileysClient } from './baileys_client.mjs';
import { Simulator, pause, until } from './simulator.mjs';

const rounds = Number(process.env.MEDIDESK_CHAOS_ROUNDS || 60);
const seed = Number(process.env.MEDIDESK_CHAOS_SEED || Math.floor(Math.random() * 2 ** 32));
const patients = Number(process.env.MEDIDESK_CHAOS_PATIENTS || 5);

function randomNumbers(state) {  // mulberry32
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

async function startSite() {
  const databaseUrl = await createDatabase(pg);
  const pool = new pg.Pool({ connectionString: databaseUrl.toString(), max: 2 });
  pool.on('error', () => {});
  const sim = await Simulator.start();
  const claude = await startClaude();
  await claude.control('script', { mode: 'echo' });
  const folder = mkdtempSync(path.join(os.tmpdir(), 'medidesk-losses-'));
  const [storePort, assistantPort, gatewayPort] = [await freePort(), await freePort(), await freePort()];
  const databaseLink = await startProxy(Number(databaseUrl.port || 5432), databaseUrl.hostname);
  const storeLink = await startProxy(storePort);
  const addresses = { ASSISTANT_ADDRESS: `127.0.0.1:${assistantPort}`, STORE_ADDRESS: `127.0.0.1:${storeLink.port}` };
  const settings = {
    store: { DATABASE_URL: viaPort(databaseUrl, databaseLink.port), STORE_ADDRESS: `127.0.0.1:${storePort}`, MEDIDESK_HOSPITAL_FILE: 'examples/hospital.yaml' },
    assistant: { ...addresses, ANTHROPIC_API_KEY: 'test', ANTHROPIC_BASE_URL: claude.url },
    gateway: {
      ...addresses, GATEWAY_ADDRESS: `127.0.0.1:${gatewayPort}`, WHATSAPP_URL: sim.url, WHATSAPP_ROOT_KEY: sim.rootKey.toString('hex'),
      MEDIDESK_MASTER_KEY: randomBytes(32).toString('base64'), MEDIDESK_VAR: folder, GATEWAY_ID: 'losses',
      BURST_QUIET: '20ms', SEND_GOVERNOR: 'false', TYPING: 'false',
    },
  };
  const children = {};
  const site = {
    sim, claude, databaseLink, storeLink, children,
    sql: async (text, values) => (await pool.query(text, values)).rows,
    start(name) { children[name] = start(`medidesk-${name}`, ['--metrics_address='], settings[name]); },
    kill: (name) => stop(children[name], 'SIGKILL'),
    async end() {
      for (const name of ['gateway', 'assistant', 'store']) await stop(children[name]);
      await Promise.all([storeLink.close(), databaseLink.close(), stop(claude.child), pool.end()]);
      await sim.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
  for (const name of ['store', 'assistant', 'gateway']) site.start(name);
  const phone = await sim.phone({ platform: 'smba', business_name: 'City Hospital' });
  const link = await until('a QR code', async () => {
    const child = start('medidesk-cli', [`--gateway_address=127.0.0.1:${gatewayPort}`, 'link', 'front-desk', '--plain'], { STORE_ADDRESS: `127.0.0.1:${storePort}` });
    const qr = await until('a QR code or an end', () => child.output.match(/^qr (\S+)/m)?.[1] ?? (alive(child) ? null : 'ended'));
    return qr === 'ended' ? null : { child, qr };
  });
  await sim.post('/scan', { phone, qr: link.qr });
  assert.equal((await link.child.ended).code, 0, link.child.output);
  const { phones } = await sim.get('/phones');
  site.address = `${phones.find((entry) => entry.phone === phone).lid}@lid`;
  return site;
}

test(`nothing is lost or doubled over WhatsApp in ${rounds} losses, seed ${seed}`, { timeout: 3_600_000 }, async () => {
  const random = randomNumbers(seed);
  const site = await startSite();
  const people = [];
  try {
    for (let i = 0; i < patients; ++i) people.push(await BaileysClient.patient(site.sim, `Patient ${i}`));
    let over = false;
    const talk = async (patient, index) => {
      patient.log = [];
      for (let number = 0; !over; ++number) {
        const token = `t${index}x${number}e`;
        const id = await patient.send(site.address, { text: `question ${token}` });
        patient.log.push({ token, id });
        const end = Date.now() + 1500 + random() * 1500;
        while (!over && Date.now() < end && patient.answersTo(token).size === 0) await pause(20);
      }
    };
    const restart = async (name) => {
      await site.kill(name);
      site.start(name);
    };
    const happened = {};
    const kinds = {
      'gateway killed': () => restart('gateway'),
      'store killed': () => restart('store'),
      'assistant killed': () => restart('assistant'),
      'store connection cut': async () => site.storeLink.cut(),
      'database connection cut': async () => site.databaseLink.cut(),
      'gateway answer lost': async () => {
        site.storeLink.holdAnswerTo('question');
        await pause(50 + random() * 200);
        site.storeLink.cut();
      },
      'database away': async () => {
        site.databaseLink.refuse();
        site.databaseLink.cut();
        await pause(random() * 800);
        site.databaseLink.accept();
      },
    };
    const talking = Promise.all(people.map(talk));
    talking.catch(() => {});  // told below
    let left = [];
    for (let round = 0; round < rounds; ++round) {
      await pause(300 + random() * 900);
      if (left.length === 0) left = Object.keys(kinds);
      const [kind] = left.splice(Math.floor(random() * left.length), 1);
      await kinds[kind]();
      happened[kind] = (happened[kind] ?? 0) + 1;
    }
    over = true;
    await talking;

    const missing = () => people.flatMap((patient) =>
      patient.log.filter(({ token, id }) => patient.receipts.has(id) && patient.answersTo(token).size === 0).map(({ token }) => token));
    const undelivered = () => people.flatMap((patient) => patient.log.filter(({ id }) => !patient.receipts.has(id)).map(({ token }) => token));
    await until('every message to be delivered', () => undelivered().length === 0, 120)
      .catch((error) => { throw new Error(`${error.message}: ${undelivered().slice(0, 10)}`); });
    await until('every message to be answered', () => missing().length === 0, 120)
      .catch((error) => { throw new Error(`${error.message}: ${missing().slice(0, 10)}`); });
    await pause(2000);

    let messages = 0;
    for (const patient of people) {
      const places = patient.log.map(({ token }) => {
        const ids = patient.answersTo(token);
        assert.equal(ids.size, 1, `${token} has ${ids.size} answers`);
        messages += 1;
        return patient.received.findIndex(({ key }) => ids.has(key.id));
      });
      places.slice(1).forEach((place, i) => assert.ok(place >= places[i], `${patient.log[i + 1].token} is answered before ${patient.log[i].token}`));
    }
    const apologies = await site.sql("select count(*)::int from replies where source in ('apology', 'stale_notice')");
    assert.equal(apologies[0].count, 0);
    console.log(`seed ${seed}: ${messages} messages, ${JSON.stringify(happened)}`);
    assert.ok(messages > rounds / 2);
  } catch (error) {
    for (const [name, child] of Object.entries(site.children)) console.log(`--- ${name}\n${child.output.slice(-6000)}`);
    throw error;
  } finally {
    for (const patient of people) patient.stop();
    await site.end();
  }
});
