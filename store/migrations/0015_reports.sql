-- Reports: rollups by the quarter of an hour (time zones lie that far apart), made from the tables behind the back of
-- those who write them. A quarter is rolled again until a day later, because what becomes of an answer is known late.

create index if not exists messages_created on public.messages using brin (created_at) with (pages_per_range = 32, autosummarize = on);
create index if not exists contacts_created on public.contacts using brin (created_at) with (pages_per_range = 32, autosummarize = on);
create index if not exists tasks_created on public.tasks (created_at);

create table if not exists medidesk.report_done (
  slot timestamptz primary key,
  rolled_at timestamptz not null,
  final boolean not null) with (fillfactor = 80);
create index if not exists report_done_again on medidesk.report_done (rolled_at) where not final;

create table if not exists medidesk.report_slots (
  slot timestamptz not null,
  number_id uuid not null,
  received bigint not null default 0, bot bigint not null default 0, gate bigint not null default 0, staff bigint not null default 0,
  service bigint not null default 0, conversations bigint not null default 0, new_contacts bigint not null default 0,
  turns bigint not null default 0, answered_alone bigint not null default 0, for_staff bigint not null default 0,
  degraded bigint not null default 0, handovers bigint not null default 0, emergencies bigint not null default 0,
  unanswered bigint not null default 0, delivery_failures bigint not null default 0, delivered bigint not null default 0,
  primary key (slot, number_id));
-- kind: handover_reason, language, gate_family, reply_source, delivery_failure, route, task_kind
create table if not exists medidesk.report_values (
  slot timestamptz not null,
  number_id uuid not null,
  kind text not null,
  value text not null,
  n bigint not null,
  primary key (kind, slot, number_id, value));
-- How many turns took between 1.1^bucket and 1.1^(bucket + 1) ms; stage as the contract numbers it.
create table if not exists medidesk.report_times (
  slot timestamptz not null,
  number_id uuid not null,
  stage smallint not null,
  bucket smallint not null,
  n bigint not null,
  primary key (slot, number_id, stage, bucket));
-- Who wrote on which of the hospital's own days.
create table if not exists medidesk.report_active (
  day date not null,
  number_id uuid not null,
  conversation_id uuid not null,
  primary key (day, number_id, conversation_id));
create table if not exists medidesk.report_usage (
  slot timestamptz not null,
  model text not null,
  requests bigint not null, failed bigint not null, input bigint not null, cache_read bigint not null, cache_write bigint not null,
  output bigint not null, cost bigint not null,
  primary key (slot, model));
create table if not exists medidesk.ratings (
  id uuid primary key,  -- of the commit
  conversation_id uuid not null,
  number_id uuid not null,
  rating smallint not null check (rating between 1 and 5),
  at timestamptz not null default clock_timestamp());
create index if not exists ratings_at on medidesk.ratings (at);
create index if not exists ratings_conversation on medidesk.ratings (conversation_id, at);

create or replace function medidesk.site_timezone() returns text language sql stable
  as $$ select coalesce((select timezone from public.hospital_settings limit 1), 'UTC') $$;
create or replace function medidesk.time_bucket(p_time interval) returns smallint language sql immutable
  as $$ select floor(ln(greatest(extract(epoch from p_time) * 1000, 1)) / ln(1.1))::smallint $$;

create or replace function medidesk.roll_slot(p_slot timestamptz) returns void language plpgsql volatile
  set enable_hashjoin = off set enable_mergejoin = off as $$
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
  insert into roll_facts
  select number_id, '', case when from_me then origin else 'received' end, count(*) from roll_messages group by 1, 3;
  -- counted in the first quarter of its hour, so that the quarters of an hour add up
  insert into roll_facts
  select m.number_id, '', 'conversations', count(distinct m.conversation_id) from roll_messages m
   where not exists (select 1 from public.messages b where b.conversation_id = m.conversation_id and b.seq < m.seq
                        and b.created_at >= v_hour and b.created_at < p_slot) group by 1;
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

  insert into roll_facts
  select m.number_id, x.kind, x.value, count(*)
    from roll_messages m join public.turns t on t.id = m.id left join public.replies r on r.turn_id = t.id
   cross join lateral (values
     ('', 'turns'), ('route', case t.route when 'wa' then 'whatsapp' else t.route end),
     ('', case when t.state = 'skipped' and t.skip_reason = 'takeover' then 'for_staff' end),
     ('', case when r.source in ('apology', 'facts') then 'degraded' end),
     ('', case when t.state = 'answered' and r.origin = 'bot' and r.source <> 'apology' and not exists (
                 select 1 from public.messages s where s.conversation_id = t.conversation_id and s.seq > t.first_seq and s.from_me
                    and s.sender = 'staff' and s.created_at < t.opened_at + interval '24 hours') then 'answered_alone' end)) as x(kind, value)
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

