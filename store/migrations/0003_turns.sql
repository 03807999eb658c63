-- The life of a turn: accept, get, renew, commit. One VOLATILE function each under READ COMMITTED,
-- called in autocommit: one round trip, and every statement after a lock wait sees what the
-- predecessor committed.
--
-- Locks, always in this order: conversation FOR UPDATE, then contact (FOR SHARE; takeover and
-- hand-back FOR UPDATE).

-- PL/pgSQL even where plain SQL would do: its plans are kept for the session, a SQL function that
-- cannot be inlined is planned at every call. Functions of the hot path return a value, so that they
-- can be called in an assignment, which needs no executor run of its own as PERFORM does.
create or replace function medidesk.audit(p_actor text, p_action text, p_conversation uuid, p_contact uuid, p_subject uuid,
                                          p_trace text, p_detail text, p_content text) returns boolean language plpgsql volatile as $$
begin
  insert into public.audit_log (actor, action, conversation_id, contact_id, subject_id, trace_id, detail, content_mac)
  values (p_actor, p_action, p_conversation, p_contact, p_subject, nullif(p_trace, ''), nullif(p_detail, ''),
          case when p_content is not null then
            (select sha256(k.outer_block || sha256(k.inner_block || convert_to(p_content, 'UTF8')))
               from medidesk.audit_keys k where k.contact_id = p_contact) end);
  return true;
end $$;

-- What was said before a turn, oldest first, about 4,000 characters of each message: for each one
-- letter (p patient, s staff, b the assistant), seconds since the epoch, ',', octets, ':', the text.
-- (JSON costs several times as much to make and to read.)
create or replace function medidesk.history(p_conversation uuid, p_turn uuid, p_first_seq bigint, p_limit int)
returns text language plpgsql stable as $$
begin
  return (select coalesce(string_agg(concat(who, at, ',', octet_length(content), ':', content), '' order by seq), '')
  from (select case when not from_me then 'p' when sender = 'staff' then 's' else 'b' end as who,
               case when octet_length(content) > 16000 then left(content, 4000) else content end as content,
               date_part('epoch', created_at)::bigint as at, seq
          from public.messages
         where conversation_id = p_conversation and (from_me or seq < p_first_seq)
           and turn_id is distinct from p_turn and deleted_at is null
         order by seq desc limit p_limit) as recent);
end $$;

-- Stores an outgoing message. `p_queue`: the gateway delivers it; else the caller takes it away.
create or replace function medidesk.put_reply(
  p_id uuid, p_turn uuid, p_conversation uuid, p_contact uuid, p_number uuid, p_origin text, p_source text,
  p_staff uuid, p_text text, p_queue boolean, p_trace text, p_now timestamptz) returns boolean language plpgsql volatile as $$
begin
  insert into public.messages (id, conversation_id, contact_id, sender, content, direction, from_me,
                               whatsapp_message_id, turn_id, created_at)
  values (p_id, p_conversation, p_contact, case when p_origin = 'staff' then 'staff' else 'assistant' end, p_text,
          'sent', true, 'reply:' || p_id, p_turn, p_now);
  insert into public.replies (id, turn_id, conversation_id, origin, source, staff_id, returned_at, created_at)
  values (p_id, p_turn, p_conversation, p_origin, p_source, p_staff, case when not p_queue then p_now end, p_now);
  if p_queue then
    insert into public.reply_parts (reply_id, part, number_id, state, created_at, updated_at)
    values (p_id, 0, p_number, 'queued', p_now, p_now);
  end if;
  return medidesk.audit(coalesce(p_staff::text, p_origin), 'reply_committed', p_conversation, p_contact, p_id,
                        p_trace, p_source, p_text);
end $$;

-- Makes `status` the contact's state. The caller holds the contact FOR UPDATE.
create or replace function medidesk.set_contact_status(
  p_contact uuid, p_status text, p_reason text, p_staff uuid, p_now timestamptz) returns void language plpgsql volatile as $$
begin
  if p_status = 'human_takeover' then
    update public.contacts set status = p_status, takeover_at = p_now, updated_at = p_now,
           -- a stricter reason is not replaced by a milder one: it decides about automatic returns
           takeover_reason = case when status = 'human_takeover' and takeover_reason ~ '^(emergency|threat)'
                                  then takeover_reason else p_reason end,
           assigned_to = coalesce(p_staff, assigned_to)
     where id = p_contact;
    update public.conversations set status = p_status, updated_at = p_now, assigned_to = coalesce(p_staff, assigned_to)
     where contact_id = p_contact and merged_into is null and status <> p_status;
  else
    update public.contacts set status = p_status, handback_at = p_now, updated_at = p_now, takeover_reason = null
     where id = p_contact;
    update public.conversations set status = p_status, updated_at = p_now
     where contact_id = p_contact and merged_into is null and status = 'human_takeover';
  end if;
end $$;

