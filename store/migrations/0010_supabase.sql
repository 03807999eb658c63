-- The rights of a Supabase project's three roles, said once and in full (docs/supabase.md). A project
-- made before 2026 grants everything on a new table to all three by default, so what is not listed here
-- is taken away. On a database without these roles nothing is to do.
--
--   anon            nothing: no schema, table, sequence or function of ours
--   authenticated   staff, by `app_metadata.role` of their token: reads the desk's tables and the facts,
--                   and updates three columns of a conversation; an admin reads the audit log, without MACs
--   service_role    the project's own servers: reads the same, and writes the three tables of the original

-- PostgreSQL 16 and newer: who creates a role may administer it, but `set role` needs a grant of its own.
do $$ begin
  if current_setting('server_version_num')::int >= 160000
     and exists (select 1 from pg_roles where rolname = 'medidesk_service')
     and not exists (select 1 from pg_roles where rolname = current_user and rolsuper) then
    execute format('grant medidesk_service to %I with set true, inherit false', current_user);
  end if;
exception when insufficient_privilege then
  raise notice 'role medidesk_service cannot be granted here: the store works as the tables'' owner';
end $$;

-- Keys that the original may have set on a message's id or a phone number alone. Two patients' phones may make
-- one message id, and a patient has a conversation with each number; messages_once is the key that holds.
do $$
declare r record;
begin
  for r in
    select i.indexrelid::regclass::text as index_name, i.indrelid::regclass::text as table_name, k.conname
      from pg_index i
      left join pg_constraint k on k.conindid = i.indexrelid and k.contype = 'u'
     where i.indisunique and not i.indisprimary
       and i.indrelid in ('public.messages'::regclass, 'public.conversations'::regclass)
       and i.indexrelid not in ('public.messages_once'::regclass, 'public.conversations_contact_number'::regclass)
       and exists (select 1 from pg_attribute a where a.attrelid = i.indrelid and a.attnum = any (i.indkey)
                      and a.attname in ('whatsapp_message_id', 'phone'))
  loop
    if r.conname is not null then
      execute format('alter table %s drop constraint %I', r.table_name, r.conname);
    else
      execute format('drop index %s', r.index_name);
    end if;
    raise notice 'unique key % of % dropped: it would refuse another patient''s message or conversation',
                 coalesce(r.conname, r.index_name), r.table_name;
  end loop;
end $$;

do $$
declare
  t text; s text;
  desk constant text[] := array['numbers', 'number_states', 'patients', 'patient_contacts', 'contacts', 'conversations',
                                'messages', 'turns', 'replies', 'reply_parts', 'tasks'];
  facts constant text[] := array['hospital_settings', 'departments', 'doctors', 'faqs', 'visiting_hours'];
  staff constant text := $p$(select medidesk.jwt() -> 'app_metadata' ->> 'role') in ('front_desk', 'viewer', 'agent', 'admin')$p$;
begin
  if (select count(*) from pg_roles where rolname in ('anon', 'authenticated', 'service_role')) < 3 then return; end if;

  -- Every table of ours is in the lists or bears this policy; a table of the project's own is left alone.
  for t in select c.relname from pg_class c
            where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')
              and (c.relname = any (desk || facts || array['audit_log', 'tokens'])
                   or exists (select 1 from pg_policy p where p.polrelid = c.oid and p.polname = c.relname || '_service')) loop
    execute format('revoke all on public.%I from public, anon, authenticated, service_role', t);
    -- Permissive policies that were there before us are or-ed with ours; this one is and-ed with all of them.
    execute format('drop policy if exists %I on public.%I', t || '_staff_only', t);
    execute format('create policy %I on public.%I as restrictive for all to authenticated using (%s)', t || '_staff_only', t, staff);
    for s in select d.objid::regclass::text from pg_depend d join pg_class q on q.oid = d.objid and q.relkind = 'S'
              where d.refobjid = format('public.%I', t)::regclass and d.deptype in ('a', 'i') loop
      execute format('revoke all on sequence %s from public, anon, authenticated, service_role', s);
    end loop;
  end loop;
  for t in select c.relname from pg_class c where c.relnamespace = 'public'::regnamespace and c.relkind = 'r'
            and c.relname = any (desk || facts) loop
    execute format('grant select on public.%I to authenticated, service_role', t);
  end loop;
  foreach t in array array['conversations', 'messages', 'patients'] loop
    execute format('grant insert, update, delete on public.%I to service_role', t);
  end loop;
  grant update (status, assigned_to, patient_name) on public.conversations to authenticated;
  drop policy if exists conversations_not_by_viewers on public.conversations;
  create policy conversations_not_by_viewers on public.conversations as restrictive for update to authenticated
    using ((select medidesk.jwt() -> 'app_metadata' ->> 'role') in ('front_desk', 'agent', 'admin'));

  grant select (id, at, xid, actor, action, conversation_id, contact_id, subject_id, trace_id, detail)
    on public.audit_log to authenticated, service_role;
  drop policy if exists audit_log_staff_read on public.audit_log;
  create policy audit_log_staff_read on public.audit_log for select to authenticated
    using ((select medidesk.jwt() -> 'app_metadata' ->> 'role') = 'admin');

  revoke all on schema medidesk from public, anon;
  revoke all on all tables in schema medidesk from public, anon, authenticated, service_role;
  revoke all on all sequences in schema medidesk from public, anon, authenticated, service_role;
  revoke all on all functions in schema medidesk from public, anon, authenticated, service_role;
  grant usage on schema medidesk to authenticated, service_role;
  grant execute on function medidesk.jwt(), medidesk.uid() to authenticated, service_role;
  grant usage on sequence medidesk.message_seq to service_role;  -- the default of messages.seq
exception when insufficient_privilege then
  raise notice 'the dashboard''s roles cannot be granted rights by this login';
end $$;

-- A takeover by `status` is the signed-in person's: the contact and its other conversations say who.
create or replace function medidesk.follow_status() returns trigger language plpgsql security definer set search_path = '' as $$
declare v_status text := case new.status when 'human_takeover' then 'human_takeover' else 'active' end;
begin
  if new.status = 'archived' or (new.status = 'active' and old.status = 'archived') then return null; end if;
  perform 1 from public.contacts where id = new.contact_id for update;
  if exists (select 1 from public.contacts where id = new.contact_id and status <> v_status) then
    perform medidesk.set_contact_status(new.contact_id, v_status, 'staff',
      case v_status when 'human_takeover' then coalesce(new.assigned_to, medidesk.uid()) end, clock_timestamp());
    perform medidesk.audit(coalesce(medidesk.uid()::text, 'staff'),
      case when v_status = 'human_takeover' then 'takeover' else 'hand_back' end, new.id, new.contact_id, null, null, 'status', null);
  end if;
  return null;
end $$;

notify pgrst, 'reload schema';