-- A step: the two latest quarters, then quarters that were never rolled (oldest first), then those that may have changed.
-- How many it rolled. One process at a time.
create or replace function medidesk.roll_up(p_most int) returns int language plpgsql volatile as $$
declare v_now timestamptz := date_bin('15 minutes', clock_timestamp(), '2000-01-01Z'); v_slot timestamptz; v_count int := 0;
begin
  if not pg_try_advisory_xact_lock(727015) then return 0; end if;
  for v_slot in select s from unnest(array[v_now - interval '15 minutes', v_now]) s loop
    perform medidesk.roll_slot(v_slot); v_count := v_count + 1;
  end loop;
  -- Quarters before the first are as good as done; after an outage the gap is filled from its beginning.
  select min(g.slot) into v_slot from (
    select d.slot + interval '15 minutes' as slot from medidesk.report_done d
     where d.slot < v_now - interval '30 minutes' and not exists (select 1 from medidesk.report_done e where e.slot = d.slot + interval '15 minutes')) g;
  if v_slot is null and not exists (select 1 from medidesk.report_done d where d.slot < v_now - interval '15 minutes') then
    select date_bin('15 minutes', min(c.created_at), '2000-01-01Z') into v_slot from public.conversations c;
  end if;
  while v_slot is not null and v_slot < v_now - interval '15 minutes' and v_count < p_most loop
    perform medidesk.roll_slot(v_slot); v_count := v_count + 1;
    v_slot := v_slot + interval '15 minutes';
    exit when exists (select 1 from medidesk.report_done d where d.slot = v_slot);
  end loop;
  for v_slot in select d.slot from medidesk.report_done d where not d.final and d.rolled_at < clock_timestamp() - interval '10 minutes'
                 order by d.rolled_at limit greatest(0, p_most - v_count) loop
    perform medidesk.roll_slot(v_slot); v_count := v_count + 1;
  end loop;
  return v_count;
end $$;

-- The scope of a report, checked: its limits, time zone and unit; `refusal` is set when it cannot be answered.
create or replace function medidesk.report_scope(p jsonb, out refusal jsonb, out v_start timestamptz, out v_end timestamptz, out zone text, out unit text,
                                                 out numbers uuid[]) language plpgsql stable as $$
begin
  zone := coalesce(nullif(p -> 'scope' ->> 'timezone', ''), medidesk.site_timezone());
  if not exists (select 1 from pg_timezone_names where name = zone) then
    refusal := medidesk.refuse('INVALID_ARGUMENT', 'scope.timezone: expected an IANA name'); return;
  end if;
  unit := case p ->> 'interval' when 'REPORT_INTERVAL_HOUR' then 'hour' when 'REPORT_INTERVAL_WEEK' then 'week' when 'REPORT_INTERVAL_MONTH' then 'month' else 'day' end;
  v_start := (p -> 'scope' -> 'time_range' ->> 'start_time')::timestamptz;
  v_end := coalesce((p -> 'scope' -> 'time_range' ->> 'end_time')::timestamptz, clock_timestamp());
  if v_start is null or v_end <= v_start or v_end - v_start > interval '400 days' then
    refusal := medidesk.refuse('INVALID_ARGUMENT', 'scope.time_range: expected a start, and at most 400 days'); return;
  end if;
  v_start := date_trunc(unit, v_start at time zone zone) at time zone zone;
  v_end := (date_trunc(unit, (v_end - interval '1 microsecond') at time zone zone) + ('1 ' || unit)::interval) at time zone zone;
  if v_end - v_start > (case unit when 'hour' then interval '2000 hours' else interval '5 years' end) then
    refusal := medidesk.refuse('INVALID_ARGUMENT', 'scope.time_range: more than 2,000 buckets; ask for days'); return;
  end if;
  numbers := array(select (jsonb_array_elements_text(coalesce(p -> 'scope' -> 'number_ids', '[]')))::uuid);