-- The contact of a phone number or LID, made when it is new.
create or replace function medidesk.find_contact(p_phone text, p_lid text, p_name text) returns uuid language plpgsql volatile as $$
declare v_id uuid;
begin
  if p_phone <> '' then
    select id into v_id from public.contacts where phone = p_phone;
    if v_id is null then
      insert into public.contacts (phone, name) values (p_phone, nullif(p_name, '')) on conflict (phone) do nothing
        returning id into v_id;
      if v_id is null then select id into v_id from public.contacts where phone = p_phone; end if;
    end if;
  else
    select id into v_id from public.contacts where lid = p_lid;
    if v_id is null then
      insert into public.contacts (lid, name) values (p_lid, nullif(p_name, '')) on conflict (lid) do nothing
        returning id into v_id;
      if v_id is null then select id into v_id from public.contacts where lid = p_lid; end if;
    end if;
  end if;
  return v_id;
end $$;

-- The conversation of a contact on a number, made when it is new and locked FOR UPDATE.
create or replace function medidesk.lock_conversation(p_phone text, p_lid text, p_name text, p_number uuid,
                                                      out conversation_id uuid, out contact_id uuid, out was_status text)
language plpgsql volatile as $$
begin
  for attempt in 1 .. 5 loop
    -- plain look-ups by one column each: a join or a CASE gets a plan that no index serves
    if p_phone <> '' then
      select k.id into contact_id from public.contacts k where k.phone = p_phone;
    else
      select k.id into contact_id from public.contacts k where k.lid = p_lid;
    end if;
    select c.id into conversation_id from public.conversations c
     where c.contact_id = lock_conversation.contact_id and c.number_id = p_number and c.merged_into is null;
    if conversation_id is null then
      contact_id := medidesk.find_contact(p_phone, p_lid, p_name);
      insert into public.conversations (phone, patient_name, contact_id, number_id, status)
      select case when p_phone <> '' then p_phone else 'lid:' || p_lid end, nullif(p_name, ''), k.id, p_number, k.status
        from public.contacts k where k.id = lock_conversation.contact_id
      on conflict do nothing returning id into conversation_id;
      if conversation_id is null then continue; end if;
    end if;
    select c.status into was_status from public.conversations c
     where c.id = conversation_id and c.merged_into is null for update;
    if found then return; end if;  -- else it was merged while we waited
  end loop;
  raise exception 'conversation keeps changing' using errcode = 'serialization_failure';
end $$;

drop function if exists medidesk.accept;
create function medidesk.accept(
  p_commit uuid, p_route text, p_number uuid, p_phone text, p_lid text, p_name text, p_message_id text, p_content text,
  p_message_at timestamptz, p_verdict jsonb, p_fixed_kind text, p_fixed_text text, p_family text, p_reply_id uuid,
  p_claim_seconds double precision, p_history int, p_trace text,
  out conversation_id uuid, out contact_id uuid, out status text, out turn_id uuid, out state text, out skip_reason text,
  out route text, out claim_until timestamptz, out duplicate boolean,
  out reply_id uuid, out reply_text text, out reply_origin text, out texts text, out history text, out verdict text)
language plpgsql volatile as $$
declare
  v_now timestamptz; v_was text; v_seq bigint; v_message_id text; v_contact record; v_enabled boolean;
  v_takes_over boolean := p_fixed_kind in ('emergency', 'human_request', 'threat');
  v_fixed boolean := p_fixed_kind <> '';
  v_message record; v_turn record; v_done boolean; v_place timestamptz;
