-- Contacts, conversations, messages, turns, replies, tasks and the audit log.
--
-- Runs on a plain PostgreSQL 15 and on a database shaped as a Supabase project, as a role that
-- need not be superuser; run twice it changes nothing. The three tables of the original system
-- keep their names and columns and gain what is needed; its rows are adopted.
--
-- public.*    tables that a staff dashboard may see through policies
-- medidesk.*  functions and tables that nobody but the store sees

create schema if not exists medidesk;

do $$ begin
  if not exists (select 1 from pg_roles where rolname = 'medidesk_service') then
    create role medidesk_service nologin noinherit;
  end if;
  if not pg_has_role(current_user, 'medidesk_service', 'member') then
    execute format('grant medidesk_service to %I', current_user);
  end if;
exception when insufficient_privilege or duplicate_object or unique_violation then
  raise notice 'role medidesk_service cannot be created or granted here: the store works as the tables'' owner';
end $$;

create or replace function medidesk.jwt() returns jsonb language sql stable set search_path = ''
  as $$ select coalesce(nullif(current_setting('request.jwt.claims', true), ''), '{}')::jsonb $$;
create or replace function medidesk.uid() returns uuid language sql stable set search_path = ''
  as $$ select nullif(coalesce(medidesk.jwt() ->> 'sub', current_setting('request.jwt.claim.sub', true)), '')::uuid $$;
create or replace function medidesk.touch_updated_at() returns trigger language plpgsql set search_path = ''
  as $$ begin new.updated_at := clock_timestamp(); return new; end $$;

create sequence if not exists medidesk.message_seq;

-- The operator's numbers. `kind` is 'webhook' until the first WhatsApp number adopts the row.
create table if not exists public.numbers (
  id uuid primary key default gen_random_uuid(),
  name text not null unique,
  phone text unique,
  kind text not null default 'webhook' check (kind in ('webhook', 'whatsapp')),
  enabled boolean not null default true,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now());

create table if not exists public.patients (
  id uuid primary key default gen_random_uuid(),
  name text,
  phone text unique,
  email text,
  created_at timestamptz default now());

-- A person at the other end. Takeover, opt-out, emergency and block are the contact's, and hold
-- in all of its conversations.
create table if not exists public.contacts (
  id uuid primary key default gen_random_uuid(),
  phone text unique check (phone ~ '^\+[0-9]{7,15}$'),
  lid text unique check (lid ~ '^[0-9]{1,32}$'),
  name text,
  patient_id uuid references public.patients (id) on delete set null,
  status text not null default 'active' check (status in ('active', 'human_takeover')),
  takeover_reason text,
  takeover_at timestamptz,
  handback_at timestamptz,
  assigned_to uuid,
  emergency_family text,
  emergency_at timestamptz,
  opted_out_at timestamptz,
  blocked_at timestamptz,
  language text,
  merged_into uuid references public.contacts (id),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now());
create index if not exists contacts_patient on public.contacts (patient_id) where patient_id is not null;

create table if not exists public.conversations (
  id uuid primary key default gen_random_uuid(),
  phone text not null,
  patient_name text,
  status text default 'active',
  assigned_to uuid,
  created_at timestamptz default now(),
  updated_at timestamptz default now());
alter table public.conversations
  add column if not exists contact_id uuid references public.contacts (id),
  add column if not exists number_id uuid references public.numbers (id),
  add column if not exists merged_into uuid references public.conversations (id),
  -- When something last happened, to the minute: changing an indexed column with every message
  -- would cost each update its in-page path.
  add column if not exists activity_minute timestamptz not null default date_trunc('minute', now());
alter table public.conversations alter column status set default 'active';
alter table public.conversations alter column id set default gen_random_uuid();
alter table public.conversations alter column created_at set default now();
alter table public.conversations alter column updated_at set default now();
alter table public.conversations set (fillfactor = 80);