end $$;

-- A row of sums as the contract's Counts. `p_active` null: as summed.
create or replace function medidesk.counts_json(r jsonb, p_active bigint, p_ratings bigint, p_sum bigint) returns jsonb language sql immutable as $$
  select jsonb_object_agg(x.name, coalesce((r ->> x.source)::bigint, 0))
         || jsonb_build_object('active_conversations', coalesce(p_active, (r ->> 'conversations')::bigint, 0), 'ratings', coalesce(p_ratings, 0), 'rating_sum', coalesce(p_sum, 0))
    from (values ('received_messages', 'received'), ('bot_messages', 'bot'), ('gate_messages', 'gate'), ('staff_messages', 'staff'), ('service_messages', 'service'),
                 ('new_contacts', 'new_contacts'), ('turns', 'turns'), ('turns_answered_alone', 'answered_alone'), ('turns_for_staff', 'for_staff'),
                 ('turns_degraded', 'degraded'), ('handovers', 'handovers'), ('emergencies', 'emergencies'), ('unanswered_questions', 'unanswered'),
                 ('delivery_failures', 'delivery_failures'), ('delivered_parts', 'delivered')) x(name, source) $$;

create or replace function medidesk.get_counts(p jsonb, p_trace text) returns jsonb language plpgsql stable as $$
declare s record := medidesk.report_scope(p); b record; t record; v_buckets jsonb := '[]'; v_all bigint; v_ratings record;
begin
  if s.refusal is not null then return s.refusal; end if;
  for b in
    select g.start, x.*, a.active, q.ratings, q.rating_sum
      from (select (l at time zone s.zone) as start, l from generate_series(s.v_start at time zone s.zone, (s.v_end at time zone s.zone) - interval '1 second', ('1 ' || s.unit)::interval) l) g
      left join (select date_trunc(s.unit, r.slot at time zone s.zone) as l, sum(received) as received, sum(bot) as bot, sum(gate) as gate, sum(staff) as staff, sum(service) as service,
                        sum(conversations) as conversations, sum(new_contacts) as new_contacts, sum(turns) as turns, sum(answered_alone) as answered_alone,
                        sum(for_staff) as for_staff, sum(degraded) as degraded, sum(handovers) as handovers, sum(emergencies) as emergencies,
                        sum(unanswered) as unanswered, sum(delivery_failures) as delivery_failures, sum(delivered) as delivered
                   from medidesk.report_slots r where r.slot >= s.v_start and r.slot < s.v_end and (s.numbers = '{}' or r.number_id = any (s.numbers)) group by 1) x on x.l = g.l
      left join (select date_trunc(s.unit, v.day::timestamp) as l, count(distinct v.conversation_id) as active from medidesk.report_active v
                  where s.unit <> 'hour' and v.day >= (s.v_start at time zone s.zone)::date and v.day < (s.v_end at time zone s.zone)::date
                    and (s.numbers = '{}' or v.number_id = any (s.numbers)) group by 1) a on a.l = g.l
      left join (select date_trunc(s.unit, v.at at time zone s.zone) as l, count(*) as ratings, sum(v.rating) as rating_sum from medidesk.ratings v
                  where v.at >= s.v_start and v.at < s.v_end and (s.numbers = '{}' or v.number_id = any (s.numbers)) group by 1) q on q.l = g.l
     order by g.start
  loop
    v_buckets := v_buckets || jsonb_build_object('start_time', medidesk.stamp(b.start),
      'counts', medidesk.counts_json(to_jsonb(b), case when s.unit <> 'hour' then coalesce(b.active, 0) end, b.ratings, b.rating_sum));
  end loop;
  select sum(received) as received, sum(bot) as bot, sum(gate) as gate, sum(staff) as staff, sum(service) as service, sum(conversations) as conversations,
         sum(new_contacts) as new_contacts, sum(turns) as turns, sum(answered_alone) as answered_alone, sum(for_staff) as for_staff, sum(degraded) as degraded,
         sum(handovers) as handovers, sum(emergencies) as emergencies, sum(unanswered) as unanswered, sum(delivery_failures) as delivery_failures, sum(delivered) as delivered
    into t from medidesk.report_slots r where r.slot >= s.v_start and r.slot < s.v_end and (s.numbers = '{}' or r.number_id = any (s.numbers));
  select count(*) into v_all from (select distinct v.conversation_id from medidesk.report_active v
    where v.day >= (s.v_start at time zone s.zone)::date and v.day <= ((s.v_end - interval '1 second') at time zone s.zone)::date
      and (s.numbers = '{}' or v.number_id = any (s.numbers))) d;
  select count(*) as ratings, sum(v.rating) as rating_sum into v_ratings from medidesk.ratings v
   where v.at >= s.v_start and v.at < s.v_end and (s.numbers = '{}' or v.number_id = any (s.numbers));
  return jsonb_build_object('buckets', v_buckets, 'total', medidesk.counts_json(to_jsonb(t), v_all, v_ratings.ratings, v_ratings.rating_sum),
    'complete_time', medidesk.stamp((select max(rolled_at) from medidesk.report_done)));
