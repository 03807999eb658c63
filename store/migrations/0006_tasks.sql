-- Tasks. Writers of 0003 and 0004 know a reason and whether it is urgent; the rest follows from these.

create sequence if not exists medidesk.task_revision;
alter table public.tasks
  add column if not exists kind text,
  add column if not exists priority smallint,
  add column if not exists number_id uuid,
  add column if not exists message_id uuid,
  add column if not exists summary text,
  add column if not exists detail_code text,
  add column if not exists due_at timestamptz,
  add column if not exists claimed_at timestamptz,
  add column if not exists completed_at timestamptz,
  add column if not exists dismissed boolean not null default false,  -- of a done one: closed without work
  add column if not exists resolution text,
  add column if not exists revision bigint,
  add column if not exists change_xid bigint;

create or replace function medidesk.task_kind(p_reason text) returns text language sql immutable as $$
  select case
    when r in ('emergency', 'self_harm', 'violence', 'threat', 'abuse', 'human_request', 'handover', 'unanswered_question', 'stale_message',
               'call_back', 'model_failure', 'output_check_failed', 'unfinished_turn', 'delivery_failed', 'unreadable_media',
               'undecryptable_message', 'wrong_number', 'number_attention', 'journal_refused', 'answer_review')
         and p_reason !~ ':(self_harm|violence)' then r
    when r like 'emergency%' then case when p_reason like '%:self_harm%' then 'self_harm'
                                       when p_reason like '%:violence%' then 'violence' else 'emergency' end
    when r in ('no_answer', 'unknown') then 'unanswered_question'
    when r = 'unanswered' then 'unfinished_turn'
    when r = 'stale' then 'stale_message'
    when r in ('apology', 'model') then 'model_failure'
    when r in ('failed', 'expired', 'undelivered', 'unknown_delivery') then 'delivery_failed'
    when r in ('logged_out', 'banned', 'replaced', 'needs_link') then 'number_attention'
    else 'handover' end
  from (select split_part(p_reason, ':', 1) as r) x $$;
create or replace function medidesk.task_priority(p_kind text) returns smallint language sql immutable as $$
  select (case when p_kind in ('emergency', 'self_harm', 'violence', 'threat', 'call_back') then 1
               when p_kind in ('abuse', 'unanswered_question', 'unreadable_media') then 3
               when p_kind = 'answer_review' then 4 else 2 end)::smallint $$;

create or replace function medidesk.complete_task() returns trigger language plpgsql security definer set search_path = '' as $$
begin
  if new.kind is null then
    new.kind := medidesk.task_kind(new.reason);
    new.detail_code := coalesce(new.detail_code, left(regexp_replace(lower(new.reason), '[^a-z0-9_.-]', '.', 'g'), 64));
    -- "perhaps a red flag" is a red flag that is not urgent
    new.priority := coalesce(new.priority, case when new.urgent then 1 else greatest(medidesk.task_priority(new.kind), 2) end);
  end if;
  new.priority := coalesce(new.priority, medidesk.task_priority(new.kind));
  new.urgent := new.priority = 1;
  if tg_op = 'INSERT' then
    if new.conversation_id is not null then
      select coalesce(new.contact_id, c.contact_id), coalesce(new.number_id, c.number_id) into new.contact_id, new.number_id
        from public.conversations c where c.id = new.conversation_id;
    end if;
    if new.kind = 'number_attention' and new.number_id is null and new.reason ~ ':[0-9a-f-]{36}$' then
      new.number_id := right(new.reason, 36)::uuid;
      new.detail_code := null;
    end if;
    if new.message_id is null and new.turn_id is not null then
      select m.id into new.message_id from public.messages m where m.id = new.turn_id;  -- a turn has its first message's id
    end if;
    new.due_at := coalesce(new.due_at, new.created_at + case new.priority when 1 then interval '5 minutes' when 2 then interval '1 hour'
                                                                          when 3 then interval '24 hours' end);
  end if;
  if new.state = 'done' then new.completed_at := coalesce(new.completed_at, clock_timestamp()); end if;
  new.revision := nextval('medidesk.task_revision');
  new.change_xid := pg_current_xact_id()::text::bigint;
  return new;
end $$;
create or replace trigger tasks_complete before insert or update on public.tasks
  for each row execute function medidesk.complete_task();
update public.tasks set kind = null where kind is null or revision is null;  -- the trigger fills in the rest
alter table public.tasks alter column kind set not null, alter column priority set not null, alter column revision set not null,
  alter column change_xid set not null;
