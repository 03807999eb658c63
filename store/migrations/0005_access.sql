-- Bearer tokens of other systems, and limits: how much of what, for whom.
--
-- A token's secret is never here, only its SHA-256: 256 random bits need no slow hash.

create table if not exists public.tokens (
  id uuid primary key,
  commit_id uuid not null unique,  -- of the call that made it
  name text not null check (name ~ '^[a-z0-9._-]{1,64}$'),
  scopes text[] not null check (scopes <> '{}' and scopes <@ array['reply', 'screen', 'preview', 'send', 'read', 'admin']),
  hash bytea not null unique check (octet_length(hash) = 32),
  prefix text not null,
  created_at timestamptz not null default clock_timestamp(),
  expires_at timestamptz,
  last_used_at timestamptz,
  revoked_at timestamptz);
create unique index if not exists tokens_live_name on public.tokens (name) where revoked_at is null;
create index if not exists tokens_newest on public.tokens (created_at desc, id desc);
alter table public.tokens set (fillfactor = 80);

-- A subject_id of '' is the default of each subject of that sort.
create table if not exists medidesk.limits (
  kind text not null check (kind in ('requests', 'turns', 'sends', 'spend')),
  subject text not null check (subject in ('hospital', 'contact', 'number', 'token', 'address')),
  subject_id text not null,
  amount bigint not null check (amount between 1 and 1000000000000),
  period_ms bigint not null check (period_ms between 1000 and 2678400000),
  burst bigint not null check (burst between 0 and 1000000000000),  -- 0: the amount
  primary key (kind, subject, subject_id));
-- What a token may ask for unless somebody sets another limit: 100 a second, saved up for 10 s.
insert into medidesk.limits values ('requests', 'token', '', 100, 1000, 1000) on conflict do nothing;

-- How much is left of a limit; no row: all of it.
create table if not exists medidesk.limit_levels (
  kind text not null, subject text not null, subject_id text not null,
  level double precision not null,
  at timestamptz not null,
  primary key (kind, subject, subject_id));
alter table medidesk.limit_levels set (fillfactor = 70);

-- First outcomes of SetLimit and ConsumeLimit by their caller's commit id, kept for an hour.
create table if not exists medidesk.limit_commits (
  commit_id uuid primary key,
  outcome jsonb not null,
  at timestamptz not null default clock_timestamp());
create index if not exists limit_commits_at on medidesk.limit_commits (at);

-- `refusal` is 'name' when a live token has the name. `made`: this call's secret is the token's; false for the
-- commit id of an earlier call.
create or replace function medidesk.create_token(
  p_id uuid, p_commit uuid, p_name text, p_scopes text[], p_hash bytea, p_prefix text, p_expires timestamptz,
  p_actor text, p_trace text, out refusal text, out made boolean, out token public.tokens) language plpgsql volatile as $$
declare v_done boolean;
begin
  refusal := '';
  update public.tokens t set revoked_at = t.expires_at
   where t.name = p_name and t.revoked_at is null and t.expires_at <= clock_timestamp();
  insert into public.tokens as t (id, commit_id, name, scopes, hash, prefix, expires_at)
  values (p_id, p_commit, p_name, p_scopes, p_hash, p_prefix, p_expires)
  on conflict do nothing returning t.* into token;
  if token.id is not null then
    made := true;
    v_done := medidesk.audit(p_actor, 'token_created', null, null, p_id, p_trace,
                             p_name || ' ' || array_to_string(p_scopes, ','), null);
    return;
  end if;
  select t.* into token from public.tokens t where t.commit_id = p_commit;
  if not found then refusal := 'name'; end if;
  made := coalesce(token.hash = p_hash, false);
end $$;

create or replace function medidesk.revoke_token(p_id uuid, p_actor text, p_trace text) returns setof public.tokens
language plpgsql volatile as $$
declare t public.tokens; v_done boolean;
begin
  update public.tokens x set revoked_at = clock_timestamp() where x.id = p_id and x.revoked_at is null returning x.* into t;
  if found then
    v_done := medidesk.audit(p_actor, 'token_revoked', null, null, p_id, p_trace, t.name, null);
  else
    select x.* into t from public.tokens x where x.id = p_id;
    if not found then return; end if;
  end if;
  return next t;
