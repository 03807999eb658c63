// Real Baileys clients that write to each other through the simulator: end-to-end encrypted, over its routing alone.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { BaileysClient } from './baileys_client.mjs';
import { Simulator, until } from './simulator.mjs';

const SENT = 2, DELIVERED = 3, READ = 4;  // Baileys' states of a message

let sim;
const clients = [];

before(async () => {
  sim = await Simulator.start();
});

after(async () => {
  for (const client of clients) client.stop();
  assert.equal(await sim.stop(), 0);
});

// A companion of a new phone, or of `phone`.
async function companion(name, phone) {
  const client = new BaileysClient(sim);
  clients.push(client);
  client.phone = phone ?? (await sim.phone({ name }));
  const { phones } = await sim.get('/phones');
  client.lid = phones.find((entry) => entry.phone === client.phone).lid;
  await client.linkByQr(client.phone);
  // Without a name it says nothing of its presence, and its receipts are those of a device that nobody looks at.
  client.creds.me.name = name;
  await client.reconnect();
  client.byPhone = `${client.phone}@s.whatsapp.net`;
  client.byLid = `${client.lid}@lid`;
  return client;
}

const status = (client, id) =>
  Math.max(0, ...client.changed.filter(({ key }) => key.id === id).map(({ update }) => update.status ?? 0));

async function noProblems() {
  const events = (await sim.events()).filter(({ event }) => event === 'problem');
  assert.deepEqual(events, []);
}