create table if not exists public.messages (
  id uuid primary key default gen_random_uuid(),
  conversation_id uuid references public.conversations (id) on delete cascade,
  sender text,
  content text,
  direction text,
  whatsapp_message_id text,
  created_at timestamptz default now());
alter table public.messages
  add column if not exists contact_id uuid,
  add column if not exists from_me boolean not null default false,
  add column if not exists seq bigint,
  add column if not exists turn_id uuid,
  add column if not exists message_at timestamptz,
  add column if not exists verdict jsonb,
  add column if not exists edited_at timestamptz,
  add column if not exists deleted_at timestamptz;
alter table public.messages alter column id set default gen_random_uuid();
alter table public.messages alter column created_at set default now();

-- One row for the site: the switch that silences the assistant (the gate stays on), and the
-- number that webhook and RPC callers belong to, fixed at first use.
create table if not exists medidesk.site (
  only_row boolean primary key default true check (only_row),
  assistant_enabled boolean not null default true,
  webhook_number_id uuid references public.numbers (id));
insert into medidesk.site default values on conflict do nothing;

-- The number of webhook and RPC callers. `p_name`: WEBHOOK_NUMBER or ''. It is chosen once: the
-- named number, else the only WhatsApp number, else a row 'webhook'.
create or replace function medidesk.webhook_number(p_name text) returns uuid language plpgsql volatile as $$
declare v_id uuid; v_count int;
begin
  select webhook_number_id into v_id from medidesk.site;
  if v_id is not null then return v_id; end if;
  perform 1 from medidesk.site for update;
  select webhook_number_id into v_id from medidesk.site;
  if v_id is not null then return v_id; end if;
  if p_name <> '' then
    insert into public.numbers (name) values (p_name) on conflict (name) do nothing;
    select id into v_id from public.numbers where name = p_name;
  else
    select count(*), min(id::text)::uuid into v_count, v_id from public.numbers where kind = 'whatsapp';
    if v_count <> 1 then
      insert into public.numbers (name) values ('webhook') on conflict (name) do nothing;
      select id into v_id from public.numbers where name = 'webhook';
    end if;
  end if;
  update medidesk.site set webhook_number_id = v_id;
  return v_id;
end $$;

-- E.164 of what people and the original wrote; null when it is no phone number.
create or replace function medidesk.e164(p_phone text) returns text language sql immutable as $$
  select case when length(d) between 7 and 15 then '+' || d end
  from (select regexp_replace(coalesce(p_phone, ''), '[^0-9]', '', 'g') as d) as digits $$;

-- Rows written past the store (by the original, by a dashboard) get what our columns need.
create or replace function medidesk.adopt_conversation() returns trigger language plpgsql
  security definer set search_path = '' as $$
declare v_phone text := medidesk.e164(new.phone);
begin
  new.number_id := coalesce(new.number_id, medidesk.webhook_number(''));
  if v_phone is null then  -- nobody can be reached by it; kept as it is
    insert into public.contacts (name) values (new.patient_name) returning id into new.contact_id;
  else
    insert into public.contacts (phone, name) values (v_phone, new.patient_name) on conflict (phone) do nothing;
    select id into new.contact_id from public.contacts where phone = v_phone;
  end if;
  if new.merged_into is null then  -- a second row of the same contact is kept, and resolves to the first
    select id into new.merged_into from public.conversations
     where contact_id = new.contact_id and number_id = new.number_id and merged_into is null;
  end if;
  new.status := case when new.status in ('active', 'archived', 'human_takeover') then new.status else 'active' end;
  return new;
end $$;
create or replace trigger conversations_adopt before insert on public.conversations
  for each row when (new.contact_id is null) execute function medidesk.adopt_conversation();

create or replace function medidesk.adopt_message() returns trigger language plpgsql
  security definer set search_path = '' as $$
