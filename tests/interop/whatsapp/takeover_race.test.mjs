// Staff take conversations over at random moments while answers are made, committed and sent; then the order in which
// the store committed takeovers and parts is checked. MEDIDESK_RACES sets how many takeovers (160).
//
//   I4  after a takeover is committed, no part of the assistant's is committed to be sent
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { startClinic } from './clinic.mjs';
import { pause, until } from './simulator.mjs';

const races = Number(process.env.MEDIDESK_RACES || 160);
const patients = 4;
const longest = 120;  // ms from the patient's send to the takeover: longer than most answers take

// What became of a conversation's control and of parts, in the order of the transactions: both hold the contact's row.
const journal = `
  create table race_journal (n bigserial primary key, contact_id uuid, event text, origin text);
  create function race_part() returns trigger language plpgsql as $$ begin
    insert into race_journal (contact_id, event, origin)
    select c.contact_id, 'part', r.origin from replies r join conversations c on c.id = r.conversation_id where r.id = new.reply_id;
    return null; end $$;
  create function race_status() returns trigger language plpgsql as $$ begin
    insert into race_journal (contact_id, event) values (new.id, new.status); return null; end $$;
  create trigger race_part after update on reply_parts for each row when (new.attempts > old.attempts) execute function race_part();
  create trigger race_status after update on contacts for each row when (new.status is distinct from old.status) execute function race_status();
  grant all on race_journal, race_journal_n_seq to public;`;

const partsAfterTakeover = `
  select count(*)::int as count from race_journal p
   where p.event = 'part' and p.origin = 'bot' and 'human_takeover' = (
     select s.event from race_journal s where s.contact_id = p.contact_id and s.event <> 'part' and s.n < p.n order by s.n desc limit 1)`;

let clinic;
before(async () => {
  clinic = await startClinic({ env: { SEND_GOVERNOR: 'false', TYPING: 'false', BURST_QUIET: '5ms' } });
  await clinic.link();
  await clinic.sql(journal);
});
after(async () => {
  const { code } = await clinic.end();
  assert.equal(code, 0);
});

async function talker(name) {
  const patient = await clinic.patient(name);
  await patient.send(clinic.byLid, { text: 'What are your visiting hours?' });
  await until('the first answer', () => patient.texts().length === 1, 30);
  const [{ id }] = await clinic.sql(
    'select c.id from conversations c join contacts k on k.id = c.contact_id where k.phone = $1', [`+${patient.phone}`]);
  const atRest = () => until('the conversation to rest', async () => (await clinic.sql(
    `select 1 where exists (select 1 from turns where conversation_id = $1 and state in ('open', 'sealed'))
        or exists (select 1 from replies r join reply_parts p on p.reply_id = r.id where r.conversation_id = $1 and p.state in ('queued', 'sending'))`,
    [id])).length === 0, 60);
  return { patient, id, atRest };
}

// The patient sees nothing twice, and all that WhatsApp has confirmed.
async function agrees({ patient, id }) {
  const [{ tried, sent }] = await clinic.sql(
    `select count(*) filter (where p.attempts > 0)::int as tried, count(*) filter (where p.state in ('sent', 'delivered', 'read'))::int as sent
       from replies r join reply_parts p on p.reply_id = r.id where r.conversation_id = $1`, [id]);
  await until('what was sent to arrive', () => patient.texts().length >= sent, 30);
  assert.ok(patient.texts().length <= tried, `${patient.texts().length} texts, ${tried} were committed`);
}

describe('a takeover', () => {
  test(`stops the assistant at whatever moment it comes, ${races} times`, async () => {
    const talkers = [];
    for (let i = 0; i < patients; ++i) talkers.push(await talker(`Racer ${i}`));
    await Promise.all(talkers.map(async (one) => {
      for (let i = 0; i < races / patients; ++i) {
        await one.patient.send(clinic.byLid, { text: `What are your visiting hours? (${i})` });
        await pause(Math.random() * longest);
        await clinic.rest('POST', `/v1/conversations/${one.id}:takeOver`, {});
        await one.atRest();
        await clinic.rest('POST', `/v1/conversations/${one.id}:handBack`, {});
      }
    }));
    for (const one of talkers) await agrees(one);
    assert.deepEqual(await clinic.sql(partsAfterTakeover), [{ count: 0 }]);
    const [seen] = await clinic.sql(
      `select count(*) filter (where event = 'human_takeover')::int as takeovers, count(*) filter (where event = 'part')::int as parts,
              (select count(*)::int from turns where state = 'skipped') as skipped,
              (select count(*)::int from reply_parts where state = 'discarded') as discarded from race_journal`);
    console.log(`takeovers ${seen.takeovers}, parts sent ${seen.parts}, turns skipped ${seen.skipped}, parts discarded ${seen.discarded}`);
    assert.equal(seen.takeovers, patients * Math.ceil(races / patients));
    assert.ok(seen.parts > patients && seen.skipped > 0, 'the moments fell on both sides of the answer');
  });

  test('holds what was committed and could not leave before it', async () => {
    const one = await talker('Kiran');
    for (let i = 0; i < 2; ++i) {
      const before = one.patient.texts().length;
      // WhatsApp never gets what leaves, and the connection is gone before it would be sent again.
      await clinic.sim.fault({ kind: 'lose_message', phone: clinic.phone });
      await one.patient.send(clinic.byLid, { text: `What are your visiting hours? (${i})` });
      await until('the part to be committed', async () => (await clinic.sql(
        `select 1 from replies r join reply_parts p on p.reply_id = r.id where r.conversation_id = $1 and p.state = 'sending'`,
        [one.id])).length === 1, 30);
      await clinic.sim.fault({ kind: 'drop', phone: clinic.phone });
      await clinic.rest('POST', `/v1/conversations/${one.id}:takeOver`, {});
      await one.atRest();
      assert.equal(one.patient.texts().length, before, 'it is not sent again');
      await clinic.rest('POST', `/v1/conversations/${one.id}:handBack`, {});
    }
    await agrees(one);
    assert.deepEqual(await clinic.sql(partsAfterTakeover), [{ count: 0 }]);
  });
});
