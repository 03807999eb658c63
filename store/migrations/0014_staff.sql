-- Accounts of staff, their invitations and sessions, and what a wrong password costs.
--
-- Secrets are never here: of a session or an invitation its SHA-256 (256 random bits need no slow hash), of a password
-- a scrypt hash with its own salt, made by the store. The functions take their request as JSON, as those of 0006.

create table if not exists public.staff (
  id uuid primary key default gen_random_uuid(),
  commit_id uuid unique,  -- of the call that made it
  email text not null unique check (email = lower(email) and length(email) <= 254),
  name text not null check (length(name) between 1 and 100),
  role text not null check (role in ('viewer', 'agent', 'admin')),
  disabled boolean not null default false,
  on_duty boolean not null default false,
  password_hash text,     -- null until the invitation was used
  invitation_hash bytea unique,
  invitation_expires_at timestamptz,
  created_at timestamptz not null default clock_timestamp(),
  last_login_at timestamptz,
  revision bigint not null default 1);
create index if not exists staff_by_name on public.staff (lower(name), id);

create table if not exists medidesk.sessions (
  hash bytea primary key check (octet_length(hash) = 32),
  staff_id uuid not null references public.staff (id) on delete cascade,
  created_at timestamptz not null default clock_timestamp(),
  seen_at timestamptz not null default clock_timestamp(),
  expires_at timestamptz not null) with (fillfactor = 70);
create index if not exists sessions_staff on medidesk.sessions (staff_id);
create index if not exists sessions_expiry on medidesk.sessions (expires_at);

-- Tries without success, by account and by address. A try counts when it begins, so that many at once are as many.
create table if not exists medidesk.login_tries (
  subject text primary key,  -- "account:<mail address>" or "address:<address>"
  failures int not null,
  locked_until timestamptz not null default '-infinity',
  at timestamptz not null);
create index if not exists login_tries_at on medidesk.login_tries (at);

-- A disabled account has no role.
create or replace function medidesk.role_of(p_actor jsonb) returns text language plpgsql stable as $$
begin
  case p_actor ->> 'kind'
    when 'ACTOR_KIND_OPERATOR' then return 'operator';
    when 'ACTOR_KIND_SERVICE' then return 'service';
    when 'ACTOR_KIND_TOKEN' then
      return coalesce((select case when 'admin' = any (t.scopes) and t.revoked_at is null then 'admin' else 'token' end
                         from public.tokens t where t.id = (p_actor ->> 'id')::uuid), 'token');
    when 'ACTOR_KIND_STAFF' then
      return coalesce((select s.role from public.staff s where s.id = (p_actor ->> 'id')::uuid and not s.disabled), '');
    else return '';
  end case;
end $$;

create or replace function medidesk.staff_json(s public.staff) returns jsonb language sql stable as $$
  select jsonb_strip_nulls(jsonb_build_object('id', s.id, 'email', s.email, 'name', s.name, 'role', 'STAFF_ROLE_' || upper(s.role),
    'disabled', s.disabled, 'on_duty', s.on_duty, 'create_time', medidesk.stamp(s.created_at),
    'last_login_time', medidesk.stamp(s.last_login_at), 'invited', s.password_hash is null, 'etag', s.revision::text)) $$;

create or replace function medidesk.may_manage_staff(p_actor jsonb) returns boolean language sql stable
  as $$ select medidesk.role_of(p_actor) in ('admin', 'operator') $$;

