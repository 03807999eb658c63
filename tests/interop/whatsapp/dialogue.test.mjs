// Patients write to the hospital over WhatsApp and are answered: the real Baileys, the simulator, the whole of MediDesk.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { startClinic } from './clinic.mjs';
import { pause, until } from './simulator.mjs';

let clinic;
before(async () => {
  clinic = await startClinic();
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
});
