-- What staff at the front desk needs: the inbox, notes, who is at which conversation, marked answers.
--
-- The inbox is read, never kept: a page looks at the last twenty messages of each of its conversations, so that the
-- path of a patient's message writes nothing for it.

-- Up to where staff has read a conversation.
create table if not exists medidesk.desk_marks (
  conversation_id uuid primary key references public.conversations (id) on delete cascade,
  read_seq bigint not null,
  read_by text not null,
  read_at timestamptz not null) with (fillfactor = 70);

-- Who has a conversation open, and whose reading of the list was recorded when: gone after a crash, and no harm done.
create unlogged table if not exists medidesk.desk_holders (
  conversation_id uuid not null,
  staff_id uuid not null,
  writing boolean not null,
  until timestamptz not null,
  primary key (conversation_id, staff_id)) with (fillfactor = 50);
create unlogged table if not exists medidesk.desk_seen (
  actor text not null,
  conversation_id uuid not null,
  at timestamptz not null,
  primary key (actor, conversation_id)) with (fillfactor = 70);

create table if not exists public.notes (
  id uuid primary key,
  conversation_id uuid not null references public.conversations (id) on delete cascade,
  contact_id uuid not null,
  actor text not null,
  text text not null,
  created_at timestamptz not null default clock_timestamp());
create index if not exists notes_conversation on public.notes (conversation_id, created_at desc);
create index if not exists notes_contact on public.notes (contact_id);

create table if not exists medidesk.answer_marks (
  message_id uuid primary key references public.messages (id) on delete cascade,
  task_id uuid not null references public.tasks (id) on delete cascade,
  actor text not null,
  at timestamptz not null default clock_timestamp());
create index if not exists answer_marks_newest on medidesk.answer_marks (at desc, message_id);

create index if not exists tasks_red_flags on public.tasks (conversation_id)
  where state <> 'done' and kind in ('emergency', 'self_harm', 'violence', 'threat', 'call_back');
create index if not exists conversations_assigned_activity on public.conversations (assigned_to, activity_minute desc, id desc)
  where assigned_to is not null and merged_into is null;

-- A patient whose data is erased loses the notes, too: erasing takes away the key of the audit's hashes.
create or replace function medidesk.erase_notes() returns trigger language plpgsql security definer set search_path = '' as $$
begin
  delete from public.notes where contact_id = old.contact_id;
  return null;
end $$;
create or replace trigger audit_keys_notes after delete on medidesk.audit_keys
  for each row execute function medidesk.erase_notes();
-- Notes follow a conversation that is merged into another.
create or replace function medidesk.move_notes() returns trigger language plpgsql security definer set search_path = '' as $$
begin
  update public.notes n set conversation_id = new.merged_into,
         contact_id = (select c.contact_id from public.conversations c where c.id = new.merged_into)
   where n.conversation_id = new.id;
  return null;
end $$;
create or replace trigger conversations_move_notes after update of merged_into on public.conversations
  for each row when (new.merged_into is not null) execute function medidesk.move_notes();

create or replace function medidesk.conversation_json(p_id uuid) returns jsonb language plpgsql stable as $$
begin
  return (select jsonb_strip_nulls(jsonb_build_object('id', c.id, 'contact_id', c.contact_id, 'number_id', c.number_id, 'phone', c.phone,
      'patient_name', c.patient_name, 'status', 'CONVERSATION_STATUS_' || upper(c.status), 'assigned_to', c.assigned_to,
      'takeover_reason', k.takeover_reason, 'create_time', medidesk.stamp(c.created_at), 'update_time', medidesk.stamp(c.updated_at),
      'etag', c.xmin::text, 'opted_out', k.opted_out_at is not null))
    from public.conversations c join public.contacts k on k.id = c.contact_id where c.id = p_id);
end $$;