begin
  -- The common case in four statements: a known contact's plain message on a route of one message a
  -- turn. What it does not settle (a duplicate, a new contact, anything but active) goes the long way.
  if p_route <> 'wa' and p_fixed_kind = '' and p_phone <> '' and p_name = '' then
    select c.id, c.contact_id into conversation_id, contact_id from public.conversations c
     where c.phone = p_phone and c.number_id = p_number and c.merged_into is null and c.status = 'active'
       for update;
    select k.status, k.blocked_at, (select s.assistant_enabled from medidesk.site s) as enabled,
           exists (select 1 from public.turns t where t.conversation_id = accept.conversation_id
                    and t.state = 'sealed' and t.claim_until > clock_timestamp()) as busy
      into v_contact from public.contacts k where k.id = accept.contact_id and k.phone = p_phone for share of k;
    if v_contact.status = 'active' and v_contact.blocked_at is null and v_contact.enabled then
      v_now := clock_timestamp();
      v_place := v_now + make_interval(secs => p_claim_seconds);
      with m as (
        insert into public.messages (id, conversation_id, contact_id, sender, content, direction, from_me,
                                     whatsapp_message_id, turn_id, message_at, verdict, created_at)
        values (p_commit, accept.conversation_id, accept.contact_id, p_phone, p_content, 'received', false,
                case when p_message_id = '' then 'gen:' || p_commit else p_message_id end, p_commit,
                coalesce(p_message_at, v_now), p_verdict, v_now)
        on conflict do nothing returning seq),
      t as (
        insert into public.turns (id, conversation_id, contact_id, number_id, route, state, first_seq, claim_id, claim_until,
                                  trace_id, opened_at, sealed_at)
        select p_commit, accept.conversation_id, accept.contact_id, p_number, p_route, 'sealed', m.seq, p_commit, v_place,
               nullif(p_trace, ''), v_now, v_now from m),
      a as (
        insert into public.audit_log (actor, action, conversation_id, contact_id, subject_id, trace_id, detail, content_mac)
        select 'patient', 'message_accepted', accept.conversation_id, accept.contact_id, p_commit, nullif(p_trace, ''),
               nullif(p_family, ''), sha256(k.outer_block || sha256(k.inner_block || convert_to(p_content, 'UTF8')))
          from m left join medidesk.audit_keys k on k.contact_id = accept.contact_id)
      update public.conversations c set updated_at = v_now, activity_minute = date_trunc('minute', v_now)
        from m where c.id = accept.conversation_id returning m.seq into v_seq;
      if v_seq is not null then
        status := 'active'; turn_id := p_commit; state := 'sealed'; accept.route := p_route; duplicate := false;
        texts := json_build_array(p_content)::text; verdict := p_verdict::text; history := '';
        if not v_contact.busy then
          claim_until := v_place;
          history := medidesk.history(accept.conversation_id, p_commit, v_seq, p_history);
        end if;
        return;
      end if;
    end if;
  end if;
  v_place := null;
  select l.conversation_id, l.contact_id, l.was_status into conversation_id, contact_id, v_was
    from medidesk.lock_conversation(p_phone, p_lid, p_name, p_number) l;
  if v_takes_over then
    select k.status, k.emergency_family, k.emergency_at, k.blocked_at, k.opted_out_at into v_contact
      from public.contacts k where k.id = accept.contact_id for update;
  else
    select k.status, k.emergency_family, k.emergency_at, k.blocked_at, k.opted_out_at into v_contact
      from public.contacts k where k.id = accept.contact_id for share;
  end if;
  v_now := clock_timestamp();
  v_message_id := case when p_message_id = '' then 'gen:' || p_commit else p_message_id end;

  insert into public.messages as m (id, conversation_id, contact_id, sender, content, direction, from_me,
                                    whatsapp_message_id, turn_id, message_at, verdict, created_at)
  values (p_commit, accept.conversation_id, accept.contact_id, case when p_phone <> '' then p_phone else 'lid:' || p_lid end,
          p_content, 'received', false, v_message_id, p_commit, coalesce(p_message_at, v_now), p_verdict, v_now)
  on conflict do nothing returning m.seq into v_seq;

  if v_seq is null then
    -- Seen before: by this commit (its answer was lost) or by another one (a duplicate).
    select m.* into v_message from public.messages m
     where m.contact_id = accept.contact_id and m.whatsapp_message_id = v_message_id and not m.from_me;
    if not found then raise exception 'commit id was used for another message' using errcode = 'unique_violation'; end if;
    duplicate := v_message.id <> p_commit;
    turn_id := v_message.turn_id;
    select t.* into v_turn from public.turns t where t.id = accept.turn_id for update;
    if not found then  -- adopted from the original, or accepted while nobody answers
      turn_id := v_message.id; state := 'answered'; status := v_was; accept.route := p_route;
      texts := '[]'; history := ''; verdict := v_message.verdict::text;
      return;
    end if;
    if p_route = 'wa' and v_turn.route <> 'wa' and v_turn.state in ('open', 'sealed') then
      update public.turns t set route = 'wa' where t.id = v_turn.id;
      v_turn.route := 'wa';
    end if;
    select g.* into status, state, skip_reason, route, claim_until, reply_id, reply_text, reply_origin,
                    texts, history, verdict
      from medidesk.claim_turn(v_turn.id, p_commit, false, p_claim_seconds, p_history, v_now) g;
    return;
  end if;

  duplicate := false; turn_id := p_commit; accept.route := p_route; history := ''; verdict := p_verdict::text;
  texts := json_build_array(p_content)::text;
  status := case when v_contact.status = 'human_takeover' or v_takes_over then 'human_takeover' else 'active' end;
  select s.assistant_enabled into v_enabled from medidesk.site s;

  -- An emergency text goes out once per family in thirty minutes, to the blocked and in takeover, too.
  if p_fixed_kind = 'emergency' and v_contact.emergency_family = p_family
     and v_contact.emergency_at > v_now - interval '30 minutes' then
    v_fixed := false; skip_reason := 'takeover';
  elsif p_fixed_kind = 'emergency' then
    null;
  elsif v_contact.blocked_at is not null then
    v_fixed := false; skip_reason := 'blocked';
  elsif not v_enabled then
    v_fixed := v_fixed and p_fixed_kind = 'emergency_lite';
    if not v_fixed then skip_reason := 'killed'; end if;
  elsif v_contact.status = 'human_takeover' then
    v_fixed := false; skip_reason := 'takeover';
  end if;

  if v_fixed then
    state := 'answered';
  elsif skip_reason is not null then
    state := 'skipped';
  elsif p_route = 'wa' then
    state := 'open';
    select t.id into turn_id from public.turns t
     where t.conversation_id = accept.conversation_id and t.route = 'wa' and t.state = 'open';
    if turn_id is not null then
      update public.messages m set turn_id = accept.turn_id where m.id = p_commit;
    else
      turn_id := p_commit;
    end if;
  else
    state := 'sealed';
  end if;

  if turn_id = p_commit then
    if state = 'sealed' then
      -- Turns of a conversation are answered in order: no claim while an earlier one is being answered.
      -- The row is claimed all the same: so it keeps its place before those that come after it.
      v_place := v_now + make_interval(secs => p_claim_seconds);
      if not exists (select 1 from public.turns t where t.conversation_id = accept.conversation_id
                      and t.state = 'sealed' and t.claim_until > v_now) then
        claim_until := v_place;
      end if;
    end if;
    insert into public.turns as t (id, conversation_id, contact_id, number_id, route, state, skip_reason, first_seq, claim_id,
                              claim_until, trace_id, opened_at, sealed_at, closed_at)
    values (p_commit, accept.conversation_id, accept.contact_id, p_number, p_route, accept.state, accept.skip_reason, v_seq,
            case when v_place is not null then p_commit end, v_place, nullif(p_trace, ''), v_now,
            case when accept.state <> 'open' then v_now end, case when accept.state in ('answered', 'skipped') then v_now end);
  end if;

  if v_fixed then
    reply_id := p_reply_id; reply_text := p_fixed_text; reply_origin := 'gate';
    perform medidesk.put_reply(p_reply_id, turn_id, accept.conversation_id, accept.contact_id, p_number, 'gate', p_fixed_kind, null,
                               p_fixed_text, p_route = 'wa', p_trace, v_now);
  end if;
  if p_fixed_kind = 'emergency' and v_fixed then
    update public.contacts k set emergency_family = p_family, emergency_at = v_now where k.id = accept.contact_id;
  elsif p_fixed_kind = 'opt_out' and v_contact.opted_out_at is null then
    update public.contacts k set opted_out_at = v_now where k.id = accept.contact_id;
  end if;
  if v_takes_over then
    perform medidesk.set_contact_status(accept.contact_id, 'human_takeover',
      case p_fixed_kind when 'emergency' then 'emergency:' || p_family else p_fixed_kind end, null, v_now);
  end if;
  if p_fixed_kind in ('emergency', 'emergency_lite', 'human_request', 'threat') or skip_reason = 'killed' then
    insert into public.tasks (conversation_id, contact_id, turn_id, reason, urgent)
    values (accept.conversation_id, accept.contact_id, accept.turn_id,
            case when p_fixed_kind in ('emergency', 'emergency_lite') then p_fixed_kind || ':' || p_family
                 when p_fixed_kind <> '' then p_fixed_kind else 'assistant_off' end,
            p_fixed_kind in ('emergency', 'threat'));
  end if;

  update public.conversations c
     set status = accept.status, updated_at = v_now, activity_minute = date_trunc('minute', v_now),
         patient_name = case when p_name <> '' then p_name else c.patient_name end
   where c.id = accept.conversation_id;
  v_done := medidesk.audit('patient', 'message_accepted', accept.conversation_id, accept.contact_id, p_commit, p_trace,
                           case when p_family <> '' then p_family end, p_content);

  if claim_until is not null then
    history := medidesk.history(accept.conversation_id, accept.turn_id, v_seq, p_history);
  end if;
