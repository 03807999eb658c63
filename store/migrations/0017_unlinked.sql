-- What is left of a number that no gateway serves any more, and copies of texts that no phone asks for again.

-- A number that is unlinked, logged out or switched off has no owner whose outbox would let waiting parts expire. Lives are the
-- outbox's: an answer 10 minutes, a fixed text of the gate 30, staff's words a day. What was on its way when the keys
-- went may have arrived: unknown. A turn that is open there becomes a task; a number linked again answers it still.
create or replace function medidesk.expire_unserved(p_limit int) returns bigint language plpgsql volatile as $$
declare p record; v_now timestamptz := clock_timestamp(); v_count bigint := 0;
begin
  for p in
    select x.reply_id, x.part, x.state, r.conversation_id, r.turn_id, c.contact_id
      from public.reply_parts x
      join public.numbers n on n.id = x.number_id
      join public.number_states s on s.number_id = n.id
      join public.replies r on r.id = x.reply_id
      join public.conversations c on c.id = r.conversation_id
     where x.state in ('queued', 'sending') and (s.device_jid is null or s.state = 'needs_link' or not n.enabled)
       and x.created_at < v_now - case r.origin when 'bot' then interval '10 minutes' when 'gate' then interval '30 minutes'
                                                else interval '24 hours' end
     order by x.created_at limit p_limit for update of x skip locked
  loop
    update public.reply_parts x set state = case p.state when 'queued' then 'failed' else 'unknown' end, failure = 'expired',
           updated_at = v_now
     where x.reply_id = p.reply_id and x.part = p.part;
    perform medidesk.open_task(p.conversation_id, p.contact_id, p.turn_id, 'delivery_failed', false);
    perform medidesk.audit('store', 'part_expired', p.conversation_id, p.contact_id, p.reply_id, null, 'number_not_served', null);
    v_count := v_count + 1;
  end loop;
  for p in
    select t.id, t.conversation_id, t.contact_id
      from public.turns t
      join public.numbers n on n.id = t.number_id
      join public.number_states s on s.number_id = n.id
     where t.state in ('open', 'sealed') and t.route = 'wa' and not t.task_opened and (s.device_jid is null or s.state = 'needs_link' or not n.enabled)
       and t.opened_at < v_now - interval '10 minutes'
     order by t.opened_at limit p_limit for update of t skip locked
  loop
    update public.turns t set task_opened = true where t.id = p.id;
    perform medidesk.open_task(p.conversation_id, p.contact_id, p.id, 'unanswered', false);
    v_count := v_count + 1;
  end loop;
  return v_count;
end $$;

-- A phone that could not read a part asks again within a week at most (kind 11: SENT_CONTENT, its key the stanza's id).
create or replace function medidesk.forget_sent_contents(p_limit int) returns bigint language sql volatile as $$
  with old as (
    select d.number_id, d.key from medidesk.device_state d
     where d.kind = 11
       and not exists (select 1 from public.reply_parts p where p.stanza_id = d.key and p.created_at > clock_timestamp() - interval '8 days')
     limit p_limit for update skip locked),
  gone as (
    delete from medidesk.device_state d using old where d.number_id = old.number_id and d.kind = 11 and d.key = old.key returning 1)
  select count(*) from gone $$;

do $$ begin
  revoke execute on function medidesk.expire_unserved(int), medidesk.forget_sent_contents(int) from public;
  if exists (select 1 from pg_roles where rolname = 'medidesk_service') then
    grant execute on function medidesk.expire_unserved(int), medidesk.forget_sent_contents(int) to medidesk_service;
  end if;
  if exists (select 1 from pg_roles where rolname = 'anon') then
    revoke all on function medidesk.expire_unserved(int), medidesk.forget_sent_contents(int) from anon;
  end if;
exception when insufficient_privilege then
  raise notice 'the dashboard''s roles cannot be changed by this login';
end $$;