declare v_id uuid;
begin
  select coalesce(merged_into, id), contact_id into v_id, new.contact_id
    from public.conversations where id = new.conversation_id;
  new.conversation_id := v_id;
  new.direction := case when new.direction in ('received', 'sent') then new.direction
                        when new.sender = 'assistant' then 'sent' else 'received' end;
  new.from_me := new.direction = 'sent';
  new.content := coalesce(new.content, '');
  new.seq := coalesce(new.seq, nextval('medidesk.message_seq'));
  if coalesce(new.whatsapp_message_id, '') = '' then new.whatsapp_message_id := 'legacy:' || new.id; end if;
  if exists (select 1 from public.messages where contact_id = new.contact_id and from_me = new.from_me
             and whatsapp_message_id = new.whatsapp_message_id) then
    new.whatsapp_message_id := new.whatsapp_message_id || '#' || new.id;
  end if;
  return new;
end $$;
create or replace trigger messages_adopt before insert on public.messages
  for each row when (new.contact_id is null) execute function medidesk.adopt_message();

-- Adoption of what is there. Conversations oldest first, so that the oldest id survives; messages
-- in their old order.
do $$
declare r record; v_contact uuid; v_phone text; v_number uuid;
begin
  if not exists (select 1 from public.conversations where contact_id is null) then return; end if;
  v_number := medidesk.webhook_number('');
  for r in select id, phone, patient_name, status from public.conversations where contact_id is null
           order by created_at, id loop
    v_phone := medidesk.e164(r.phone);
    if v_phone is null then
      insert into public.contacts (name) values (r.patient_name) returning id into v_contact;
    else
      insert into public.contacts (phone, name) values (v_phone, r.patient_name) on conflict (phone) do nothing;
      select id into v_contact from public.contacts where phone = v_phone;
    end if;
    update public.conversations c set contact_id = v_contact, number_id = v_number,
           merged_into = (select s.id from public.conversations s where s.contact_id = v_contact
                           and s.number_id = v_number and s.merged_into is null and s.id <> c.id),
           status = case when r.status in ('active', 'archived', 'human_takeover') then r.status else 'active' end,
           created_at = coalesce(c.created_at, now()), updated_at = coalesce(c.updated_at, now()),
           activity_minute = date_trunc('minute', coalesce(c.updated_at, c.created_at, now()))
     where c.id = r.id;
    if r.status = 'human_takeover' then
      update public.contacts set status = 'human_takeover', takeover_reason = 'legacy', takeover_at = now()
       where id = v_contact;
    end if;
  end loop;
  update public.conversations s set status = 'human_takeover'
    from public.contacts k where k.id = s.contact_id and k.status = 'human_takeover' and s.merged_into is null;
end $$;

do $$
declare r record;
begin
  if not exists (select 1 from public.messages where contact_id is null or seq is null) then return; end if;
  delete from public.messages where conversation_id is null;  -- belongs to nobody
  update public.messages m set conversation_id = coalesce(c.merged_into, c.id), contact_id = c.contact_id,
         direction = case when m.direction in ('received', 'sent') then m.direction
                          when m.sender = 'assistant' then 'sent' else 'received' end,
         content = coalesce(m.content, ''), created_at = coalesce(m.created_at, now()),
         whatsapp_message_id = coalesce(nullif(m.whatsapp_message_id, ''), 'legacy:' || m.id)
    from public.conversations c where c.id = m.conversation_id and m.contact_id is null;
  update public.messages set from_me = (direction = 'sent') where from_me <> (direction = 'sent');
  for r in select id from public.messages where seq is null order by created_at, id loop
    update public.messages set seq = nextval('medidesk.message_seq') where id = r.id;
  end loop;
  update public.messages m set whatsapp_message_id = m.whatsapp_message_id || '#' || m.id
   where exists (select 1 from public.messages o where o.contact_id = m.contact_id and o.from_me = m.from_me
                 and o.whatsapp_message_id = m.whatsapp_message_id and o.seq < m.seq);
end $$;

alter table public.conversations
  alter column contact_id set not null, alter column number_id set not null, alter column status set not null,
  alter column created_at set not null, alter column updated_at set not null;