-- "made": this call's invitation is the account's.
create or replace function medidesk.create_staff(p jsonb, p_trace text) returns jsonb language plpgsql volatile as $$
declare s public.staff; x jsonb := p -> 'staff'; v_made boolean := true;
begin
  if not medidesk.may_manage_staff(p -> 'actor')
     and not (p -> 'actor' ->> 'kind' = 'ACTOR_KIND_SERVICE' and not exists (select 1 from public.staff)) then
    return medidesk.refuse('PERMISSION_DENIED', 'only an admin or the operator makes accounts');
  end if;
  insert into public.staff as t (id, commit_id, email, name, role, on_duty, invitation_hash, invitation_expires_at)
  values (coalesce((x ->> 'id')::uuid, gen_random_uuid()), (p ->> 'commit_id')::uuid, x ->> 'email', x ->> 'name',
          lower(substr(x ->> 'role', 12)), coalesce((x ->> 'on_duty')::boolean, false), decode(p ->> 'invitation_hash', 'hex'),
          clock_timestamp() + interval '72 hours')
  on conflict do nothing returning t.* into s;
  if s.id is null then
    select t.* into s from public.staff t where t.commit_id = (p ->> 'commit_id')::uuid;
    if not found then return medidesk.refuse('ALREADY_EXISTS', 'an account has this mail address or id'); end if;
    v_made := false;
  else
    perform medidesk.record(p -> 'actor', 'create', 'staff', s.id::text, null, p_trace, s.role);
  end if;
  return jsonb_build_object('staff', medidesk.staff_json(s), 'made', v_made, 'invitation_expire_time', medidesk.stamp(s.invitation_expires_at));
end $$;

create or replace function medidesk.get_staff(p jsonb, p_trace text) returns jsonb language sql stable as $$
  select coalesce((select jsonb_build_object('staff', medidesk.staff_json(s)) from public.staff s where s.id = (p ->> 'staff_id')::uuid),
                  medidesk.refuse('NOT_FOUND', 'no such account')) $$;

create or replace function medidesk.list_staff(p jsonb, p_trace text) returns jsonb language plpgsql stable as $$
declare v_limit int := coalesce(nullif((p ->> 'page_size')::int, 0), 50); v_name text := ''; v_id uuid := '00000000-0000-0000-0000-000000000000'; v_rows jsonb; v_last uuid;
begin
  if p ->> 'page_token' is not null then
    if p ->> 'page_token' ~ '^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$' then
      select lower(s.name), s.id into v_name, v_id from public.staff s where s.id = (p ->> 'page_token')::uuid;
    end if;
    if v_name = '' or v_id is null then return medidesk.refuse('INVALID_ARGUMENT', 'page_token: expected the token of a page of this list'); end if;
  end if;
  select coalesce(jsonb_agg(medidesk.staff_json(s) order by lower(s.name), s.id), '[]'), (array_agg(s.id order by lower(s.name) desc, s.id desc))[1]
    into v_rows, v_last
    from (select t.* from public.staff t where (lower(t.name), t.id) > (v_name, v_id)
             and (not coalesce((p ->> 'on_duty_only')::boolean, false) or (t.on_duty and not t.disabled))
           order by lower(t.name), t.id limit v_limit) s;
  return jsonb_strip_nulls(jsonb_build_object('staff', v_rows, 'next_page_token', case when jsonb_array_length(v_rows) = v_limit then v_last end));
end $$;

create or replace function medidesk.update_staff(p jsonb, p_trace text) returns jsonb language plpgsql volatile as $$
declare
  v_commit uuid := (p ->> 'commit_id')::uuid; v_first jsonb := medidesk.first_outcome(v_commit); s public.staff; x jsonb := p -> 'staff';
  v_fields text[] := string_to_array(p ->> 'fields', ','); v_role text; v_id uuid := (p -> 'staff' ->> 'id')::uuid;
