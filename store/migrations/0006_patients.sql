-- Patients: what is known of them, their ties to contacts, their copy (export) and their erasure.

alter table public.patients
  add column if not exists birth_date date,
  add column if not exists record_number text,
  add column if not exists language text,
  add column if not exists note text,
  add column if not exists updated_at timestamptz not null default now(),
  add column if not exists revision bigint not null default 1,
  add column if not exists erased_at timestamptz,
  add column if not exists search_text text generated always as
    (lower(coalesce(name, '') || e'\n' || coalesce(email, '') || e'\n' || coalesce(record_number, ''))) stored;
create unique index if not exists patients_record_number on public.patients (record_number) where record_number is not null;
create index if not exists patients_name on public.patients ((coalesce(name, '')), id) where erased_at is null;
create index if not exists patients_digits on public.patients (regexp_replace(phone, '[^0-9]', '', 'g'));

alter table public.contacts add column if not exists erased_at timestamptz;

-- A contact is an account, a patient a person: either may have several of the other.
create table if not exists public.patient_contacts (
  patient_id uuid not null references public.patients (id) on delete cascade,
  contact_id uuid not null references public.contacts (id) on delete cascade,
  created_at timestamptz not null default clock_timestamp(),
  primary key (patient_id, contact_id));
create index if not exists patient_contacts_contact on public.patient_contacts (contact_id);
insert into public.patient_contacts (patient_id, contact_id)
select patient_id, coalesce(merged_into, id) from public.contacts where patient_id is not null on conflict do nothing;

-- Ties follow a merge.
create or replace function medidesk.follow_merge() returns trigger language plpgsql security definer set search_path = '' as $$
begin
  insert into public.patient_contacts (patient_id, contact_id)
  select patient_id, new.merged_into from public.patient_contacts where contact_id = new.id on conflict do nothing;
  delete from public.patient_contacts where contact_id = new.id;
  update public.tasks set contact_id = new.merged_into where contact_id = new.id;
  return null;
end $$;
create or replace trigger contacts_follow_merge after update of merged_into on public.contacts
  for each row when (new.merged_into is not null) execute function medidesk.follow_merge();

create table if not exists medidesk.failed_verifications (
  contact_id uuid not null references public.contacts (id) on delete cascade,
  at timestamptz not null default clock_timestamp());
create index if not exists failed_verifications_contact on medidesk.failed_verifications (contact_id, at);

-- The contact that an id stands for now, or null.
create or replace function medidesk.surviving_contact(p_contact uuid) returns uuid language sql stable as $$
  with recursive chain as (
    select id, merged_into from public.contacts where id = p_contact
    union all select k.id, k.merged_into from chain c join public.contacts k on k.id = c.merged_into)
  select id from chain where merged_into is null $$;
-- The contacts and all that were merged into them.
create or replace function medidesk.with_merged(p_contacts uuid[]) returns uuid[] language sql stable as $$
  with recursive family as (
    select id from public.contacts where id = any (p_contacts)
    union select k.id from family f join public.contacts k on k.merged_into = f.id)
  select coalesce(array_agg(id order by id), '{}') from family $$;
create index if not exists contacts_merged on public.contacts (merged_into) where merged_into is not null;

create or replace function medidesk.patient_json(p public.patients) returns jsonb language sql stable as $$
  select jsonb_strip_nulls(jsonb_build_object('id', p.id, 'name', p.name, 'phone', p.phone, 'email', p.email,
    'birth_date', p.birth_date, 'record_number', p.record_number, 'language', p.language, 'note', p.note,
    'contact_ids', (select coalesce(jsonb_agg(l.contact_id order by l.contact_id), '[]') from public.patient_contacts l
                     where l.patient_id = p.id),
    'create_time', medidesk.stamp(p.created_at), 'update_time', medidesk.stamp(p.updated_at), 'etag', p.revision::text)) $$;