end $$;

-- The live token of this hash with the limit of its requests, or no row. Its use is recorded once a minute, and not
-- at all while somebody else does: checks of one token never wait for each other.
create or replace function medidesk.check_token(p_hash bytea, out token public.tokens, out amount bigint, out period_ms bigint,
                                                out burst bigint) returns setof record language plpgsql volatile as $$
declare v_now timestamptz := clock_timestamp();
begin
  select t.* into token from public.tokens t where t.hash = p_hash;
  if not found or token.revoked_at is not null or token.expires_at <= v_now then return; end if;
  if token.last_used_at is null or token.last_used_at < v_now - interval '1 minute' then
    update public.tokens t set last_used_at = v_now
     where t.id = (select x.id from public.tokens x
                    where x.id = token.id and (x.last_used_at is null or x.last_used_at < v_now - interval '1 minute')
                      for update skip locked);
  end if;
  select l.amount, l.period_ms, l.burst into amount, period_ms, burst from medidesk.limits l
   where l.kind = 'requests' and l.subject = 'token' and l.subject_id in ('', token.id::text)
   order by l.subject_id desc limit 1;
  return next;
end $$;

-- Outcomes and levels that nobody will ask for again; a few with every call.
create or replace function medidesk.forget_limits() returns void language plpgsql volatile as $$
begin
  delete from medidesk.limit_commits where commit_id in
    (select commit_id from medidesk.limit_commits where at < clock_timestamp() - interval '1 hour'
      order by at limit 4 for update skip locked);
end $$;

-- Sets a limit, or with an amount of 0 removes it, and gives the one now in force; no row for a subject that is
-- not there. The same commit id again gives the first outcome.
create or replace function medidesk.set_limit(
  p_commit uuid, p_kind text, p_subject text, p_subject_id text, p_amount bigint, p_period_ms bigint, p_burst bigint,
  p_actor text, p_trace text) returns jsonb language plpgsql volatile as $$
declare v_outcome jsonb; v_known boolean; v_done boolean;
begin
  perform pg_advisory_xact_lock(727005, hashtext(p_commit::text));
  select outcome into v_outcome from medidesk.limit_commits where commit_id = p_commit;
  if found then return v_outcome; end if;
  if p_subject_id <> '' then
    v_known := case p_subject
      when 'contact' then exists (select from public.contacts where id = p_subject_id::uuid)
      when 'number' then exists (select from public.numbers where id = p_subject_id::uuid)
      when 'token' then exists (select from public.tokens where id = p_subject_id::uuid)
      else false end;
    if not v_known then return null; end if;
  end if;
  if p_amount = 0 then
    delete from medidesk.limits where kind = p_kind and subject = p_subject and subject_id = p_subject_id;
  else
    insert into medidesk.limits values (p_kind, p_subject, p_subject_id, p_amount, p_period_ms, p_burst)
    on conflict (kind, subject, subject_id) do update
      set amount = excluded.amount, period_ms = excluded.period_ms, burst = excluded.burst;
  end if;
  v_outcome := coalesce(
    (select to_jsonb(l) from medidesk.limits l
      where kind = p_kind and subject = p_subject and subject_id in ('', p_subject_id) order by subject_id desc limit 1),
    jsonb_build_object('kind', p_kind, 'subject', p_subject, 'subject_id', p_subject_id, 'amount', 0, 'period_ms', 0, 'burst', 0));
  insert into medidesk.limit_commits values (p_commit, v_outcome);
  v_done := medidesk.audit(p_actor, 'limit_set', null, null, nullif(p_subject_id, '')::uuid, p_trace,
                           concat_ws(' ', p_kind, p_subject, p_amount, p_period_ms, p_burst), null);
  perform medidesk.forget_limits();
  return v_outcome;
end $$;

-- Charges a use to every limit that applies, or to none: {"allowed": true} or the limit with the longest wait. Levels
-- are locked in one order, so that two calls cannot wait for each other.
create or replace function medidesk.consume_limit(p_commit uuid, p_kind text, p_amount bigint, p_contact text, p_number text,
                                                  p_token text, p_force boolean) returns jsonb language plpgsql volatile as $$