begin
  if v_first is not null then return medidesk.get_staff(v_first, p_trace); end if;
  perform pg_advisory_xact_lock(727014);  -- two changes at once could leave no admin
  select t.* into s from public.staff t where t.id = v_id for update;
  if not found then return medidesk.refuse('NOT_FOUND', 'no such account'); end if;
  if not medidesk.may_manage_staff(p -> 'actor')
     and not (p -> 'actor' ->> 'id' = v_id::text and medidesk.role_of(p -> 'actor') <> '' and v_fields <@ array['name', 'on_duty']) then
    return medidesk.refuse('PERMISSION_DENIED', 'only an admin changes other accounts, roles and addresses');
  end if;
  if coalesce(x ->> 'etag', '') not in ('', s.revision::text) then
    return medidesk.refuse('ABORTED', 'the account changed; read it again and repeat', 'ETAG_MISMATCH');
  end if;
  v_role := case when 'role' = any (v_fields) then lower(substr(x ->> 'role', 12)) else s.role end;
  if s.role = 'admin' and not s.disabled and (v_role <> 'admin' or ('disabled' = any (v_fields) and coalesce((x ->> 'disabled')::boolean, false)))
     and not exists (select 1 from public.staff t where t.role = 'admin' and not t.disabled and t.password_hash is not null and t.id <> s.id) then
    return medidesk.refuse('FAILED_PRECONDITION', 'no admin would remain; make another one first', 'LAST_ADMIN');
  end if;
  if 'email' = any (v_fields) and exists (select 1 from public.staff t where t.email = x ->> 'email' and t.id <> s.id) then
    return medidesk.refuse('ALREADY_EXISTS', 'an account has this mail address');
  end if;
  update public.staff t set role = v_role, revision = t.revision + 1,
         email = case when 'email' = any (v_fields) then x ->> 'email' else t.email end,
         name = case when 'name' = any (v_fields) then x ->> 'name' else t.name end,
         disabled = case when 'disabled' = any (v_fields) then coalesce((x ->> 'disabled')::boolean, false) else t.disabled end,
         on_duty = case when 'on_duty' = any (v_fields) then coalesce((x ->> 'on_duty')::boolean, false) else t.on_duty end
   where t.id = v_id returning t.* into s;
  if s.disabled or 'role' = any (v_fields) then delete from medidesk.sessions where staff_id = v_id; end if;
  perform medidesk.record(p -> 'actor', 'update', 'staff', v_id::text, null, p_trace, array_to_string(v_fields, '.'));
  insert into medidesk.commit_outcomes (commit_id, outcome) values (v_commit, jsonb_build_object('staff_id', v_id));
  return jsonb_build_object('staff', medidesk.staff_json(s));
end $$;

-- "first": the operator's link for the first admin; it is made as long as nobody has ever set a password.
create or replace function medidesk.invite_staff(p jsonb, p_trace text) returns jsonb language plpgsql volatile as $$
declare s public.staff;
begin
  if not medidesk.may_manage_staff(p -> 'actor') then
    return medidesk.refuse('PERMISSION_DENIED', 'only an admin or the operator invites');
  end if;
  update public.staff t set invitation_hash = decode(p ->> 'invitation_hash', 'hex'), invitation_expires_at = clock_timestamp() + interval '72 hours'
   where t.id = (p ->> 'staff_id')::uuid and not t.disabled returning t.* into s;
  if s.id is null then return medidesk.refuse('NOT_FOUND', 'no such account that is enabled'); end if;
  delete from medidesk.login_tries where subject = 'account:' || s.email;
  perform medidesk.record(p -> 'actor', 'update', 'staff', s.id::text, null, p_trace, 'invited');
  return jsonb_build_object('expire_time', medidesk.stamp(s.invitation_expires_at));
end $$;

-- Counts a try of `p_subject`; the milliseconds it is locked for, 0 when the try may go on. `p_free` tries cost nothing.
create or replace function medidesk.count_try(p_subject text, p_free int) returns bigint language plpgsql volatile as $$
declare t medidesk.login_tries; v_now timestamptz := clock_timestamp();
begin
  insert into medidesk.login_tries as x (subject, failures, at) values (p_subject, 0, v_now) on conflict (subject) do nothing;
  select x.* into t from medidesk.login_tries x where x.subject = p_subject for update;
  if t.locked_until > v_now then return ceil(extract(epoch from t.locked_until - v_now) * 1000); end if;
  if t.at < v_now - interval '24 hours' then t.failures := 0; end if;
  update medidesk.login_tries x set failures = t.failures + 1, at = v_now,
         locked_until = case when t.failures + 1 >= p_free
           then v_now + least(interval '1 hour', interval '1 minute' * power(2, least(t.failures + 1 - p_free, 10))) else '-infinity' end
   where x.subject = p_subject;
  return 0;
end $$;

-- {"locked_ms"} or {"staff_id", "password_hash"}, both empty for who cannot log in.
create or replace function medidesk.begin_login(p jsonb, p_trace text) returns jsonb language plpgsql volatile as $$
declare s public.staff; v_locked bigint;
begin
  delete from medidesk.login_tries where subject in
    (select subject from medidesk.login_tries where at < clock_timestamp() - interval '2 days' order by at limit 4 for update skip locked);
  v_locked := medidesk.count_try('address:' || (p ->> 'address'), 20);
  if v_locked = 0 then v_locked := medidesk.count_try('account:' || (p ->> 'email'), 5); end if;
  if v_locked > 0 then return jsonb_build_object('locked_ms', v_locked); end if;
  select t.* into s from public.staff t where t.email = p ->> 'email' and not t.disabled;
  return jsonb_build_object('staff_id', coalesce(s.id::text, ''), 'password_hash', coalesce(s.password_hash, ''));
