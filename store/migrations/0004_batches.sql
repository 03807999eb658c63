-- Several callers' accepts, or replies, in one transaction: the executor, the commit and the round trip are
-- paid once for all. Only the plain case: a known, active contact's message on a route of one message a
-- turn; a reply without a task on a sealed turn. What is not returned was not done, and its caller goes
-- the long way (medidesk.accept, medidesk.commit_reply). A row that somebody has locked is not waited for, so a batch
-- neither stands in a queue nor takes part in a deadlock over locks.

drop function if exists medidesk.accept_many;
create function medidesk.accept_many(
  p_commit uuid[], p_route text[], p_number uuid[], p_phone text[], p_message_id text[], p_content text[],
  p_message_at double precision[], p_verdict jsonb[], p_family text[], p_history int[], p_trace text[],
  p_claim_seconds double precision)
returns table (commit_id uuid, conversation_id uuid, contact_id uuid, claim_until timestamptz, history text)
language plpgsql volatile
-- One index look-up a row, whatever the statistics say: plans are made while the tables are small. Hence also the
-- lateral sub-selects below, one after the other in the order of the locks.
set enable_hashjoin = off set enable_mergejoin = off set enable_bitmapscan = off as $$
declare v_now timestamptz; v_until timestamptz; v_n int[]; v_conversations uuid[]; v_contacts uuid[];
begin
  select array_agg(l.n), array_agg(l.conversation), array_agg(l.contact) into v_n, v_conversations, v_contacts
    from (select u.n, c.id as conversation, k.id as contact
            from unnest(p_phone, p_number) with ordinality as u(phone, number_id, n)
           cross join lateral (select x.id from public.contacts x where x.phone = u.phone offset 0) k
           cross join lateral (select x.id from public.conversations x
                                where x.contact_id = k.id and x.number_id = u.number_id and x.merged_into is null
                                  and x.status = 'active' for update skip locked) c
           cross join lateral (select from public.contacts x
                                where x.id = k.id and x.phone = u.phone and x.status = 'active' and x.blocked_at is null
                                  for share skip locked) locked
           where (select s.assistant_enabled from medidesk.site s)) l;
  if v_n is null then return; end if;
  v_now := clock_timestamp();
  v_until := v_now + make_interval(secs => p_claim_seconds);
  return query
  with u as materialized (
    select l.conversation, l.contact, p_commit[l.n] as id, p_route[l.n] as route, p_number[l.n] as number_id,
           p_phone[l.n] as phone, p_message_id[l.n] as message_id, p_content[l.n] as content, p_message_at[l.n] as message_at,
           p_verdict[l.n] as verdict, p_family[l.n] as family, p_history[l.n] as history_limit, p_trace[l.n] as trace_id
      from unnest(v_n, v_conversations, v_contacts) as l(n, conversation, contact)),
  m as (
    insert into public.messages as m (id, conversation_id, contact_id, sender, content, direction, from_me,
                                      whatsapp_message_id, turn_id, message_at, verdict, created_at)
    select u.id, u.conversation, u.contact, u.phone, u.content, 'received', false, u.message_id, u.id,
           coalesce(to_timestamp(u.message_at), v_now), u.verdict, v_now from u
    on conflict do nothing returning m.id, m.seq),
  done as materialized (select u.*, m.seq from m join u on u.id = m.id),
  t as (
    insert into public.turns (id, conversation_id, contact_id, number_id, route, state, first_seq, claim_id, claim_until,
                              trace_id, opened_at, sealed_at)
    select d.id, d.conversation, d.contact, d.number_id, d.route, 'sealed', d.seq, d.id, v_until, d.trace_id, v_now, v_now
      from done d),
  a as (
    insert into public.audit_log (actor, action, conversation_id, contact_id, subject_id, trace_id, detail, content_mac)
    select 'patient', 'message_accepted', d.conversation, d.contact, d.id, d.trace_id, d.family,
           sha256(k.outer_block || sha256(k.inner_block || convert_to(d.content, 'UTF8')))
      from done d left join medidesk.audit_keys k on k.contact_id = d.contact),
  c as (
    update public.conversations c set updated_at = v_now, activity_minute = date_trunc('minute', v_now)
      from done d where c.id = d.conversation)
  -- Busy and history are read as they were before this statement: without this message and its turn. The
  -- history has the form of medidesk.history().
  select d.id, d.conversation, d.contact, case when f.free then v_until end,
         case when f.free then
           (select coalesce(string_agg(concat(h.who, h.at, ',', octet_length(h.content), ':', h.content), '' order by h.seq), '')
              from (select case when not x.from_me then 'p' when x.sender = 'staff' then 's' else 'b' end as who,
                           case when octet_length(x.content) > 16000 then left(x.content, 4000) else x.content end as content,
                           date_part('epoch', x.created_at)::bigint as at, x.seq
                      from public.messages x
                     where x.conversation_id = d.conversation and (x.from_me or x.seq < d.seq) and x.deleted_at is null
                     order by x.seq desc limit d.history_limit) h)
         else '' end
    from done d
   -- a scalar sub-select: EXISTS would be hashed over every unfinished turn
   cross join lateral (select (select e.id from public.turns e where e.conversation_id = d.conversation
                                and e.state = 'sealed' and e.claim_until > v_now limit 1) is null as free offset 0) f;