alter table public.messages
  alter column conversation_id set not null, alter column contact_id set not null, alter column content set not null,
  alter column direction set not null, alter column whatsapp_message_id set not null,
  alter column seq set not null, alter column seq set default nextval('medidesk.message_seq'),
  alter column created_at set not null;
-- No CHECK constraints and no generated columns on what every message writes: PostgreSQL parses their
-- expressions anew for each statement. The store's functions are the one writer of turns and
-- replies; what others may change is looked at by the triggers on those columns.
create unique index if not exists conversations_contact_number on public.conversations (contact_id, number_id)
  where merged_into is null;
create index if not exists conversations_number on public.conversations (number_id);
create index if not exists conversations_activity on public.conversations (activity_minute desc, id desc)
  where merged_into is null;
create index if not exists conversations_phone on public.conversations (phone);
-- Rows that the original wrote without a plus, and any other spelling.
create index if not exists conversations_digits on public.conversations (regexp_replace(phone, '[^0-9]', '', 'g'));
create index if not exists conversations_merged on public.conversations (merged_into) where merged_into is not null;
create index if not exists conversations_assigned on public.conversations (assigned_to) where assigned_to is not null;
create unique index if not exists messages_once on public.messages (contact_id, whatsapp_message_id, from_me);
create index if not exists messages_order on public.messages (conversation_id, seq desc);

-- A burst that gets one reply. id = id of its first message. `claim_id` may answer it until
-- `claim_until`. (Turns and replies have one writer, the functions of 0003, which lock the
-- conversation: foreign keys would check at every message what cannot be otherwise.)
create table if not exists public.turns (
  id uuid primary key,
  conversation_id uuid not null,
  contact_id uuid not null,
  number_id uuid not null,
  route text not null,   -- wa, webhook, rpc
  state text not null,   -- open, sealed, answered, skipped
  skip_reason text,      -- takeover, stale, killed, blocked, empty, duplicate
  first_seq bigint not null,
  claim_id uuid,
  claim_until timestamptz,
  task_opened boolean not null default false,
  trace_id text,
  opened_at timestamptz not null,
  sealed_at timestamptz,
  closed_at timestamptz);
create unique index if not exists turns_one_open on public.turns (conversation_id, route) where state = 'open';
create index if not exists turns_unfinished on public.turns (conversation_id, first_seq) where state in ('open', 'sealed');

-- What the hospital sends. id = id of its message row, which holds the text. `returned_at`: a
-- webhook or RPC caller took it away, and it has no parts; else the gateway delivers its parts.
create table if not exists public.replies (
  id uuid primary key references public.messages (id) on delete cascade,
  turn_id uuid unique,
  conversation_id uuid not null,
  origin text not null,  -- bot, gate, staff, service
  source text,
  staff_id uuid,
  returned_at timestamptz,
  created_at timestamptz not null);

create table if not exists public.reply_parts (
  reply_id uuid not null references public.replies (id) on delete cascade,
  part smallint not null check (part between 0 and 2),
  number_id uuid not null,
  state text not null check (state in ('queued', 'sending', 'sent', 'delivered', 'read', 'failed', 'discarded',
                                       'unknown')),
  failure text,
  stanza_id text,
  attempts int not null default 0,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  primary key (reply_id, part));
create index if not exists reply_parts_waiting on public.reply_parts (number_id, created_at)
  where state in ('queued', 'sending');

-- Work for a person.
create table if not exists public.tasks (
  id uuid primary key default gen_random_uuid(),
  conversation_id uuid references public.conversations (id) on delete cascade,
  contact_id uuid,
  turn_id uuid,
  reason text not null,
  urgent boolean not null default false,
  state text not null default 'open' check (state in ('open', 'claimed', 'done')),
  assigned_to uuid,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now());
create index if not exists tasks_conversation on public.tasks (conversation_id);
create index if not exists tasks_open on public.tasks (urgent desc, created_at) where state <> 'done';