end $$;

-- {"stage", "count", "p50", "p95", "p99"} of rows (bucket, n) of one stage: the middle of the bucket that holds the quantile.
create or replace function medidesk.quantiles_json(p_stage int, p_buckets int[], p_counts bigint[]) returns jsonb language plpgsql immutable as $$
declare v_total numeric := 0; v_sum numeric := 0; v_out jsonb; q record; i int;
begin
  select coalesce(sum(c), 0) into v_total from unnest(p_counts) c;
  v_out := jsonb_build_object('stage', p_stage, 'count', v_total);
  if v_total = 0 then return v_out; end if;
  for q in select * from (values ('p50', 0.5), ('p95', 0.95), ('p99', 0.99)) x(name, share) loop
    v_sum := 0;
    for i in select n from (select row_number() over () as n, b from unnest(p_buckets) b) y order by y.b loop
      v_sum := v_sum + p_counts[i];
      if v_sum >= v_total * q.share then
        v_out := v_out || jsonb_build_object(q.name, to_char(power(1.1::numeric, p_buckets[i] + 0.5) / 1000, 'FM999999990.000') || 's');
        exit;
      end if;
    end loop;
  end loop;
  return v_out;
end $$;

create or replace function medidesk.get_latency(p jsonb, p_trace text) returns jsonb language plpgsql stable as $$
declare s record := medidesk.report_scope(p); v_stages int[]; v_buckets jsonb; v_total jsonb;
begin
  if s.refusal is not null then return s.refusal; end if;
  v_stages := array(select array_position(array['TOTAL', 'BURST', 'ANSWER', 'DELIVERY', 'EMERGENCY', 'STAFF'], substr(e, 15)) from jsonb_array_elements_text(coalesce(p -> 'stages', '[]')) e);
  if cardinality(v_stages) = 0 then v_stages := array[1, 2, 3, 4, 5, 6]; end if;
  with t as materialized (
    select date_trunc(s.unit, r.slot at time zone s.zone) as l, r.stage, r.bucket, sum(r.n) as n from medidesk.report_times r
     where r.slot >= s.v_start and r.slot < s.v_end and (s.numbers = '{}' or r.number_id = any (s.numbers)) and r.stage = any (v_stages) group by 1, 2, 3),
  q as (select t.l, t.stage, medidesk.quantiles_json(t.stage, array_agg(t.bucket::int), array_agg(t.n::bigint)) as j from t group by 1, 2),
  g as (select l from generate_series(s.v_start at time zone s.zone, (s.v_end at time zone s.zone) - interval '1 second', ('1 ' || s.unit)::interval) l),
  a as (select x.stage, medidesk.quantiles_json(x.stage, array_agg(x.bucket::int), array_agg(x.n::bigint)) as j
          from (select t.stage, t.bucket, sum(t.n) as n from t group by 1, 2) x group by 1)
  select (select jsonb_agg(jsonb_build_object('start_time', medidesk.stamp(g.l at time zone s.zone), 'stages',
            (select jsonb_agg(coalesce(q.j, jsonb_build_object('stage', st, 'count', 0)) order by st) from unnest(v_stages) st left join q on q.l = g.l and q.stage = st)) order by g.l) from g),
         (select jsonb_agg(coalesce(a.j, jsonb_build_object('stage', st, 'count', 0)) order by st) from unnest(v_stages) st left join a on a.stage = st)
    into v_buckets, v_total;
  return jsonb_build_object('buckets', v_buckets, 'total', v_total);
