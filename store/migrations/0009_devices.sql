-- Numbers in the hands of gateways: heartbeats, leases, sealed device state, and the functions behind
-- DeviceService.CommitBatch, the one door through which a number's owner writes.
--
-- Locks of a batch, in this order: its row of device_commits, the number's row FOR SHARE (a takeover
-- holds it FOR UPDATE), conversations, contacts, parts. What a batch changes is never the number's
-- row, or two batches that share it would deadlock; the few that must (linking) take it FOR UPDATE.

alter table public.numbers
  add column if not exists bot_enabled boolean not null default true,
  add column if not exists phone_auto_replies boolean not null default true,
  add column if not exists settings_version bigint not null default 1,
  add column if not exists settings_commit uuid,                      -- the last UpsertNumber
  add column if not exists adopted_by uuid references public.numbers (id),
  add column if not exists lease_token bigint not null default 0,     -- raised by every change of hands
  add column if not exists lease_instance uuid,                       -- the owner; null: nobody
  add column if not exists lease_freed_at timestamptz;

-- What an edit, a deletion, a reaction, something unreadable or undecryptable is; null: plain text.
alter table public.messages add column if not exists kind text;

-- One row for each run of a gateway. `live_until` is what others go by: the time-out after the last
-- heartbeat, or the longer one that the owner was promised and has not yet given back.
create table if not exists medidesk.gateways (
  instance_id uuid primary key,
  gateway_id text not null,
  address text not null,
  version text not null,
  free_capacity int not null,
  sequence bigint not null default 0,
  started_at timestamptz not null default clock_timestamp(),
  heartbeat_at timestamptz not null default '-infinity',
  alone_until timestamptz,
  live_until timestamptz not null default '-infinity');

-- What the owner reports of a number; no row: it never had to do with a device.
create table if not exists public.number_states (
  number_id uuid primary key references public.numbers (id) on delete cascade,
  state text not null default 'needs_link',
  state_reason text not null default '',
  state_at timestamptz not null default clock_timestamp(),
  retry_at timestamptz,
  send_state text not null default 'normal',
  send_state_end_at timestamptz,
  device_jid text,
  display_name text not null default '',
  platform text not null default '',
  linked_at timestamptz,
  first_linked_at timestamptz,
  phone_seen_at timestamptz,
  last_received_at timestamptz,
  last_sent_at timestamptz,
  last_server_ack_at timestamptz) with (fillfactor = 50);

-- The last commit of each number and its outcome, for a caller that did not hear it.
create table if not exists medidesk.device_commits (
  number_id uuid primary key references public.numbers (id) on delete cascade,
  revision bigint not null default 0,
  commit_id uuid,
  outcome bytea,
  committed_at timestamptz) with (fillfactor = 50);

-- Records that only a gateway can open. `kind` is the number of the contract's enum.
create table if not exists medidesk.device_state (
  number_id uuid not null references public.numbers (id) on delete cascade,
  kind smallint not null,
  key text collate "C" not null,
  sealed bytea not null,
  revision bigint not null,
  primary key (number_id, kind, key));
-- Sealed bytes do not compress, and trying costs each write.
alter table medidesk.device_state alter column sealed set storage external;

