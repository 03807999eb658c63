// Patients write to the hospital over WhatsApp and are answered: the real Baileys, the simulator, the whole of MediDesk.
import { randomUUID } from 'node:crypto';
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { startClinic } from './clinic.mjs';
import { pause, until } from './simulator.mjs';

let clinic;
before(async () => {
  clinic = await startClinic({ env: { SEND_GOVERNOR: 'false' } });
  await clinic.link();
});
after(async () => {
  const problems = await clinic.problems();
  const { code } = await clinic.end();
  assert.deepEqual(problems, []);
  assert.equal(code, 0);
});

// The answers that a patient has got, as texts.
const answers = (patient) => patient.texts();
const nextAnswer = async (patient, before) => {
  await until('an answer', () => answers(patient).length > before, 30);
  return answers(patient)[before];
};

describe('a patient', () => {
  test('asks and is answered from the hospital\'s facts, once', async () => {
    const asha = await clinic.patient('Asha');
    await asha.send(clinic.byLid, { text: 'What are your visiting hours?' });
    const answer = await nextAnswer(asha, 0);
    assert.match(answer, /visiting/i);
    await asha.send(clinic.byLid, { text: 'Which doctors do you have in cardiology?' });
    await nextAnswer(asha, 1);
    await pause(500);
    assert.equal(answers(asha).length, 2);
    await until('the delivery to be known', async () =>
      (await clinic.sql("select 1 from reply_parts where state in ('delivered', 'read')")).length === 2);
    const rows = await clinic.sql("select content from messages where not from_me order by seq");
    assert.deepEqual(rows.map(({ content }) => content), ['What are your visiting hours?', 'Which doctors do you have in cardiology?']);
  });

  test('who reports a red flag gets the emergency text, and then a person', async () => {
    const ben = await clinic.patient('Ben');
    await ben.send(clinic.byPhone, { text: 'I have crushing chest pain and cannot breathe' });
    const text = await nextAnswer(ben, 0);
    assert.match(text, /112|108|911|emergency/i);
    const [contact] = await clinic.sql('select status, takeover_reason from contacts where phone = $1', [`+${ben.phone}`]);
    assert.equal(contact.status, 'human_takeover');
    await ben.send(clinic.byPhone, { text: 'What are your visiting hours?' });
    await until('the message to be stored', async () =>
      (await clinic.sql("select 1 from messages m join contacts c on c.id = m.contact_id where c.phone = $1 and not m.from_me", [`+${ben.phone}`])).length === 2);
    await pause(1500);
    assert.equal(answers(ben).length, 1);
  });

  test('who sends what only people can read is told so, and staff have a task', async () => {
    const chitra = await clinic.patient('Chitra');
    await chitra.relay(clinic.byLid, {
      audioMessage: { url: 'https://mmg.whatsapp.net/v/none', mimetype: 'audio/ogg; codecs=opus', seconds: 3, ptt: true, fileLength: 2000 },
    });
    assert.match(await nextAnswer(chitra, 0), /cannot|can't/i);
    const tasks = await clinic.sql(
      "select t.reason from tasks t join contacts c on c.id = t.contact_id where c.phone = $1", [`+${chitra.phone}`]);
    assert.deepEqual(tasks.map(({ reason }) => reason), ['unreadable_media']);
  });

  test('gets no answer to a reaction, and one answer to an edited message', async () => {
    const deepak = await clinic.patient('Deepak');
    const id = await deepak.send(clinic.byLid, { text: 'What are your visiting hours?' });
    const key = { remoteJid: clinic.byLid, id, fromMe: true };
    await nextAnswer(deepak, 0);
    await deepak.send(clinic.byLid, { react: { text: '\u{1F44D}', key } });
    await deepak.send(clinic.byLid, { text: 'What are your visiting hours in the ICU?', edit: key });
    await until('edit and reaction to be stored', async () => (await clinic.sql(
      "select m.kind from messages m join contacts c on c.id = m.contact_id where c.phone = $1 and m.kind in ('edit', 'reaction')",
      [`+${deepak.phone}`])).length === 2);
    await pause(1000);
    assert.equal(answers(deepak).length, 1);
  });

  test('is answered by staff after a takeover, and by the assistant after the hand-back', async () => {
    const elif = await clinic.patient('Elif');
    await elif.send(clinic.byLid, { text: 'What are your visiting hours?' });
    await nextAnswer(elif, 0);
    const [{ id }] = await clinic.sql(
      'select v.id from conversations v join contacts c on c.id = v.contact_id where c.phone = $1', [`+${elif.phone}`]);
    await clinic.rest('POST', `/v1/conversations/${id}:takeOver`, {});
    await elif.send(clinic.byLid, { text: 'Which departments do you have?' });
    await pause(1000);
    assert.equal(answers(elif).length, 1);
    await clinic.rest('POST', `/v1/conversations/${id}/messages`, { text: 'This is Maria from the front desk.' }, { 'idempotency-key': randomUUID() });
    assert.equal(await nextAnswer(elif, 1), 'This is Maria from the front desk.');
    await clinic.rest('POST', `/v1/conversations/${id}:handBack`, {});
    await elif.send(clinic.byLid, { text: 'What are your visiting hours?' });
    assert.match(await nextAnswer(elif, 2), /visiting/i);
  });

  test('is left to the person who writes on the hospital\'s own phone', async () => {
    const farid = await clinic.patient('Farid');
    await farid.send(clinic.byLid, { text: 'What are your visiting hours?' });
    await nextAnswer(farid, 0);
    await pause(3500);  // the phone's own greeting would come sooner
    const desk = await clinic.companion();
    await desk.send(`${farid.lid}@lid`, { text: 'I have put you on the list.' });
    await until('the takeover', async () => (await clinic.sql(
      "select 1 from contacts where phone = $1 and status = 'human_takeover' and takeover_reason = 'phone'", [`+${farid.phone}`])).length);
    await farid.send(clinic.byLid, { text: 'Which departments do you have?' });
    await pause(1500);
    assert.deepEqual(answers(farid).slice(1), ['I have put you on the list.']);
  });

  test('gets one answer for a burst of messages', async () => {
    const gita = await clinic.patient('Gita');
    for (const text of ['Hello', 'I have a question', 'What are your visiting hours?']) await gita.send(clinic.byLid, { text });
    await nextAnswer(gita, 0);
    await pause(1500);
    const turns = await clinic.sql(
      'select t.state from turns t join contacts c on c.id = t.contact_id where c.phone = $1', [`+${gita.phone}`]);
    assert.equal(answers(gita).length, turns.length);
    assert.ok(turns.every(({ state }) => state === 'answered'));
  });

  test('who writes a hundred times is answered a hundred times, in order', async () => {
    const hari = await clinic.patient('Hari');
    for (let i = 0; i < 100; ++i) {
      await hari.send(clinic.byLid, { text: `What are your visiting hours? (${i})` });
      await nextAnswer(hari, i);
    }
    const rows = await clinic.sql(
      `select m.from_me, r.turn_id = m.turn_id as reply from messages m join contacts c on c.id = m.contact_id
         left join replies r on r.id = m.id where c.phone = $1 order by m.seq`, [`+${hari.phone}`]);
    assert.equal(rows.length, 200);
    rows.forEach((row, i) => assert.equal(row.from_me, i % 2 === 1));
  });

  test('gets what another service of the hospital sends, once, and only after having written', async () => {
    const isha = await clinic.patient('Isha');
    const message = { idempotency_key: 'lab-1', phone: `+${isha.phone}`, text: 'Your report is ready.' };
    await assert.rejects(clinic.sendMessage(message), /nobody is written to first/);
    await isha.send(clinic.byLid, { text: 'What are your visiting hours?' });
    await nextAnswer(isha, 0);
    const first = await clinic.sendMessage(message);
    assert.equal(await nextAnswer(isha, 1), 'Your report is ready.');
    const again = await clinic.sendMessage(message);
    assert.equal(again.reply_id, first.reply_id);
    assert.equal(again.duplicate, true);
    await assert.rejects(clinic.sendMessage({ ...message, text: 'Something else' }), /used for another message/);
    // Nobody writes to the blocked: neither a service nor staff.
    await clinic.sql('update contacts set blocked_at = now() where phone = $1', [`+${isha.phone}`]);
    const refused = await clinic.sendMessage({ ...message, idempotency_key: 'lab-2' }).catch((error) => error);
    assert.match(refused.message, /FAILED_PRECONDITION: this contact is blocked/);
    await assert.rejects(clinic.rest('POST', `/v1/conversations/${first.conversation_id}/messages`, { text: 'Hello' },
      { 'idempotency-key': randomUUID() }), /400.*"reason":"BLOCKED"/s);
    await clinic.sql('update contacts set blocked_at = null where phone = $1', [`+${isha.phone}`]);
    const [{ status }] = await clinic.sql('select status from contacts where phone = $1', [`+${isha.phone}`]);
    assert.equal(status, 'active');
    await isha.send(clinic.byLid, { text: 'Which departments do you have?' });
    await nextAnswer(isha, 2);
    assert.equal(answers(isha).length, 3);
  });
});
