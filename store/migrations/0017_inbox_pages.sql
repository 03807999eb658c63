-- The inbox stays fast with many conversations: a page in one statement, and searches that walk no further than they need.

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

drop function if exists medidesk.inbox_row(uuid);

-- New functions are nobody's but the service's.
do $$ begin
  revoke execute on all functions in schema medidesk from public;
  if exists (select 1 from pg_roles where rolname = 'medidesk_service') then
    grant execute on all functions in schema medidesk to medidesk_service;
  end if;
  if exists (select 1 from pg_roles where rolname = 'anon') then
    revoke all on all functions in schema medidesk from anon;
  end if;
exception when insufficient_privilege then
  raise notice 'rights of the inbox cannot be granted by this login';
end $$;