-- The audit log: ids and codes, and a MAC of the content under a key of the contact's that
-- erasure deletes. `xid` is the writing transaction: a seal covers all rows of all transactions
-- between two horizons, so a row costs its transaction one insert and no lock.
create table if not exists public.audit_log (
  id bigint generated always as identity primary key,
  at timestamptz not null default clock_timestamp(),
  xid bigint not null default pg_current_xact_id()::text::bigint,
  actor text not null,
  action text not null,
  conversation_id uuid,
  contact_id uuid,
  subject_id uuid,
  trace_id text,
  detail text,
  content_mac bytea);
create index if not exists audit_log_xid on public.audit_log using brin (xid) with (pages_per_range = 16);

create table if not exists medidesk.audit_seals (
  seq bigint primary key,
  start_id bigint not null,   -- rows below belong to the time before a restore
  from_xid bigint not null,   -- rows with from_xid <= xid < to_xid
  to_xid bigint not null,
  row_count bigint not null,
  hash bytea not null,        -- sha256(previous hash || rows)
  sealed_at timestamptz not null default clock_timestamp());

-- RFC 2104 key blocks (key xor ipad, key xor opad) of each contact.
create table if not exists medidesk.audit_keys (
  contact_id uuid primary key references public.contacts (id) on delete cascade,
  inner_block bytea not null,
  outer_block bytea not null);

create or replace function medidesk.new_audit_key() returns trigger language plpgsql set search_path = '' as $$
declare
  v_key bytea := uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()) ||
                 uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid());
  v_inner bytea := v_key; v_outer bytea := v_key;