create index if not exists tasks_waiting on public.tasks (priority, created_at, id) where state <> 'done';
create index if not exists tasks_by_priority on public.tasks (priority, created_at, id);
create index if not exists tasks_changed on public.tasks (change_xid, revision);
create index if not exists tasks_contact on public.tasks (contact_id) where contact_id is not null;
create index if not exists tasks_assigned on public.tasks (assigned_to) where assigned_to is not null;
drop index if exists public.tasks_open;

create or replace function medidesk.task_json(t public.tasks) returns jsonb language sql stable as $$
  select jsonb_strip_nulls(jsonb_build_object('id', t.id, 'kind', 'TASK_KIND_' || upper(t.kind), 'priority', t.priority,
    'state', 'TASK_STATE_' || case when t.dismissed then 'DISMISSED' else upper(t.state) end, 'conversation_id', t.conversation_id, 'contact_id', t.contact_id, 'number_id', t.number_id,
    'turn_id', t.turn_id, 'message_id', t.message_id, 'summary', t.summary, 'detail_code', t.detail_code,
    'create_time', medidesk.stamp(t.created_at), 'due_time', medidesk.stamp(t.due_at),
    'assignee_id', case when t.state <> 'open' then t.assigned_to end, 'claim_time', medidesk.stamp(t.claimed_at),
    'complete_time', medidesk.stamp(t.completed_at), 'resolution', t.resolution, 'etag', t.revision::text)) $$;
create or replace function medidesk.task_response(p_task uuid) returns jsonb language sql stable as $$
  select coalesce((select jsonb_build_object('task', medidesk.task_json(t)) from public.tasks t where t.id = p_task),
                  medidesk.refuse('NOT_FOUND', 'no such task')) $$;

create or replace function medidesk.get_task(p jsonb, p_trace text) returns jsonb language plpgsql volatile as $$
declare t record;
begin
  select * into t from public.tasks where id = (p ->> 'task_id')::uuid;
  if t.conversation_id is not null then
    perform medidesk.record_read(p -> 'actor', 'task', t.id::text, t.contact_id, p_trace, null, t.conversation_id);
  end if;
  return medidesk.task_response((p ->> 'task_id')::uuid);
end $$;

create or replace function medidesk.list_tasks(p jsonb, p_trace text) returns jsonb language plpgsql volatile as $$
declare
  v_limit int := coalesce(nullif((p ->> 'page_size')::int, 0), 50);
  v_print text := left(md5((p - 'page_token' - 'page_size' - 'actor')::text), 8);
  v_states text[] := array(select lower(substr(e, 12)) from jsonb_array_elements_text(p -> 'states') e);
  v_kinds text[] := array(select lower(substr(e, 11)) from jsonb_array_elements_text(p -> 'kinds') e);
  v_where text := ''; v_priority smallint; v_at timestamptz; v_id uuid; v_ids uuid[]; v_rows jsonb;
begin
  if p ->> 'page_token' is not null then
    if p ->> 'page_token' ~ ('^[0-9a-f-]{36}\.' || v_print || '$') then
      select x.priority, x.created_at, x.id into v_priority, v_at, v_id from public.tasks x where x.id = left(p ->> 'page_token', 36)::uuid;
    end if;
    if v_id is null then
      return medidesk.refuse('INVALID_ARGUMENT', 'page_token: expected the token of a page of this list');
    end if;
    v_where := v_where || ' and (x.priority, x.created_at, x.id) > ($1, $2, $3)';
  end if;
  if cardinality(v_states) = 0 then v_where := v_where || ' and x.state <> ''done''';
  elsif not 'unspecified' = any (v_states) then v_where := v_where || ' and case when x.dismissed then ''dismissed'' else x.state end = any ($4)'; end if;
  if cardinality(v_kinds) > 0 then v_where := v_where || ' and x.kind = any ($5)'; end if;
  if p ->> 'assignee_id' is not null then v_where := v_where || ' and x.assigned_to = $6'; end if;
  if p ->> 'conversation_id' is not null then
    v_where := v_where || ' and x.conversation_id = (select coalesce(c.merged_into, c.id) from public.conversations c where c.id = $7)';
  end if;
  if p -> 'create_time_range' ->> 'start_time' is not null then v_where := v_where || ' and x.created_at >= $8'; end if;
  if p -> 'create_time_range' ->> 'end_time' is not null then v_where := v_where || ' and x.created_at < $9'; end if;
  execute 'select array(select x.id from public.tasks x where true' || v_where || ' order by x.priority, x.created_at, x.id limit $10)'
     into v_ids
    using v_priority, v_at, v_id, v_states, v_kinds, (p ->> 'assignee_id')::uuid, (p ->> 'conversation_id')::uuid,
          (p -> 'create_time_range' ->> 'start_time')::timestamptz, (p -> 'create_time_range' ->> 'end_time')::timestamptz, v_limit;
  select coalesce(jsonb_agg(medidesk.task_json(x) order by x.priority, x.created_at, x.id), '[]') into v_rows
    from public.tasks x where x.id = any (v_ids);
  perform medidesk.record_read(p -> 'actor', 'task', '', null, p_trace, 'list', (p ->> 'conversation_id')::uuid);
  return jsonb_strip_nulls(jsonb_build_object('tasks', v_rows,
    'next_page_token', case when cardinality(v_ids) = v_limit then v_ids[v_limit] || '.' || v_print end,
    'open_count', (select count(*) from public.tasks x where x.state = 'open')));