declare
  l record; v_now timestamptz; v_level double precision; v_rate double precision; v_most double precision; v_wait double precision;
  v_outcome jsonb := '{"allowed": true}'; v_longest double precision := 0; v_need double precision := greatest(p_amount, 1);
  v_subjects text[] := '{}'; v_ids text[] := '{}'; v_levels double precision[] := '{}';
begin
  if not exists (select from medidesk.limits where kind = p_kind) then return v_outcome; end if;
  if p_amount > 0 then
    perform pg_advisory_xact_lock(727005, hashtext(p_commit::text));
    if exists (select from medidesk.limit_commits where commit_id = p_commit) then
      return (select outcome from medidesk.limit_commits where commit_id = p_commit);
    end if;
  end if;
  for l in
    select distinct on (s.subject) s.subject, s.id, x.subject_id as own, x.amount, x.period_ms, x.burst
      from (values ('contact', p_contact), ('hospital', ''), ('number', p_number), ('token', p_token)) as s (subject, id)
      join medidesk.limits x on x.kind = p_kind and x.subject = s.subject and x.subject_id in ('', s.id)
     where s.id <> '' or s.subject = 'hospital'
     order by s.subject, x.subject_id desc
  loop
    v_rate := l.amount * 1000.0 / l.period_ms;
    v_most := case when l.burst > 0 then l.burst else l.amount end;
    if p_amount > 0 then
      insert into medidesk.limit_levels values (p_kind, l.subject, l.id, v_most, clock_timestamp()) on conflict do nothing;
      select level, at into v_level, v_now from medidesk.limit_levels
       where kind = p_kind and subject = l.subject and subject_id = l.id for update;
    else
      select level, at into v_level, v_now from medidesk.limit_levels
       where kind = p_kind and subject = l.subject and subject_id = l.id;
    end if;
    v_level := least(v_most, coalesce(v_level + greatest(0, extract(epoch from clock_timestamp() - v_now)) * v_rate, v_most));
    v_subjects := v_subjects || l.subject; v_ids := v_ids || l.id; v_levels := v_levels || (v_level - p_amount);
    v_wait := (v_need - v_level) / v_rate;
    if v_wait > v_longest and not p_force then
      v_longest := v_wait;
      v_outcome := jsonb_build_object('allowed', false, 'kind', p_kind, 'subject', l.subject, 'subject_id', l.own,
        'amount', l.amount, 'period_ms', l.period_ms, 'burst', l.burst, 'wait_ms', ceil(least(v_wait, 2678400) * 1000)::bigint);
    end if;
  end loop;
  if p_amount > 0 then
    if (v_outcome ->> 'allowed')::boolean then
      update medidesk.limit_levels x set level = u.level, at = clock_timestamp()
        from unnest(v_subjects, v_ids, v_levels) as u (subject, id, level)
       where x.kind = p_kind and x.subject = u.subject and x.subject_id = u.id;
    end if;
    insert into medidesk.limit_commits values (p_commit, v_outcome);
    perform medidesk.forget_limits();
  end if;
  return v_outcome;
end $$;

do $$ begin
  alter table public.tokens enable row level security;
  if exists (select 1 from pg_roles where rolname = 'medidesk_service') then
    grant select, insert, update on public.tokens to medidesk_service;
    drop policy if exists tokens_service on public.tokens;
    create policy tokens_service on public.tokens for all to medidesk_service using (true) with check (true);
    grant select, insert, update, delete on medidesk.limits, medidesk.limit_levels, medidesk.limit_commits to medidesk_service;
    grant execute on all functions in schema medidesk to medidesk_service;
  end if;
  -- A Supabase project hands new tables of `public` to its own roles.
  if (select count(*) from pg_roles where rolname in ('anon', 'authenticated')) = 2 then
    revoke all on public.tokens from anon, authenticated;
  end if;
exception when insufficient_privilege then
  raise notice 'the dashboard''s roles cannot be granted rights by this login';
end $$;