end $$;

-- Reads a turn whose conversation is locked, and claims it when it is this caller's to answer.
-- state 'sealed' without claim_until: somebody else is at work, wait.
drop function if exists medidesk.claim_turn;
create function medidesk.claim_turn(
  p_turn uuid, p_claim uuid, p_seal boolean, p_claim_seconds double precision, p_history int, p_now timestamptz,
  out status text, out state text, out skip_reason text, out route text, out claim_until timestamptz,
  out reply_id uuid, out reply_text text, out reply_origin text, out texts text, out history text,
  out verdict text)
language plpgsql volatile as $$
declare t record; v_contact_status text; v_enabled boolean;
begin
  select x.* into t from public.turns x where x.id = p_turn for update;
  select k.status into v_contact_status from public.contacts k where k.id = t.contact_id for share;
  select c.status into status from public.conversations c where c.id = t.conversation_id;
  state := t.state; skip_reason := t.skip_reason; route := t.route; texts := '[]'; history := '';
  if state in ('open', 'sealed') and v_contact_status = 'human_takeover' then
    state := 'skipped'; skip_reason := 'takeover';
    update public.turns x set state = 'skipped', skip_reason = 'takeover', claim_until = null, closed_at = p_now where x.id = p_turn;
    return;
  end if;
  if state = 'open' and p_seal then
    state := 'sealed';
    update public.turns x set state = 'sealed', sealed_at = p_now where x.id = p_turn;
  end if;
  if state = 'answered' then
    select r.id, m.content, r.origin into reply_id, reply_text, reply_origin
      from public.replies r join public.messages m on m.id = r.id where r.turn_id = p_turn;
  elsif state = 'sealed' then
    if t.claim_until > p_now and t.claim_id <> p_claim then
      return;
    end if;
    if exists (select 1 from public.turns e where e.conversation_id = t.conversation_id and e.state = 'sealed'
                and e.first_seq < t.first_seq and e.claim_until > p_now) then
      -- Keeps its place before later turns; written anew when half of it is gone, not at every look.
      update public.turns x set claim_id = p_claim, claim_until = p_now + make_interval(secs => p_claim_seconds)
       where x.id = p_turn
         and (x.claim_id is distinct from p_claim or x.claim_until < p_now + make_interval(secs => p_claim_seconds / 2));
      return;
    end if;
    claim_until := p_now + make_interval(secs => p_claim_seconds);
    update public.turns x set claim_id = p_claim, claim_until = claim_turn.claim_until where x.id = p_turn;
    select coalesce(json_agg(m.content order by m.seq)::text, '[]'), (array_agg(m.verdict order by m.seq desc))[1]::text
      into texts, verdict
      from public.messages m where m.conversation_id = t.conversation_id and m.seq >= t.first_seq and m.turn_id = p_turn
       and not m.from_me and m.deleted_at is null;
    history := medidesk.history(t.conversation_id, p_turn, t.first_seq, p_history);
  end if;