end $$;

-- With `ok` opens the session of `session_hash`; an earlier one that the browser still had ends.
create or replace function medidesk.finish_login(p jsonb, p_trace text) returns jsonb language plpgsql volatile as $$
declare s public.staff; v_actor jsonb; v_expires timestamptz := clock_timestamp() + interval '12 hours';
begin
  v_actor := jsonb_build_object('kind', 'ACTOR_KIND_STAFF', 'id', p ->> 'staff_id', 'address', p ->> 'address');
  if not coalesce((p ->> 'ok')::boolean, false) then
    if coalesce(p ->> 'staff_id', '') = '' then v_actor := v_actor || '{"kind": "ACTOR_KIND_SERVICE", "id": "admin"}'; end if;
    perform medidesk.record(v_actor, 'login', 'staff', p ->> 'staff_id', null, p_trace, 'password', 'denied');
    return '{}';
  end if;
  update public.staff t set last_login_at = clock_timestamp() where t.id = (p ->> 'staff_id')::uuid and not t.disabled returning t.* into s;
  if not found then return '{}'; end if;
  insert into medidesk.sessions (hash, staff_id, expires_at) values (decode(p ->> 'session_hash', 'hex'), s.id, v_expires);
  delete from medidesk.sessions where hash in
    (select hash from medidesk.sessions where expires_at < clock_timestamp() order by expires_at limit 8 for update skip locked);
  delete from medidesk.login_tries where subject = 'account:' || s.email;
  update medidesk.login_tries set failures = greatest(0, failures - 1), locked_until = '-infinity' where subject = 'address:' || (p ->> 'address');
  perform medidesk.record(v_actor, 'login', 'staff', s.id::text, null, p_trace, p ->> 'way');
  return jsonb_build_object('staff', medidesk.staff_json(s), 'expire_time', medidesk.stamp(v_expires));
end $$;

-- The account of a live session, which is extended to 12 h from now, at most 7 days after the login. Written once a minute.
create or replace function medidesk.check_session(p_hash bytea) returns jsonb language plpgsql volatile as $$
declare x medidesk.sessions; s public.staff; v_now timestamptz := clock_timestamp();
begin
  select t.* into x from medidesk.sessions t where t.hash = p_hash;
  if not found or x.expires_at <= v_now then return '{}'; end if;
  select t.* into s from public.staff t where t.id = x.staff_id and not t.disabled;
  if not found then return '{}'; end if;
  if x.seen_at < v_now - interval '1 minute' then
    update medidesk.sessions t set seen_at = v_now, expires_at = least(v_now + interval '12 hours', t.created_at + interval '7 days')
     where t.hash in (select y.hash from medidesk.sessions y where y.hash = p_hash for update skip locked) returning t.expires_at into x.expires_at;
  end if;
  return jsonb_build_object('staff', medidesk.staff_json(s), 'expire_time', medidesk.stamp(x.expires_at));
end $$;

create or replace function medidesk.logout(p jsonb, p_trace text) returns jsonb language plpgsql volatile as $$
declare v_staff uuid; v_count int;
begin
  delete from medidesk.sessions where hash = decode(p ->> 'session_hash', 'hex') returning staff_id into v_staff;
  if v_staff is null then return '{"ended_count": 0}'; end if;
  v_count := 1;
  if coalesce((p ->> 'everywhere')::boolean, false) then
    with gone as (delete from medidesk.sessions where staff_id = v_staff returning 1) select 1 + count(*) into v_count from gone;
  end if;
  perform medidesk.record(jsonb_build_object('kind', 'ACTOR_KIND_STAFF', 'id', v_staff), 'login', 'staff', v_staff::text, null, p_trace, 'logout');
  return jsonb_build_object('ended_count', v_count);
end $$;