begin
  for i in 0 .. 63 loop
    v_inner := set_byte(v_inner, i, get_byte(v_key, i) # 54);
    v_outer := set_byte(v_outer, i, get_byte(v_key, i) # 92);
  end loop;
  insert into medidesk.audit_keys values (new.id, v_inner, v_outer) on conflict do nothing;
  return null;
end $$;
create or replace trigger contacts_audit_key after insert on public.contacts
  for each row execute function medidesk.new_audit_key();
do $$
declare r record; v_key bytea; v_inner bytea; v_outer bytea;
begin  -- contacts made by the adoption above
  for r in select id from public.contacts k where not exists (select 1 from medidesk.audit_keys a where a.contact_id = k.id) loop
    v_key := uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()) ||
             uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid());
    v_inner := v_key; v_outer := v_key;
    for i in 0 .. 63 loop
      v_inner := set_byte(v_inner, i, get_byte(v_key, i) # 54);
      v_outer := set_byte(v_outer, i, get_byte(v_key, i) # 92);
    end loop;
    insert into medidesk.audit_keys values (r.id, v_inner, v_outer);
  end loop;
end $$;

create or replace function medidesk.refuse_change() returns trigger language plpgsql set search_path = ''
  as $$ begin raise exception 'audit rows are never changed' using errcode = 'insufficient_privilege'; end $$;
create or replace trigger audit_log_frozen before update or delete on public.audit_log
  for each row execute function medidesk.refuse_change();
create or replace trigger audit_log_not_emptied before truncate on public.audit_log
  for each statement execute function medidesk.refuse_change();
create or replace trigger audit_seals_frozen before update or delete on medidesk.audit_seals
  for each row execute function medidesk.refuse_change();

-- Of the columns that people change: a condition is parsed for each statement that may need it, and
-- the store's own updates set the time themselves.
create or replace trigger conversations_touch before update of phone, patient_name, status, assigned_to on public.conversations
  for each row when (new.updated_at is not distinct from old.updated_at) execute function medidesk.touch_updated_at();
create or replace function medidesk.known_status() returns trigger language plpgsql set search_path = '' as $$
begin
  if coalesce(new.status, '') not in ('active', 'archived', 'human_takeover') then
    raise exception 'status is active, archived or human_takeover' using errcode = 'check_violation';
  end if;
  return new;
end $$;
create or replace trigger conversations_known_status before update of status on public.conversations
  for each row execute function medidesk.known_status();
create or replace trigger contacts_touch before update on public.contacts
  for each row when (new.updated_at is not distinct from old.updated_at) execute function medidesk.touch_updated_at();
create or replace trigger numbers_touch before update on public.numbers
  for each row when (new.updated_at is not distinct from old.updated_at) execute function medidesk.touch_updated_at();
create or replace trigger tasks_touch before update on public.tasks
  for each row when (new.updated_at is not distinct from old.updated_at) execute function medidesk.touch_updated_at();

-- Rights. Functions of the schema are for the store alone; tables follow their policies.
do $$
declare t text;
begin
  foreach t in array array['numbers', 'patients', 'contacts', 'conversations', 'messages', 'turns', 'replies',
                           'reply_parts', 'tasks', 'audit_log'] loop
    execute format('alter table public.%I enable row level security', t);
    if exists (select 1 from pg_roles where rolname = 'medidesk_service') then
      execute format('grant select, insert, update, delete on public.%I to medidesk_service', t);
      execute format('drop policy if exists %I on public.%I', t || '_service', t);
      execute format('create policy %I on public.%I for all to medidesk_service using (true) with check (true)',
                     t || '_service', t);
    end if;
  end loop;
end $$;
do $$ begin
  if exists (select 1 from pg_roles where rolname = 'medidesk_service') then
    grant usage on schema public, medidesk to medidesk_service;
    grant usage on sequence medidesk.message_seq to medidesk_service;
    grant select, insert, update, delete on medidesk.site, medidesk.audit_keys to medidesk_service;
    grant select, insert on medidesk.audit_seals to medidesk_service;
    alter default privileges in schema medidesk grant execute on functions to medidesk_service;
    grant execute on all functions in schema medidesk to medidesk_service;
  end if;
end $$;

-- The staff dashboard of a Supabase project: it reads, and takes a conversation over by `status`.
do $$
declare t text;
begin
  if (select count(*) from pg_roles where rolname in ('anon', 'authenticated', 'service_role')) < 3 then return; end if;
  grant usage on schema medidesk to anon, authenticated, service_role;  -- policies call jwt() and uid() as the caller
  foreach t in array array['numbers', 'patients', 'contacts', 'conversations', 'messages', 'turns', 'replies',
                           'reply_parts', 'tasks', 'audit_log'] loop
    execute format('revoke all on public.%I from anon, authenticated', t);
    execute format('grant select on public.%I to authenticated', t);
    execute format('drop policy if exists %I on public.%I', t || '_staff_read', t);
    execute format($p$create policy %I on public.%I for select to authenticated using (
      (select medidesk.jwt() -> 'app_metadata' ->> 'role') in ('front_desk', 'viewer', 'agent', 'admin'))$p$,
      t || '_staff_read', t);
  end loop;
  grant update (status, assigned_to, patient_name) on public.conversations to authenticated;
  drop policy if exists conversations_staff_update on public.conversations;
  create policy conversations_staff_update on public.conversations for update to authenticated
    using ((select medidesk.jwt() -> 'app_metadata' ->> 'role') in ('front_desk', 'agent', 'admin'))
    with check ((select medidesk.jwt() -> 'app_metadata' ->> 'role') in ('front_desk', 'agent', 'admin'));
  grant select, insert, update, delete on public.conversations, public.messages, public.patients to service_role;
  grant usage on sequence medidesk.message_seq to service_role;  -- the default of messages.seq
exception when insufficient_privilege then
  raise notice 'the dashboard''s roles cannot be granted rights by this login';
end $$;
do $$
declare t text;
begin
  foreach t in array array['conversations', 'messages', 'tasks'] loop
    if exists (select 1 from pg_publication where pubname = 'supabase_realtime' and not puballtables)
       and not exists (select 1 from pg_publication_tables where pubname = 'supabase_realtime'
                       and schemaname = 'public' and tablename = t) then
      execute format('alter publication supabase_realtime add table public.%I', t);
    end if;
  end loop;
exception when insufficient_privilege then
  raise notice 'publication supabase_realtime cannot be altered by this login';
end $$;
notify pgrst, 'reload schema';
