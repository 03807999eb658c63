// How long the inbox takes at the database with many conversations and messages:
//   tests/with-postgres env MEDIDESK_BIN=build/release/bin node tests/web/inbox_scale.mjs [CONVERSATIONS [MESSAGES]]
// Prints a line for each list and search with its p50, p95 and slowest call in ms, and reports' times besides.
import pg from 'pg';
import { startMedidesk } from '../support/medidesk.mjs';

const conversations = Number(process.argv[2] ?? 200_000);
const messages = Number(process.argv[3] ?? 5_000_000);
const names = ['Maria', 'Rahul', 'Asha', 'Juan', 'Fatima', 'Wei', 'Anna', 'Olu', 'Kenji', 'Lena'];
const families = ['Fernandes', 'Mehta', 'Rao', 'Garcia', 'Khan', 'Chen', 'Novak', 'Adeyemi', 'Sato', 'Meyer'];

const system = await startMedidesk(pg);
const client = new pg.Client(system.databaseUrl);
await client.connect();
const run = async (text, values) => (await client.query(text, values)).rows;
try {
  console.log(`making ${conversations} conversations and ${messages} messages`);
  await run(`set session_replication_role = replica; set synchronous_commit = off`);  // rows as the store would have made them, without its triggers
  await run(`insert into public.numbers (id, name, kind) values ('00000000-0000-4000-8000-000000000001', 'main', 'whatsapp')`);
  await run(`insert into public.contacts (id, phone, status, created_at) select md5('c' || i)::uuid, '+1555' || lpad(i::text, 8, '0'), case when i % 400 = 0 then 'human_takeover' else 'active' end, now() - (i % 90) * interval '1 day'
    from generate_series(1, $1::int) i`, [conversations]);
  await run(`insert into public.conversations (id, phone, patient_name, status, contact_id, number_id, assigned_to, created_at, updated_at, activity_minute)
    select md5('v' || i)::uuid, '+1555' || lpad(i::text, 8, '0'), case when i % 3 > 0 then ($2::text[])[1 + i % 10] || ' ' || ($3::text[])[1 + (i / 10) % 10] end,
           case when i % 400 = 0 then 'human_takeover' when i % 5 = 0 then 'archived' else 'active' end, md5('c' || i)::uuid, '00000000-0000-4000-8000-000000000001',
           case when i % 400 = 0 then '00000000-0000-4000-8000-00000000000a'::uuid end, now() - (i % 90) * interval '1 day', now(), date_trunc('minute', now() - (i % 43200) * interval '1 minute')
      from generate_series(1, $1::int) i`, [conversations, names, families]);
  await run(`insert into medidesk.conversation_words (conversation_id, words, archived) select id, lower(coalesce(patient_name, '')) || e'\\n' || regexp_replace(phone, '[^0-9]', '', 'g'), status = 'archived' from public.conversations on conflict do nothing`);
  const step = 500_000;
  for (let from = 1; from <= messages; from += step) {
    await run(`insert into public.messages (id, conversation_id, contact_id, sender, content, direction, from_me, whatsapp_message_id, seq, turn_id, created_at)
      select md5('m' || i)::uuid, md5('v' || c)::uuid, md5('c' || c)::uuid, case when i % 2 = 0 then 'assistant' else '+1555' || lpad(c::text, 8, '0') end,
             'message ' || i || ' about visiting hours, parking and the doctor on saturday', case when i % 2 = 0 then 'sent' else 'received' end, i % 2 = 0, 'w' || i, i,
             md5('m' || (i - (i + 1) % 2))::uuid, now() - ($3::bigint - i) * interval '0.5 seconds'
        from (select i, 1 + (((i + 1) / 2) * 7919) % $4::bigint as c from generate_series($1::bigint, $2::bigint) i) x`, [from, Math.min(messages, from + step - 1), messages, conversations]);
    process.stdout.write('.');
  }
  await run(`insert into public.replies (id, turn_id, conversation_id, origin, source, returned_at, created_at) select m.id, null, m.conversation_id, 'bot', 'facts', m.created_at, m.created_at from public.messages m where m.from_me`);
  await run(`insert into public.tasks (conversation_id, contact_id, number_id, reason, kind, priority, urgent, state, revision, change_xid) select md5('v' || i)::uuid, md5('c' || i)::uuid, '00000000-0000-4000-8000-000000000001',
    'human_request', case when i % 4000 = 0 then 'emergency' else 'human_request' end, case when i % 4000 = 0 then 1 else 2 end, i % 4000 = 0, 'open', i, 1 from generate_series(400, $1::int, 400) i`, [conversations]);
  await run(`set session_replication_role = origin`);
  await run('analyze');
  console.log('');
  const time = async (what, count, ask) => {
    const took = [];
    for (let i = 0; i < count; ++i) {
      const begin = process.hrtime.bigint();
      await ask(i);
      took.push(Number(process.hrtime.bigint() - begin) / 1e6);
    }
    took.sort((a, b) => a - b);
    const at = (share) => took[Math.min(took.length - 1, Math.floor(took.length * share))].toFixed(1);
    console.log(`${what.padEnd(34)} p50 ${at(0.5).padStart(7)}   p95 ${at(0.95).padStart(7)}   slowest ${at(1).padStart(7)} ms`);
  };
  const staff = '00000000-0000-4000-8000-00000000000a';
  const inbox = (request) => client.query({ name: 'list_inbox', text: 'select medidesk.list_inbox($1::jsonb, $2)::text', values: [JSON.stringify({ page_size: 50, ...request, actor: { kind: 'ACTOR_KIND_STAFF', id: staff } }), ''] });
  for (const filter of ['ALL', 'NEEDS_PERSON', 'EMERGENCY', 'MINE', 'ARCHIVED']) await time(`inbox, ${filter.toLowerCase()}`, 100, () => inbox({ filter: `INBOX_FILTER_${filter}` }));
  await time('inbox, a common name', 100, (i) => inbox({ query: names[i % 10] }));
  await time('inbox, a full name', 100, (i) => inbox({ query: `${names[i % 10]} ${families[(i * 7) % 10]}` }));
  await time('inbox, part of a number', 100, (i) => inbox({ query: String(10_000 + i * 37) }));
  await time('inbox, nobody', 100, (i) => inbox({ query: `nobody ${i}` }));
  let token = '';
  await time('inbox, page after page', 50, async () => { token = JSON.parse((await inbox({ ...(token ? { page_token: token } : {}) })).rows[0].list_inbox).next_page_token ?? ''; });
  await run('select pg_advisory_lock(727015)');  // as medidesk.roll_up: the store rolls up the same quarters meanwhile
  await time('a quarter of an hour rolled up', 40, (i) => client.query(`select medidesk.roll_slot(date_bin('15 minutes', now() - $1 * interval '15 minutes', '2000-01-01Z'))`, [i]));
  await run('select pg_advisory_unlock(727015)');
  const scope = { time_range: { start_time: new Date(Date.now() - 30 * 86_400_000).toISOString() } };
  await time('report, counts of 30 days', 30, () => client.query('select medidesk.get_counts($1::jsonb, $2)', [JSON.stringify({ scope, interval: 'REPORT_INTERVAL_DAY' }), '']));
  await time('report, latency of 30 days', 30, () => client.query('select medidesk.get_latency($1::jsonb, $2)', [JSON.stringify({ scope, interval: 'REPORT_INTERVAL_DAY' }), '']));
} finally {
  await client.end();
  await system.stop();
}
