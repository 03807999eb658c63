-- A quarter of an hour is rolled up in time that grows with its messages: every message looked through its conversation's
-- earlier ones, and every turn through the later ones, which took seconds where one chat had thousands. As in 0015 but for
-- 'conversations' (the latest message before decides) and 'answered_alone' (asked once a chat whether staff wrote at all), and
-- planned for the quarter at hand: it was compared message by message with every turn, by a plan kept from an empty quarter, or
-- because the store's connections put a price on scans under which that of the join went unseen.
create or replace function medidesk.roll_slot(p_slot timestamptz) returns void language plpgsql volatile
  set enable_hashjoin = off set enable_mergejoin = off set enable_seqscan = on as $$
declare v_end timestamptz := p_slot + interval '15 minutes'; v_hour timestamptz := date_trunc('hour', p_slot); v_zone text := medidesk.site_timezone();
begin
  delete from medidesk.report_slots where slot = p_slot;
  delete from medidesk.report_values where slot = p_slot and kind = any (array['handover_reason', 'language', 'gate_family', 'reply_source', 'delivery_failure', 'route', 'task_kind']);
  delete from medidesk.report_times where slot = p_slot;
  if to_regclass('pg_temp.roll_messages') is null then
    create temporary table roll_messages (
      id uuid, conversation_id uuid, number_id uuid, from_me boolean, seq bigint, at timestamptz, verdict jsonb, origin text, source text) on commit delete rows;
    create temporary table roll_facts (number_id uuid, kind text, value text, n bigint) on commit delete rows;
    create temporary table roll_times (number_id uuid, stage smallint, bucket smallint) on commit delete rows;
  end if;
  delete from roll_messages; delete from roll_facts; delete from roll_times;

  insert into roll_messages
  select m.id, m.conversation_id, c.number_id, m.from_me, m.seq, m.created_at, m.verdict,
         coalesce(r.origin, case when m.from_me then case m.sender when 'staff' then 'staff' else 'bot' end end), r.source
    from public.messages m join public.conversations c on c.id = m.conversation_id left join public.replies r on r.id = m.id and m.from_me
   where m.created_at >= p_slot and m.created_at < v_end;
  analyze roll_messages;  -- else the statements keep the plans of the first, often empty, quarter
  insert into roll_facts
  select number_id, '', case when from_me then origin else 'received' end, count(*) from roll_messages group by 1, 3;
  -- counted in the first quarter of its hour, so that the quarters of an hour add up
  insert into roll_facts
  select m.number_id, '', 'conversations', count(*) from (select number_id, conversation_id, min(seq) as seq from roll_messages group by 1, 2) m
   where (select b.created_at from public.messages b where b.conversation_id = m.conversation_id and b.seq < m.seq order by b.seq desc limit 1) >= v_hour
         is not true group by 1;
  insert into medidesk.report_active select distinct (m.at at time zone v_zone)::date, m.number_id, m.conversation_id from roll_messages m on conflict do nothing;
  insert into roll_facts select m.number_id, 'language', coalesce(m.verdict ->> 'language', ''), count(*)
    from roll_messages m join public.turns t on t.id = m.id where not m.from_me group by 1, 3;
  insert into roll_facts select m.number_id, 'gate_family', m.verdict ->> 'family', count(*)
    from roll_messages m where not m.from_me and coalesce(m.verdict ->> 'family', '') <> '' group by 1, 3;
  insert into roll_facts select m.number_id, '', 'emergencies', count(*)
    from roll_messages m where not m.from_me and m.verdict ->> 'severity' = 'emergency' group by 1;
  insert into roll_facts select m.number_id, 'reply_source', case m.origin when 'gate' then 'gate' else coalesce(nullif(m.source, ''), 'unknown') end, count(*)
    from roll_messages m where m.from_me and m.origin in ('bot', 'gate') group by 1, 3;
  insert into roll_facts select m.number_id, 'delivery_failure', coalesce(nullif(p.failure, ''), p.state), count(*)
    from roll_messages m join public.reply_parts p on p.reply_id = m.id where m.from_me and p.state in ('failed', 'unknown') group by 1, 3;
  insert into roll_facts select m.number_id, '', case when p.state in ('failed', 'unknown') then 'delivery_failures' else 'delivered' end, count(*)
    from roll_messages m join public.reply_parts p on p.reply_id = m.id where m.from_me and p.state in ('failed', 'unknown', 'delivered', 'read') group by 1, 3;

  with staffed as materialized (
    select c.conversation_id from (select conversation_id, min(seq) as seq from roll_messages group by 1) c
     where exists (select 1 from public.messages s where s.conversation_id = c.conversation_id and s.seq > c.seq and s.from_me
                      and s.sender = 'staff' and s.created_at < v_end + interval '24 hours'))
  insert into roll_facts
  select m.number_id, x.kind, x.value, count(*)
    from roll_messages m join public.turns t on t.id = m.id left join public.replies r on r.turn_id = t.id
   cross join lateral (values
     ('', 'turns'), ('route', case t.route when 'wa' then 'whatsapp' else t.route end),
     ('', case when t.state = 'skipped' and t.skip_reason = 'takeover' then 'for_staff' end),
     ('', case when r.source in ('apology', 'facts') then 'degraded' end),
     ('', case when t.state = 'answered' and r.origin = 'bot' and r.source <> 'apology'
                and (t.conversation_id not in (select f.conversation_id from staffed f) or not exists (
                 select 1 from public.messages s where s.conversation_id = t.conversation_id and s.seq > t.first_seq and s.from_me
                    and s.sender = 'staff' and s.created_at < t.opened_at + interval '24 hours')) then 'answered_alone' end)) as x(kind, value)
   where not m.from_me and x.value is not null group by 1, 2, 3;
  insert into roll_times
  select m.number_id, x.stage, medidesk.time_bucket(x.took)
    from roll_messages m join public.turns t on t.id = m.id left join public.replies r on r.turn_id = t.id
   cross join lateral (values
     (1, case when t.route <> 'wa' and t.state = 'answered' then t.closed_at - t.opened_at end),
     (2, case when t.route = 'wa' then t.sealed_at - t.opened_at end),
     (3, case when t.state = 'answered' then t.closed_at - t.sealed_at end),
     (5, case when r.origin = 'gate' and r.source = 'emergency' and t.route <> 'wa' then t.closed_at - t.opened_at end)) as x(stage, took)
   where not m.from_me and x.took is not null;
  -- what the server of WhatsApp has acknowledged in this quarter
  insert into roll_times
  select c.number_id, x.stage, medidesk.time_bucket(x.took)
    from (select a.subject_id as id, min(a.at) as at from public.audit_log a
           where a.at >= p_slot and a.at < v_end and a.action = 'part_sent' group by 1) s
    join public.replies r on r.id = s.id join public.conversations c on c.id = r.conversation_id left join public.turns t on t.id = r.turn_id
   cross join lateral (values (1, s.at - t.opened_at), (4, s.at - r.created_at),
                              (5, case when r.origin = 'gate' and r.source = 'emergency' then s.at - t.opened_at end)) as x(stage, took)
   where x.took is not null;

  insert into roll_facts select c.number_id, 'task_kind', t.kind, count(*) from public.tasks t join public.conversations c on c.id = t.conversation_id
   where t.created_at >= p_slot and t.created_at < v_end group by 1, 3;
  insert into roll_facts select number_id, '', 'unanswered', n from roll_facts where kind = 'task_kind' and value = 'unanswered_question';
  with handed as materialized (
    select c.number_id, h.conversation_id, h.reason, min(h.at) as at from (
      select a.conversation_id, coalesce(nullif(a.detail, ''), 'staff') as reason, a.at from public.audit_log a
       where a.at >= p_slot and a.at < v_end and a.action = 'takeover'
      union all
      select t.conversation_id, t.reason, t.created_at from public.tasks t
       where t.created_at >= p_slot and t.created_at < v_end and (t.reason like 'emergency:%' or t.reason in ('human_request', 'threat'))) h
      join public.conversations c on c.id = h.conversation_id group by 1, 2, 3),
  f as (insert into roll_facts select number_id, 'handover_reason', reason, count(*) from handed group by 1, 3)
  insert into roll_times
  select h.number_id, 6, medidesk.time_bucket(f.at - h.at) from handed h
   cross join lateral (select min(s.created_at) as at from public.messages s where s.conversation_id = h.conversation_id and s.from_me
                          and s.sender = 'staff' and s.created_at >= h.at and s.created_at < h.at + interval '24 hours') f
   where f.at is not null;
  insert into roll_facts select number_id, '', 'handovers', sum(n) from roll_facts where kind = 'handover_reason' group by 1;
  insert into roll_facts
  select coalesce((select c.number_id from public.conversations c where c.contact_id = k.id and c.merged_into is null order by c.created_at limit 1), medidesk.webhook_number('')),
         '', 'new_contacts', count(*)
    from public.contacts k where k.created_at >= p_slot and k.created_at < v_end and k.merged_into is null group by 1;

  insert into medidesk.report_slots (slot, number_id, received, bot, gate, staff, service, conversations, new_contacts, turns, answered_alone,
                                     for_staff, degraded, handovers, emergencies, unanswered, delivery_failures, delivered)
  select p_slot, number_id, sum(n) filter (where value = 'received'), sum(n) filter (where value = 'bot'), sum(n) filter (where value = 'gate'),
         sum(n) filter (where value = 'staff'), sum(n) filter (where value = 'service'), sum(n) filter (where value = 'conversations'),
         sum(n) filter (where value = 'new_contacts'), sum(n) filter (where value = 'turns'), sum(n) filter (where value = 'answered_alone'),
         sum(n) filter (where value = 'for_staff'), sum(n) filter (where value = 'degraded'), sum(n) filter (where value = 'handovers'),
         sum(n) filter (where value = 'emergencies'), sum(n) filter (where value = 'unanswered'),
         sum(n) filter (where value = 'delivery_failures'), sum(n) filter (where value = 'delivered')
    from (select number_id, value, sum(n) as n from roll_facts where kind = '' group by 1, 2
          union all select distinct f.number_id, v, 0 from roll_facts f, unnest(array['received', 'bot', 'gate', 'staff', 'service', 'conversations',
            'new_contacts', 'turns', 'answered_alone', 'for_staff', 'degraded', 'handovers', 'emergencies', 'unanswered', 'delivery_failures', 'delivered']) v) x
   where number_id is not null group by number_id;
  insert into medidesk.report_values select p_slot, number_id, kind, value, sum(n) from roll_facts where kind <> '' and number_id is not null group by 2, 3, 4;
  insert into medidesk.report_times select p_slot, number_id, stage, bucket, count(*) from roll_times where number_id is not null group by 2, 3, 4;
  insert into medidesk.report_done values (p_slot, clock_timestamp(), v_end < clock_timestamp() - interval '25 hours')
  on conflict (slot) do update set rolled_at = excluded.rolled_at, final = excluded.final;
end $$;
