-- A message's way through the system, out of what is stored anyway: behind ReportService.GetTrace.

-- An audit action in the words of a trace, and who did it. What has no name of its own keeps the log's.
create or replace function medidesk.trace_step(p_action text) returns text language sql immutable as $$
  select case p_action when 'message_accepted' then 'accept' when 'reply_committed' then 'commit_reply'
                       else case when p_action like 'part\_%' then substr(p_action, 6) else p_action end end $$;
create or replace function medidesk.trace_service(p_actor text, p_action text, p_route text) returns text language sql immutable as $$
  select case when p_action like 'part\_%' or p_actor = 'gateway' then 'gateway'
              when p_actor in ('bot', 'gate') then 'assistant'
              when p_action = 'message_accepted' then case when p_route = 'wa' then 'gateway' else 'assistant' end
              when p_actor = 'patient' or p_actor = 'system' or p_actor = 'store' then 'store'
              else 'admin' end $$;

-- By `trace_id`, or by `turn_id`, which may also be the id of one of the turn's messages or of its reply. Nothing of it
-- needs an index of its own: turns and messages are found by their keys, audit rows by the log's ranges.
create or replace function medidesk.get_trace(p jsonb, p_trace text) returns jsonb language plpgsql stable as $$
declare
  v_trace text := p ->> 'trace_id'; v_turns uuid[]; v_subjects uuid[]; v_contacts uuid[]; v_since timestamptz; v_steps jsonb;
begin
  if v_trace is not null then
    select array_agg(distinct x.turn_id) into v_turns from (
      select m.turn_id from public.audit_log a join public.messages m on m.id = a.subject_id where a.trace_id = v_trace
      union all
      select r.turn_id from public.audit_log a join public.replies r on r.id = a.subject_id where a.trace_id = v_trace) x
     where x.turn_id is not null;
  else
    select array_agg(x.id) into v_turns from (
      select t.id from public.turns t where t.id = (p ->> 'turn_id')::uuid
      union select m.turn_id from public.messages m where m.id = (p ->> 'turn_id')::uuid and m.turn_id is not null
      union select r.turn_id from public.replies r where r.id = (p ->> 'turn_id')::uuid and r.turn_id is not null) x;
    select t.trace_id into v_trace from public.turns t where t.id = any (v_turns) and t.trace_id is not null limit 1;
  end if;
  if v_turns is null and (p ->> 'trace_id' is null or not exists (select from public.audit_log a where a.trace_id = v_trace)) then
    return medidesk.refuse('NOT_FOUND', 'nothing is stored under this id');
  end if;
  select array_agg(distinct t.contact_id), min(t.opened_at) - interval '1 minute' into v_contacts, v_since
    from public.turns t where t.id = any (v_turns);
  select array_agg(x.id) into v_subjects from (
    select unnest(v_turns) as id
    union select m.id from public.messages m join public.turns t on t.id = any (v_turns) and m.conversation_id = t.conversation_id
           where m.turn_id = t.id and m.seq >= t.first_seq
    union select r.id from public.replies r where r.turn_id = any (v_turns)) x;

  with route as (select t.route from public.turns t where t.id = any (v_turns) limit 1),
  logged as (
    select a.id, a.at, a.actor, a.action, a.subject_id, a.resource, a.resource_id, a.detail from public.audit_log a
     where v_contacts is not null and a.contact_id = any (v_contacts) and a.at >= v_since and a.subject_id = any (v_subjects)
    union
    select a.id, a.at, a.actor, a.action, a.subject_id, a.resource, a.resource_id, a.detail from public.audit_log a
     where p ->> 'trace_id' is not null and a.trace_id = v_trace),
  -- A row of the log is written a moment after the time that its transaction gave to everything else.
  steps as (
    select coalesce((select t.opened_at from public.turns t where l.action = 'message_accepted' and t.id = l.subject_id),
                    (select r.created_at from public.replies r where l.action = 'reply_committed' and r.id = l.subject_id),
                    l.at) as at,
           case l.action when 'message_accepted' then -1 else 3 end as rank, l.id as n, medidesk.trace_service(l.actor, l.action, (select r.route from route r)) as service,
           case when l.resource is null then medidesk.trace_step(l.action) else concat_ws('_', l.action, l.resource) end as step,
           coalesce(l.resource_id, l.subject_id::text) as resource_id, l.detail
      from logged l
    union all
    select t.opened_at, 0, 0, 'store', 'open', t.id::text, t.route from public.turns t where t.id = any (v_turns)
    union all
    select t.sealed_at, 2, 0, 'store', 'seal', t.id::text, null from public.turns t where t.id = any (v_turns) and t.sealed_at is not null
    union all
    select t.closed_at, 4, 0, 'store', t.state, t.id::text, t.skip_reason from public.turns t
     where t.id = any (v_turns) and t.closed_at is not null
    union all
    select r.returned_at, 5, 0, 'assistant', 'returned', r.id::text, r.source from public.replies r
     where r.turn_id = any (v_turns) and r.returned_at is not null
    union all
    select q.created_at, 3, q.part, 'store', 'queued', q.reply_id::text, 'part.' || q.part from public.reply_parts q
     where q.reply_id = any (v_subjects)
    union all
    select k.created_at, 3, 0, 'store', 'task', k.id::text, k.reason from public.tasks k where k.turn_id = any (v_turns))
  select jsonb_agg(jsonb_strip_nulls(jsonb_build_object(
      'step_time', medidesk.stamp(s.at),
      'since_previous', to_char(greatest(extract(epoch from s.at - s.before), 0), 'FM9999999990.000000') || 's',
      'service', s.service, 'step', s.step, 'resource_id', s.resource_id, 'detail_code', nullif(s.detail, '')))
      order by s.at, s.rank, s.n)
    into v_steps
    from (select x.*, lag(x.at, 1, x.at) over (order by x.at, x.rank, x.n) as before from steps x limit 1000) s;
  return jsonb_strip_nulls(jsonb_build_object('trace_id', v_trace, 'turn_ids', to_jsonb(v_turns), 'steps', v_steps));
end $$;

revoke execute on function medidesk.trace_step(text), medidesk.trace_service(text, text, text),
  medidesk.get_trace(jsonb, text) from public;
do $$ begin
  if exists (select 1 from pg_roles where rolname = 'medidesk_service') then
    grant execute on function medidesk.trace_step(text), medidesk.trace_service(text, text, text),
      medidesk.get_trace(jsonb, text) to medidesk_service;
    -- A store whose login may create nothing sees that nothing is left to do.
    if to_regclass('medidesk.migrations') is not null then grant select on medidesk.migrations to medidesk_service; end if;
  end if;
end $$;
