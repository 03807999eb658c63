-- What could be read only later counts as if it had come readable, also what was typed on the hospital's own phone.
-- A late message of somebody who has had the stale notice ends its turn at once: staff have a task, and nobody answers it
-- as if it had just been asked. Otherwise medidesk.accept_wa is as 0009_devices.sql left it.
-- Stores one message of a WhatsApp chat; what ConversationService.Accept does, and what only this
-- route has: age, kinds, the hospital's own phone. The batch has checked the token.
create or replace function medidesk.accept_wa(
  p_commit uuid, p_number uuid, p_phone text, p_lid text, p_name text, p_message_id text, p_kind text, p_content text,
  p_target text, p_message_at timestamptz, p_offset double precision, p_from_me boolean, p_verdict jsonb, p_fixed_kind text,
  p_fixed_text text, p_family text, p_reply_id uuid, p_reply_sent boolean, p_trace text,
  out conversation_id uuid, out contact_id uuid, out status text, out turn_id uuid, out state text, out skip_reason text,
  out route text, out duplicate boolean, out reply_id uuid, out reply_text text, out reply_origin text, out verdict text,
  out message_id uuid, out seq bigint, out age text, out notice_due boolean)
language plpgsql volatile as $$
declare v_now timestamptz := clock_timestamp(); v_age double precision; v_kind text;
begin
  v_age := extract(epoch from v_now - p_message_at) + p_offset;
  age := case when v_age <= 1800 then 'fresh' when v_age <= 86400 then 'late' else 'old' end;
  notice_due := false; route := 'wa';
  if p_phone <> '' and p_lid <> '' then
    perform 1 from public.contacts k where k.phone = p_phone and k.lid = p_lid;
    if not found then perform medidesk.learn_contact(p_phone, p_lid, ''); end if;
  end if;

  if p_from_me or (p_kind in ('edit', 'deletion', 'reaction', 'undecryptable') and p_fixed_kind = '') then
    if p_kind <> 'undecryptable' then
      delete from public.messages m using public.contacts k  -- its content has come after all
       where m.contact_id = k.id and ((p_phone <> '' and k.phone = p_phone) or (p_lid <> '' and k.lid = p_lid))
         and m.whatsapp_message_id = p_message_id and m.from_me = p_from_me and m.kind = 'undecryptable' and m.id <> p_commit;
    end if;
    select r.conversation_id, r.contact_id, r.status, r.turn_id, r.state, r.skip_reason, r.duplicate, r.message_id, r.seq
      into conversation_id, contact_id, status, turn_id, state, skip_reason, duplicate, message_id, seq
      from medidesk.record_wa(p_commit, p_number, p_phone, p_lid, p_name, p_message_id, p_kind, p_content, p_target,
                              p_message_at, p_offset, p_from_me, p_verdict, p_trace) r;
    return;
  end if;

  for attempt in 1 .. 2 loop
    select a.conversation_id, a.contact_id, a.status, a.turn_id, a.state, a.skip_reason, a.route, a.duplicate, a.reply_id,
           a.reply_text, a.reply_origin, a.verdict
      into conversation_id, contact_id, status, turn_id, state, skip_reason, route, duplicate, reply_id, reply_text, reply_origin,
           verdict
      from medidesk.accept(p_commit, 'wa', p_number, p_phone, p_lid, p_name, p_message_id, p_content, p_message_at, p_verdict,
                           p_fixed_kind, p_fixed_text, p_family, p_reply_id, 0, 0, p_trace) a;
    select m.id, m.seq, m.kind into message_id, seq, v_kind from public.messages m
     where m.contact_id = accept_wa.contact_id and m.whatsapp_message_id = p_message_id and not m.from_me;
    exit when not duplicate or v_kind is distinct from 'undecryptable';
    delete from public.messages m where m.id = accept_wa.message_id;  -- its content has come after all
  end loop;

  if duplicate then
    if route = 'wa' and state in ('open', 'sealed') then  -- the number that has it delivers the answer
      update public.turns t set number_id = p_number where t.id = accept_wa.turn_id and t.number_id <> p_number;
    end if;
    return;
  end if;
  if p_kind <> 'text' then
    update public.messages m set kind = p_kind where m.id = p_commit;
    if p_kind = 'unreadable' then perform medidesk.open_task(conversation_id, contact_id, turn_id, 'unreadable_media', false); end if;
  end if;
  if p_reply_sent and reply_id is not null then
    update public.reply_parts p set state = 'sending', attempts = 1 where p.reply_id = p_reply_id and p.part = 0 and p.state = 'queued';
  end if;
  if age <> 'fresh' and p_fixed_kind in ('emergency', 'emergency_lite') then
    perform medidesk.open_task(conversation_id, contact_id, turn_id, 'call_back', true);
  end if;
  if state <> 'open' then return; end if;

  if not (select n.bot_enabled from public.numbers n where n.id = p_number) then
    perform medidesk.open_task(conversation_id, contact_id, turn_id, 'assistant_off', false);
    state := 'skipped'; skip_reason := 'killed';
  elsif age <> 'fresh' then
    perform medidesk.open_task(conversation_id, contact_id, turn_id, 'stale_message', false);
    if age = 'late' then
      notice_due := not exists (select 1 from public.replies r where r.conversation_id = accept_wa.conversation_id
                                 and r.source = 'stale_notice' and r.created_at > v_now - interval '1 day');
    end if;
    -- One that joins a younger turn is answered with it. Who has had the notice today gets no second one, and no answer
    -- as if the question were new.
    if turn_id = p_commit and not notice_due then
      state := 'skipped'; skip_reason := 'stale';
    end if;
  end if;
  if state = 'skipped' then
    update public.turns t set state = 'skipped', skip_reason = accept_wa.skip_reason, sealed_at = v_now, closed_at = v_now
     where t.id = accept_wa.turn_id;
  end if;
end $$;

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
