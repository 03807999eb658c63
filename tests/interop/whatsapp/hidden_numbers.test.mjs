// Patients whose phone number WhatsApp does not tell: they are known, and answered, by their hidden id (LID). When their
// number comes to light after all, by a stanza or by the server's answer to a question, they become one with the contact
// of that number: one contact, both histories, no answer twice and none lost.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, afterEach, before, describe, test } from 'node:test';

import { startClaude, stop } from '../../support/processes.mjs';
import { startClinic } from './clinic.mjs';
import { pause, until } from './simulator.mjs';

const slow = 2500;  // ms that the model takes for a question with this word in it

let clinic, claude;
before(async () => {
  claude = await startClaude();
  // A text for each kind of question: an echo of a prompt that holds the history would bring every token back.
  await claude.control('script', { mode: 'echo', rules: [{ contains: 'slowly', text: 'This took a while.', delay_ms: slow }] });
  clinic = await startClinic({ env: { SEND_GOVERNOR: 'false', ANTHROPIC_API_KEY: 'test', ANTHROPIC_BASE_URL: claude.url } });
  await clinic.link();
});
afterEach(() => reveal(true));
after(async () => {
  const problems = await clinic.problems();
  const { code } = await clinic.end();
  await stop(claude.child);
  assert.deepEqual(problems, []);
  assert.equal(code, 0);
});

const reveal = (on) => clinic.sim.post('/settings', { reveal_addresses: on });
const contactsOf = ({ phone, lid }) => clinic.sql(
  'select id, phone, lid, merged_into from contacts where phone = $1 or lid = $2', [`+${phone}`, lid]);
const answered = (patient, count) => until(`answer ${count}`, () => patient.texts().length >= count, 30);

async function webhook(patient, message) {
  const answer = await fetch(`${clinic.medidesk.base}/functions/v1/whatsapp-webhook`, {
    method: 'POST', headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ phone: `+${patient.phone}`, message, messageId: randomUUID() }),
  });
  assert.equal(answer.status, 200);
  return answer.json();
}

// One contact with both addresses, one conversation, every message of both in it, all turns answered, and nothing under
// way that could answer again.
async function assertOnePerson(patient, texts) {
  const contacts = await contactsOf(patient);
  assert.deepEqual(contacts, [{ id: contacts[0].id, phone: `+${patient.phone}`, lid: patient.lid, merged_into: null }]);
  const [{ id: contact }] = contacts;
  const conversations = await clinic.sql('select id, phone, merged_into from conversations where contact_id = $1', [contact]);
  const [alive, ...more] = conversations.filter(({ merged_into: into }) => into === null);
  assert.deepEqual(more, []);
  assert.equal(alive.phone, `+${patient.phone}`);
  assert.ok(conversations.every(({ id, merged_into: into }) => id === alive.id || into === alive.id));
  await until('all turns to be answered', async () => (await clinic.sql(
    "select 1 from turns where contact_id = $1 and state in ('open', 'sealed')", [contact])).length === 0, 30);
  const received = await clinic.sql('select content from messages where conversation_id = $1 and not from_me order by seq', [alive.id]);
  assert.deepEqual(received.map(({ content }) => content), texts);
  const turns = await clinic.sql('select t.state, t.skip_reason, r.id is not null as reply from turns t left join replies r on r.turn_id = t.id where t.contact_id = $1', [contact]);
  assert.deepEqual(turns.filter(({ state, reply, skip_reason: reason }) => reason !== 'duplicate' && (state !== 'answered' || !reply)), []);
  assert.equal(turns.filter(({ state }) => state === 'answered').length, texts.length);
  // Whoever kept an old id sees the whole of it.
  for (const { id } of conversations) {
    const { messages } = await clinic.rest('GET', `/v1/conversations/${id}/messages`);
    assert.equal(messages.length, 2 * texts.length);
  }
}

describe('a patient who shows no phone number', () => {
  test('is answered in the chat where the question was asked, and known by the hidden id', async () => {
    await reveal(false);
    const asha = await clinic.patient('Asha');
    for (const [i, text] of ['Do you open on Sunday?', 'And on Monday?'].entries()) {
      await asha.send(clinic.byLid, { text });
      await answered(asha, i + 1);
    }
    assert.ok(asha.received.every(({ key }) => key.remoteJid === clinic.byLid));
    const contacts = await contactsOf(asha);
    assert.deepEqual(contacts.map(({ phone, lid }) => ({ phone, lid })), [{ phone: null, lid: asha.lid }]);
    const [{ id, phone }] = await clinic.sql('select id, phone from conversations where contact_id = $1', [contacts[0].id]);
    assert.equal(phone, `lid:${asha.lid}`);
    const sent = (await clinic.sim.stanzas(clinic.phone)).filter(({ from_client: ours, node }) => ours && node.tag === 'message');
    assert.equal(sent.length, 2);
    for (const { node } of sent) {
      assert.equal(node.attrs.to, `${asha.lid}@lid`);
      assert.equal(node.attrs.peer_recipient_pn, undefined);
    }
    // Staff read and write there as anywhere.
    await clinic.rest('POST', `/v1/conversations/${id}/messages`, { text: 'This is the front desk.' }, { 'idempotency-key': randomUUID() });
    await asha.said('This is the front desk.');
  });

  test('becomes one with the contact of the number that a stanza names', async () => {
    const ben = await clinic.patient('Ben');
    await webhook(ben, 'By the old bot');
    await reveal(false);
    await ben.send(clinic.byLid, { text: 'By hidden id' });
    await answered(ben, 1);
    assert.equal((await contactsOf(ben)).length, 2);
    await reveal(true);
    await ben.send(clinic.byLid, { text: 'With the number' });
    await answered(ben, 2);
    await assertOnePerson(ben, ['By the old bot', 'By hidden id', 'With the number']);
    await pause(500);
    assert.equal(ben.texts().length, 2);
  });

  test('keeps the answer that is being made when the number comes to light, and its place', async () => {
    const chitra = await clinic.patient('Chitra');
    await webhook(chitra, 'By the old bot');
    await reveal(false);
    await chitra.send(clinic.byLid, { text: 'Please think slowly' });
    await until('the model to be asked', () => claude.asked('Please think slowly'));
    await reveal(true);
    await chitra.send(clinic.byLid, { text: 'One thing more' });
    await until('the merge', async () => (await contactsOf(chitra)).length === 1);
    assert.equal(chitra.texts().length, 0, 'the answer was still being made');
    await answered(chitra, 2);
    assert.match(chitra.texts()[0], /This took a while\.$/);  // after the first words to a new patient
    await assertOnePerson(chitra, ['By the old bot', 'Please think slowly', 'One thing more']);
    await pause(500);
    assert.equal(chitra.texts().length, 2);
  });

  test('becomes one with the contact of the number that the server tells when it is asked', async () => {
    await reveal(false);
    const elif = await clinic.patient('Elif');
    await elif.send(clinic.byLid, { text: 'By hidden id' });
    await answered(elif, 1);
    // The chat by number tells no hidden id; the gateway asks for it before it answers, with the turn in flight.
    await elif.send(clinic.byPhone, { text: 'By number' });
    await answered(elif, 2);
    await elif.send(clinic.byLid, { text: 'By hidden id again' });
    await answered(elif, 3);
    await assertOnePerson(elif, ['By hidden id', 'By number', 'By hidden id again']);
    await pause(500);
    assert.equal(elif.texts().length, 3);
  });
});