create or replace function medidesk.patient_response(p_patient uuid) returns jsonb language sql stable as $$
  select coalesce((select jsonb_build_object('patient', medidesk.patient_json(p)) from public.patients p
                    where p.id = p_patient and p.erased_at is null),
                  medidesk.refuse('NOT_FOUND', 'no such patient')) $$;

create or replace function medidesk.get_patient(p jsonb, p_trace text) returns jsonb language plpgsql volatile as $$
declare v_ids uuid[];
begin
  if p ->> 'patient_id' is not null then
    v_ids := array[(p ->> 'patient_id')::uuid];
  elsif p ->> 'phone' is not null then
    v_ids := array(select x.id from public.patients x where x.erased_at is null
                    and regexp_replace(x.phone, '[^0-9]', '', 'g') = regexp_replace(p ->> 'phone', '[^0-9]', '', 'g') limit 2);
  else
    v_ids := array(select l.patient_id from public.patient_contacts l
                    where l.contact_id = medidesk.surviving_contact((p ->> 'contact_id')::uuid) limit 2);
  end if;
  if cardinality(v_ids) > 1 then
    return medidesk.refuse('FAILED_PRECONDITION', 'several patients are tied to it; list them and choose one', 'SEVERAL_PATIENTS');
  end if;
  if exists (select 1 from public.patients where id = v_ids[1] and erased_at is null) then
    perform medidesk.record_read(p -> 'actor', 'patient', v_ids[1]::text, null, p_trace);
  end if;
  return medidesk.patient_response(v_ids[1]);
end $$;

create or replace function medidesk.list_patients(p jsonb, p_trace text) returns jsonb language plpgsql volatile as $$
declare
  v_limit int := coalesce(nullif((p ->> 'page_size')::int, 0), 50);
  v_print text := left(md5((p - 'page_token' - 'page_size' - 'actor')::text), 8);
  v_query text := coalesce(p ->> 'query', ''); v_digits text := regexp_replace(v_query, '[^0-9]', '', 'g');
  v_contact uuid; v_where text := ''; v_name text; v_id uuid; v_rows jsonb; v_ids uuid[];
