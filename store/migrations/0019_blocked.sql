-- Nobody writes to a contact that is blocked: neither staff nor another service. The block is the contact's and is read
-- under its lock, as a takeover is. What was queued before stays a duplicate, whatever came since.

-- A message of staff or of another service. `refusal`: not_found, no_number, blocked, or null when queued.
create or replace function medidesk.queue_outbound(
  p_commit uuid, p_conversation uuid, p_origin text, p_staff uuid, p_text text, p_trace text,
  out refusal text, out duplicate boolean) language plpgsql volatile as $$
declare c record; v_now timestamptz; v_kind text; v_blocked timestamptz;
begin
  duplicate := false;
  select x.id, x.contact_id, x.number_id into c from public.conversations x where x.id =
    (select coalesce(y.merged_into, y.id) from public.conversations y where y.id = p_conversation) for update;
  if not found then refusal := 'not_found'; return; end if;
  if exists (select 1 from public.replies r where r.id = p_commit) then duplicate := true; return; end if;
  select n.kind into v_kind from public.numbers n where n.id = c.number_id;
  if v_kind <> 'whatsapp' then refusal := 'no_number'; return; end if;
  select k.blocked_at into v_blocked from public.contacts k where k.id = c.contact_id for update;
  if v_blocked is not null then refusal := 'blocked'; return; end if;
  v_now := clock_timestamp();
  if p_origin = 'staff' then
    perform medidesk.set_contact_status(c.contact_id, 'human_takeover', 'staff', p_staff, v_now);
    perform medidesk.audit(coalesce(p_staff::text, 'staff'), 'takeover', c.id, c.contact_id, null, p_trace, 'staff', null);
  end if;
  perform medidesk.put_reply(p_commit, null, c.id, c.contact_id, c.number_id, p_origin, p_origin, p_staff, p_text, true, p_trace,
                             v_now);
  update public.conversations x set updated_at = v_now, activity_minute = date_trunc('minute', v_now) where x.id = c.id;
end $$;

create or replace function medidesk.send_staff_message(p jsonb, p_trace text) returns jsonb language plpgsql volatile as $$
declare
  c record; k record; v_kind text; v_now timestamptz; v_commit uuid := (p ->> 'commit_id')::uuid; v_staff uuid := (p -> 'actor' ->> 'id')::uuid;
  v_seen bigint := coalesce((p ->> 'last_seen_seq')::bigint, 0); v_force boolean := coalesce((p ->> 'force')::boolean, false); v_done boolean; v_name text;
begin
  select x.id, x.contact_id, x.number_id into c from public.conversations x
   where x.id = medidesk.surviving_conversation((p ->> 'conversation_id')::uuid) for update;
  if not found then return medidesk.refuse('NOT_FOUND', 'no such conversation'); end if;
  if exists (select 1 from public.replies r where r.id = v_commit) then
    return jsonb_build_object('reply_id', v_commit, 'duplicate', true);
  end if;
  select n.kind into v_kind from public.numbers n where n.id = c.number_id;
  if v_kind <> 'whatsapp' then
    return medidesk.refuse('FAILED_PRECONDITION', 'the conversation''s number is not linked to WhatsApp; link it first', 'NUMBER_NOT_LINKED');
  end if;
  if not v_force then
    select s.name into v_name from medidesk.desk_holders h join public.staff s on s.id = h.staff_id
     where h.conversation_id = c.id and h.staff_id <> v_staff and h.writing and h.until > clock_timestamp() limit 1;
    if found then return medidesk.refuse('ABORTED', v_name || ' is writing in this conversation', 'OTHER_WRITING'); end if;
    if v_seen > 0 and exists (select 1 from public.messages m left join public.replies r on r.id = m.id
                               where m.conversation_id = c.id and m.seq > v_seen and m.from_me and r.staff_id is distinct from v_staff) then
      return medidesk.refuse('ABORTED', 'somebody has answered meanwhile; read it first', 'NEWER_MESSAGE');
    end if;
  end if;
  select x.status, x.assigned_to, x.blocked_at into k from public.contacts x where x.id = c.contact_id for update;
  if k.blocked_at is not null then
    return medidesk.refuse('FAILED_PRECONDITION', 'this contact is blocked; nothing is sent to it', 'BLOCKED');
  end if;
  v_now := clock_timestamp();
  if k.status <> 'human_takeover' then
    perform medidesk.set_contact_status(c.contact_id, 'human_takeover', 'staff', v_staff, v_now);
    v_done := medidesk.audit(v_staff::text, 'takeover', c.id, c.contact_id, null, p_trace, 'staff', null);
  end if;
  perform medidesk.put_reply(v_commit, null, c.id, c.contact_id, c.number_id, 'staff', 'staff', v_staff, p ->> 'text', true, p_trace, v_now);
  update public.conversations x set updated_at = v_now, activity_minute = date_trunc('minute', v_now),
         assigned_to = coalesce(x.assigned_to, v_staff) where x.id = c.id;
  update medidesk.desk_holders set writing = false where conversation_id = c.id and staff_id = v_staff;
  return jsonb_build_object('reply_id', v_commit, 'duplicate', false);
end $$;
