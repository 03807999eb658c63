-- Before the first migration, on a database that the original system has used: what stands in the way
-- of 0001 and 0002. Does nothing on a new database, and nothing once 0001 is there.
--
-- - A message of no conversation gets one: nothing a patient wrote is dropped.
-- - A table that bears the name of one of ours (the original read tables of FAQs, doctors and departments
--   of unknown columns) moves to the schema before_medidesk, with its rows, indexes and rights.
do $$
declare t text; v_taken text[];
begin
  if to_regclass('medidesk.site') is not null then return; end if;

  select array_agg(c.relname order by c.relname) into v_taken
    from pg_class c
   where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')
     and c.relname in ('numbers', 'contacts', 'turns', 'replies', 'reply_parts', 'tasks', 'audit_log',
                       'hospital_settings', 'departments', 'doctors', 'faqs', 'visiting_hours',
                       'number_states', 'patient_contacts', 'staff', 'tokens', 'experiments');
  if v_taken is not null then
    create schema if not exists before_medidesk;
    foreach t in array v_taken loop
      execute format('alter table public.%I set schema before_medidesk', t);
      raise notice 'table public.% was not ours: it is before_medidesk.% now', t, t;
    end loop;
  end if;

  if to_regclass('public.conversations') is null or to_regclass('public.messages') is null then return; end if;
  -- The conversation is gone, its id is known: it comes back under that id, with the number of who wrote.
  insert into public.conversations (id, phone, status, created_at, updated_at)
  select m.conversation_id,
         coalesce(min(m.sender) filter (where m.sender ~ '[0-9]{7}'), 'unknown'), 'archived',
         coalesce(min(m.created_at), now()), coalesce(max(m.created_at), now())
    from public.messages m
   where m.conversation_id is not null
     and not exists (select 1 from public.conversations c where c.id = m.conversation_id)
   group by m.conversation_id;
  -- No id at all: the writer's conversation; what nobody can be named for goes into one of its own.
  create temporary table homeless on commit drop as
    select coalesce(case when m.sender ~ '[0-9]{7}' then m.sender end, 'unknown') as phone,
           min(m.created_at) as first_at, max(m.created_at) as last_at, null::uuid as conversation_id
      from public.messages m where m.conversation_id is null group by 1;
  update homeless h set conversation_id =
    (select c.id from public.conversations c
      where regexp_replace(c.phone, '[^0-9]', '', 'g') = regexp_replace(h.phone, '[^0-9]', '', 'g')
        and (h.phone <> 'unknown' or c.phone = 'unknown')
      order by c.created_at nulls last, c.id limit 1);
  with made as (
    insert into public.conversations (id, phone, status, created_at, updated_at)
    select gen_random_uuid(), h.phone, 'archived', coalesce(h.first_at, now()), coalesce(h.last_at, now())
      from homeless h where h.conversation_id is null
    returning id, phone)
  update homeless h set conversation_id = made.id from made where made.phone = h.phone;
  update public.messages m set conversation_id = h.conversation_id
    from homeless h
   where m.conversation_id is null
     and h.phone = coalesce(case when m.sender ~ '[0-9]{7}' then m.sender end, 'unknown');
  drop table homeless;
end $$;