create or replace function medidesk.holders_json(p_conversation uuid, p_except text) returns jsonb language plpgsql stable as $$
begin
  return (select coalesce(jsonb_agg(jsonb_build_object('staff_id', h.staff_id, 'name', s.name, 'writing', h.writing) order by s.name), '[]')
            from medidesk.desk_holders h join public.staff s on s.id = h.staff_id
           where h.conversation_id = p_conversation and h.until > clock_timestamp() and h.staff_id::text <> p_except);
end $$;

-- The conversation an id stands for, or null.
create or replace function medidesk.surviving_conversation(p_id uuid) returns uuid language plpgsql stable as $$
begin return (select coalesce(c.merged_into, c.id) from public.conversations c where c.id = p_id); end $$;

-- What is searched knows whether it stands in the inbox or in the archive: a name that is common in one may be rare in the other.
alter table medidesk.conversation_words add column if not exists archived boolean not null default false;
create or replace function medidesk.keep_words() returns trigger language plpgsql security definer set search_path = '' as $$
begin
  insert into medidesk.conversation_words as w (conversation_id, words, archived)
  values (new.id, lower(coalesce(new.patient_name, '')) || e'\n' || regexp_replace(coalesce(new.phone, ''), '[^0-9]', '', 'g'), new.status = 'archived')
  on conflict (conversation_id) do update set words = excluded.words, archived = excluded.archived
   where w.words <> excluded.words or w.archived <> excluded.archived;
  return null;
end $$;
create or replace trigger conversations_new_words after update of patient_name, phone, status on public.conversations
  for each row when (old.patient_name is distinct from new.patient_name or old.phone is distinct from new.phone
                     or (old.status = 'archived') is distinct from (new.status = 'archived'))
  execute function medidesk.keep_words();
update medidesk.conversation_words w set archived = (c.status = 'archived') from public.conversations c
 where c.id = w.conversation_id and w.archived <> (c.status = 'archived');

-- The inbox's lines in one statement for the whole page. Of a conversation's last twenty messages only those are looked
-- up that the line needs: the last one, those before it until an answer is found, and what came after that answer.
create or replace function medidesk.inbox_rows(p_ids uuid[]) returns jsonb language plpgsql stable
  set enable_hashjoin = off set enable_mergejoin = off set enable_seqscan = off as $$
declare v_stamp constant text := 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"';  -- medidesk.stamp, without the cost of a call
begin
  return (select coalesce(jsonb_agg(jsonb_strip_nulls(jsonb_build_object(
      'conversation', jsonb_build_object('id', c.id, 'contact_id', c.contact_id, 'number_id', c.number_id, 'phone', c.phone,
        'patient_name', c.patient_name, 'status', 'CONVERSATION_STATUS_' || upper(c.status), 'assigned_to', c.assigned_to,
        'takeover_reason', k.takeover_reason, 'create_time', to_char(c.created_at at time zone 'utc', v_stamp), 'update_time', to_char(c.updated_at at time zone 'utc', v_stamp),
        'etag', c.xmin::text, 'opted_out', k.opted_out_at is not null),
      'preview', l.content, 'preview_received', not l.from_me, 'preview_origin', 'REPLY_ORIGIN_' || upper(l.origin),
      'last_message_time', to_char(l.created_at at time zone 'utc', v_stamp), 'unread_count', w.unread, 'waiting_since', to_char(w.since at time zone 'utc', v_stamp),
      'task_kind', 'TASK_KIND_' || upper(t.kind), 'task_priority', t.priority,
      'holder_ids', (select jsonb_agg(h.staff_id) from medidesk.desk_holders h where h.conversation_id = c.id and h.until > clock_timestamp())))
      order by u.n), '[]')
    from unnest(p_ids) with ordinality u(id, n)
    join public.conversations c on c.id = u.id
    join public.contacts k on k.id = c.contact_id
    left join medidesk.desk_marks d on d.conversation_id = c.id
    left join lateral (select m.from_me, m.created_at, case when m.deleted_at is null then left(m.content, 160) else '' end as content,
                              case when m.from_me then coalesce((select r.origin from public.replies r where r.id = m.id),
                                                                case m.sender when 'staff' then 'staff' else 'bot' end) end as origin
                         from public.messages m where m.conversation_id = c.id order by m.seq desc limit 1) l on true
    -- What never left is no answer, and the gate's fixed text is none that anybody waits for.
    left join lateral (select x.seq from (select m.id, m.seq, m.from_me from public.messages m where m.conversation_id = c.id order by m.seq desc limit 20) x
                        where x.from_me and not exists (select 1 from public.replies r where r.id = x.id and r.origin = 'gate')
                          and not exists (select 1 from public.reply_parts p where p.reply_id = x.id and p.part = 0 and p.state in ('discarded', 'failed'))
                        order by x.seq desc limit 1) a on true
    cross join lateral (select count(*) filter (where x.seq > coalesce(d.read_seq, 0)) as unread, min(x.created_at) as since
                          from (select m.seq, m.from_me, m.created_at from public.messages m
                                 where m.conversation_id = c.id and m.seq > coalesce(a.seq, 0) order by m.seq desc limit 20) x
                         where not x.from_me) w
    left join lateral (select y.kind, y.priority from public.tasks y where y.conversation_id = c.id and y.state <> 'done'
                        order by y.priority, y.created_at limit 1) t on true);