end $$;

drop function if exists medidesk.get_turn;
create function medidesk.get_turn(
  p_turn uuid, p_claim uuid, p_seal boolean, p_claim_seconds double precision, p_history int,
  out conversation_id uuid, out contact_id uuid, out status text, out turn_id uuid, out state text, out skip_reason text,
  out route text, out claim_until timestamptz, out duplicate boolean,
  out reply_id uuid, out reply_text text, out reply_origin text, out texts text, out history text, out verdict text)
language plpgsql volatile as $$
begin
  select t.conversation_id, t.contact_id into conversation_id, contact_id from public.turns t where t.id = p_turn;
  if not found then return; end if;  -- turn_id stays null: no such turn
  perform 1 from public.conversations c where c.id = get_turn.conversation_id for update;
  turn_id := p_turn; duplicate := false;
  select g.* into status, state, skip_reason, route, claim_until, reply_id, reply_text, reply_origin,
                  texts, history, verdict
    from medidesk.claim_turn(p_turn, p_claim, p_seal, p_claim_seconds, p_history, clock_timestamp()) g;
end $$;

create or replace function medidesk.renew_claim(p_turn uuid, p_claim uuid, p_claim_seconds double precision) returns boolean
language plpgsql volatile as $$
begin
  update public.turns set claim_until = clock_timestamp() + make_interval(secs => p_claim_seconds)
   where id = p_turn and claim_id = p_claim and state = 'sealed';
  return found;
end $$;

drop function if exists medidesk.commit_reply;
create function medidesk.commit_reply(
  p_turn uuid, p_commit uuid, p_origin text, p_source text, p_text text, p_task text, p_trace text,
  out committed boolean, out reply_id uuid, out reply_text text, out reply_origin text, out state text,
  out skip_reason text, out route text, out status text)
language plpgsql volatile as $$
declare t record; v_contact_status text; v_now timestamptz; v_conversation uuid;
begin
  for attempt in 1 .. 3 loop
    select c.id, c.status into v_conversation, status from public.conversations c
     where c.id = (select x.conversation_id from public.turns x where x.id = p_turn) for update;
    if not found then return; end if;  -- state stays null: no such turn
    select x.conversation_id, x.contact_id, x.number_id, x.route, x.state, x.skip_reason into t
      from public.turns x where x.id = p_turn for update;
    exit when t.conversation_id = v_conversation;  -- else it was merged while we waited
  end loop;
  route := t.route; committed := false;
  if t.state = 'answered' then
    select r.id, m.content, r.origin into reply_id, reply_text, reply_origin
      from public.replies r join public.messages m on m.id = r.id where r.turn_id = p_turn;
    state := 'answered'; committed := reply_id = p_commit;
    return;
  elsif t.state = 'skipped' then
    state := 'skipped'; skip_reason := t.skip_reason;
    return;
  end if;
  select k.status into v_contact_status from public.contacts k where k.id = t.contact_id for share;
  v_now := clock_timestamp();
  -- On WhatsApp the last check is at the socket (CommitOutbound); here this is the last step.
  if v_contact_status = 'human_takeover' and t.route <> 'wa' and p_origin = 'bot' then
    update public.turns x set state = 'skipped', skip_reason = 'takeover', claim_until = null, closed_at = v_now,
           sealed_at = coalesce(x.sealed_at, v_now) where x.id = p_turn;
    state := 'skipped'; skip_reason := 'takeover'; status := 'human_takeover';
    return;
  end if;
  -- As put_reply(), in one statement with the turn's end.
  with u as (
    update public.turns x set state = 'answered', claim_until = null, closed_at = v_now,
           sealed_at = coalesce(x.sealed_at, v_now) where x.id = p_turn),
  m as (
    insert into public.messages (id, conversation_id, contact_id, sender, content, direction, from_me,
                                 whatsapp_message_id, turn_id, created_at)
    values (p_commit, t.conversation_id, t.contact_id, 'assistant', p_text, 'sent', true, 'reply:' || p_commit, p_turn, v_now)),
  p as (
    insert into public.reply_parts (reply_id, part, number_id, state, created_at, updated_at)
    select p_commit, 0, t.number_id, 'queued', v_now, v_now where t.route = 'wa'),
  a as (
    insert into public.audit_log (actor, action, conversation_id, contact_id, subject_id, trace_id, detail, content_mac)
    values (p_origin, 'reply_committed', t.conversation_id, t.contact_id, p_commit, nullif(p_trace, ''), nullif(p_source, ''),
            (select sha256(k.outer_block || sha256(k.inner_block || convert_to(p_text, 'UTF8')))
               from medidesk.audit_keys k where k.contact_id = t.contact_id)))
  insert into public.replies (id, turn_id, conversation_id, origin, source, returned_at, created_at)
  values (p_commit, p_turn, t.conversation_id, p_origin, p_source, case when t.route <> 'wa' then v_now end, v_now);
  if p_task <> '' then
    insert into public.tasks (conversation_id, contact_id, turn_id, reason) values (t.conversation_id, t.contact_id, p_turn, p_task);
  end if;
  committed := true; state := 'answered'; reply_id := p_commit; reply_text := p_text; reply_origin := p_origin;