end $$;

create or replace function medidesk.get_breakdown(p jsonb, p_trace text) returns jsonb language plpgsql stable as $$
declare s record := medidesk.report_scope(p); v_kind text := lower(substr(p ->> 'kind', 16)); v_most int := coalesce(nullif((p ->> 'max_rows')::int, 0), 50); v_rows jsonb; v_other bigint;
begin
  if s.refusal is not null then return s.refusal; end if;
  with v as (select r.value, sum(r.n) as n from medidesk.report_values r where r.kind = v_kind and r.slot >= s.v_start and r.slot < s.v_end
                and (s.numbers = '{}' or r.number_id = any (s.numbers)) group by 1),
  o as (select v.*, row_number() over (order by n desc, value) as place from v)
  select coalesce(jsonb_agg(jsonb_build_object('value', value, 'count', n) order by place) filter (where place <= v_most), '[]'), coalesce(sum(n) filter (where place > v_most), 0)
    into v_rows, v_other from o;
  return jsonb_build_object('rows', v_rows, 'other_count', v_other);
end $$;

create or replace function medidesk.get_model_usage(p jsonb, p_trace text) returns jsonb language plpgsql stable as $$
declare s record := medidesk.report_scope(p);
begin
  if s.refusal is not null then return s.refusal; end if;
  return (select jsonb_build_object('models', coalesce(jsonb_agg(jsonb_build_object('model', model, 'requests', requests, 'failed_requests', failed, 'input_tokens', input,
      'cache_read_tokens', cache_read, 'cache_write_tokens', cache_write, 'output_tokens', output, 'cost_micro_usd', cost) order by cost desc, requests desc), '[]'))
    from (select u.model, sum(u.requests) as requests, sum(u.failed) as failed, sum(u.input) as input, sum(u.cache_read) as cache_read, sum(u.cache_write) as cache_write,
                 sum(u.output) as output, sum(u.cost) as cost from medidesk.report_usage u where u.slot >= s.v_start and u.slot < s.v_end group by 1) x);
end $$;

create or replace function medidesk.record_model_usage(p jsonb, p_trace text) returns jsonb language plpgsql volatile as $$
declare v_commit uuid := (p ->> 'commit_id')::uuid;
begin
  if medidesk.first_outcome(v_commit) is not null then return '{}'; end if;
  insert into medidesk.report_usage as u
  select date_bin('15 minutes', clock_timestamp(), '2000-01-01Z'), x ->> 'model', sum(coalesce((x ->> 'requests')::bigint, 0)), sum(coalesce((x ->> 'failed_requests')::bigint, 0)),
         sum(coalesce((x ->> 'input_tokens')::bigint, 0)), sum(coalesce((x ->> 'cache_read_tokens')::bigint, 0)), sum(coalesce((x ->> 'cache_write_tokens')::bigint, 0)),
         sum(coalesce((x ->> 'output_tokens')::bigint, 0)), sum(coalesce((x ->> 'cost_micro_usd')::bigint, 0))
    from jsonb_array_elements(coalesce(p -> 'models', '[]')) x group by 2
  on conflict (slot, model) do update set requests = u.requests + excluded.requests, failed = u.failed + excluded.failed, input = u.input + excluded.input,
    cache_read = u.cache_read + excluded.cache_read, cache_write = u.cache_write + excluded.cache_write, output = u.output + excluded.output, cost = u.cost + excluded.cost;
  insert into medidesk.commit_outcomes (commit_id, outcome) values (v_commit, '{}');
  return '{}';
end $$;

create or replace function medidesk.record_rating(p jsonb, p_trace text) returns jsonb language plpgsql volatile as $$
declare c record; v_replaced boolean;
begin
  select x.id, x.number_id into c from public.conversations x where x.id = medidesk.surviving_conversation((p ->> 'conversation_id')::uuid);
  if not found then return medidesk.refuse('NOT_FOUND', 'no such conversation'); end if;
  if exists (select 1 from medidesk.ratings where id = (p ->> 'commit_id')::uuid) then return '{"replaced": false}'; end if;
  delete from medidesk.ratings r where r.conversation_id = c.id and r.at > clock_timestamp() - interval '24 hours';
  v_replaced := found;
  insert into medidesk.ratings (id, conversation_id, number_id, rating) values ((p ->> 'commit_id')::uuid, c.id, c.number_id, (p ->> 'rating')::smallint);
  return jsonb_build_object('replaced', v_replaced);