end $$;

-- Planned for what is asked, as medidesk.find_conversations is.
create or replace function medidesk.list_inbox(p jsonb, p_trace text) returns jsonb language plpgsql volatile set enable_seqscan = off as $$
declare
  v_filter text := lower(substr(coalesce(p ->> 'filter', ''), 14)); v_limit int := coalesce(nullif((p ->> 'page_size')::int, 0), 50);
  v_query text := coalesce(p ->> 'query', ''); v_digits text := regexp_replace(coalesce(p ->> 'query', ''), '[^0-9]', '', 'g'); v_pattern text;
  v_staff uuid := case when p -> 'actor' ->> 'kind' = 'ACTOR_KIND_STAFF' then (p -> 'actor' ->> 'id')::uuid end;
  v_minute bigint := 9000000000; v_id uuid := 'ffffffff-ffff-ffff-ffff-ffffffffffff'; v_where text; v_flags uuid[]; v_needs uuid[]; v_mine int; v_hits uuid[]; v_hit text;
  v_ids uuid[]; v_rows jsonb; v_last bigint; v_actor text := medidesk.actor_text(p -> 'actor'); v_seen uuid[]; v_few constant int := 2000; v_walk constant int := 5000; v_from text;
begin
  if p ->> 'page_token' is not null then
    if p ->> 'page_token' !~ '^[0-9]{1,9}\.[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$' then
      return medidesk.refuse('INVALID_ARGUMENT', 'page_token: expected the token of a page of this list');
    end if;
    v_minute := split_part(p ->> 'page_token', '.', 1)::bigint; v_id := split_part(p ->> 'page_token', '.', 2)::uuid;
  end if;
  v_flags := array(select distinct t.conversation_id from public.tasks t where t.state <> 'done' and t.conversation_id is not null
                      and t.kind in ('emergency', 'self_harm', 'violence', 'threat', 'call_back') limit v_few);
  v_needs := array(select c.id from public.conversations c where c.status = 'human_takeover' and c.merged_into is null
                    order by c.activity_minute desc, c.id desc limit v_few);
  v_needs := array(select distinct u.id from (select unnest(v_needs) as id union all
                     select t.conversation_id from (select x.conversation_id from public.tasks x where x.state <> 'done' and x.priority <= 2
                                                      and x.conversation_id is not null order by x.priority, x.created_at, x.id limit v_few) t) u);
  select count(*) into v_mine from (select 1 from public.conversations c where c.assigned_to = v_staff and c.merged_into is null
                                       and c.status <> 'archived' limit 1000) x;
  v_where := case v_filter when 'archived' then ' and c.status = ''archived'''
                           when 'needs_person' then ' and c.status <> ''archived'''
                           when 'emergency' then ''
                           when 'mine' then ' and c.assigned_to = $6 and c.status <> ''archived'''
                           else ' and c.status <> ''archived''' end;
  -- The few that need somebody, and the few that are searched for, are fetched and sorted: along the list they may lie far apart.
  v_from := case v_filter when 'needs_person' then 'unnest($4)' when 'emergency' then 'unnest($5)' end;
  if v_query <> '' then
    v_pattern := quote_literal(case when length(v_digits) >= 4 and v_query ~ '^[-+0-9 ().]+$' then '%' || v_digits || '%'
                                    else medidesk.containing(v_query) end);
    if v_from is not null then
      v_where := v_where || ' and (select w.words like ' || v_pattern || ' from medidesk.conversation_words w where w.conversation_id = c.id)';
    else
      v_hit := 'select array(select w.conversation_id from medidesk.conversation_words w where w.words like ' || v_pattern || ' and '
        || case v_filter when 'archived' then '' else 'not ' end || 'w.archived limit $1)';
      execute v_hit into v_hits using v_few + 1;
      -- Of many hits a page is soon found along the list; where it is not, they are all fetched after all.
      if cardinality(v_hits) > v_few then
        execute 'select array(select c.id from (select c.id, c.activity_minute from public.conversations c where c.merged_into is null
                   and (c.activity_minute, c.id) < (to_timestamp($1::double precision * 60), $2)' || v_where || '
                   order by c.activity_minute desc, c.id desc limit $4) c
                 where (select w.words like ' || v_pattern || ' from medidesk.conversation_words w where w.conversation_id = c.id)
                 order by c.activity_minute desc, c.id desc limit $3)'
           into v_ids using v_minute, v_id, v_limit, v_walk, null, v_staff;
        if cardinality(v_ids) < v_limit then
          v_ids := null;
          execute v_hit into v_hits using null::int;
        end if;
      end if;
      v_from := 'unnest($7)';
    end if;
  end if;
  if v_ids is null then
    execute 'select array(select c.id from ' || coalesce(v_from || ' u(id) cross join lateral (select x.* from public.conversations x where x.id = u.id offset 0) c',
                                                         'public.conversations c') || ' where c.merged_into is null
               and (c.activity_minute, c.id) < (to_timestamp($1::double precision * 60), $2)' || v_where ||
            ' order by c.activity_minute desc, c.id desc limit $3)'
       into v_ids using v_minute, v_id, v_limit, v_needs, v_flags, v_staff, v_hits;
  end if;
  v_rows := medidesk.inbox_rows(v_ids);
  if cardinality(v_ids) = v_limit then
    select (extract(epoch from c.activity_minute) / 60)::bigint into v_last from public.conversations c where c.id = v_ids[v_limit];
  end if;
  -- The list is looked at all day: a person's reading of a conversation's line is recorded once in a quarter of an hour.
  with seen as (insert into medidesk.desk_seen as d (actor, conversation_id, at)
                select v_actor, u, clock_timestamp() from unnest(v_ids) u order by u
                on conflict (actor, conversation_id) do update set at = excluded.at where d.at < excluded.at - interval '15 minutes'
                returning d.conversation_id)
  select array_agg(conversation_id) into v_seen from seen;
  perform medidesk.record(p -> 'actor', 'read', 'conversation', c.id::text, c.contact_id, p_trace, null, p_purpose => 'inbox', p_conversation => c.id)
     from public.conversations c where c.id = any (v_seen);
  return jsonb_strip_nulls(jsonb_build_object('rows', v_rows, 'next_page_token', case when v_last is not null then v_last || '.' || v_ids[v_limit] end,
    'needs_person_count', least(cardinality(v_needs), 1000), 'emergency_count', least(cardinality(v_flags), 1000), 'mine_count', v_mine));