-- "3EB0" and the first nine bytes of SHA-256(the reply's 16 bytes, one byte for the part).
create or replace function medidesk.stanza_id(p_reply uuid, p_part int) returns text language sql immutable as $$
  select '3EB0' || upper(encode(substr(sha256(uuid_send(p_reply) || set_byte('\x00'::bytea, 0, p_part)), 1, 9), 'hex')) $$;
create or replace function medidesk.name_part() returns trigger language plpgsql set search_path = '' as $$
begin
  new.stanza_id := medidesk.stanza_id(new.reply_id, new.part);
  return new;
end $$;
create or replace trigger reply_parts_name before insert on public.reply_parts
  for each row when (new.stanza_id is null) execute function medidesk.name_part();
update public.reply_parts set stanza_id = medidesk.stanza_id(reply_id, part) where stanza_id is null;
create index if not exists reply_parts_stanza on public.reply_parts (stanza_id);

-- A sign of life. `p_alone_known`: the last answer that this run received said `alone`. Until it says
-- no, the longer time-out that it was promised holds: it may be keeping its sockets by it. A heartbeat that was overtaken
-- (`p_sequence`) changes nothing.
drop function if exists medidesk.heartbeat;
create function medidesk.heartbeat(
  p_instance uuid, p_gateway text, p_address text, p_version text, p_capacity int, p_sequence bigint, p_alone_known boolean,
  p_timeout double precision, p_alone_timeout double precision, out alone boolean, out now_at timestamptz)
language plpgsql volatile as $$
declare v_sequence bigint;
begin
  insert into medidesk.gateways (instance_id, gateway_id, address, version, free_capacity)
  values (p_instance, p_gateway, p_address, p_version, p_capacity) on conflict do nothing;
  if found then
    delete from medidesk.gateways where live_until < clock_timestamp() - interval '1 day' and instance_id <> p_instance;
  end if;
  select g.sequence into v_sequence from medidesk.gateways g where g.instance_id = p_instance for update;
  now_at := clock_timestamp();
  alone := not exists (select 1 from medidesk.gateways g where g.instance_id <> p_instance and g.live_until > now_at);
  if p_sequence <> 0 and p_sequence <= v_sequence then
    alone := false;
    return;
  end if;
  update medidesk.gateways g
     set gateway_id = p_gateway, address = p_address, version = p_version, free_capacity = p_capacity, sequence = p_sequence,
         heartbeat_at = now_at,
         alone_until = case when heartbeat.alone then now_at + make_interval(secs => p_alone_timeout)
                            when p_alone_known then g.alone_until end,
         live_until = greatest(now_at + make_interval(secs => p_timeout),
                               case when heartbeat.alone then now_at + make_interval(secs => p_alone_timeout)
                                    when p_alone_known then g.alone_until end)
   where g.instance_id = p_instance;
end $$;

-- The gateway holds the lock file: earlier runs under its id are dead.
create or replace function medidesk.bury_earlier_runs(p_instance uuid, p_gateway text) returns void language sql volatile as $$
  delete from medidesk.gateways where gateway_id = p_gateway and instance_id <> p_instance $$;

-- Whether the run lives, read under a lock that its heartbeats wait for: whoever takes its number
-- and its heartbeat's answer never disagree.
create or replace function medidesk.gateway_lives(p_instance uuid) returns boolean language plpgsql volatile as $$
declare v_until timestamptz;
begin
  select live_until into v_until from medidesk.gateways where instance_id = p_instance for share;
  return coalesce(v_until > clock_timestamp(), false);
end $$;

create or replace function medidesk.hand_over(p_number uuid, p_instance uuid) returns void language plpgsql volatile as $$
begin
  update public.numbers set lease_token = lease_token + 1, lease_instance = p_instance, lease_freed_at = null where id = p_number;
  insert into public.number_states (number_id) values (p_number) on conflict do nothing;
  insert into medidesk.device_commits (number_id) values (p_number) on conflict do nothing;
end $$;

-- `refusal`: no_heartbeat, not_found, held, or null.
drop function if exists medidesk.take_lease;
create function medidesk.take_lease(p_instance uuid, p_gateway text, p_number uuid, p_lock_held boolean,
                                    out refusal text, out owner_address text) language plpgsql volatile as $$
declare v_owner uuid;
begin
  if p_lock_held then perform medidesk.bury_earlier_runs(p_instance, p_gateway); end if;
  if not medidesk.gateway_lives(p_instance) then refusal := 'no_heartbeat'; return; end if;
  select n.lease_instance into v_owner from public.numbers n where n.id = p_number for update;
  if not found then refusal := 'not_found'; return; end if;
  if v_owner <> p_instance and medidesk.gateway_lives(v_owner) then
    refusal := 'held';
    select g.address into owner_address from medidesk.gateways g where g.instance_id = v_owner;
    return;
  end if;
  perform medidesk.hand_over(p_number, p_instance);
end $$;

-- The numbers taken; null for a run without a heartbeat.
drop function if exists medidesk.acquire_numbers;
create function medidesk.acquire_numbers(p_instance uuid, p_gateway text, p_max int, p_lock_held boolean)
returns uuid[] language plpgsql volatile as $$
declare n record; v_taken uuid[] := '{}'; v_owner uuid;
begin
  if p_lock_held then perform medidesk.bury_earlier_runs(p_instance, p_gateway); end if;
  if not medidesk.gateway_lives(p_instance) then return null; end if;
  for n in select x.id from public.numbers x
             join public.number_states s on s.number_id = x.id and s.device_jid is not null
             left join medidesk.gateways g on g.instance_id = x.lease_instance
            where x.enabled and (g.instance_id is null or g.live_until <= clock_timestamp())
            order by coalesce(g.live_until, x.lease_freed_at, x.created_at) limit p_max
              for update of x skip locked loop
    select x.lease_instance into v_owner from public.numbers x where x.id = n.id;  -- as it is under the lock
    continue when v_owner is not null and medidesk.gateway_lives(v_owner);
    perform medidesk.hand_over(n.id, p_instance);
    v_taken := v_taken || n.id;
  end loop;
  return v_taken;
end $$;

-- Opens a batch. `refusal`: lease_lost, revision_mismatch, or null; `outcome` when this commit_id was the last one.
-- A concurrent repetition waits here for the first to end.
drop function if exists medidesk.begin_batch;
create function medidesk.begin_batch(p_number uuid, p_token bigint, p_commit uuid, p_first_revision bigint, p_exclusive boolean,
                                     out refusal text, out outcome bytea, out committed_micros bigint)
language plpgsql volatile as $$
declare c record;
begin
  select x.* into c from medidesk.device_commits x where x.number_id = p_number for update;
  if c.commit_id = p_commit then
    outcome := c.outcome; committed_micros := extract(epoch from c.committed_at) * 1000000;
    return;
  end if;
  if p_exclusive then
    perform 1 from public.numbers n where n.id = p_number and n.lease_token = p_token and n.lease_instance is not null for update;
  else
    perform 1 from public.numbers n where n.id = p_number and n.lease_token = p_token and n.lease_instance is not null for share;
  end if;
  if not found or c is null then refusal := 'lease_lost'; return; end if;
  if c.revision + 1 <> p_first_revision then refusal := 'revision_mismatch'; end if;
end $$;

-- Locks the conversations that a batch of several messages will touch, in one order for everybody.
create or replace function medidesk.lock_conversations(p_number uuid, p_phones text[], p_lids text[], p_replies uuid[])
returns void language plpgsql volatile as $$
begin
  perform 1 from public.conversations c
   where c.id in (select x.id from public.conversations x join public.contacts k on k.id = x.contact_id
                   where k.phone = any (p_phones) and x.number_id = p_number and x.merged_into is null
                  union select x.id from public.conversations x join public.contacts k on k.id = x.contact_id
                   where k.lid = any (p_lids) and x.number_id = p_number and x.merged_into is null
                  union select r.conversation_id from public.replies r where r.id = any (p_replies))
   order by c.id for update;
end $$;

-- As in 0003, but a number whose conversations were adopted stands for the one that adopted them:
-- a caller may have read its id before.
create or replace function medidesk.lock_conversation(p_phone text, p_lid text, p_name text, p_number uuid,
                                                      out conversation_id uuid, out contact_id uuid, out was_status text)
language plpgsql volatile as $$
declare v_adopter uuid;
begin
  for attempt in 1 .. 5 loop
    if p_phone <> '' then
      select k.id into contact_id from public.contacts k where k.phone = p_phone;
    else
      select k.id into contact_id from public.contacts k where k.lid = p_lid;
    end if;
    select c.id into conversation_id from public.conversations c
     where c.contact_id = lock_conversation.contact_id and c.number_id = p_number and c.merged_into is null;
    if conversation_id is null then
      select n.adopted_by into v_adopter from public.numbers n where n.id = p_number;
      if v_adopter is not null then p_number := v_adopter; continue; end if;
      contact_id := medidesk.find_contact(p_phone, p_lid, p_name);
      insert into public.conversations (phone, patient_name, contact_id, number_id, status)
      select case when p_phone <> '' then p_phone else 'lid:' || p_lid end, nullif(p_name, ''), k.id, p_number, k.status
        from public.contacts k where k.id = lock_conversation.contact_id
      on conflict do nothing returning id into conversation_id;
      if conversation_id is null then continue; end if;
    end if;
    select c.status into was_status from public.conversations c
     where c.id = conversation_id and c.merged_into is null for update;
    if found then return; end if;
  end loop;
  raise exception 'conversation keeps changing' using errcode = 'serialization_failure';
end $$;

-- A task of this reason for the conversation, unless one is waiting already.
create or replace function medidesk.open_task(p_conversation uuid, p_contact uuid, p_turn uuid, p_reason text, p_urgent boolean)
returns void language plpgsql volatile as $$
begin
  insert into public.tasks (conversation_id, contact_id, turn_id, reason, urgent)
  select p_conversation, p_contact, p_turn, p_reason, p_urgent
   where not exists (select 1 from public.tasks t where t.conversation_id = p_conversation and t.reason = p_reason and t.state <> 'done');
end $$;

-- learn_address() against another number's batch that learns of the same person.
create or replace function medidesk.learn_contact(p_phone text, p_lid text, p_name text, out contact_id uuid, out merged uuid[])
language plpgsql volatile as $$
declare v_before uuid[];
begin
  select array_agg(k.id) into v_before from public.contacts k where k.phone = p_phone or k.lid = p_lid;
  for attempt in 1 .. 3 loop
    begin
      contact_id := medidesk.learn_address(p_phone, p_lid);
      exit;
    exception when unique_violation then
      if attempt = 3 then raise; end if;
    end;
  end loop;
  select coalesce(array_agg(k.id), '{}') into merged from public.contacts k
   where k.id = any (v_before) and k.merged_into = learn_contact.contact_id;
  if p_name <> '' then
    update public.contacts k set name = p_name where k.id = learn_contact.contact_id and k.name is distinct from p_name;
  end if;
end $$;

-- Something that opens no turn: typed on the hospital's phone, an edit, a deletion, a reaction, a
-- message that cannot be decrypted.
drop function if exists medidesk.record_wa;
create function medidesk.record_wa(
  p_commit uuid, p_number uuid, p_phone text, p_lid text, p_name text, p_message_id text, p_kind text, p_content text,
  p_target text, p_message_at timestamptz, p_offset double precision, p_from_me boolean, p_verdict jsonb, p_trace text,
  out conversation_id uuid, out contact_id uuid, out status text, out turn_id uuid, out state text, out skip_reason text,
  out duplicate boolean, out message_id uuid, out seq bigint)
language plpgsql volatile as $$
declare v_now timestamptz; k record; t record; v_open boolean; v_auto boolean;
begin
  duplicate := false;
  select l.conversation_id, l.contact_id, l.was_status into conversation_id, contact_id, status
    from medidesk.lock_conversation(p_phone, p_lid, p_name, p_number) l;
  if p_from_me then
    select p.reply_id, m.seq into message_id, seq from public.reply_parts p join public.messages m on m.id = p.reply_id
     where p.stanza_id = p_message_id;
    if found then duplicate := true; return; end if;  -- our own message, come back
    select c.status, c.handback_at into k from public.contacts c where c.id = record_wa.contact_id for update;
  else
    select c.status, c.handback_at into k from public.contacts c where c.id = record_wa.contact_id for share;
  end if;
  v_now := clock_timestamp();
  if p_target <> '' then
    select m.id, m.turn_id, x.state = 'open' as open into t
      from public.messages m left join public.turns x on x.id = m.turn_id
     where m.contact_id = record_wa.contact_id and m.whatsapp_message_id = p_target and m.from_me = p_from_me;
  else
    select null::uuid as id, null::uuid as turn_id, false as open into t;
  end if;
  v_open := coalesce(t.open, false) and not p_from_me;
  -- What only changes another message is kept for the record, out of everybody's sight.
  insert into public.messages as m (id, conversation_id, contact_id, sender, content, direction, from_me, whatsapp_message_id,
                                    message_at, verdict, created_at, kind, deleted_at)
  values (p_commit, record_wa.conversation_id, record_wa.contact_id,
          case when p_from_me then 'staff' when p_phone <> '' then p_phone else 'lid:' || p_lid end,
          p_content, case when p_from_me then 'sent' else 'received' end, p_from_me, p_message_id, p_message_at, p_verdict, v_now,
          nullif(p_kind, 'text'), case when p_kind = 'deletion' or (p_kind = 'edit' and v_open) then v_now end)
  on conflict do nothing returning m.id, m.seq into message_id, seq;
  if message_id is null then
    select m.id, m.seq, m.turn_id into message_id, seq, turn_id from public.messages m
     where m.contact_id = record_wa.contact_id and m.whatsapp_message_id = p_message_id and m.from_me = p_from_me;
    if not found then raise exception 'message id was used for another message' using errcode = 'unique_violation'; end if;
    duplicate := message_id <> p_commit;
    select x.state, x.skip_reason into state, skip_reason from public.turns x where x.id = record_wa.turn_id;
    if not found then turn_id := null; end if;
    return;
  end if;

  if p_kind = 'edit' then
    update public.messages m set edited_at = v_now, content = case when v_open then p_content else m.content end,
           verdict = case when v_open then coalesce(p_verdict, m.verdict) else m.verdict end where m.id = t.id;
    if v_open then turn_id := t.turn_id; state := 'open'; end if;
  elsif p_kind = 'deletion' then
    update public.messages m set deleted_at = v_now where m.id = t.id;
    if v_open then
      turn_id := t.turn_id; state := 'open';
      if not exists (select 1 from public.messages m where m.conversation_id = record_wa.conversation_id
                      and m.turn_id = t.turn_id and not m.from_me and m.deleted_at is null) then
        state := 'skipped'; skip_reason := 'empty';
        update public.turns x set state = 'skipped', skip_reason = 'empty', sealed_at = v_now, closed_at = v_now where x.id = t.turn_id;
      end if;
    end if;
  elsif p_kind = 'undecryptable' then
    perform medidesk.open_task(conversation_id, contact_id, null, 'undecryptable_message', false);
  elsif p_from_me and p_kind in ('text', 'unreadable') and k.status <> 'human_takeover' then
    select n.phone_auto_replies into v_auto from public.numbers n where n.id = p_number;
    if p_message_at - make_interval(secs => p_offset) > coalesce(k.handback_at, '-infinity')
       and not (v_auto and exists (
         select 1 from (select m.message_at from public.messages m
                         where m.conversation_id = record_wa.conversation_id and not m.from_me
                         order by m.seq desc limit 20) recent
          where recent.message_at between p_message_at - interval '3 seconds' and p_message_at)) then
      perform medidesk.set_contact_status(contact_id, 'human_takeover', 'phone', null, v_now);
      perform medidesk.audit('staff', 'takeover', conversation_id, contact_id, null, p_trace, 'phone', null);
      status := 'human_takeover';
    end if;
  end if;
  if status = 'archived' and p_kind in ('undecryptable', 'edit', 'text', 'unreadable') then status := 'active'; end if;
  update public.conversations c set status = record_wa.status, updated_at = v_now, activity_minute = date_trunc('minute', v_now)
   where c.id = record_wa.conversation_id;
  perform medidesk.audit(case when p_from_me then 'staff' else 'patient' end, 'message_accepted', conversation_id, contact_id,
                         p_commit, p_trace, p_kind, p_content);
end $$;

-- Stores one message of a WhatsApp chat; what ConversationService.Accept does, and what only this
-- route has: age, kinds, the hospital's own phone. The batch has checked the token.
drop function if exists medidesk.accept_wa;
create function medidesk.accept_wa(
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
    elsif turn_id = p_commit then  -- one that joins a younger turn is answered with it
      state := 'skipped'; skip_reason := 'stale';
    end if;
  end if;
  if state = 'skipped' then
    update public.turns t set state = 'skipped', skip_reason = accept_wa.skip_reason, sealed_at = v_now, closed_at = v_now
     where t.id = accept_wa.turn_id;
  end if;
end $$;
create index if not exists replies_stale_notice on public.replies (conversation_id, created_at) where source = 'stale_notice';

-- The last step before the socket. A takeover that was committed before stops what the assistant wrote.
drop function if exists medidesk.commit_outbound;
create function medidesk.commit_outbound(p_number uuid, p_reply uuid, p_part int, p_count int, p_retry boolean,
                                         out outcome text, out state text) language plpgsql volatile as $$
declare r record; p record; v_status text; v_now timestamptz;
begin
  select x.origin, x.conversation_id, c.contact_id into r from public.replies x join public.conversations c on c.id = x.conversation_id
   where x.id = p_reply;
  if not found then outcome := 'unknown_part'; return; end if;
  select k.status into v_status from public.contacts k where k.id = r.contact_id for share;
  select x.state, x.attempts, x.number_id into p from public.reply_parts x where x.reply_id = p_reply and x.part = 0 for update;
  if not found or p.number_id <> p_number then outcome := 'unknown_part'; return; end if;
  v_now := clock_timestamp();
  if p_count > 1 and p.attempts = 0 and p_part = 0 then
    insert into public.reply_parts (reply_id, part, number_id, state, created_at, updated_at)
    select p_reply, k, p_number, 'queued', v_now, v_now from generate_series(1, p_count - 1) k on conflict do nothing;
  end if;
  if p_part > 0 then
    select x.state, x.attempts, x.number_id into p from public.reply_parts x where x.reply_id = p_reply and x.part = p_part for update;
    if not found then outcome := 'unknown_part'; return; end if;
  end if;
  state := p.state;
  if p_retry then  -- asked for again by a phone that could not read what it got
    outcome := case when p.state in ('sending', 'sent', 'delivered', 'read', 'unknown') then 'send'
                    when p.state = 'discarded' then 'discarded' else 'done' end;
    return;
  elsif p.state = 'discarded' then
    outcome := 'discarded';
    return;
  elsif p.state not in ('queued', 'sending') then
    outcome := 'done';
    return;
  elsif r.origin = 'bot' and v_status = 'human_takeover' then
    outcome := 'discarded';
    state := case when p.attempts = 0 then 'discarded' else 'unknown' end;
    update public.reply_parts x set state = commit_outbound.state, failure = 'takeover', updated_at = v_now
     where x.reply_id = p_reply and x.part = p_part;
    update public.reply_parts x set state = 'discarded', failure = 'takeover', updated_at = v_now
     where x.reply_id = p_reply and x.part > p_part and x.state = 'queued';
    perform medidesk.audit('store', 'part_discarded', r.conversation_id, r.contact_id, p_reply, null, state, null);
    return;
  end if;
  outcome := 'send'; state := 'sending';
  update public.reply_parts x set state = 'sending', attempts = x.attempts + 1, updated_at = v_now
   where x.reply_id = p_reply and x.part = p_part;
  update public.number_states s set last_sent_at = v_now where s.number_id = p_number;
end $$;

create or replace function medidesk.part_rank(p_state text) returns int language sql immutable as $$
  select array_position(array['queued', 'sending', 'unknown', 'failed', 'sent', 'delivered', 'read', 'discarded'], p_state) $$;

-- Moves a part onward, never back.
drop function if exists medidesk.mark_delivery;
create function medidesk.mark_delivery(p_number uuid, p_stanza text, p_state text, p_failure text, p_at timestamptz,
                                       out state text, out reply_id uuid) language plpgsql volatile as $$
declare p record; r record; v_now timestamptz;
begin
  select x.reply_id, x.part, x.state into p from public.reply_parts x where x.stanza_id = p_stanza and x.number_id = p_number for update;
  if not found then return; end if;
  v_now := clock_timestamp();
  reply_id := p.reply_id; state := p.state;
  if medidesk.part_rank(p_state) <= medidesk.part_rank(p.state) then return; end if;
  state := p_state;
  update public.reply_parts x set state = p_state, failure = nullif(p_failure, ''), updated_at = least(coalesce(p_at, v_now), v_now)
   where x.reply_id = p.reply_id and x.part = p.part;
  if p_state = 'sent' then
    update public.number_states s set last_server_ack_at = v_now where s.number_id = p_number;
  elsif p_state in ('failed', 'unknown') then
    -- what would have followed it goes nowhere either
    update public.reply_parts x set state = 'failed', failure = nullif(p_failure, ''), updated_at = v_now
     where x.reply_id = p.reply_id and x.part > p.part and x.state = 'queued' and p_state = 'failed';
    select x.conversation_id, x.turn_id, c.contact_id into r from public.replies x join public.conversations c on c.id = x.conversation_id
     where x.id = p.reply_id;
    perform medidesk.open_task(r.conversation_id, r.contact_id, r.turn_id, 'delivery_failed', false);
    perform medidesk.audit('gateway', 'part_' || p_state, r.conversation_id, r.contact_id, p.reply_id, null, p_failure, null);
  end if;
end $$;

-- What the owner reports. A batch with p_linked, p_unlinked or p_phone holds the number FOR UPDATE.
-- The result is 'phone_in_use' when another linked number has the phone; then nothing was changed.
drop function if exists medidesk.set_number_state;
create function medidesk.set_number_state(
  p_number uuid, p_state text, p_reason text, p_retry_at timestamptz, p_send_state text, p_send_end timestamptz, p_phone text,
  p_jid text, p_display_name text, p_platform text, p_linked boolean, p_unlinked boolean, p_phone_seen timestamptz,
  p_attention boolean) returns text language plpgsql volatile as $$
declare v_now timestamptz := clock_timestamp(); v_webhook uuid;
begin
  if p_phone <> '' then
    update public.numbers n set phone = null where n.phone = p_phone and n.id <> p_number
       and not exists (select 1 from public.number_states s where s.number_id = n.id and s.device_jid is not null);
    if exists (select 1 from public.numbers n where n.phone = p_phone and n.id <> p_number) then return 'phone_in_use'; end if;
    update public.numbers n set phone = p_phone where n.id = p_number and n.phone is distinct from p_phone;
  end if;
  update public.number_states s
     set state = case when p_state <> '' then p_state else s.state end,
         state_reason = case when p_state <> '' then p_reason else s.state_reason end,
         state_at = case when p_state not in ('', s.state) then v_now else s.state_at end,
         retry_at = case when p_state <> '' then p_retry_at else s.retry_at end,
         send_state = case when p_send_state <> '' then p_send_state else s.send_state end,
         send_state_end_at = case when p_send_state <> '' then p_send_end else s.send_state_end_at end,
         device_jid = case when p_unlinked then null when p_jid <> '' then p_jid else s.device_jid end,
         display_name = case when p_display_name <> '' then p_display_name else s.display_name end,
         platform = case when p_platform <> '' then p_platform else s.platform end,
         linked_at = case when p_unlinked then null when p_linked then v_now else s.linked_at end,
         first_linked_at = case when p_linked then coalesce(s.first_linked_at, v_now) else s.first_linked_at end,
         phone_seen_at = coalesce(p_phone_seen, s.phone_seen_at)
   where s.number_id = p_number;
  if p_linked then
    update public.numbers n set kind = 'whatsapp' where n.id = p_number and n.kind <> 'whatsapp';
    select s.webhook_number_id into v_webhook from medidesk.site s for update;
    if v_webhook <> p_number and not exists (select 1 from public.number_states s
                                              where s.number_id <> p_number and s.first_linked_at is not null) then
      -- the first number linked: what webhook callers have said so far belongs to it
      update public.numbers n set adopted_by = p_number where n.id = v_webhook;
      update public.conversations c set number_id = p_number where c.number_id = v_webhook
         and not exists (select 1 from public.conversations o where o.contact_id = c.contact_id and o.number_id = p_number
                          and o.merged_into is null and c.merged_into is null);
      update medidesk.site set webhook_number_id = p_number;
    end if;
    perform medidesk.audit('gateway', 'number_linked', null, null, p_number, null, null, null);
  elsif p_unlinked then
    update public.numbers n set kind = 'webhook', phone = null where n.id = p_number;
    perform medidesk.audit('gateway', 'number_unlinked', null, null, p_number, null, p_reason, null);
  end if;
  if p_attention and not exists (select 1 from public.tasks t where t.conversation_id is null and t.state <> 'done'
                                  and t.reason = 'number_attention:' || p_number) then
    insert into public.tasks (reason) values ('number_attention:' || p_number);
  end if;
  return '';
end $$;

-- Makes (`p_id` null) or changes a number; what is null stays. `refusal`: not_found, etag, linked, name_taken, phone_taken.
drop function if exists medidesk.upsert_number;
create function medidesk.upsert_number(
  p_commit uuid, p_id uuid, p_etag text, p_name text, p_phone text, p_enabled boolean, p_bot boolean, p_auto boolean, p_actor text,
  p_trace text, out refusal text, out number_id uuid) language plpgsql volatile as $$
declare n record;
begin
  number_id := coalesce(p_id, p_commit);
  select x.* into n from public.numbers x where x.id = upsert_number.number_id for update;
  if n.settings_commit = p_commit then return; end if;
  if p_id is not null then
    if n.id is null then refusal := 'not_found'; return; end if;
    if p_etag <> '' and p_etag <> n.settings_version::text then refusal := 'etag'; return; end if;
    if p_phone is not null and exists (select 1 from public.number_states s where s.number_id = p_id and s.device_jid is not null) then
      refusal := 'linked'; return;
    end if;
  end if;
  if exists (select 1 from public.numbers x where x.name = p_name and x.id <> upsert_number.number_id) then
    refusal := 'name_taken'; return;
  end if;
  if exists (select 1 from public.numbers x where x.phone = p_phone and x.id <> upsert_number.number_id) then
    refusal := 'phone_taken'; return;
  end if;
  if p_id is null then
    insert into public.numbers (id, name, phone, enabled, bot_enabled, phone_auto_replies, settings_commit)
    values (p_commit, p_name, nullif(p_phone, ''), coalesce(p_enabled, true), coalesce(p_bot, true), coalesce(p_auto, true), p_commit);
    insert into public.number_states (number_id) values (p_commit);
    insert into medidesk.device_commits (number_id) values (p_commit);
  else
    update public.numbers x
       set name = coalesce(p_name, x.name), phone = case when p_phone is null then x.phone else nullif(p_phone, '') end,
           enabled = coalesce(p_enabled, x.enabled), bot_enabled = coalesce(p_bot, x.bot_enabled),
           phone_auto_replies = coalesce(p_auto, x.phone_auto_replies), settings_version = x.settings_version + 1,
           settings_commit = p_commit
     where x.id = p_id;
  end if;
  perform medidesk.audit(p_actor, case when p_id is null then 'number_made' else 'number_changed' end, null, null, number_id, p_trace,
    concat_ws(' ', case when p_name is not null then 'name' end, case when p_phone is not null then 'phone' end,
              'enabled=' || p_enabled, 'bot=' || p_bot, 'phone_auto_replies=' || p_auto), null);
exception when unique_violation then
  refusal := 'name_taken';  -- somebody was faster by an instant
end $$;

do $$ begin
  alter table public.number_states enable row level security;
  alter table medidesk.gateways enable row level security;
  alter table medidesk.device_commits enable row level security;
  alter table medidesk.device_state enable row level security;
  revoke execute on all functions in schema medidesk from public;
  if exists (select 1 from pg_roles where rolname = 'medidesk_service') then
    grant select, insert, update, delete on public.number_states, medidesk.gateways, medidesk.device_commits, medidesk.device_state
      to medidesk_service;
    drop policy if exists number_states_service on public.number_states;
    create policy number_states_service on public.number_states for all to medidesk_service using (true) with check (true);
    drop policy if exists gateways_service on medidesk.gateways;
    create policy gateways_service on medidesk.gateways for all to medidesk_service using (true) with check (true);
    drop policy if exists device_commits_service on medidesk.device_commits;
    create policy device_commits_service on medidesk.device_commits for all to medidesk_service using (true) with check (true);
    drop policy if exists device_state_service on medidesk.device_state;
    create policy device_state_service on medidesk.device_state for all to medidesk_service using (true) with check (true);
    grant execute on all functions in schema medidesk to medidesk_service;
  end if;
end $$;
do $$ begin
  if (select count(*) from pg_roles where rolname in ('anon', 'authenticated', 'service_role')) < 3 then return; end if;
  revoke all on public.number_states from anon, authenticated;
  grant select on public.number_states to authenticated;
  drop policy if exists number_states_staff_read on public.number_states;
  create policy number_states_staff_read on public.number_states for select to authenticated using (
    (select medidesk.jwt() -> 'app_metadata' ->> 'role') in ('front_desk', 'viewer', 'agent', 'admin'));
exception when insufficient_privilege then
  raise notice 'the dashboard''s roles cannot be granted rights by this login';
end $$;