end $$;

-- A message of staff or of another service. `reason`: not_found, no_number, or null when queued.
drop function if exists medidesk.queue_outbound;
create function medidesk.queue_outbound(
  p_commit uuid, p_conversation uuid, p_origin text, p_staff uuid, p_text text, p_trace text,
  out refusal text, out duplicate boolean) language plpgsql volatile as $$
declare c record; v_now timestamptz; v_kind text;
begin
  duplicate := false;
  select x.id, x.contact_id, x.number_id into c from public.conversations x where x.id =
    (select coalesce(y.merged_into, y.id) from public.conversations y where y.id = p_conversation) for update;
  if not found then refusal := 'not_found'; return; end if;
  if exists (select 1 from public.replies r where r.id = p_commit) then duplicate := true; return; end if;
  select n.kind into v_kind from public.numbers n where n.id = c.number_id;
  if v_kind <> 'whatsapp' then refusal := 'no_number'; return; end if;
  perform 1 from public.contacts k where k.id = c.contact_id for update;
  v_now := clock_timestamp();
  if p_origin = 'staff' then
    perform medidesk.set_contact_status(c.contact_id, 'human_takeover', 'staff', p_staff, v_now);
    perform medidesk.audit(coalesce(p_staff::text, 'staff'), 'takeover', c.id, c.contact_id, null, p_trace, 'staff', null);
  end if;
  perform medidesk.put_reply(p_commit, null, c.id, c.contact_id, c.number_id, p_origin, p_origin, p_staff, p_text, true, p_trace,
                             v_now);
  update public.conversations x set updated_at = v_now, activity_minute = date_trunc('minute', v_now) where x.id = c.id;
end $$;

-- Takeover and hand-back; the surviving conversation id, or null when there is none.
create or replace function medidesk.set_takeover(p_conversation uuid, p_on boolean, p_staff uuid, p_reason text, p_trace text)
returns uuid language plpgsql volatile as $$
declare v_id uuid; v_contact uuid; v_now timestamptz;
begin
  select coalesce(merged_into, id), contact_id into v_id, v_contact from public.conversations where id = p_conversation;
  if not found then return null; end if;
  -- all conversations of the contact, in the order of their ids: two takeovers cannot deadlock
  perform 1 from public.conversations where contact_id = v_contact and merged_into is null order by id for update;
  perform 1 from public.contacts where id = v_contact for update;
  v_now := clock_timestamp();
  perform medidesk.set_contact_status(v_contact, case when p_on then 'human_takeover' else 'active' end, p_reason, p_staff, v_now);
  perform medidesk.audit(coalesce(p_staff::text, 'staff'), case when p_on then 'takeover' else 'hand_back' end, v_id, v_contact,
                         null, p_trace, p_reason, null);
  return v_id;
end $$;

-- A dashboard takes over, or hands back, by updating conversations.status; the contact follows.
-- Archiving leaves the contact as it is.
create or replace function medidesk.follow_status() returns trigger language plpgsql security definer set search_path = '' as $$
declare v_status text := case new.status when 'human_takeover' then 'human_takeover' else 'active' end;
begin
  if new.status = 'archived' or (new.status = 'active' and old.status = 'archived') then return null; end if;
  perform 1 from public.contacts where id = new.contact_id for update;
  if exists (select 1 from public.contacts where id = new.contact_id and status <> v_status) then
    perform medidesk.set_contact_status(new.contact_id, v_status, 'staff', null, clock_timestamp());
    perform medidesk.audit(coalesce(medidesk.uid()::text, 'staff'),
      case when v_status = 'human_takeover' then 'takeover' else 'hand_back' end, new.id, new.contact_id, null, null, 'status', null);
  end if;
  return null;
end $$;
create or replace trigger conversations_follow_status after update of status on public.conversations
  for each row when (new.status is distinct from old.status and new.merged_into is null)
  execute function medidesk.follow_status();

-- One staff task for each webhook or rpc turn that nobody has answered or claimed for a minute.
create or replace function medidesk.sweep_turns() returns bigint language sql volatile as $$
  with late as (
    update public.turns set task_opened = true
     where id in (select id from public.turns where state in ('open', 'sealed') and route <> 'wa' and not task_opened
                   and coalesce(claim_until, opened_at) < clock_timestamp() - interval '60 seconds'
                   and opened_at < clock_timestamp() - interval '60 seconds' limit 100 for update skip locked)
    returning id, conversation_id, contact_id),
  opened as (
    insert into public.tasks (conversation_id, contact_id, turn_id, reason)
    select conversation_id, contact_id, id, 'unanswered' from late returning 1)
  select count(*) from opened $$;