end $$;

create or replace function medidesk.note_json(n public.notes) returns jsonb language sql stable as $$
  select jsonb_strip_nulls(jsonb_build_object('id', n.id, 'staff_id', s.id, 'staff_name', coalesce(s.name, n.actor), 'text', n.text,
                                              'create_time', medidesk.stamp(n.created_at)))
    from (select 1) one left join public.staff s on s.id::text = n.actor $$;

create or replace function medidesk.get_desk_conversation(p jsonb, p_trace text) returns jsonb language plpgsql volatile as $$
declare c record; k record; n record;
begin
  select x.* into c from public.conversations x where x.id = medidesk.surviving_conversation((p ->> 'conversation_id')::uuid);
  if not found then return medidesk.refuse('NOT_FOUND', 'no such conversation'); end if;
  select x.* into k from public.contacts x where x.id = c.contact_id;
  select x.* into n from public.numbers x where x.id = c.number_id;
  perform medidesk.record_read(p -> 'actor', 'conversation', c.id::text, c.contact_id, p_trace, null, c.id);
  return jsonb_strip_nulls(jsonb_build_object('conversation', medidesk.conversation_json(c.id), 'number_name', n.name,
    'can_send', n.kind = 'whatsapp', 'patient_id', k.patient_id,
    'language', coalesce(k.language, (select m.verdict ->> 'language' from public.messages m where m.conversation_id = c.id and not m.from_me
                                        order by m.seq desc limit 1)),
    'takeover_time', case when k.status = 'human_takeover' then medidesk.stamp(k.takeover_at) end, 'block_time', medidesk.stamp(k.blocked_at),
    'first_contact_time', medidesk.stamp(k.created_at),
    'other_conversation_ids', (select jsonb_agg(o.id) from (select y.id from public.conversations y where y.contact_id = c.contact_id
                                  and y.id <> c.id and y.merged_into is null order by y.activity_minute desc limit 20) o),
    'tasks', (select jsonb_agg(medidesk.task_json(t) order by t.priority, t.created_at) from
                (select y.* from public.tasks y where y.conversation_id = c.id and y.state <> 'done' order by y.priority, y.created_at limit 20) t),
    'notes', (select jsonb_agg(medidesk.note_json(x) order by x.created_at desc) from
                (select y.* from public.notes y where y.conversation_id = c.id order by y.created_at desc limit 100) x),
    'holders', medidesk.holders_json(c.id, coalesce(p -> 'actor' ->> 'id', '')),
    'marked_message_ids', (select jsonb_agg(a.message_id) from public.tasks t join medidesk.answer_marks a on a.task_id = t.id
                            where t.conversation_id = c.id and t.kind = 'answer_review' and t.state <> 'done')));