-- Whose password may be set: {"staff_id", "email", "name", "password_hash" (empty with an invitation)}, or {"locked_ms"}; {} for nobody.
create or replace function medidesk.begin_password(p jsonb, p_trace text) returns jsonb language plpgsql volatile as $$
declare s public.staff; v_locked bigint;
begin
  if p ->> 'invitation_hash' is not null then
    v_locked := medidesk.count_try('address:' || (p ->> 'address'), 20);
    if v_locked > 0 then return jsonb_build_object('locked_ms', v_locked); end if;
    select t.* into s from public.staff t where t.invitation_hash = decode(p ->> 'invitation_hash', 'hex')
       and t.invitation_expires_at > clock_timestamp() and not t.disabled;
    if not found then return '{}'; end if;
    return jsonb_build_object('staff_id', s.id, 'email', s.email, 'name', s.name, 'password_hash', '');
  end if;
  select t.* into s from medidesk.sessions x join public.staff t on t.id = x.staff_id
   where x.hash = decode(p ->> 'session_hash', 'hex') and x.expires_at > clock_timestamp() and not t.disabled;
  if not found then return '{}'; end if;
  v_locked := medidesk.count_try('account:' || s.email, 5);
  if v_locked > 0 then return jsonb_build_object('locked_ms', v_locked); end if;
  return jsonb_build_object('staff_id', s.id, 'email', s.email, 'name', s.name, 'password_hash', coalesce(s.password_hash, '-'));
end $$;

-- Sets it, and ends every session but the one that asked. An invitation works once, whoever comes first. A new account may
-- choose its mail address and name.
create or replace function medidesk.finish_password(p jsonb, p_trace text) returns jsonb language plpgsql volatile as $$
declare s public.staff;
begin
  select t.* into s from public.staff t where t.id = (p ->> 'staff_id')::uuid and not t.disabled
     and (p ->> 'invitation_hash' is null or t.invitation_hash = decode(p ->> 'invitation_hash', 'hex')) for update;
  if not found then return '{}'; end if;
  if s.password_hash is null and coalesce(p ->> 'email', '') <> '' and p ->> 'email' <> s.email then
    if exists (select 1 from public.staff t where t.email = p ->> 'email') then
      return medidesk.refuse('ALREADY_EXISTS', 'an account has this mail address');
    end if;
    s.email := p ->> 'email';
  end if;
  if s.password_hash is null and coalesce(p ->> 'name', '') <> '' then s.name := p ->> 'name'; end if;
  update public.staff t set password_hash = p ->> 'password_hash', email = s.email, name = s.name, revision = t.revision + 1,
         invitation_hash = case when p ->> 'invitation_hash' is null then t.invitation_hash end,
         invitation_expires_at = case when p ->> 'invitation_hash' is null then t.invitation_expires_at end
   where t.id = s.id returning t.* into s;
  delete from medidesk.sessions where staff_id = s.id and hash is distinct from decode(p ->> 'session_hash', 'hex');
  delete from medidesk.login_tries where subject = 'account:' || s.email;
  perform medidesk.record(jsonb_build_object('kind', 'ACTOR_KIND_STAFF', 'id', s.id, 'address', p ->> 'address'), 'update', 'staff',
                          s.id::text, null, p_trace, 'password');
  return jsonb_build_object('staff', medidesk.staff_json(s));
end $$;

do $$ begin
  alter table public.staff enable row level security;
  revoke execute on all functions in schema medidesk from public;
  if exists (select 1 from pg_roles where rolname = 'medidesk_service') then
    grant select, insert, update, delete on public.staff, medidesk.sessions, medidesk.login_tries to medidesk_service;
    drop policy if exists staff_service on public.staff;
    create policy staff_service on public.staff for all to medidesk_service using (true) with check (true);
    grant execute on all functions in schema medidesk to medidesk_service;
  end if;
  if (select count(*) from pg_roles where rolname in ('anon', 'authenticated', 'service_role')) = 3 then
    revoke all on public.staff from anon, authenticated;
    grant execute on function medidesk.jwt(), medidesk.uid() to anon, authenticated, service_role;
  end if;
exception when insufficient_privilege then
  raise notice 'the dashboard''s roles cannot be granted rights by this login';
end $$;