end $$;

-- The offset that a page begins at, or null for a token of another kind.
create or replace function medidesk.page_offset(p jsonb) returns int language sql immutable as $$
  select case when coalesce(p ->> 'page_token', '') = '' then 0 when p ->> 'page_token' ~ '^[0-9]{1,7}$' then (p ->> 'page_token')::int end $$;

create or replace function medidesk.list_emergencies(p jsonb, p_trace text) returns jsonb language plpgsql volatile as $$
declare s record := medidesk.report_scope(p); v_limit int := coalesce(nullif((p ->> 'page_size')::int, 0), 50); v_offset int := medidesk.page_offset(p); v_rows jsonb;
begin
  if s.refusal is not null then return s.refusal; end if;
  if v_offset is null then return medidesk.refuse('INVALID_ARGUMENT', 'page_token: expected the token of a page of this list'); end if;
  select coalesce(jsonb_agg(jsonb_strip_nulls(jsonb_build_object('message_id', x.message_id, 'conversation_id', x.conversation_id, 'family', coalesce(x.verdict ->> 'family', ''),
           'rule_id', x.verdict ->> 'rule_id', 'table_version', x.verdict ->> 'table_version', 'accept_time', medidesk.stamp(x.created_at),
           'text_ack_time', medidesk.stamp(x.acked), 'task_id', x.id, 'claim_time', medidesk.stamp(x.claimed_at), 'complete_time', medidesk.stamp(x.completed_at))) order by x.created_at desc), '[]')
    into v_rows
    from (select t.id, t.message_id, t.conversation_id, t.created_at, t.claimed_at, t.completed_at, m.verdict,
                 (select p2.updated_at from public.replies r join public.reply_parts p2 on p2.reply_id = r.id and p2.part = 0
                   where r.turn_id = t.turn_id and p2.state in ('sent', 'delivered', 'read')) as acked
            from public.tasks t left join public.messages m on m.id = t.message_id
           where t.kind in ('emergency', 'self_harm', 'violence', 'call_back') and t.created_at >= s.v_start and t.created_at < s.v_end
             and (s.numbers = '{}' or t.number_id = any (s.numbers)) and (not coalesce((p ->> 'unclaimed_only')::boolean, false) or t.claimed_at is null)
           order by t.created_at desc, t.id offset v_offset limit v_limit) x;
  perform medidesk.record_read(p -> 'actor', 'report', '', null, p_trace, 'emergencies');
  return jsonb_strip_nulls(jsonb_build_object('emergencies', v_rows, 'next_page_token', case when jsonb_array_length(v_rows) = v_limit then (v_offset + v_limit)::text end));
end $$;

create or replace function medidesk.list_unanswered_questions(p jsonb, p_trace text) returns jsonb language plpgsql volatile as $$
declare s record := medidesk.report_scope(p); v_limit int := coalesce(nullif((p ->> 'page_size')::int, 0), 50); v_offset int := medidesk.page_offset(p); v_rows jsonb;
begin
  if s.refusal is not null then return s.refusal; end if;
  if v_offset is null then return medidesk.refuse('INVALID_ARGUMENT', 'page_token: expected the token of a page of this list'); end if;
  select coalesce(jsonb_agg(jsonb_build_object('text', x.text, 'count', x.n, 'language', x.language, 'last_time', medidesk.stamp(x.at), 'last_conversation_id', x.conversation_id)
                            order by x.n desc, x.at desc), '[]') into v_rows
    from (select left((array_agg(m.content order by t.created_at desc))[1], 500) as text, count(*) as n, max(t.created_at) as at,
                 coalesce((array_agg(m.verdict ->> 'language' order by t.created_at desc))[1], '') as language, (array_agg(t.conversation_id order by t.created_at desc))[1] as conversation_id
            from public.tasks t join public.messages m on m.id = t.message_id
           where t.kind = 'unanswered_question' and t.created_at >= s.v_start and t.created_at < s.v_end and m.deleted_at is null and m.content <> ''
             and (s.numbers = '{}' or t.number_id = any (s.numbers)) and (coalesce(p ->> 'language', '') = '' or m.verdict ->> 'language' = p ->> 'language')
           group by left(regexp_replace(lower(m.content), '[^[:alnum:]]+', ' ', 'g'), 200)
           order by count(*) desc, max(t.created_at) desc offset v_offset limit v_limit) x;
  perform medidesk.record_read(p -> 'actor', 'report', '', null, p_trace, 'unanswered_questions');
  return jsonb_strip_nulls(jsonb_build_object('questions', v_rows, 'next_page_token', case when jsonb_array_length(v_rows) = v_limit then (v_offset + v_limit)::text end));
