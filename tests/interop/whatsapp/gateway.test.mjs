// The gateway's message layer talks with real Baileys patients: what it sends they must read, and the other way round.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { BaileysClient } from './baileys_client.mjs';
import { EchoClinic } from './echo_clinic.mjs';
import { Simulator, until } from './simulator.mjs';

const TEXT = 1, UNREADABLE = 2, EDIT = 3, DELETION = 4, REACTION = 5;  // the layer's kinds
const SENT = 3, DELIVERED = 4;                                          // and states

let sim, clinic, asha, ben;
const clients = [];

async function patient(name, phone) {
  const client = new BaileysClient(sim);
  clients.push(client);
  client.phone = phone ?? (await sim.phone({ name }));
  const { phones } = await sim.get('/phones');
  client.lid = phones.find((entry) => entry.phone === client.phone).lid;
  client.byLid = `${client.lid}@lid`;
  client.byPhone = `${client.phone}@s.whatsapp.net`;
  await client.linkByQr(client.phone);
  client.creds.me.name = name;
  await client.reconnect();
  return client;
}

async function noProblems() {
  assert.deepEqual((await sim.events()).filter(({ event }) => event === 'problem'), []);
}
const count = (client, text) => client.texts().filter((entry) => entry === text).length;

before(async () => {
  sim = await Simulator.start();
  clinic = await EchoClinic.start(sim);
  asha = await patient('Asha');
  ben = await patient('Ben');
});

after(async () => {
  for (const client of clients) client.stop();
  if (clinic) assert.equal(await clinic.stop(), 0);
  assert.equal(await sim.stop(), 0);
});

