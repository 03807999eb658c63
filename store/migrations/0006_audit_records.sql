-- The audit log as it is read, listed and verified, and what the functions of the 0006 files share.
--
-- A function that answers an RPC takes the request as proto3 JSON and gives one JSON object: the
-- response, or {"error": {"code", "message", "reason"}}, and then it has changed nothing but the audit
-- log. One round trip each, in autocommit.

create or replace function medidesk.stamp(p_at timestamptz) returns text language sql stable set search_path = ''
  as $$ select to_char(p_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') $$;

create or replace function medidesk.refuse(p_code text, p_message text, p_reason text default '') returns jsonb language sql immutable
  as $$ select jsonb_build_object('error', jsonb_build_object('code', p_code, 'message', p_message, 'reason', p_reason)) $$;

-- What a like-pattern must be so that the text stands for itself, anywhere.
create or replace function medidesk.containing(p_text text) returns text language sql immutable
  as $$ select '%' || regexp_replace(lower(p_text), '([\\%_])', '\\\1', 'g') || '%' $$;

-- First outcomes of writes, by their caller's commit id. Ids and counts only.
create table if not exists medidesk.commit_outcomes (
  commit_id uuid primary key,
  outcome jsonb not null,
  at timestamptz not null default clock_timestamp());
create index if not exists commit_outcomes_at on medidesk.commit_outcomes (at);

-- The first outcome of this commit, or null; a second call with the same id waits for the first.
create or replace function medidesk.first_outcome(p_commit uuid) returns jsonb language plpgsql volatile as $$
begin
  perform pg_advisory_xact_lock(727006, hashtext(p_commit::text));
  return (select outcome from medidesk.commit_outcomes where commit_id = p_commit);
end $$;

-- 'operator', 'service', 'admin', 'agent', 'viewer', 'token', or '' for who is not known here.
create or replace function medidesk.role_of(p_actor jsonb) returns text language plpgsql stable as $$
declare v_role text;
begin
  case p_actor ->> 'kind'
    when 'ACTOR_KIND_OPERATOR' then return 'operator';
    when 'ACTOR_KIND_SERVICE' then return 'service';
    when 'ACTOR_KIND_TOKEN' then
      if to_regclass('public.tokens') is null then return 'token'; end if;
      execute 'select case when (to_jsonb(t) -> ''scopes'')::text like ''%"admin"%'' and (to_jsonb(t) ->> ''revoked_at'') is null then ''admin'' else ''token'' end
                 from public.tokens t where t.id = $1' into v_role using (p_actor ->> 'id')::uuid;
      return coalesce(v_role, 'token');
    when 'ACTOR_KIND_STAFF' then
      if to_regclass('public.staff') is null then return ''; end if;
      execute 'select t.role from public.staff t where t.id = $1' into v_role using (p_actor ->> 'id')::uuid;
      return coalesce(v_role, '');
    else return '';
  end case;
end $$;


-- Of rows that know: what kind of row they are about, how it went, and where the caller sat.
alter table public.audit_log
  add column if not exists resource text,
  add column if not exists resource_id text,
  add column if not exists outcome text,
  add column if not exists purpose text,
  add column if not exists address text;

-- The hash of one row; a row without the columns above has the hash it had before they were there.
create or replace function medidesk.audit_row_hash(a public.audit_log) returns bytea language sql immutable as $$
  select sha256(convert_to(concat(a.id, '|', extract(epoch from a.at), '|', a.xid, '|', a.actor, '|', a.action, '|',
    a.conversation_id, '|', a.contact_id, '|', a.subject_id, '|', a.trace_id, '|', a.detail, '|',
    encode(a.content_mac, 'hex'),
    case when coalesce(a.resource, a.resource_id, a.outcome, a.purpose, a.address) is not null then
      concat('|', a.resource, '|', a.resource_id, '|', a.outcome, '|', a.purpose, '|', a.address) end), 'UTF8')) $$;

-- Cheap beside the writes of every message: these cost nothing until a vacuum has summarised a range.
create index if not exists audit_log_concerned on public.audit_log
  using brin (contact_id uuid_bloom_ops, actor text_bloom_ops, trace_id text_bloom_ops) with (pages_per_range = 16);
create index if not exists audit_log_resource on public.audit_log (resource_id, id) where resource_id is not null;
create index if not exists audit_log_at on public.audit_log using brin (at) with (pages_per_range = 16);

create or replace function medidesk.audit_uuid(p_id bigint) returns text language sql immutable
  as $$ select '00000000-0000-0000-0000-' || lpad(to_hex(p_id), 12, '0') $$;

create or replace function medidesk.actor_text(p_actor jsonb) returns text language sql immutable as $$
  select case p_actor ->> 'kind' when 'ACTOR_KIND_STAFF' then p_actor ->> 'id'
                                 when 'ACTOR_KIND_TOKEN' then 'token:' || (p_actor ->> 'id')
                                 when 'ACTOR_KIND_SERVICE' then 'service:' || (p_actor ->> 'id')
                                 else 'operator' end $$;
create or replace function medidesk.actor_json(p_actor text, p_address text) returns jsonb language sql immutable as $$
  select jsonb_strip_nulls(jsonb_build_object('address', p_address) ||
    case when p_actor ~ '^[0-9a-f]{8}-' then jsonb_build_object('kind', 'ACTOR_KIND_STAFF', 'id', p_actor)
         when p_actor like 'token:%' then jsonb_build_object('kind', 'ACTOR_KIND_TOKEN', 'id', substr(p_actor, 7))
         when p_actor like 'service:%' then jsonb_build_object('kind', 'ACTOR_KIND_SERVICE', 'id', substr(p_actor, 9))
         when p_actor = 'staff' then jsonb_build_object('kind', 'ACTOR_KIND_STAFF')
         when p_actor = 'operator' then jsonb_build_object('kind', 'ACTOR_KIND_OPERATOR')
         when p_actor in ('gateway', 'admin') then jsonb_build_object('kind', 'ACTOR_KIND_SERVICE', 'id', p_actor)
         when p_actor in ('bot', 'gate') then jsonb_build_object('kind', 'ACTOR_KIND_SERVICE', 'id', 'assistant')
         else jsonb_build_object('kind', 'ACTOR_KIND_SERVICE', 'id', 'store') end) $$;

create or replace function medidesk.record(
  p_actor jsonb, p_action text, p_resource text, p_resource_id text, p_contact uuid, p_trace text, p_detail text default null,
  p_outcome text default 'success', p_purpose text default null, p_conversation uuid default null) returns bigint
language plpgsql volatile as $$
declare v_id bigint;
begin
  insert into public.audit_log (actor, action, conversation_id, contact_id, trace_id, detail, resource, resource_id, outcome,
                                purpose, address)
  values (medidesk.actor_text(p_actor), p_action, p_conversation, p_contact, nullif(p_trace, ''), nullif(p_detail, ''), p_resource,
          nullif(p_resource_id, ''), p_outcome, nullif(p_purpose, ''), nullif(p_actor ->> 'address', ''))
  returning id into v_id;
  return v_id;
end $$;
-- A read is recorded when a person or another system reads.
create or replace function medidesk.record_read(p_actor jsonb, p_resource text, p_resource_id text, p_contact uuid, p_trace text,
                                                p_detail text default null, p_conversation uuid default null) returns void
language plpgsql volatile as $$
begin
  if p_actor ->> 'kind' = 'ACTOR_KIND_SERVICE' then return; end if;
  perform medidesk.record(p_actor, 'read', p_resource, p_resource_id, p_contact, p_trace, p_detail, p_conversation => p_conversation);
end $$;

-- Every row in the words of the contract.
create or replace view medidesk.audit_records as
select a.id, a.xid, a.at, a.actor, a.address, a.conversation_id, a.contact_id, a.trace_id, a.content_mac, a.purpose,
       coalesce(a.outcome, 'success') as outcome,
       case when a.resource is not null then a.action
            when a.action in ('message_accepted', 'reply_committed') or a.action like '%\_created' then 'create'
            when a.action in ('takeover', 'hand_back') or a.action ~ '^(part|number|token|limit)_' then 'update'
            else 'execute' end as action,
       coalesce(a.resource, case when a.action = 'message_accepted' then 'message'
                                 when a.action = 'reply_committed' or a.action like 'part\_%' then 'reply'
                                 when a.action ~ '^(number|token|limit)_' then split_part(a.action, '_', 1)
                                 when a.conversation_id is not null then 'conversation' else 'contact' end) as resource,
       coalesce(a.resource_id, case when a.action ~ '^(message|reply|part|number|token|limit)_' then a.subject_id else
                                 coalesce(a.conversation_id, a.contact_id, a.subject_id) end::text, '') as resource_id,
       case when a.resource is not null then a.detail else concat_ws('.', a.action, a.detail) end as detail_code,
       case when a.action = 'takeover' then 'human_takeover' when a.action = 'hand_back' then 'active'
            when a.action like 'part\_%' then substr(a.action, 6) else '' end as state
  from public.audit_log a;

-- Where a seal ends in the order of records, counted from 1.
alter table medidesk.audit_seals add column if not exists last_position bigint;
create or replace function medidesk.place_seal() returns trigger language plpgsql set search_path = '' as $$
begin
  new.last_position := new.row_count + coalesce((select last_position from medidesk.audit_seals where seq = new.seq - 1), 0);
  return new;
end $$;
create or replace trigger audit_seals_place before insert on medidesk.audit_seals
  for each row execute function medidesk.place_seal();
do $$ begin
  if exists (select 1 from medidesk.audit_seals where last_position is null) then
    alter table medidesk.audit_seals disable trigger audit_seals_frozen;
    update medidesk.audit_seals s set last_position = p.position
      from (select seq, sum(row_count) over (order by seq) as position from medidesk.audit_seals) p where p.seq = s.seq;
    alter table medidesk.audit_seals enable trigger audit_seals_frozen;
  end if;
end $$;
create index if not exists audit_seals_range on medidesk.audit_seals (start_id, to_xid);

-- A record with its place in the chain: its position and the hash of its seal; 0 while unsealed.
create or replace function medidesk.audit_record_json(a medidesk.audit_records) returns jsonb language plpgsql stable as $$
declare v_era bigint; s record; v_position bigint := 0;
begin
  select max(x.start_id) into v_era from medidesk.audit_seals x where x.start_id <= a.id;
  select x.* into s from medidesk.audit_seals x where x.start_id = v_era and x.to_xid > a.xid order by x.to_xid limit 1;
  if found and s.from_xid <= a.xid then
    select s.last_position - s.row_count + count(*) into v_position from public.audit_log o
     where o.xid >= s.from_xid and o.xid < s.to_xid and o.id between s.start_id and a.id;
  end if;
  return jsonb_strip_nulls(jsonb_build_object(
    'id', medidesk.audit_uuid(a.id), 'sequence', v_position, 'create_time', medidesk.stamp(a.at),
    'actor', medidesk.actor_json(a.actor, a.address), 'action', 'AUDIT_ACTION_' || upper(a.action),
    'resource', 'RESOURCE_KIND_' || upper(a.resource), 'resource_id', a.resource_id, 'contact_id', a.contact_id,
    'outcome', 'AUDIT_OUTCOME_' || upper(a.outcome), 'detail_code', a.detail_code, 'purpose', a.purpose, 'trace_id', a.trace_id,
    'content_hmac', encode(a.content_mac, 'base64'), 'chain_hash', case when v_position > 0 then encode(s.hash, 'base64') end));
end $$;

create or replace function medidesk.list_audit_records(p jsonb, p_trace text) returns jsonb language plpgsql volatile as $$
declare
  v_limit int := coalesce(nullif((p ->> 'page_size')::int, 0), 100);
  v_print text := left(md5((p - 'page_token' - 'page_size' - 'actor')::text), 8);
  v_before bigint := 9223372036854775807; v_contact uuid := (p ->> 'contact_id')::uuid; v_rows jsonb; v_last bigint;
  v_where text := ''; v_ids bigint[]; v_contacts uuid[];
begin
  if p ->> 'page_token' is not null then
    if p ->> 'page_token' !~ ('^[0-9]{1,18}\.' || v_print || '$') then
      return medidesk.refuse('INVALID_ARGUMENT', 'page_token: expected the token of a page of this list');
    end if;
    v_before := split_part(p ->> 'page_token', '.', 1)::bigint;
  end if;
  -- Planned for what is asked: one plan for all filters would serve none of them.
  if v_contact is not null then v_contacts := medidesk.with_merged(array[medidesk.surviving_contact(v_contact)]); end if;
  if p ->> 'resource_id' ~ '^[0-9a-fA-F]{8}-([0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}$' and v_contacts is null then
    -- rows about a message or conversation are found by its contact
    select array[x.contact_id] into v_contacts from (
      select c.contact_id from public.conversations c where c.id = (p ->> 'resource_id')::uuid
      union all select m.contact_id from public.messages m where m.id = (p ->> 'resource_id')::uuid) x limit 1;
  end if;
  if v_contacts is not null then v_where := v_where || ' and a.contact_id = any ($2)'; end if;
  if p ->> 'resource_id' is not null and v_contacts is null then v_where := v_where || ' and a.resource_id = $7'; end if;
  if p ->> 'actor_id' is not null then v_where := v_where || ' and a.actor in ($3, ''token:'' || $3)'; end if;
  if p ->> 'trace_id' is not null then v_where := v_where || ' and a.trace_id = $4'; end if;
  if p -> 'time_range' ->> 'start_time' is not null then v_where := v_where || ' and a.at >= $5'; end if;
  if p -> 'time_range' ->> 'end_time' is not null then v_where := v_where || ' and a.at < $6'; end if;
  if v_where <> '' then  -- few rows, found by their ranges and sorted; else the key's order
    v_where := ' and a.id = any (array(select a.id from public.audit_log a where a.id < $1' || v_where || '))';
  end if;
  if p ->> 'resource_id' is not null then v_where := v_where || ' and a.resource_id = $7'; end if;
  if p ->> 'action' is not null then v_where := v_where || ' and a.action = $8'; end if;
  if p ->> 'resource' is not null then v_where := v_where || ' and a.resource = $9'; end if;
  execute 'select array_agg(id order by id desc) from (select a.id from medidesk.audit_records a where a.id < $1' || v_where ||
          ' order by a.id desc limit $10) x'
     into v_ids
    using v_before, v_contacts, p ->> 'actor_id', p ->> 'trace_id', (p -> 'time_range' ->> 'start_time')::timestamptz,
          (p -> 'time_range' ->> 'end_time')::timestamptz, p ->> 'resource_id', lower(substr(p ->> 'action', 14)),
          lower(substr(p ->> 'resource', 15)), v_limit;
  select coalesce(jsonb_agg(medidesk.audit_record_json(a) order by a.id desc), '[]'), min(a.id) into v_rows, v_last
    from medidesk.audit_records a where a.id = any (v_ids);
  perform medidesk.record_read(p -> 'actor', 'report', '', v_contact, p_trace, 'audit');
  return jsonb_strip_nulls(jsonb_build_object('records', v_rows,
    'next_page_token', case when jsonb_array_length(v_rows) = v_limit then v_last || '.' || v_print end));
end $$;

-- Reads that a person or a token is about to be shown.
create or replace function medidesk.append_read_event(p jsonb, p_trace text) returns jsonb language plpgsql volatile as $$
declare v_ids jsonb := '[]'; v_first jsonb := medidesk.first_outcome((p ->> 'commit_id')::uuid);
        v_key text; v_resource text := lower(substr(p ->> 'resource', 15)); v_contact uuid; v_conversation uuid;
begin
  if v_first is not null then return v_first; end if;
  for v_key in select jsonb_array_elements_text(coalesce(p -> 'resource_ids', '[""]')) loop
    v_contact := null; v_conversation := null;
    if v_key ~ '^[0-9a-fA-F]{8}-([0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}$' then
      if v_resource = 'conversation' then
        select c.contact_id, c.id into v_contact, v_conversation from public.conversations c where c.id = v_key::uuid;
      elsif v_resource = 'message' then
        select m.contact_id, m.conversation_id into v_contact, v_conversation from public.messages m where m.id = v_key::uuid;
      elsif v_resource = 'contact' then
        v_contact := v_key::uuid;
      elsif v_resource = 'task' then
        select t.contact_id, t.conversation_id into v_contact, v_conversation from public.tasks t where t.id = v_key::uuid;
      end if;
    end if;
    v_ids := v_ids || to_jsonb(medidesk.audit_uuid(medidesk.record(p -> 'actor',
      lower(substr(coalesce(p ->> 'action', 'AUDIT_ACTION_READ'), 14)), v_resource, v_key, v_contact, p_trace, null,
      lower(substr(coalesce(p ->> 'outcome', 'AUDIT_OUTCOME_SUCCESS'), 15)), p ->> 'purpose', v_conversation)));
  end loop;
  v_first := jsonb_build_object('record_ids', v_ids);
  insert into medidesk.commit_outcomes (commit_id, outcome) values ((p ->> 'commit_id')::uuid, v_first);
  return v_first;
end $$;

-- Checks seals from `p_seq` on until `p_rows` rows are done; `p_previous` is the hash before, null: the database's.
-- next_seq null: the end was reached, or a seal that does not hold (broken_position).
create or replace function medidesk.verify_seals(
  p_seq bigint, p_previous bytea, p_rows bigint, out next_seq bigint, out hash bytea, out at_position bigint, out checked bigint,
  out broken_position bigint, out broken_rows bigint, out broken_at timestamptz) language plpgsql stable as $$
declare s record; v_end bigint; v_hash bytea; v_rows bigint;
begin
  checked := 0; next_seq := p_seq;
  select x.hash, x.last_position into hash, at_position from medidesk.audit_seals x where x.seq = p_seq - 1;
  hash := coalesce(p_previous, hash, ''); at_position := coalesce(at_position, 0);
  for s in select x.* from medidesk.audit_seals x where x.seq >= p_seq order by x.seq loop
    select min(y.start_id) into v_end from medidesk.audit_seals y where y.start_id > s.start_id;
    select count(*), sha256(hash || coalesce(string_agg(medidesk.audit_row_hash(a), ''::bytea order by a.id), ''::bytea))
      into v_rows, v_hash from public.audit_log a
     where a.xid >= s.from_xid and a.xid < s.to_xid and a.id >= s.start_id and (v_end is null or a.id < v_end);
    if s.seq <> next_seq or v_hash <> s.hash or v_rows <> s.row_count or s.last_position <> at_position + v_rows then
      next_seq := null; broken_position := at_position + 1; broken_rows := s.row_count; broken_at := s.sealed_at;
      return;
    end if;
    hash := s.hash; at_position := s.last_position; checked := checked + v_rows; next_seq := s.seq + 1;
    if checked >= p_rows then return; end if;
  end loop;
  next_seq := null;
end $$;

-- The seal that a check from a position starts with, and whether the position is the seal's first.
create or replace function medidesk.seal_at(p_position bigint, out seq bigint, out first_position bigint, out unsealed bigint)
language plpgsql stable as $$
declare last record;
begin
  select x.seq, x.last_position - x.row_count + 1 into seq, first_position
    from medidesk.audit_seals x where x.last_position >= p_position order by x.seq limit 1;
  select x.* into last from medidesk.audit_seals x order by x.seq desc limit 1;
  if seq is null then seq := coalesce(last.seq, 0) + 1; first_position := coalesce(last.last_position, 0) + 1; end if;
  select count(*) into unsealed from public.audit_log a where a.xid >= coalesce(last.to_xid, 0) and a.id >= coalesce(last.start_id, 0);
end $$;

-- Events after a position, oldest first; a position is "<xid>.<id>". Only of finished transactions, so that
-- nothing can still appear before what was told.
create or replace function medidesk.events_after(p_xid bigint, p_id bigint, p_resources text[], p_limit int)
returns table (event jsonb, xid bigint, id bigint) language plpgsql stable as $$
declare v_horizon bigint := pg_snapshot_xmin(pg_current_snapshot())::text::bigint;
begin
  return query select jsonb_strip_nulls(jsonb_build_object(
      'id', medidesk.audit_uuid(a.id), 'create_time', medidesk.stamp(a.at), 'resource', 'RESOURCE_KIND_' || upper(a.resource),
      'resource_id', a.resource_id, 'conversation_id', a.conversation_id, 'action', 'AUDIT_ACTION_' || upper(a.action),
      'number_id', (select c.number_id from public.conversations c where c.id = a.conversation_id),
      'state', nullif(a.state, ''), 'detail_code', a.detail_code, 'trace_id', a.trace_id)), a.xid, a.id
    from medidesk.audit_records a
   where a.xid >= p_xid and a.xid < v_horizon and (a.xid, a.id) > (p_xid, p_id)
     and a.action not in ('read', 'export', 'login') and (p_resources = '{}' or a.resource = any (p_resources))
   order by a.xid, a.id limit p_limit;
end $$;


do $$ begin
  revoke execute on all functions in schema medidesk from public;
  if exists (select 1 from pg_roles where rolname = 'medidesk_service') then
    grant select, insert, update, delete on medidesk.commit_outcomes to medidesk_service;
    grant select on medidesk.audit_records to medidesk_service;
  end if;
end $$;