end $$;

create or replace function medidesk.mark_read(p jsonb, p_trace text) returns jsonb language plpgsql volatile as $$
declare v_id uuid := medidesk.surviving_conversation((p ->> 'conversation_id')::uuid); v_seq bigint;
begin
  if v_id is null then return medidesk.refuse('NOT_FOUND', 'no such conversation'); end if;
  -- not beyond what is there
  select least((p ->> 'seq')::bigint, max(m.seq)) into v_seq from public.messages m where m.conversation_id = v_id;
  insert into medidesk.desk_marks as d (conversation_id, read_seq, read_by, read_at)
  values (v_id, coalesce(v_seq, 0), medidesk.actor_text(p -> 'actor'), clock_timestamp())
  on conflict (conversation_id) do update set read_seq = excluded.read_seq, read_by = excluded.read_by, read_at = excluded.read_at
   where d.read_seq < excluded.read_seq;
  return (select jsonb_build_object('seq', d.read_seq::text) from medidesk.desk_marks d where d.conversation_id = v_id);
end $$;

create or replace function medidesk.hold_conversation(p jsonb, p_trace text) returns jsonb language plpgsql volatile as $$
declare v_id uuid := medidesk.surviving_conversation((p ->> 'conversation_id')::uuid); v_staff uuid := (p -> 'actor' ->> 'id')::uuid;
begin
  if v_id is null then return medidesk.refuse('NOT_FOUND', 'no such conversation'); end if;
  delete from medidesk.desk_holders where (conversation_id, staff_id) in
    (select h.conversation_id, h.staff_id from medidesk.desk_holders h where h.until < clock_timestamp() - interval '1 minute' limit 4 for update skip locked);
  if coalesce((p ->> 'leave')::boolean, false) then
    delete from medidesk.desk_holders where conversation_id = v_id and staff_id = v_staff;
  else
    insert into medidesk.desk_holders values (v_id, v_staff, coalesce((p ->> 'writing')::boolean, false), clock_timestamp() + interval '15 seconds')
    on conflict (conversation_id, staff_id) do update set writing = excluded.writing, until = excluded.until;
  end if;
  return jsonb_build_object('holders', medidesk.holders_json(v_id, v_staff::text));
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
  select x.status, x.assigned_to into k from public.contacts x where x.id = c.contact_id for update;
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

