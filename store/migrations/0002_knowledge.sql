-- What patients may be told: the hospital's settings, departments, doctors, FAQs and visiting hours,
-- with one revision of the whole and a history of changes.
--
-- Columns bear the names of the fields in medidesk/store/v1/knowledge.proto and hold their proto3 JSON;
-- lists of weekly spans are jsonb. The store's rules (store/knowledge/facts.h) hold the rows to their limits.

create table if not exists public.hospital_settings (
  only_row boolean primary key default true check (only_row),
  name text not null, timezone text not null, default_language text not null, languages text[] not null,
  emergency_number text not null, crisis_line text not null, phone text not null, email text not null,
  website text not null, address text not null, emergency_address text not null, desk_hours jsonb not null,
  holidays jsonb not null, allowed_link_hosts text[] not null, insurers text[] not null,
  persona_name text not null, persona_style text not null, about text not null,
  revision bigint not null, update_time timestamptz not null);

create table if not exists public.departments (
  key text collate "C" primary key check (key ~ '^[a-z0-9][a-z0-9_-]{0,63}$'),
  name text not null, aliases text[] not null, description text not null, location text not null,
  phone text not null, hours jsonb not null, hours_note text not null,
  revision bigint not null, update_time timestamptz not null);

create table if not exists public.doctors (
  key text collate "C" primary key check (key ~ '^[a-z0-9][a-z0-9_-]{0,63}$'),
  name text not null, title text not null,
  -- checked at commit: an import replaces departments and doctors in any order
  department_key text collate "C" not null references public.departments (key) deferrable initially deferred,
  specialties text[] not null, languages text[] not null, qualifications text[] not null,
  roster jsonb not null, roster_note text not null, consultation_fee text not null,
  revision bigint not null, update_time timestamptz not null);
create index if not exists doctors_department on public.doctors (department_key);

create table if not exists public.faqs (
  key text collate "C" primary key check (key ~ '^[a-z0-9][a-z0-9_-]{0,63}$'),
  question text not null, alternatives text[] not null, answer text not null, category text not null,
  language text not null, source text not null,
  revision bigint not null, update_time timestamptz not null);

create table if not exists public.visiting_hours (
  key text collate "C" primary key check (key ~ '^[a-z0-9][a-z0-9_-]{0,63}$'),
  area text not null, aliases text[] not null, hours jsonb not null, note text not null,
  revision bigint not null, update_time timestamptz not null);

-- One row. Every writer locks it first, so changes follow each other; readers only look.
create table if not exists medidesk.knowledge_revision (
  only_row boolean primary key default true check (only_row),
  revision bigint not null default 0);
insert into medidesk.knowledge_revision default values on conflict do nothing;

create table if not exists medidesk.knowledge_changes (
  id bigint generated always as identity primary key,
  revision bigint not null,
  change_time timestamptz not null default clock_timestamp(),
  commit_id uuid not null,  -- of the call, the same for all its rows: a retried call finds itself
  actor_kind text not null, actor_id text not null,
  kind text not null, key text not null, action text not null,
  before jsonb, after jsonb);
create index if not exists knowledge_changes_commit on medidesk.knowledge_changes (commit_id);
create index if not exists knowledge_changes_row on medidesk.knowledge_changes (kind, key, id desc);

do $$
declare t text;
begin
  foreach t in array array['hospital_settings', 'departments', 'doctors', 'faqs', 'visiting_hours'] loop
    execute format('alter table public.%I enable row level security', t);
    if exists (select 1 from pg_roles where rolname = 'medidesk_service') then
      execute format('grant select, insert, update, delete on public.%I to medidesk_service', t);
      execute format('drop policy if exists %I on public.%I', t || '_service', t);
      execute format('create policy %I on public.%I for all to medidesk_service using (true) with check (true)',
                     t || '_service', t);
    end if;
  end loop;
  if exists (select 1 from pg_roles where rolname = 'medidesk_service') then
    grant usage on schema public, medidesk to medidesk_service;
    grant select, update on medidesk.knowledge_revision to medidesk_service;
    grant select, insert on medidesk.knowledge_changes to medidesk_service;
  end if;
end $$;

-- The staff dashboard of a Supabase project reads the facts; changes go through the store, which checks them.
do $$
declare t text;
begin
  if (select count(*) from pg_roles where rolname in ('anon', 'authenticated', 'service_role')) < 3 then return; end if;
  foreach t in array array['hospital_settings', 'departments', 'doctors', 'faqs', 'visiting_hours'] loop
    execute format('revoke all on public.%I from anon, authenticated', t);
    execute format('grant select on public.%I to authenticated, service_role', t);
    execute format('drop policy if exists %I on public.%I', t || '_staff_read', t);
    execute format($p$create policy %I on public.%I for select to authenticated using (
      (select medidesk.jwt() -> 'app_metadata' ->> 'role') in ('front_desk', 'viewer', 'agent', 'admin'))$p$,
      t || '_staff_read', t);
  end loop;
exception when insufficient_privilege then
  raise notice 'the dashboard''s roles cannot be granted rights by this login';
end $$;