-- Learns that a phone number and a LID are one person. Only a LID-only contact merges with a phone
-- contact that has no LID: the oldest conversation id survives, the strictest status wins. A phone
-- number seen with another LID than before moves to that LID's contact and nothing is merged: it
-- may be another person.
create or replace function medidesk.learn_address(p_phone text, p_lid text) returns uuid language plpgsql volatile as $$
declare
  v_phone uuid; v_lid uuid; v_phone_lid text; v_lid_phone text; v_keep uuid; v_drop uuid; v_status text;
  n record; v_from uuid; v_to uuid; m record; v_twin record;
begin
  select id, lid into v_phone, v_phone_lid from public.contacts where phone = p_phone;
  select id, phone into v_lid, v_lid_phone from public.contacts where lid = p_lid;
  if v_phone is not null and v_phone = v_lid then return v_phone; end if;
  if v_lid is null and v_phone is null then
    insert into public.contacts (phone, lid) values (p_phone, p_lid) returning id into v_phone;
    return v_phone;
  end if;
  perform 1 from public.conversations where contact_id in (v_phone, v_lid) and merged_into is null order by id for update;
  perform 1 from public.contacts where id in (v_phone, v_lid) order by id for update;
  if v_lid is null then
    if v_phone_lid is null then
      update public.contacts set lid = p_lid where id = v_phone;
      return v_phone;
    end if;
    update public.contacts set phone = null where id = v_phone;  -- the number has a new owner
    insert into public.contacts (phone, lid) values (p_phone, p_lid) returning id into v_lid;
    return v_lid;
  end if;
  if v_phone is null then
    update public.contacts set phone = p_phone where id = v_lid;
    update public.conversations set phone = p_phone where contact_id = v_lid and phone like 'lid:%';
    return v_lid;
  end if;
  if v_phone_lid is not null or v_lid_phone is not null then
    update public.contacts set phone = null where id = v_phone;
    update public.contacts set phone = p_phone where id = v_lid;
    return v_lid;
  end if;

  select id into v_keep from public.contacts where id in (v_phone, v_lid) order by created_at, id limit 1;
  v_drop := case when v_keep = v_phone then v_lid else v_phone end;
  select case when bool_or(status = 'human_takeover') then 'human_takeover' else 'active' end into v_status
    from public.contacts where id in (v_keep, v_drop);

  -- Equal message ids: the answered one, else the older, stays; the other's turn ends.
  for m in select a.id as keep_row, b.id as drop_row, a.turn_id as keep_turn, b.turn_id as drop_turn, a.seq as a_seq, b.seq as b_seq,
                  a.whatsapp_message_id as wid
             from public.messages a join public.messages b
               on b.contact_id = v_drop and b.whatsapp_message_id = a.whatsapp_message_id and b.from_me = a.from_me
            where a.contact_id = v_keep loop
    select (select state = 'answered' from public.turns where id = m.keep_turn) as kept_answered,
           (select state = 'answered' from public.turns where id = m.drop_turn) as dropped_answered into v_twin;
    if coalesce(v_twin.dropped_answered, false) and not coalesce(v_twin.kept_answered, false)
       or (coalesce(v_twin.dropped_answered, false) = coalesce(v_twin.kept_answered, false) and m.b_seq < m.a_seq) then
      update public.messages set whatsapp_message_id = m.wid || '#' || id where id = m.keep_row;
      update public.turns set state = 'skipped', skip_reason = 'duplicate', claim_until = null, closed_at = clock_timestamp()
       where id = m.keep_turn and state in ('open', 'sealed');
    else
      update public.messages set whatsapp_message_id = m.wid || '#' || id where id = m.drop_row;
      update public.turns set state = 'skipped', skip_reason = 'duplicate', claim_until = null, closed_at = clock_timestamp()
       where id = m.drop_turn and state in ('open', 'sealed');
    end if;
  end loop;

  for n in select number_id, array_agg(id order by created_at, id) as ids from public.conversations
            where contact_id in (v_keep, v_drop) and merged_into is null group by number_id loop
    v_to := n.ids[1];
    v_from := n.ids[2];
    if v_from is not null then
      -- open turns of one route become one: the older gains the other's messages
      for m in select o.id as keep_turn, y.id as drop_turn from public.turns o join public.turns y on y.route = o.route
                where o.conversation_id = v_to and y.conversation_id = v_from and o.state = 'open' and y.state = 'open' loop
        update public.messages set turn_id = m.keep_turn where conversation_id = v_from and turn_id = m.drop_turn;
        update public.turns set first_seq = least(first_seq, (select first_seq from public.turns where id = m.drop_turn))
         where id = m.keep_turn;
        update public.turns set state = 'skipped', skip_reason = 'duplicate', closed_at = clock_timestamp() where id = m.drop_turn;
      end loop;
      update public.messages set conversation_id = v_to, contact_id = v_keep where conversation_id = v_from;
      update public.turns set conversation_id = v_to, contact_id = v_keep where conversation_id = v_from;
      update public.replies set conversation_id = v_to where conversation_id = v_from;
      update public.tasks set conversation_id = v_to, contact_id = v_keep where conversation_id = v_from;
      update public.conversations set merged_into = v_to where id = v_from or merged_into = v_from;
    end if;
    update public.messages set contact_id = v_keep where conversation_id = v_to and contact_id = v_drop;
    update public.turns set contact_id = v_keep where conversation_id = v_to and contact_id = v_drop;
    update public.tasks set contact_id = v_keep where conversation_id = v_to and contact_id = v_drop;
    update public.conversations set contact_id = v_keep, phone = p_phone where id = v_to;
  end loop;
  update public.conversations set contact_id = v_keep where contact_id = v_drop;
  update public.contacts d set phone = null, lid = null, merged_into = v_keep where d.id = v_drop;
  update public.contacts k set phone = p_phone, lid = p_lid, status = v_status,
         takeover_reason = coalesce(k.takeover_reason, d.takeover_reason), takeover_at = coalesce(k.takeover_at, d.takeover_at),
         opted_out_at = coalesce(k.opted_out_at, d.opted_out_at), blocked_at = coalesce(k.blocked_at, d.blocked_at),
         emergency_family = coalesce(k.emergency_family, d.emergency_family),
         emergency_at = greatest(k.emergency_at, d.emergency_at), name = coalesce(k.name, d.name)
    from public.contacts d where k.id = v_keep and d.id = v_drop;
  update public.conversations set status = case when v_status = 'human_takeover' then v_status else status end
   where contact_id = v_keep and merged_into is null;
  return v_keep;