describe('the message layer', () => {
  test('answers a patient by hidden id and one by phone number', async () => {
    await asha.send(clinic.byLid, { text: 'first message' });
    await asha.said('echo: first message');
    const first = await clinic.got('the message', (message) => message.text === 'first message');
    assert.deepEqual([first.kind, first.lid, first.phone, first.from_me], [TEXT, asha.lid, asha.phone, false]);
    await ben.send(clinic.byPhone, { text: 'by number' });
    await ben.said('echo: by number');
    await until('the marks', () => clinic.marks(SENT).length >= 2 && clinic.marks(DELIVERED).length >= 2);
    await noProblems();
  });

  test('keeps the order of two hundred messages each way', async () => {
    const each = Array.from({ length: 100 }, (_, index) => index);
    for (const index of each) {
      await asha.send(clinic.byLid, { text: `a${index}` });
      await ben.send(clinic.byPhone, { text: `b${index}` });
    }
    for (const [client, letter] of [[asha, 'a'], [ben, 'b']]) {
      const answers = () => client.texts().filter((text) => new RegExp(`^echo: ${letter}\\d+$`).test(text));
      await until('all answers', () => answers().length >= 100);
      assert.deepEqual(answers(), each.map((index) => `echo: ${letter}${index}`));
    }
    await noProblems();
  });

  test('asks for a spoiled message again and answers it once', async () => {
    await sim.fault({ kind: 'spoil', phone: asha.phone });
    await asha.send(clinic.byLid, { text: 'spoiled question' });
    await asha.said('echo: spoiled question');
    assert.equal(count(asha, 'echo: spoiled question'), 1);
    assert.equal(clinic.inbound().filter(({ text }) => text === 'spoiled question').length, 1);
  });

  test('gives a spoiled answer again', async () => {
    await sim.fault({ kind: 'spoil', phone: clinic.phone });
    await asha.send(clinic.byLid, { text: 'spoil my answer' });
    await asha.said('echo: spoil my answer');
    assert.equal(count(asha, 'echo: spoil my answer'), 1);
    await asha.send(clinic.byLid, { text: 'and the next' });
    await asha.said('echo: and the next');
  });

  test('recovers from a session that it has lost', async () => {
    const device = asha.socket.user.lid.match(/:(\d+)@/)[1];
    await clinic.reconnect({ drop_session: `${asha.lid}_1.${device}` });
    await asha.send(clinic.byLid, { text: 'do you know me' });
    await asha.said('echo: do you know me');
  });

  test('understands edits, deletions, reactions, captions and voice notes', async () => {
    const id = await asha.send(clinic.byLid, { text: 'Tusday' });
    await asha.said('echo: Tusday');
    const key = { remoteJid: clinic.byLid, id, fromMe: true };
    await asha.socket.sendMessage(clinic.byLid, { text: 'Tuesday', edit: key });
    const edit = await clinic.got('the edit', ({ kind }) => kind === EDIT);
    assert.deepEqual([edit.text, edit.target], ['Tuesday', id]);
    await asha.socket.sendMessage(clinic.byLid, { react: { text: '👍', key } });
    assert.equal((await clinic.got('the reaction', ({ kind }) => kind === REACTION)).text, '👍');
    await asha.socket.sendMessage(clinic.byLid, { delete: key });
    assert.equal((await clinic.got('the deletion', ({ kind }) => kind === DELETION)).target, id);
    await asha.socket.relayMessage(clinic.byLid, { imageMessage: { caption: 'my knee', mimetype: 'image/jpeg' } }, {});
    assert.equal((await clinic.got('the caption', ({ text }) => text === 'my knee')).kind, TEXT);
    await asha.socket.relayMessage(clinic.byLid, { audioMessage: { ptt: true, seconds: 3 } }, {});
    assert.equal((await clinic.got('the voice note', ({ text }) => text === '[voice message]')).kind, UNREADABLE);
    await asha.said('echo: [voice message]');
  });

  test('keeps to the timer of the chat', async () => {
    await ben.socket.sendMessage(clinic.byPhone, { disappearingMessagesInChat: 86_400 });
    await ben.send(clinic.byPhone, { text: 'vanishing' });
    const answer = await ben.said('echo: vanishing');
    assert.equal(answer.message.extendedTextMessage?.contextInfo?.expiration, 86_400);
  });

  test('reads what waited while it was away, in order', async () => {
    clinic.command({ disconnect: true });
    await until('the end', async () => !(await sim.devices(clinic.phone))[0].connected);
    for (const text of ['away 1', 'away 2', 'away 3']) await asha.send(clinic.byLid, { text });
    await clinic.reconnect();
    await asha.said('echo: away 3');
    const waited = clinic.inbound().filter(({ text }) => text.startsWith('away'));
    assert.deepEqual(waited.map(({ text, offline }) => [text, offline]), [['away 1', true], ['away 2', true], ['away 3', true]]);
    await until('all to be confirmed', async () => (await sim.devices(clinic.phone))[0].pending === 0);
  });

  test('answers nothing twice when old messages come again', async () => {
    const old = (await sim.stanzas(clinic.phone))
      .filter(({ from_client, node }) => !from_client && node.tag === 'message' && !node.attrs.recipient)
      .slice(-50);
    assert.equal(old.length, 50);
    const known = clinic.inbound().length;
    await clinic.reconnect();
    for (const { node } of old) await sim.post('/send', { phone: clinic.phone, device: 1, node });
    await until('all to be confirmed', async () => (await sim.devices(clinic.phone))[0].pending === 0);
    await asha.send(clinic.byLid, { text: 'and now' });
    await asha.said('echo: and now');
    assert.equal(clinic.inbound().length, known + 1);
  });

  test('hears what staff writes on another device, and writes to it', async () => {
    const desk = await patient('Clinic', clinic.phone);
    await asha.send(clinic.byLid, { text: 'anybody there' });
    await asha.said('echo: anybody there');
    await desk.said('anybody there');
    await desk.said('echo: anybody there', true);
    await desk.send(asha.byLid, { text: 'a person speaking' });
    const staff = await clinic.got('the words of staff', ({ text }) => text === 'a person speaking');
    assert.deepEqual([staff.from_me, staff.chat], [true, asha.byLid]);
    await asha.said('a person speaking');
    assert.equal(count(asha, 'echo: a person speaking'), 0);
  });

  test('writes to a phone that was installed again', async () => {
    const old = await patient('Chen');
    await old.send(clinic.byLid, { text: 'old phone' });
    await old.said('echo: old phone');
    old.stop();
    await sim.post('/unlink', { phone: old.phone, device: 1 });
    await sim.post('/next-device', { phone: old.phone, device: 1 });
    const fresh = await patient('Chen', old.phone);
    await fresh.send(clinic.byLid, { text: 'new phone' });
    await fresh.said('echo: new phone');
    clinic.send(fresh.byLid, 'news for you');
    await fresh.said('news for you');
    await noProblems();
  });

  test('hears of a refusal', async () => {
    await sim.fault({ kind: 'ack_error', code: 463, phone: clinic.phone });
    clinic.send(asha.byLid, 'not allowed');
    await until('the refusal', () => clinic.outcomes().some(({ code }) => code === 463));
  });
});
