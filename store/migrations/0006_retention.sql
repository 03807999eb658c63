-- Retention: texts older than `p_days` are emptied, conversation by conversation along its messages' own
-- index, so that no index beside costs every message something. What a call looks at is bounded.

alter table public.conversations add column if not exists expired_seq bigint not null default 0;
create table if not exists medidesk.retention (
  only_row boolean primary key default true check (only_row),
  after_conversation uuid not null default '00000000-0000-0000-0000-000000000000');
insert into medidesk.retention default values on conflict do nothing;

-- A new key for what comes; HMACs under the old one mean nothing any more.
create or replace function medidesk.renew_audit_keys(p_contacts uuid[]) returns void language plpgsql volatile as $$
declare v_contact uuid; v_key bytea; v_inner bytea; v_outer bytea;
begin
  foreach v_contact in array p_contacts loop
    v_key := uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid());
    v_inner := v_key; v_outer := v_key;
    for i in 0 .. 63 loop
      v_inner := set_byte(v_inner, i, get_byte(v_key, i) # 54);
      v_outer := set_byte(v_outer, i, get_byte(v_key, i) # 92);
    end loop;
    update medidesk.audit_keys set inner_block = v_inner, outer_block = v_outer where contact_id = v_contact;
  end loop;
end $$;

-- `expired`: texts emptied; `done`: the last conversation has been looked at, begin again later.
drop function if exists medidesk.expire_texts;
create function medidesk.expire_texts(p_days int, p_conversations int, p_messages int, out expired bigint, out done boolean)
language plpgsql volatile as $$
declare v_after uuid; v_before timestamptz := now() - make_interval(days => p_days); c record; v_seq bigint; v_rows bigint;
        v_left bigint := p_messages; v_renew uuid[] := '{}'; v_looked int := 0;
begin
  expired := 0;
  select after_conversation into v_after from medidesk.retention for update skip locked;
  if not found then done := true; return; end if;  -- another store is at it
  for c in select x.id, x.contact_id, x.expired_seq from public.conversations x where x.id > v_after order by x.id limit p_conversations loop
    v_looked := v_looked + 1;
    -- a look at the oldest one not done yet tells most conversations apart
    if (select m.created_at from public.messages m where m.conversation_id = c.id and m.seq > c.expired_seq order by m.seq limit 1) < v_before then
      select max(o.seq), count(*) into v_seq, v_rows from (
        select m.seq from public.messages m where m.conversation_id = c.id and m.seq > c.expired_seq and m.created_at < v_before
         order by m.seq limit v_left) o;
      v_left := v_left - v_rows;
      update public.messages m set content = '', verdict = null, deleted_at = coalesce(m.deleted_at, now())
       where m.conversation_id = c.id and m.seq > c.expired_seq and m.seq <= v_seq and m.created_at < v_before and m.content <> '';
      get diagnostics v_rows = row_count;
      expired := expired + v_rows;
      update public.conversations x set expired_seq = v_seq where x.id = c.id;
      update public.tasks t set summary = null, resolution = null where t.conversation_id = c.id and t.completed_at < v_before
         and (t.summary is not null or t.resolution is not null);
      if not exists (select 1 from public.messages m where m.contact_id = c.contact_id and m.content <> '') then
        v_renew := v_renew || c.contact_id;
      end if;
    end if;
    exit when v_left <= 0;  -- the rest of this conversation comes first next time
    v_after := c.id;
  end loop;
  perform medidesk.renew_audit_keys(v_renew);
  done := v_looked < p_conversations and v_left > 0;
  update medidesk.retention set after_conversation = case when done then '00000000-0000-0000-0000-000000000000' else v_after end;
end $$;

-- Outcomes of commits that nobody repeats any more.
create or replace function medidesk.forget_outcomes() returns void language sql volatile as $$
  delete from medidesk.commit_outcomes where commit_id in (
    select commit_id from medidesk.commit_outcomes where at < clock_timestamp() - interval '30 days' limit 1000) $$;


do $$ begin
  if exists (select 1 from pg_roles where rolname = 'medidesk_service') then
    grant select, insert, update, delete on medidesk.retention to medidesk_service;
  end if;
end $$;
