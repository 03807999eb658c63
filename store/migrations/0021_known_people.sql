-- What is known of who is writing comes with the turn, before its history, to be hidden from the model: without it a name that
-- staff entered went out with the next message that held it, and the assistant asked for the chat's name with a call of its own.
--
-- The form of history() is a row of records, each a letter, a number, a comma, the bytes of its text, a colon and the text:
-- t a phone number, n a name (both with the number 0), p, b and s a message and its time, as before.

create or replace function medidesk.history(p_conversation uuid, p_turn uuid, p_first_seq bigint, p_limit int)
returns text language plpgsql stable set enable_bitmapscan = off as $$
begin
  return concat(
           (select concat('t0,', octet_length(w.phone), ':', w.phone, 'n0,' || octet_length(w.patient_name) || ':' || w.patient_name,
                          'n0,' || octet_length(k.name) || ':' || k.name,
                          (select string_agg(concat('n0,' || octet_length(y.name) || ':' || y.name, 't0,' || octet_length(y.phone) || ':' || y.phone), '')
                             from (select p.name, p.phone from public.patient_contacts z join public.patients p on p.id = z.patient_id
                                    where z.contact_id = k.id limit 20) y))
              from public.conversations w join public.contacts k on k.id = w.contact_id where w.id = p_conversation),
    (select string_agg(concat(who, at, ',', octet_length(content), ':', content), '' order by seq)
       from (select case when not from_me then 'p' when sender = 'staff' then 's' else 'b' end as who,
                    case when octet_length(content) > 16000 then left(content, 4000) else content end as content,
                    date_part('epoch', created_at)::bigint as at, seq
               from public.messages
              where conversation_id = p_conversation and (from_me or seq < p_first_seq)
                and turn_id is distinct from p_turn and deleted_at is null
              order by seq desc limit p_limit) as recent));
end $$;

-- As in 0004, but for who is writing.
create or replace function medidesk.accept_many(
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
           (select concat('t0,', octet_length(w.phone), ':', w.phone, 'n0,' || octet_length(w.patient_name) || ':' || w.patient_name,
                          'n0,' || octet_length(k.name) || ':' || k.name,
                          (select string_agg(concat('n0,' || octet_length(y.name) || ':' || y.name, 't0,' || octet_length(y.phone) || ':' || y.phone), '')
                             from (select p.name, p.phone from public.patient_contacts z join public.patients p on p.id = z.patient_id
                                    where z.contact_id = d.contact limit 20) y))
              from public.conversations w join public.contacts k on k.id = w.contact_id where w.id = d.conversation) ||
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