end $$;

create or replace function medidesk.create_task(p jsonb, p_trace text) returns jsonb language plpgsql volatile as $$
declare
  v_commit uuid := (p ->> 'commit_id')::uuid; v_first jsonb := medidesk.first_outcome(v_commit); x jsonb := p -> 'task';
  v_kind text := lower(substr(x ->> 'kind', 11)); v_id uuid; v_conversation uuid; v_contact uuid; v_duplicate boolean;
  v_priority smallint := array_position(array['URGENT', 'HIGH', 'NORMAL', 'LOW'], substr(x ->> 'priority', 15));
begin
  if v_first is not null then return medidesk.task_response((v_first ->> 'task_id')::uuid) || (v_first - 'task_id'); end if;
  if x ->> 'conversation_id' is not null then
    select c.id, c.contact_id into v_conversation, v_contact from public.conversations c
     where c.id = (select coalesce(y.merged_into, y.id) from public.conversations y where y.id = (x ->> 'conversation_id')::uuid);
    if not found then return medidesk.refuse('NOT_FOUND', 'task.conversation_id: no such conversation'); end if;
  end if;
  if x ->> 'number_id' is not null and not exists (select 1 from public.numbers where id = (x ->> 'number_id')::uuid) then
    return medidesk.refuse('NOT_FOUND', 'task.number_id: no such number');
  end if;
  if x ->> 'turn_id' is not null and not exists (select 1 from public.turns where id = (x ->> 'turn_id')::uuid) then
    return medidesk.refuse('NOT_FOUND', 'task.turn_id: no such turn');
  end if;
  if x ->> 'message_id' is not null and not exists (select 1 from public.messages where id = (x ->> 'message_id')::uuid) then
    return medidesk.refuse('NOT_FOUND', 'task.message_id: no such message');
  end if;
  -- two callers with one cause at once make one task
  perform pg_advisory_xact_lock(727007, hashtext(concat_ws('|', v_kind, v_conversation, x ->> 'number_id')));
  select t.id into v_id from public.tasks t where t.state <> 'done' and t.kind = v_kind
     and t.conversation_id is not distinct from v_conversation
     and (v_conversation is not null or t.number_id is not distinct from (x ->> 'number_id')::uuid)
     and (x ->> 'turn_id' is null or t.turn_id = (x ->> 'turn_id')::uuid)
     and (x ->> 'message_id' is null or t.message_id = (x ->> 'message_id')::uuid) limit 1;
  v_duplicate := found;
  if not v_duplicate then
    insert into public.tasks (conversation_id, contact_id, number_id, turn_id, message_id, reason, kind, priority, summary, detail_code)
    values (v_conversation, v_contact, (x ->> 'number_id')::uuid, (x ->> 'turn_id')::uuid, (x ->> 'message_id')::uuid, v_kind, v_kind,
            v_priority, x ->> 'summary', x ->> 'detail_code')
    returning id into v_id;
    perform medidesk.record(p -> 'actor', 'create', 'task', v_id::text, v_contact, p_trace, v_kind, p_conversation => v_conversation);
  end if;
  insert into medidesk.commit_outcomes (commit_id, outcome) values (v_commit, jsonb_build_object('task_id', v_id, 'duplicate', v_duplicate));
  return medidesk.task_response(v_id) || jsonb_build_object('duplicate', v_duplicate);
end $$;

-- `p_what`: claim, release or complete.
create or replace function medidesk.change_task(p jsonb, p_trace text, p_what text) returns jsonb language plpgsql volatile as $$
declare
  v_commit uuid := (p ->> 'commit_id')::uuid; v_first jsonb := medidesk.first_outcome(v_commit); t record;
  v_assignee uuid := (p ->> 'assignee_id')::uuid; v_role text; v_detail text;