end $$;

-- {"csv"}: a row for each day of the report's time zone and number that something happened on.
create or replace function medidesk.export_daily_report(p jsonb, p_trace text) returns jsonb language plpgsql volatile as $$
declare s record := medidesk.report_scope(p || '{"interval": "REPORT_INTERVAL_DAY"}'); v_text text;
begin
  if s.refusal is not null then return s.refusal; end if;
  perform medidesk.record(p -> 'actor', 'export', 'report', '', null, p_trace, 'daily');
  with d as (
    select (r.slot at time zone s.zone)::date as day, r.number_id, sum(received) as received, sum(bot) as bot, sum(gate) as gate, sum(staff) as staff, sum(service) as service,
           sum(new_contacts) as new_contacts, sum(turns) as turns, sum(answered_alone) as answered_alone, sum(for_staff) as for_staff, sum(degraded) as degraded,
           sum(handovers) as handovers, sum(emergencies) as emergencies, sum(unanswered) as unanswered, sum(delivery_failures) as delivery_failures, sum(delivered) as delivered
      from medidesk.report_slots r where r.slot >= s.v_start and r.slot < s.v_end and (s.numbers = '{}' or r.number_id = any (s.numbers)) group by 1, 2),
  a as (select v.day, v.number_id, count(*) as active from medidesk.report_active v where v.day >= (s.v_start at time zone s.zone)::date and v.day < (s.v_end at time zone s.zone)::date group by 1, 2),
  q as (select x.day, x.number_id, medidesk.quantiles_json(1, array_agg(x.bucket::int), array_agg(x.n::bigint)) as j
          from (select (r.slot at time zone s.zone)::date as day, r.number_id, r.bucket, sum(r.n) as n from medidesk.report_times r
                 where r.slot >= s.v_start and r.slot < s.v_end and r.stage = 1 group by 1, 2, 3) x group by 1, 2)
  select string_agg(concat_ws(',', d.day, n.name, d.received, d.bot, d.gate, d.staff, d.service, coalesce(a.active, 0), d.new_contacts, d.turns, d.answered_alone, d.for_staff,
                              d.degraded, d.handovers, d.emergencies, d.unanswered, d.delivery_failures, d.delivered,
                              coalesce(rtrim(q.j ->> 'p50', 's'), ''), coalesce(rtrim(q.j ->> 'p95', 's'), '')) || e'\r\n', '' order by d.day, n.name)
    into v_text from d join public.numbers n on n.id = d.number_id left join a using (day, number_id) left join q using (day, number_id);
  return jsonb_build_object('csv', concat('day,number,received_messages,bot_messages,gate_messages,staff_messages,service_messages,active_conversations,new_contacts,turns,',
    'turns_answered_alone,turns_for_staff,turns_degraded,handovers,emergencies,unanswered_questions,delivery_failures,delivered_parts,answer_p50_s,answer_p95_s', e'\r\n', v_text));
end $$;

do $$ begin
  revoke execute on all functions in schema medidesk from public;
  if exists (select 1 from pg_roles where rolname = 'medidesk_service') then
    grant select, insert, update, delete on medidesk.report_done, medidesk.report_slots, medidesk.report_values, medidesk.report_times, medidesk.report_active,
      medidesk.report_usage, medidesk.ratings to medidesk_service;
    grant execute on all functions in schema medidesk to medidesk_service;
    execute format('grant temporary on database %I to medidesk_service', current_database());
  end if;
  if (select count(*) from pg_roles where rolname in ('anon', 'authenticated', 'service_role')) = 3 then
    grant execute on function medidesk.jwt(), medidesk.uid() to anon, authenticated, service_role;
  end if;
exception when insufficient_privilege then
  raise notice 'rights of the reports cannot be granted by this login';
end $$;