begin
  if p ->> 'page_token' is not null then
    if p ->> 'page_token' ~ ('^[0-9a-f-]{36}\.' || v_print || '$') then
      select coalesce(x.name, ''), x.id into v_name, v_id from public.patients x where x.id = left(p ->> 'page_token', 36)::uuid;
    end if;
    if v_id is null then
      return medidesk.refuse('INVALID_ARGUMENT', 'page_token: expected the token of a page of this list');
    end if;
    v_where := v_where || ' and (coalesce(x.name, ''''), x.id) > ($1, $2)';
  end if;
  if p ->> 'contact_id' is not null then
    v_contact := medidesk.surviving_contact((p ->> 'contact_id')::uuid);
    v_where := v_where || ' and x.id in (select l.patient_id from public.patient_contacts l where l.contact_id = $3)';
  end if;
  if v_query <> '' then
    v_where := v_where || ' and (x.search_text like $4' ||
      case when length(v_digits) >= 4 and v_query ~ '^[-+0-9 ().]+$'
           then ' or regexp_replace(x.phone, ''[^0-9]'', '''', ''g'') like ''%'' || $5 || ''%'')' else ')' end;
  end if;
  execute 'select array(select x.id from public.patients x where x.erased_at is null' || v_where ||
          ' order by coalesce(x.name, ''''), x.id limit $6)'
     into v_ids using v_name, v_id, v_contact, medidesk.containing(v_query), v_digits, v_limit;
  select coalesce(jsonb_agg(medidesk.patient_json(x) order by coalesce(x.name, ''), x.id), '[]') into v_rows
    from public.patients x where x.id = any (v_ids);
  perform medidesk.record_read(p -> 'actor', 'patient', '', v_contact, p_trace, 'list');
  return jsonb_strip_nulls(jsonb_build_object('patients', v_rows,
    'next_page_token', case when cardinality(v_ids) = v_limit then v_ids[v_limit] || '.' || v_print end));
end $$;

create or replace function medidesk.create_patient(p jsonb, p_trace text) returns jsonb language plpgsql volatile as $$
declare v_commit uuid := (p ->> 'commit_id')::uuid; v_first jsonb := medidesk.first_outcome(v_commit); x jsonb := p -> 'patient'; v_id uuid;
begin
  if v_first is not null then return medidesk.patient_response((v_first ->> 'patient_id')::uuid); end if;
  begin
    insert into public.patients (name, phone, email, birth_date, record_number, language, note)
    values (x ->> 'name', x ->> 'phone', x ->> 'email', (x ->> 'birth_date')::date, x ->> 'record_number', x ->> 'language', x ->> 'note')
    returning id into v_id;
  exception when unique_violation then
    return medidesk.refuse('ALREADY_EXISTS', 'another patient has this phone number or record number');
  end;
  perform medidesk.record(p -> 'actor', 'create', 'patient', v_id::text, null, p_trace);
  insert into medidesk.commit_outcomes (commit_id, outcome) values (v_commit, jsonb_build_object('patient_id', v_id));
  return medidesk.patient_response(v_id);
end $$;

-- `fields` is the list of what changes.
create or replace function medidesk.update_patient(p jsonb, p_trace text) returns jsonb language plpgsql volatile as $$
declare
  v_commit uuid := (p ->> 'commit_id')::uuid; v_first jsonb := medidesk.first_outcome(v_commit);
  x jsonb := p -> 'patient'; f jsonb := p -> 'fields'; v_id uuid := (p -> 'patient' ->> 'id')::uuid; v_revision bigint;
begin
  if v_first is not null then return medidesk.patient_response((v_first ->> 'patient_id')::uuid); end if;
  select revision into v_revision from public.patients where id = v_id and erased_at is null for update;
  if not found then return medidesk.refuse('NOT_FOUND', 'no such patient'); end if;
  if x ->> 'etag' is not null and x ->> 'etag' <> v_revision::text then
    return medidesk.refuse('ABORTED', 'the patient changed; read it again and repeat', 'ETAG_MISMATCH');
  end if;
  begin
    update public.patients set
      name = case when f ? 'name' then x ->> 'name' else name end,
      phone = case when f ? 'phone' then x ->> 'phone' else phone end,
      email = case when f ? 'email' then x ->> 'email' else email end,
      birth_date = case when f ? 'birth_date' then (x ->> 'birth_date')::date else birth_date end,
      record_number = case when f ? 'record_number' then x ->> 'record_number' else record_number end,
      language = case when f ? 'language' then x ->> 'language' else language end,
      note = case when f ? 'note' then x ->> 'note' else note end,
      updated_at = clock_timestamp(), revision = revision + 1
     where id = v_id;
  exception when unique_violation then
    return medidesk.refuse('ALREADY_EXISTS', 'another patient has this phone number or record number');
  end;
  perform medidesk.record(p -> 'actor', 'update', 'patient', v_id::text, null, p_trace,
                          (select string_agg(e, '.' order by e) from jsonb_array_elements_text(f) e));
  insert into medidesk.commit_outcomes (commit_id, outcome) values (v_commit, jsonb_build_object('patient_id', v_id));
  return medidesk.patient_response(v_id);
end $$;

create or replace function medidesk.tie_contact(p jsonb, p_trace text, p_on boolean) returns jsonb language plpgsql volatile as $$
declare
  v_commit uuid := (p ->> 'commit_id')::uuid; v_first jsonb := medidesk.first_outcome(v_commit); v_changed bigint;
  v_id uuid := (p ->> 'patient_id')::uuid; v_contact uuid := medidesk.surviving_contact((p ->> 'contact_id')::uuid);
begin
  if v_first is not null then return medidesk.patient_response((v_first ->> 'patient_id')::uuid); end if;
  perform 1 from public.patients where id = v_id and erased_at is null for update;
  if not found then return medidesk.refuse('NOT_FOUND', 'no such patient'); end if;
  if p_on then
    perform 1 from public.contacts where id = v_contact and erased_at is null for share;
    if not found then return medidesk.refuse('NOT_FOUND', 'no such contact'); end if;
    insert into public.patient_contacts (patient_id, contact_id) values (v_id, v_contact) on conflict do nothing;
  else
    delete from public.patient_contacts where patient_id = v_id and contact_id = v_contact;
  end if;
  get diagnostics v_changed = row_count;
  if v_changed > 0 then
    update public.patients set updated_at = clock_timestamp(), revision = revision + 1 where id = v_id;
    perform medidesk.record(p -> 'actor', 'update', 'patient', v_id::text, v_contact, p_trace,
                            case when p_on then 'contact.linked' else 'contact.unlinked' end);
  end if;
  insert into medidesk.commit_outcomes (commit_id, outcome) values (v_commit, jsonb_build_object('patient_id', v_id));
  return medidesk.patient_response(v_id);
end $$;

create or replace function medidesk.verify_patient(p jsonb, p_trace text) returns jsonb language plpgsql volatile as $$
declare v_contact uuid := medidesk.surviving_contact((p ->> 'contact_id')::uuid); v_failures int; v_id uuid;
begin
  -- one try of a contact at a time, or many at once would pass the limit together
  perform 1 from public.contacts where id = v_contact and erased_at is null for update;
  if not found then return medidesk.refuse('NOT_FOUND', 'no such contact'); end if;
  delete from medidesk.failed_verifications where contact_id = v_contact and at < clock_timestamp() - interval '24 hours';
  select count(*) into v_failures from medidesk.failed_verifications where contact_id = v_contact;
  if v_failures >= 5 then
    perform medidesk.record(p -> 'actor', 'execute', 'contact', v_contact::text, v_contact, p_trace, 'verify.limit', 'denied');
    return medidesk.refuse('RESOURCE_EXHAUSTED', 'too many failed tries in 24 hours; let staff verify this person', 'VERIFY_LIMIT');
  end if;
  select x.id into v_id from public.patient_contacts l join public.patients x on x.id = l.patient_id
   where l.contact_id = v_contact and x.erased_at is null and x.birth_date = (p ->> 'birth_date')::date
     and x.record_number = p ->> 'record_number';
  if v_id is null then
    insert into medidesk.failed_verifications (contact_id) values (v_contact);
    v_failures := v_failures + 1;
  end if;
  perform medidesk.record(p -> 'actor', 'execute', 'contact', v_contact::text, v_contact, p_trace, 'verify',
                          case when v_id is null then 'denied' else 'success' end);
  return jsonb_strip_nulls(jsonb_build_object('verified', v_id is not null, 'patient_id', v_id, 'tries_left', 5 - v_failures));
end $$;

create or replace function medidesk.item(p_number bigint, p_item jsonb) returns text language sql immutable
  as $$ select case when p_number > 1 then e',\n' else '' end || jsonb_strip_nulls(p_item)::text $$;
-- Everything stored about a patient with all its contacts, or about one contact, as pieces of one JSON text.
-- STABLE: all of its statements see the snapshot of the calling one.
create or replace function medidesk.export_pieces(p_patient uuid, p_contact uuid) returns setof text language plpgsql stable as $$
declare v_contacts uuid[]; v_patients uuid[]; v_conversations uuid[];
begin
  if p_patient is not null then
    v_patients := array[p_patient];
    v_contacts := medidesk.with_merged(array(select contact_id from public.patient_contacts where patient_id = p_patient));
  else
    v_contacts := medidesk.with_merged(array[medidesk.surviving_contact(p_contact)]);
    v_patients := array(select patient_id from public.patient_contacts where contact_id = any (v_contacts));
  end if;
  v_conversations := array(select id from public.conversations where contact_id = any (v_contacts));
  return next '{"export_time":' || to_json(medidesk.stamp(clock_timestamp())) || ',"patients":[';
  -- What the patient may have is what there is: whole rows, without what only serves the database.
  return query select medidesk.item(row_number() over (order by x.id), to_jsonb(x) - 'search_text' - 'revision')
    from public.patients x where x.id = any (v_patients) order by x.id;
  return next '],"contacts":[';
  return query select medidesk.item(row_number() over (order by x.id), to_jsonb(x)) from public.contacts x
    where x.id = any (v_contacts) order by x.id;
  return next '],"conversations":[';
  return query select medidesk.item(row_number() over (order by x.id), to_jsonb(x)) from public.conversations x
    where x.id = any (v_conversations) order by x.id;
  return next '],"messages":[';
  return query select medidesk.item(row_number() over (order by x.seq), to_jsonb(x)) from public.messages x
    where x.conversation_id = any (v_conversations) order by x.seq;
  return next '],"replies":[';
  return query select medidesk.item(row_number() over (order by x.created_at, x.id), to_jsonb(x) || jsonb_build_object('parts',
      (select coalesce(jsonb_agg(to_jsonb(o) - 'reply_id' order by o.part), '[]') from public.reply_parts o where o.reply_id = x.id)))
    from public.replies x where x.id in (select m.id from public.messages m where m.conversation_id = any (v_conversations) and m.from_me)
    order by x.created_at, x.id;
  return next '],"tasks":[';
  return query select medidesk.item(row_number() over (order by x.created_at, x.id), to_jsonb(x) - 'revision' - 'change_xid')
    from public.tasks x where x.conversation_id = any (v_conversations) or x.contact_id = any (v_contacts)
    order by x.created_at, x.id;
  return next '],"audit_entries":[';
  -- of those who read, only who they are, not where they sat
  return query select medidesk.item(row_number() over (order by x.id), to_jsonb(x) - 'xid' - 'address' - 'content_mac')
    from public.audit_log x where x.id in (
      select a.id from public.audit_log a where a.contact_id = any (v_contacts)
      union select a.id from public.audit_log a where a.resource_id = any (v_patients::text[]) and a.resource = 'patient')
    order by x.id;
  return next ']}';
end $$;

-- Says whether the export may be made, and records that it is.
create or replace function medidesk.begin_export(p jsonb, p_trace text) returns jsonb language plpgsql volatile as $$
declare v_contact uuid := medidesk.surviving_contact((p ->> 'contact_id')::uuid); v_patient uuid := (p ->> 'patient_id')::uuid;
        v_resource text := case when p ->> 'patient_id' is not null then 'patient' else 'contact' end;
begin
  if medidesk.role_of(p -> 'actor') = 'viewer' then
    perform medidesk.record(p -> 'actor', 'export', v_resource, coalesce(p ->> 'patient_id', p ->> 'contact_id'), v_contact, p_trace, null, 'denied');
    return medidesk.refuse('PERMISSION_DENIED', 'a viewer exports nothing');
  end if;
  if not exists (select 1 from public.patients where id = v_patient and erased_at is null)
     and not exists (select 1 from public.contacts where id = v_contact and erased_at is null) then
    return medidesk.refuse('NOT_FOUND', 'nothing is stored about it');
  end if;
  perform medidesk.record(p -> 'actor', 'export', v_resource, coalesce(v_patient, v_contact)::text, v_contact, p_trace);
  return '{}';
end $$;

-- Erasure. What stays: ids, times, codes, and the audit chain, whose rows hold no content; their HMACs mean
-- nothing once the contact's key is gone.
create or replace function medidesk.erase_patient(p jsonb, p_trace text) returns jsonb language plpgsql volatile as $$
declare
  v_commit uuid := (p ->> 'commit_id')::uuid; v_first jsonb := medidesk.first_outcome(v_commit);
  v_patient uuid := (p ->> 'patient_id')::uuid; v_contact uuid := (p ->> 'contact_id')::uuid;
  v_roots uuid[]; v_contacts uuid[]; v_conversations uuid[]; v_turns uuid[]; v_now timestamptz;
  v_messages bigint; v_tasks bigint; v_count bigint; v_emptied bigint; v_record bigint; v_subject text; v_addresses text[];
begin
  if v_first is not null then return v_first; end if;
  v_subject := case when v_patient is not null then 'patient' else 'contact' end;
  if medidesk.role_of(p -> 'actor') not in ('admin', 'operator') then
    perform medidesk.record(p -> 'actor', 'erase', v_subject, coalesce(v_patient, v_contact)::text, v_contact, p_trace, null, 'denied');
    return medidesk.refuse('PERMISSION_DENIED', 'only an admin or the operator erases');
  end if;
  if v_patient is not null then
    perform 1 from public.patients where id = v_patient for update;
    if not found then return medidesk.refuse('NOT_FOUND', 'no such patient'); end if;
    v_roots := array(select l.contact_id from public.patient_contacts l where l.patient_id = v_patient
                      and not exists (select 1 from public.patient_contacts o where o.contact_id = l.contact_id and o.patient_id <> v_patient));
  else
    v_contact := medidesk.surviving_contact(v_contact);
    if v_contact is null then return medidesk.refuse('NOT_FOUND', 'no such contact'); end if;
    v_roots := array[v_contact];
  end if;
  v_contacts := medidesk.with_merged(v_roots);
  perform 1 from public.conversations where contact_id = any (v_contacts) order by id for update;
  perform 1 from public.contacts where id = any (v_contacts) order by id for update;
  v_conversations := array(select id from public.conversations where contact_id = any (v_contacts));
  v_addresses := array(select d from public.contacts k, unnest(array[substr(k.phone, 2), k.lid]) d where k.id = any (v_contacts) and d <> '');
  v_now := clock_timestamp();

  -- An answer in the making would be committed, or sent, after its conversation was emptied.
  v_turns := array(select t.id from public.turns t where t.conversation_id = any (v_conversations) and t.state in ('open', 'sealed'));
  if exists (select 1 from public.turns t where t.id = any (v_turns)
              and (t.claim_until > v_now or t.opened_at > v_now - interval '60 seconds'))
     or exists (select 1 from public.replies r join public.reply_parts o on o.reply_id = r.id
                 where r.id in (select m.id from public.messages m where m.conversation_id = any (v_conversations) and m.from_me
                                 and m.created_at > v_now - interval '1 day')
                   and o.state = 'sending' and o.updated_at > v_now - interval '60 seconds') then
    return medidesk.refuse('FAILED_PRECONDITION', 'an answer to this patient is in the making; repeat in a minute', 'TURN_OPEN');
  end if;
  update public.turns set state = 'skipped', skip_reason = 'empty', claim_until = null, closed_at = v_now,
         sealed_at = coalesce(sealed_at, v_now) where id = any (v_turns);
  update public.reply_parts o set state = case o.state when 'queued' then 'discarded' else 'unknown' end, failure = 'erased', updated_at = v_now
    from public.messages m where m.conversation_id = any (v_conversations) and m.from_me and o.reply_id = m.id
     and o.state in ('queued', 'sending');

  update public.messages set content = '', verdict = null, deleted_at = coalesce(deleted_at, v_now),
         sender = case when from_me then sender else 'erased' end
   where conversation_id = any (v_conversations) and (content <> '' or verdict is not null or (not from_me and sender <> 'erased'));
  get diagnostics v_messages = row_count;
  update public.tasks set summary = null, resolution = null, dismissed = dismissed or state <> 'done', state = 'done'
   where (conversation_id = any (v_conversations) or contact_id = any (v_contacts))
     and (summary is not null or resolution is not null or state <> 'done');
  get diagnostics v_tasks = row_count;
  update public.conversations set phone = 'erased', patient_name = null, status = 'archived', updated_at = v_now
   where id = any (v_conversations) and phone <> 'erased';
  get diagnostics v_emptied = row_count;
  -- Sessions, sender keys and address maps of the protocol are kept by address: "<digits>" and what follows.
  if to_regclass('medidesk.device_state') is not null and cardinality(v_addresses) > 0 then
    execute $x$delete from medidesk.device_state d using unnest($1) as a(digits)
                where d.key ~ ('(^|[^0-9])' || a.digits || '([^0-9]|$)')$x$ using v_addresses;
  end if;
  update public.contacts set phone = null, lid = null, name = null, language = null, takeover_reason = null, emergency_family = null,
         emergency_at = null, assigned_to = null, patient_id = null, status = 'active', erased_at = v_now, updated_at = v_now
   where id = any (v_contacts) and erased_at is null;
  get diagnostics v_count = row_count;
  delete from medidesk.audit_keys where contact_id = any (v_contacts);
  delete from medidesk.failed_verifications where contact_id = any (v_contacts);
  delete from public.patient_contacts where contact_id = any (v_contacts) or patient_id = v_patient;
  if v_patient is not null then
    update public.patients set name = null, phone = null, email = null, birth_date = null, record_number = null, language = null,
           note = null, erased_at = v_now, updated_at = v_now, revision = revision + 1 where id = v_patient and erased_at is null;
    if not found then v_record := -1; end if;
  elsif v_count = 0 then
    v_record := -1;
  end if;
  if v_record = -1 then  -- erased before: its record proves it
    select max(id) into v_record from public.audit_log
     where resource_id = coalesce(v_patient, v_contact)::text and action = 'erase' and outcome = 'success';
  end if;
  if v_record is null then
    v_record := medidesk.record(p -> 'actor', 'erase', v_subject, coalesce(v_patient, v_contact)::text, v_contact, p_trace);
  end if;
  v_first := jsonb_build_object('message_count', v_messages, 'conversation_count', v_emptied, 'contact_count', v_count,
                                'task_count', v_tasks, 'audit_record_id', medidesk.audit_uuid(v_record));
  insert into medidesk.commit_outcomes (commit_id, outcome) values (v_commit, v_first);
  return v_first;
end $$;


do $$
declare v_schema text := (select n.nspname from pg_extension e join pg_namespace n on n.oid = e.extnamespace where e.extname = 'pg_trgm');
begin  -- made where it may be by 0006_conversation_search
  if v_schema is null then return; end if;
  execute format('create index if not exists patients_trigrams on public.patients using gin (search_text %I.gin_trgm_ops) with (fastupdate = off)', v_schema);
end $$;

alter table public.patient_contacts enable row level security;
do $$ begin
  if exists (select 1 from pg_roles where rolname = 'medidesk_service') then
    grant select, insert, update, delete on public.patient_contacts to medidesk_service;
    drop policy if exists patient_contacts_service on public.patient_contacts;
    create policy patient_contacts_service on public.patient_contacts for all to medidesk_service using (true) with check (true);
    grant select, insert, update, delete on medidesk.failed_verifications to medidesk_service;
  end if;
end $$;
do $$ begin
  if (select count(*) from pg_roles where rolname in ('anon', 'authenticated', 'service_role')) < 3 then return; end if;
  revoke all on public.patient_contacts from anon, authenticated;
  grant select on public.patient_contacts to authenticated;
  drop policy if exists patient_contacts_staff_read on public.patient_contacts;
  create policy patient_contacts_staff_read on public.patient_contacts for select to authenticated using (
    (select medidesk.jwt() -> 'app_metadata' ->> 'role') in ('front_desk', 'viewer', 'agent', 'admin'));
exception when insufficient_privilege then
  raise notice 'the dashboard''s roles cannot be granted rights by this login';
end $$;
