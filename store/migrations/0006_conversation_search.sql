-- Conversations: a list for every status, and a search by name and number. What is searched is a table
-- beside: a conversation's row is written with every message, these words are not.

create index if not exists conversations_status on public.conversations (status, activity_minute desc, id desc) where merged_into is null;
create table if not exists medidesk.conversation_words (
  conversation_id uuid primary key references public.conversations (id) on delete cascade,
  words text not null);  -- name in lower case, line end, digits of the number
create or replace function medidesk.keep_words() returns trigger language plpgsql security definer set search_path = '' as $$
begin
  insert into medidesk.conversation_words as w (conversation_id, words)
  values (new.id, lower(coalesce(new.patient_name, '')) || e'\n' || regexp_replace(coalesce(new.phone, ''), '[^0-9]', '', 'g'))
  on conflict (conversation_id) do update set words = excluded.words where w.words <> excluded.words;
  return null;
end $$;
create or replace trigger conversations_words after insert on public.conversations for each row execute function medidesk.keep_words();
create or replace trigger conversations_new_words after update of patient_name, phone on public.conversations
  for each row when (old.patient_name is distinct from new.patient_name or old.phone is distinct from new.phone) execute function medidesk.keep_words();
insert into medidesk.conversation_words (conversation_id, words)
select id, lower(coalesce(patient_name, '')) || e'\n' || regexp_replace(coalesce(phone, ''), '[^0-9]', '', 'g') from public.conversations
on conflict (conversation_id) do nothing;

-- Without the extension the same queries read more rows.
do $$ begin
  create extension if not exists pg_trgm;
exception when others then
  raise notice 'pg_trgm is not to be had here: searches read whole tables';
end $$;
do $$
declare v_schema text := (select n.nspname from pg_extension e join pg_namespace n on n.oid = e.extnamespace where e.extname = 'pg_trgm');
begin
  if v_schema is null then return; end if;
  execute format('create index if not exists conversation_words_trigrams on medidesk.conversation_words using gin (words %I.gin_trgm_ops) with (fastupdate = off)', v_schema);
end $$;

-- Ids of a page, latest activity first. Planned for what is asked: one plan for all would serve none. What is
-- searched for decides by its number of hits, not by a guess at it, which is off by a factor of a thousand for a name: few hits are
-- sorted, of many a page is soon found along the list. Whole tables are read where no index can serve, and only there.
create or replace function medidesk.find_conversations(
  p_query text, p_status text, p_digits text, p_number text, p_assigned text, p_minute bigint, p_id uuid, p_limit int)
returns setof uuid language plpgsql stable set enable_seqscan = off as $$
declare
  v_where text := ''; v_digits text := regexp_replace(p_query, '[^0-9]', '', 'g'); v_pattern text; v_hits uuid[];
  v_few constant int := 2000;
begin
  if p_status <> '' then v_where := v_where || ' and c.status = $1'; end if;
  if p_digits <> '' then v_where := v_where || ' and regexp_replace(c.phone, ''[^0-9]'', '''', ''g'') = $2'; end if;
  if p_number <> '' then v_where := v_where || ' and c.number_id = $3::uuid'; end if;
  if p_assigned <> '' then v_where := v_where || ' and c.assigned_to = $4::uuid'; end if;
  if p_query <> '' then
    v_pattern := quote_literal(case when length(v_digits) >= 4 and p_query ~ '^[-+0-9 ().]+$' then '%' || v_digits || '%'
                                    else medidesk.containing(p_query) end);
    execute 'select array(select w.conversation_id from medidesk.conversation_words w where w.words like ' || v_pattern || ' limit $1)'
       into v_hits using v_few + 1;
    v_where := v_where || case when cardinality(v_hits) <= v_few then ' and c.id = any ($8)'
      else ' and (select w.words like ' || v_pattern || ' from medidesk.conversation_words w where w.conversation_id = c.id)' end;
  end if;
  return query execute 'select c.id from public.conversations c where c.merged_into is null
      and (c.activity_minute, c.id) < (to_timestamp($5::double precision * 60), $6)' || v_where ||
    ' order by c.activity_minute desc, c.id desc limit $7'
    using p_status, p_digits, p_number, p_assigned, p_minute, p_id, p_limit, v_hits;
end $$;

do $$ begin
  if exists (select 1 from pg_roles where rolname = 'medidesk_service') then
    grant select, insert, update, delete on medidesk.conversation_words to medidesk_service;
  end if;
end $$;