end $$;

-- The hash of one row; a separator stands for absent fields, too.
create or replace function medidesk.audit_row_hash(a public.audit_log) returns bytea language sql immutable as $$
  select sha256(convert_to(concat(a.id, '|', extract(epoch from a.at), '|', a.xid, '|', a.actor, '|', a.action, '|',
    a.conversation_id, '|', a.contact_id, '|', a.subject_id, '|', a.trace_id, '|', a.detail, '|',
    encode(a.content_mac, 'hex')), 'UTF8')) $$;

-- Seals what every finished transaction wrote since the last seal; the number of rows sealed. The
-- caller is alone (advisory lock). A dump restored into another cluster starts transaction ids
-- anew: seen when the horizon lies in the future, and then sealing begins again after the last id.
create or replace function medidesk.seal_audit() returns bigint language plpgsql volatile as $$
declare last record; v_to bigint := pg_snapshot_xmin(pg_current_snapshot())::text::bigint; v_from bigint; v_start bigint; v_rows bigint; v_hash bytea;
begin
  if not pg_try_advisory_xact_lock(727002) then return 0; end if;
  select * into last from medidesk.audit_seals order by seq desc limit 1;
  v_from := coalesce(last.to_xid, 0); v_start := coalesce(last.start_id, 0);
  if v_from > v_to then
    v_from := 0;
    select coalesce(max(id), 0) + 1 into v_start from public.audit_log where xid >= v_to;
  end if;
  select count(*), sha256(coalesce(last.hash, ''::bytea) || coalesce(string_agg(medidesk.audit_row_hash(a), ''::bytea order by a.id), ''::bytea))
    into v_rows, v_hash from public.audit_log a where a.xid >= v_from and a.xid < v_to and a.id >= v_start;
  if v_rows = 0 then return 0; end if;
  insert into medidesk.audit_seals (seq, start_id, from_xid, to_xid, row_count, hash)
  values (coalesce(last.seq, 0) + 1, v_start, v_from, v_to, v_rows, v_hash);
  return v_rows;
end $$;

-- Checks every seal against the rows. `broken_seq` is the first seal that does not hold, or null.
drop function if exists medidesk.verify_audit;
create function medidesk.verify_audit(out seals bigint, out sealed_rows bigint, out unsealed_rows bigint, out broken_seq bigint)
language plpgsql stable as $$
declare s record; v_previous bytea := ''; v_rows bigint; v_hash bytea; v_next bigint := 1; v_end bigint; v_horizon bigint := 0; v_start bigint := 0;
begin
  seals := 0; sealed_rows := 0;
  for s in select x.*, lead(x.start_id) over (order by x.seq) as next_start from medidesk.audit_seals x order by x.seq loop
    select min(y.start_id) into v_end from medidesk.audit_seals y where y.seq > s.seq and y.start_id > s.start_id;
    select count(*), sha256(v_previous || coalesce(string_agg(medidesk.audit_row_hash(a), ''::bytea order by a.id), ''::bytea))
      into v_rows, v_hash from public.audit_log a
     where a.xid >= s.from_xid and a.xid < s.to_xid and a.id >= s.start_id and (v_end is null or a.id < v_end);
    if v_hash <> s.hash or v_rows <> s.row_count or s.seq <> v_next then broken_seq := s.seq; return; end if;
    v_next := s.seq + 1; v_previous := s.hash; seals := seals + 1; sealed_rows := sealed_rows + v_rows;
    v_horizon := s.to_xid; v_start := s.start_id;
  end loop;
  select count(*) into unsealed_rows from public.audit_log a where a.xid >= v_horizon and a.id >= v_start;
end $$;

do $$ begin
  revoke execute on all functions in schema medidesk from public;
  if exists (select 1 from pg_roles where rolname = 'medidesk_service') then
    grant execute on all functions in schema medidesk to medidesk_service;
  end if;
  if (select count(*) from pg_roles where rolname in ('anon', 'authenticated', 'service_role')) = 3 then
    grant execute on function medidesk.jwt(), medidesk.uid() to anon, authenticated, service_role;
  end if;
end $$;