create or replace function medidesk.add_note(p jsonb, p_trace text) returns jsonb language plpgsql volatile as $$
declare c record; n public.notes;
begin
  select x.id, x.contact_id into c from public.conversations x where x.id = medidesk.surviving_conversation((p ->> 'conversation_id')::uuid);
  if not found then return medidesk.refuse('NOT_FOUND', 'no such conversation'); end if;
  insert into public.notes as t (id, conversation_id, contact_id, actor, text)
  values ((p ->> 'commit_id')::uuid, c.id, c.contact_id, medidesk.actor_text(p -> 'actor'), p ->> 'text')
  on conflict (id) do nothing returning t.* into n;
  if n.id is null then
    select t.* into n from public.notes t where t.id = (p ->> 'commit_id')::uuid and t.conversation_id = c.id;
    if not found then return medidesk.refuse('ALREADY_EXISTS', 'commit_id was used for another note'); end if;
  else
    perform medidesk.record(p -> 'actor', 'update', 'conversation', c.id::text, c.contact_id, p_trace, 'note.added', p_conversation => c.id);
  end if;
  return jsonb_build_object('note', medidesk.note_json(n));
end $$;

create or replace function medidesk.delete_note(p jsonb, p_trace text) returns jsonb language plpgsql volatile as $$
declare n public.notes;
begin
  select t.* into n from public.notes t where t.id = (p ->> 'note_id')::uuid for update;
  if not found then return '{}'; end if;
  if n.actor <> medidesk.actor_text(p -> 'actor') and medidesk.role_of(p -> 'actor') not in ('admin', 'operator') then
    return medidesk.refuse('PERMISSION_DENIED', 'only its author or an admin removes a note');
  end if;
  delete from public.notes where id = n.id;
  perform medidesk.record(p -> 'actor', 'update', 'conversation', n.conversation_id::text, n.contact_id, p_trace, 'note.removed', p_conversation => n.conversation_id);
  return '{}';
end $$;