begin
  if v_first is not null then return medidesk.task_response((v_first ->> 'task_id')::uuid); end if;
  select * into t from public.tasks where id = (p ->> 'task_id')::uuid for update;
  if not found then return medidesk.refuse('NOT_FOUND', 'no such task'); end if;
  v_role := medidesk.role_of(p -> 'actor');
  if p_what = 'complete' and t.state = 'done' then return medidesk.task_response(t.id); end if;
  if p ->> 'etag' is not null and p ->> 'etag' <> t.revision::text then
    return medidesk.refuse('ABORTED', 'the task changed; read it again and repeat', 'ETAG_MISMATCH');
  end if;
  if t.state = 'done' then return medidesk.refuse('FAILED_PRECONDITION', 'the task is closed', 'TASK_CLOSED'); end if;
  if p_what = 'claim' then
    if medidesk.role_of(jsonb_build_object('kind', 'ACTOR_KIND_STAFF', 'id', v_assignee)) = 'viewer' then
      return medidesk.refuse('FAILED_PRECONDITION', 'a viewer works on no task', 'NOT_AN_AGENT');
    end if;
    if t.state = 'claimed' and t.assigned_to <> v_assignee then
      if not coalesce((p ->> 'force')::boolean, false) then
        return medidesk.refuse('FAILED_PRECONDITION', 'another person works on this task', 'TASK_CLAIMED');
      elsif v_role not in ('admin', 'operator') then
        return medidesk.refuse('PERMISSION_DENIED', 'only an admin takes a task from another person');
      end if;
    end if;
    update public.tasks set state = 'claimed', assigned_to = v_assignee, claimed_at = coalesce(claimed_at, clock_timestamp()) where id = t.id;
    v_detail := 'claimed';
  elsif p_what = 'release' then
    if t.state = 'claimed' then
      if t.assigned_to::text <> coalesce(p -> 'actor' ->> 'id', '') and v_role not in ('admin', 'operator') then
        return medidesk.refuse('FAILED_PRECONDITION', 'another person works on this task', 'TASK_NOT_YOURS');
      end if;
      update public.tasks set state = 'open', assigned_to = null where id = t.id;
    end if;
    v_detail := 'released';
  else
    v_detail := lower(substr(p ->> 'state', 12));
    update public.tasks set state = 'done', dismissed = v_detail = 'dismissed', resolution = p ->> 'resolution', completed_at = clock_timestamp(),
           assigned_to = coalesce(assigned_to, case when p -> 'actor' ->> 'kind' = 'ACTOR_KIND_STAFF' then (p -> 'actor' ->> 'id')::uuid end)
     where id = t.id;
  end if;
  perform medidesk.record(p -> 'actor', 'update', 'task', t.id::text, t.contact_id, p_trace, v_detail, p_conversation => t.conversation_id);
  insert into medidesk.commit_outcomes (commit_id, outcome) values (v_commit, jsonb_build_object('task_id', t.id));
  return medidesk.task_response(t.id);
end $$;

-- The start of a watch: where its changes begin.
create or replace function medidesk.begin_task_watch(p jsonb, p_trace text) returns jsonb language plpgsql volatile as $$
begin
  perform medidesk.record_read(p -> 'actor', 'task', '', null, p_trace, 'watch');
  return jsonb_build_object('horizon', pg_snapshot_xmin(pg_current_snapshot())::text::bigint);
end $$;
-- Tasks changed after (p_xid, p_revision). A transaction that began earlier may end later, so the next look begins
-- at `horizon` again and may repeat some. The first row is the horizon alone.
create or replace function medidesk.changed_tasks(p_xid bigint, p_revision bigint, p_kinds text[], p_limit int)
returns table (task jsonb, change_xid bigint, revision bigint, horizon bigint) language plpgsql stable as $$
declare v_now pg_snapshot := pg_current_snapshot(); v_min bigint := pg_snapshot_xmin(v_now)::text::bigint; v_max bigint := pg_snapshot_xmax(v_now)::text::bigint;
begin
  return query select null::jsonb, 0::bigint, 0::bigint, v_min;
  return query select medidesk.task_json(t), t.change_xid, t.revision, v_min from public.tasks t
   where (t.change_xid, t.revision) > (p_xid, p_revision) and t.change_xid < v_max  -- beyond: of before a restore
     and (p_kinds = '{}' or t.kind = any (p_kinds))
   order by t.change_xid, t.revision limit p_limit;
end $$;


do $$ begin
  revoke execute on all functions in schema medidesk from public;
  if exists (select 1 from pg_roles where rolname = 'medidesk_service') then
    grant usage on sequence medidesk.task_revision to medidesk_service;
    grant execute on all functions in schema medidesk to medidesk_service;
  end if;
  if (select count(*) from pg_roles where rolname in ('anon', 'authenticated', 'service_role')) = 3 then
    grant execute on function medidesk.jwt(), medidesk.uid() to anon, authenticated, service_role;
  end if;
end $$;