end $$;

drop function if exists medidesk.commit_many;
create function medidesk.commit_many(p_turn uuid[], p_commit uuid[], p_origin text[], p_source text[], p_text text[],
                                     p_trace text[])
returns table (turn_id uuid, status text, route text)
language plpgsql volatile
set enable_hashjoin = off set enable_mergejoin = off set enable_bitmapscan = off as $$
declare v_now timestamptz; v_n int[]; v_conversations uuid[]; v_contacts uuid[]; v_routes text[];
begin
  -- An active conversation has an active contact; the contact's row is what a takeover locks.
  select array_agg(l.n), array_agg(l.conversation), array_agg(l.contact), array_agg(l.route)
    into v_n, v_conversations, v_contacts, v_routes
    from (select u.n, c.id as conversation, t.contact_id as contact, t.route
            from unnest(p_turn) with ordinality as u(id, n)
           cross join lateral (select x.conversation_id, x.contact_id, x.route from public.turns x
                                where x.id = u.id and x.route <> 'wa' offset 0) t
           cross join lateral (select x.id from public.conversations x
                                where x.id = t.conversation_id and x.status = 'active' for update skip locked) c
           cross join lateral (select from public.turns x
                                where x.id = u.id and x.state = 'sealed' and x.conversation_id = c.id and x.route = t.route
                                  for update skip locked) turn_locked
           cross join lateral (select from public.contacts x
                                where x.id = t.contact_id and x.status = 'active' for share skip locked) contact_locked) l;
  if v_n is null then return; end if;
  v_now := clock_timestamp();
  return query
  with u as materialized (
    select l.conversation, l.contact, l.route, p_turn[l.n] as turn, p_commit[l.n] as id, p_origin[l.n] as origin,
           p_source[l.n] as source, p_text[l.n] as content, p_trace[l.n] as trace_id
      from unnest(v_n, v_conversations, v_contacts, v_routes) as l(n, conversation, contact, route)),
  x as (
    update public.turns x set state = 'answered', claim_until = null, closed_at = v_now from u where x.id = u.turn),
  m as (
    insert into public.messages (id, conversation_id, contact_id, sender, content, direction, from_me,
                                 whatsapp_message_id, turn_id, created_at)
    select u.id, u.conversation, u.contact, 'assistant', u.content, 'sent', true, 'reply:' || u.id, u.turn, v_now from u),
  r as (
    insert into public.replies (id, turn_id, conversation_id, origin, source, returned_at, created_at)
    select u.id, u.turn, u.conversation, u.origin, u.source, v_now, v_now from u),
  a as (
    insert into public.audit_log (actor, action, conversation_id, contact_id, subject_id, trace_id, detail, content_mac)
    select u.origin, 'reply_committed', u.conversation, u.contact, u.id, u.trace_id, nullif(u.source, ''),
           sha256(k.outer_block || sha256(k.inner_block || convert_to(u.content, 'UTF8')))
      from u left join medidesk.audit_keys k on k.contact_id = u.contact)
  select u.turn, 'active'::text, u.route from u;
end $$;

-- The sealer asks for the latest transactions' rows several times a second. The BRIN index knew nothing younger than the
-- last vacuum, and the planner went through the primary key: a cost that grew with the log.
drop index if exists public.audit_log_xid;
create index if not exists audit_log_transactions on public.audit_log (xid);

-- The latest messages in the index's order, never all of a conversation's.
alter function medidesk.history(uuid, uuid, bigint, int) set enable_bitmapscan = off;

do $$ begin
  revoke execute on all functions in schema medidesk from public;
  if exists (select 1 from pg_roles where rolname = 'medidesk_service') then
    grant execute on all functions in schema medidesk to medidesk_service;
  end if;
end $$;