create or replace function medidesk.mark_answer(p jsonb, p_trace text) returns jsonb language plpgsql volatile as $$
declare m record; v_task uuid; v_comment text := coalesce(p ->> 'comment', '');
begin
  select x.id, x.conversation_id, x.contact_id, x.turn_id, r.origin into m from public.messages x left join public.replies r on r.id = x.id
   where x.id = (p ->> 'message_id')::uuid for update of x;
  if not found then return medidesk.refuse('NOT_FOUND', 'no such message'); end if;
  if m.origin is distinct from 'bot' then
    return medidesk.refuse('FAILED_PRECONDITION', 'only an answer of the assistant can be marked', 'NOT_AN_ANSWER');
  end if;
  select a.task_id into v_task from medidesk.answer_marks a join public.tasks t on t.id = a.task_id
   where a.message_id = m.id and t.state <> 'done';
  if found then
    if v_comment <> '' then
      update public.tasks t set summary = left(concat_ws(e'\n', nullif(t.summary, v_comment), v_comment), 1000) where t.id = v_task;
    end if;
    return jsonb_build_object('task_id', v_task);
  end if;
  insert into public.tasks (conversation_id, contact_id, turn_id, message_id, reason, kind, summary)
  values (m.conversation_id, m.contact_id, m.turn_id, m.id, 'answer_review', 'answer_review', nullif(v_comment, '')) returning id into v_task;
  insert into medidesk.answer_marks (message_id, task_id, actor) values (m.id, v_task, medidesk.actor_text(p -> 'actor'))
  on conflict (message_id) do update set task_id = excluded.task_id, actor = excluded.actor, at = clock_timestamp();
  perform medidesk.record(p -> 'actor', 'create', 'task', v_task::text, m.contact_id, p_trace, 'answer_review', p_conversation => m.conversation_id);
  return jsonb_build_object('task_id', v_task);
end $$;

create or replace function medidesk.list_marked_answers(p jsonb, p_trace text) returns jsonb language plpgsql volatile as $$
declare v_limit int := coalesce(nullif((p ->> 'page_size')::int, 0), 50); v_offset int := 0; v_rows jsonb;
begin
  if p ->> 'page_token' is not null then
    if p ->> 'page_token' !~ '^[0-9]{1,6}$' then return medidesk.refuse('INVALID_ARGUMENT', 'page_token: expected the token of a page of this list'); end if;
    v_offset := (p ->> 'page_token')::int;
  end if;
  select coalesce(jsonb_agg(jsonb_strip_nulls(jsonb_build_object('task', medidesk.task_json(x.t), 'question', x.question, 'answer', x.answer,
           'source', x.source, 'marked_by', medidesk.staff_json(x.s))) order by x.at desc), '[]') into v_rows
    from (select t, s, a.at, r.source, left(m.content, 1000) as answer,
                 (select left(q.content, 500) from public.messages q where q.conversation_id = m.conversation_id and q.seq < m.seq and not q.from_me
                     and q.deleted_at is null order by q.seq desc limit 1) as question
            from medidesk.answer_marks a join public.tasks t on t.id = a.task_id join public.messages m on m.id = a.message_id
            left join public.replies r on r.id = m.id left join public.staff s on s.id::text = a.actor
           where coalesce((p ->> 'include_closed')::boolean, false) or t.state <> 'done'
           order by a.at desc, a.message_id offset v_offset limit v_limit) x;
  perform medidesk.record_read(p -> 'actor', 'task', '', null, p_trace, 'marked');
  return jsonb_strip_nulls(jsonb_build_object('answers', v_rows,
    'next_page_token', case when jsonb_array_length(v_rows) = v_limit then (v_offset + v_limit)::text end));
end $$;

do $$ begin
  alter table public.notes enable row level security;
  revoke execute on all functions in schema medidesk from public;
  if exists (select 1 from pg_roles where rolname = 'medidesk_service') then
    grant select, insert, update, delete on public.notes, medidesk.desk_marks, medidesk.desk_holders, medidesk.desk_seen, medidesk.answer_marks to medidesk_service;
    drop policy if exists notes_service on public.notes;
    create policy notes_service on public.notes for all to medidesk_service using (true) with check (true);
    grant execute on all functions in schema medidesk to medidesk_service;
  end if;
  if (select count(*) from pg_roles where rolname in ('anon', 'authenticated', 'service_role')) = 3 then
    revoke all on public.notes from anon, authenticated;
    grant execute on function medidesk.jwt(), medidesk.uid() to anon, authenticated, service_role;
  end if;
exception when insufficient_privilege then
  raise notice 'the dashboard''s roles cannot be granted rights by this login';
end $$;