describe('messages', () => {
  let clinic, patient;

  before(async () => {
    clinic = await companion('Clinic');
    patient = await companion('Asha');
  });

  test('go both ways by hidden id and are acknowledged, delivered and read', async () => {
    const id = await patient.send(clinic.byLid, { text: 'Do you open on Sunday?' });
    const question = await clinic.said('Do you open on Sunday?');
    assert.equal(question.key.remoteJid, patient.byLid);
    assert.equal(question.key.remoteJidAlt, patient.byPhone);
    assert.equal(question.pushName, 'Asha');
    await until('the delivery', () => status(patient, id) >= DELIVERED);
    await clinic.socket.readMessages([question.key]);
    await until('that it was read', () => status(patient, id) >= READ);
    await clinic.send(question.key.remoteJid, { text: 'No, from Monday to Friday.' });
    await patient.said('No, from Monday to Friday.');
    await noProblems();
  });

  test('go both ways by phone number', async () => {
    const other = await companion('Ben');
    const id = await other.send(clinic.byPhone, { text: 'By number' });
    const question = await clinic.said('By number');
    assert.equal(question.key.remoteJid, other.byPhone);
    await until('the delivery', () => status(other, id) >= DELIVERED);
    await clinic.send(other.byPhone, { text: 'Answered by number' });
    await other.said('Answered by number');
    await noProblems();
  });

  test('come in order, a hundred each way', async () => {
    const each = Array.from({ length: 100 }, (_, index) => index);
    const before = { clinic: clinic.texts().length, patient: patient.texts().length };
    for (const index of each) {
      await patient.send(clinic.byLid, { text: `question ${index}` });
      await clinic.send(patient.byLid, { text: `answer ${index}` });
    }
    await until('all of them', () => clinic.texts().length >= before.clinic + 100 && patient.texts().length >= before.patient + 100);
    assert.deepEqual(clinic.texts().slice(before.clinic), each.map((index) => `question ${index}`));
    assert.deepEqual(patient.texts().slice(before.patient), each.map((index) => `answer ${index}`));
    await noProblems();
  });

  test('reach the other devices of both sides', async () => {
    const desk = await companion('Clinic', clinic.phone);
    const web = await companion('Asha', patient.phone);
    await patient.send(clinic.byLid, { text: 'For everybody' });
    for (const client of [clinic, desk]) assert.equal((await client.said('For everybody')).key.remoteJid, patient.byLid);
    assert.equal((await web.said('For everybody', true)).key.remoteJid, clinic.byLid);
    await noProblems();
  });

  test('wait for a device that is away', async () => {
    patient.stop();
    await until('the end', async () => !(await sim.devices(patient.phone))[0].connected);
    for (const text of ['while away 1', 'while away 2', 'while away 3']) await clinic.send(patient.byLid, { text });
    await patient.reconnect();
    await patient.said('while away 3');
    assert.deepEqual(patient.texts().slice(-3), ['while away 1', 'while away 2', 'while away 3']);
    await until('all to be confirmed', async () => (await sim.devices(patient.phone))[0].pending === 0);
    await noProblems();
  });

  test('that cannot be read are asked for again and come once', async () => {
    await sim.fault({ kind: 'spoil', phone: patient.phone });
    await patient.send(clinic.byLid, { text: 'Spoiled on the way' });
    await clinic.said('Spoiled on the way');
    assert.equal(clinic.texts().filter((text) => text === 'Spoiled on the way').length, 1);
    const retries = (await sim.stanzas(clinic.phone)).filter(
      ({ from_client, node }) => from_client && node.tag === 'receipt' && node.attrs.type === 'retry');
    assert.ok(retries.length >= 1);
    await noProblems();
  });

  test('can be refused, and told so', async () => {
    await sim.fault({ kind: 'ack_error', code: 479, phone: patient.phone });
    const id = await patient.send(clinic.byLid, { text: 'Refused' });
    // Baileys tells it as a change, or within the message where it has not told that yet.
    await until('the refusal', () =>
      patient.changed.some(({ key, update }) => key.id === id && update.status === 0)
      || patient.received.some(({ key, status: state }) => key.id === id && state === 0));
    const again = await patient.send(clinic.byLid, { text: 'Not refused' });
    await clinic.said('Not refused');
    await until('the ack', () => status(patient, again) >= SENT);
    assert.ok(!clinic.texts().includes('Refused'));
  });

  test('under one id go out once', async () => {
    const messageId = '3EB0AAAAAAAAAAAAAAAAAA';
    for (const text of ['first copy', 'second copy']) await patient.socket.sendMessage(clinic.byLid, { text }, { messageId });
    await patient.send(clinic.byLid, { text: 'after both' });
    await clinic.said('after both');
    assert.ok(clinic.texts().includes('first copy'));
    assert.ok(!clinic.texts().includes('second copy'));
  });

  test('are edited, deleted and reacted to', async () => {
    const id = await patient.send(clinic.byLid, { text: 'Tusday' });
    const message = await clinic.said('Tusday');
    const key = { remoteJid: clinic.byLid, id, fromMe: true };
    await patient.socket.sendMessage(clinic.byLid, { text: 'Tuesday', edit: key });
    await until('the edit', () => clinic.changed.some((change) => change.key.id === id && change.update.message));
    await clinic.socket.sendMessage(patient.byLid, { react: { text: '👍', key: message.key } });
    await until('the reaction', () => patient.received.some((entry) => entry.message?.reactionMessage?.text === '👍'));
    await patient.socket.sendMessage(clinic.byLid, { delete: key });
    await until('the deletion', () => clinic.changed.some((change) => change.key.id === id && change.update.message === null));
  });

  test('a device that is installed again is written to with its new keys', async () => {
    const old = await companion('Chen');
    await old.send(clinic.byLid, { text: 'from the old one' });
    await clinic.said('from the old one');
    await clinic.send(old.byLid, { text: 'to the old one' });
    await old.said('to the old one');
    old.stop();
    await sim.post('/unlink', { phone: old.phone, device: 1 });
    await sim.post('/next-device', { phone: old.phone, device: 1 });
    const fresh = await companion('Chen', old.phone);
    assert.equal(fresh.socket.user.id, `${old.phone}:1@s.whatsapp.net`);
    await fresh.send(clinic.byLid, { text: 'from the new one' });
    await clinic.said('from the new one');
    await clinic.send(fresh.byLid, { text: 'to the new one' });
    await fresh.said('to the new one');
    await noProblems();
  });

  test('typing is shown', async () => {
    let seen = null;
    clinic.socket.ev.on('presence.update', (update) => { seen = update; });
    await patient.socket.sendPresenceUpdate('composing', clinic.byLid);
    await until('the typing', () => seen?.presences?.[patient.byLid]?.lastKnownPresence === 'composing');
  });
});
