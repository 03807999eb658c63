-- A conversation that staff took over goes back to the assistant after a quiet time, when the hospital wants that.

create index if not exists contacts_returning on public.contacts (takeover_at)
  where status = 'human_takeover' and merged_into is null and takeover_reason ~ '^(staff|phone|human_request|handover:)';

-- Hands back one contact, the longest taken over whose chats have been quiet for `p_minutes`: nobody wrote, and nobody is
-- waited for. True when there was one; call again. What was an emergency, self-harm or a threat, a machine that answers us, or
-- somebody else's number never goes back by itself, nor does a patient for whom nobody of the staff has been there yet.
create or replace function medidesk.return_quiet(p_minutes int) returns boolean language plpgsql volatile as $$
declare
  v_before timestamptz := clock_timestamp() - make_interval(mins => greatest(p_minutes, 1));
  v_contact uuid; v_conversation uuid; k record;
begin
  for v_contact in
    select c.id from public.contacts c
     where c.status = 'human_takeover' and c.merged_into is null and c.takeover_reason ~ '^(staff|phone|human_request|handover:)'
       and c.takeover_reason !~ ':(loop|rate_limit)' and c.takeover_at < v_before and medidesk.is_quiet(c.id, c.takeover_at, v_before)
     order by c.takeover_at limit 20
  loop
    begin
      -- conversations first, as everywhere; what somebody is busy with is not quiet
      perform 1 from public.conversations x where x.contact_id = v_contact and x.merged_into is null order by x.id for update nowait;
      select c.status, c.takeover_at, c.takeover_reason into k from public.contacts c where c.id = v_contact for update nowait;
    exception when lock_not_available then
      continue;
    end;
    continue when k.status <> 'human_takeover' or k.takeover_at >= v_before or k.takeover_reason !~ '^(staff|phone|human_request|handover:)'
               or not medidesk.is_quiet(v_contact, k.takeover_at, v_before);
    select x.id into v_conversation from public.conversations x where x.contact_id = v_contact and x.merged_into is null
     order by x.activity_minute desc, x.id limit 1;
    perform medidesk.set_contact_status(v_contact, 'active', null, null, clock_timestamp());
    perform medidesk.audit('store', 'hand_back', v_conversation, v_contact, null, null, 'quiet', null);
    return true;
  end loop;
  return false;
end $$;

-- Nobody wrote in the contact's chats since `p_before`, no emergency of theirs waits for staff, and either nothing of theirs
-- does or staff wrote after the takeover.
create or replace function medidesk.is_quiet(p_contact uuid, p_takeover timestamptz, p_before timestamptz) returns boolean
language sql stable as $$
  select not exists (select 1 from public.conversations x where x.contact_id = p_contact and x.merged_into is null
                        and x.activity_minute >= date_trunc('minute', p_before))
     and not exists (select 1 from public.tasks t where t.contact_id = p_contact and t.state <> 'done'
                        and t.kind in ('emergency', 'self_harm', 'violence', 'threat', 'call_back'))
     and (not exists (select 1 from public.tasks t where t.contact_id = p_contact and t.state <> 'done')
          or exists (select 1 from public.conversations x join public.messages m on m.conversation_id = x.id
                      where x.contact_id = p_contact and x.merged_into is null and m.sender = 'staff' and m.created_at >= p_takeover))
$$;

-- The functions that policies call are nobody's but those who log in (0010); later files gave them away again.
do $$ begin
  revoke execute on all functions in schema medidesk from public;
  if exists (select 1 from pg_roles where rolname = 'medidesk_service') then
    grant execute on all functions in schema medidesk to medidesk_service;
  end if;
  if exists (select 1 from pg_roles where rolname = 'anon') then
    revoke all on all functions in schema medidesk from anon;
  end if;
exception when insufficient_privilege then
  raise notice 'the dashboard''s roles cannot be changed by this login';
end $$;
