-- Trials of one way of answering against another: variants, exposures, outcomes and a comparison that may be looked
-- at as often as one likes.
--
-- The comparison is the mixture sequential probability ratio test with a normal mixture (Robbins 1970; Johari, Koomen,
-- Pekelis, Walsh: Always Valid Inference, Operations Research 70(3), 2022). With the difference d of two means, its
-- estimated variance v and the mixture's variance t, the likelihood ratio is
--   sqrt(v / (v + t)) * exp(t d^2 / (2 v (v + t))),
-- its inverse an always-valid p-value, and the d that keep it below 1 / alpha a confidence sequence.
-- Safety outcomes are rare and counted: events fall on the variant with the share p of turns it has. Wald's ratio of
-- p1 = 3p / (1 + 2p), a threefold rate, against p is a martingale under equal rates, so by Ville's inequality it
-- passes 1 / 0.1 with a chance of at most 0.1 in all time; then the experiment stops by itself.

create table if not exists medidesk.experiments (
  id uuid primary key default gen_random_uuid(),
  name text not null unique,
  description text not null default '',
  variants jsonb not null,
  primary_outcome text not null,
  alpha double precision not null,
  max_turns bigint not null default 0,
  end_at timestamptz,
  number_ids uuid[] not null default '{}',
  state text not null default 'draft',  -- draft, running, stopped
  created_at timestamptz not null default clock_timestamp(),
  started_at timestamptz, stopped_at timestamptz,
  stop_cause text, stop_outcome text, stop_variant text);
create index if not exists experiments_running on medidesk.experiments (state) where state = 'running';
-- A conversation keeps its variant.
create table if not exists medidesk.experiment_members (
  experiment_id uuid not null references medidesk.experiments (id) on delete cascade,
  conversation_id uuid not null,
  variant text not null,
  primary key (experiment_id, conversation_id));
create table if not exists medidesk.experiment_turns (
  experiment_id uuid not null references medidesk.experiments (id) on delete cascade,
  turn_id uuid not null,
  conversation_id uuid not null,
  variant text not null,
  at timestamptz not null default clock_timestamp(),
  primary key (experiment_id, turn_id));
create index if not exists experiment_turns_turn on medidesk.experiment_turns (turn_id);
create table if not exists medidesk.experiment_outcomes (
  experiment_id uuid not null references medidesk.experiments (id) on delete cascade,
  turn_id uuid not null,
  variant text not null,
  kind text not null,
  value double precision not null,
  primary key (experiment_id, turn_id, kind));

create or replace function medidesk.experiment_json(e medidesk.experiments) returns jsonb language sql stable as $$
  select jsonb_strip_nulls(jsonb_build_object('id', e.id, 'name', e.name, 'description', e.description, 'variants', e.variants,
    'primary_outcome', 'OUTCOME_KIND_' || upper(e.primary_outcome), 'alpha', e.alpha, 'max_turns', e.max_turns::text,
    'end_time', medidesk.stamp(e.end_at), 'number_ids', to_jsonb(e.number_ids), 'state', 'EXPERIMENT_STATE_' || upper(e.state),
    'create_time', medidesk.stamp(e.created_at), 'start_time', medidesk.stamp(e.started_at), 'stop_time', medidesk.stamp(e.stopped_at),
    'stop_cause', 'STOP_CAUSE_' || upper(e.stop_cause), 'stop_outcome', 'OUTCOME_KIND_' || upper(e.stop_outcome),
    'stop_variant', e.stop_variant)) $$;
create or replace function medidesk.experiment_response(p_id uuid) returns jsonb language sql stable as $$
  select coalesce((select jsonb_build_object('experiment', medidesk.experiment_json(e)) from medidesk.experiments e where e.id = p_id),
                  medidesk.refuse('NOT_FOUND', 'no such experiment')) $$;

create or replace function medidesk.create_experiment(p jsonb, p_trace text) returns jsonb language plpgsql volatile as $$
declare
  v_commit uuid := (p ->> 'commit_id')::uuid; v_first jsonb := medidesk.first_outcome(v_commit); x jsonb := p -> 'experiment'; v_id uuid;
begin
  if v_first is not null then return medidesk.experiment_response((v_first ->> 'experiment_id')::uuid); end if;
  if medidesk.role_of(p -> 'actor') not in ('admin', 'operator', 'service') then
    return medidesk.refuse('PERMISSION_DENIED', 'only an admin makes experiments');
  end if;
  insert into medidesk.experiments (name, description, variants, primary_outcome, alpha, max_turns, end_at, number_ids)
  values (x ->> 'name', coalesce(x ->> 'description', ''), x -> 'variants', lower(substr(x ->> 'primary_outcome', 14)),
          coalesce(nullif((x ->> 'alpha')::double precision, 0), 0.05), coalesce((x ->> 'max_turns')::bigint, 0),
          (x ->> 'end_time')::timestamptz, array(select e::uuid from jsonb_array_elements_text(x -> 'number_ids') e))
  on conflict (name) do nothing returning id into v_id;
  if v_id is null then return medidesk.refuse('ALREADY_EXISTS', 'experiment.name: in use'); end if;
  insert into medidesk.commit_outcomes (commit_id, outcome) values (v_commit, jsonb_build_object('experiment_id', v_id));
  perform medidesk.record(p -> 'actor', 'create', 'experiment', v_id::text, null, p_trace, x ->> 'name');
  return medidesk.experiment_response(v_id);
end $$;

create or replace function medidesk.get_experiment(p jsonb, p_trace text) returns jsonb language sql stable as $$
  select medidesk.experiment_response((p ->> 'experiment_id')::uuid) $$;

create or replace function medidesk.list_experiments(p jsonb, p_trace text) returns jsonb language plpgsql stable as $$
declare
  v_limit int := coalesce(nullif((p ->> 'page_size')::int, 0), 50);
  v_state text := lower(substr(p ->> 'state', 18)); v_at timestamptz; v_after uuid; v_rows medidesk.experiments[];
begin
  if p ->> 'page_token' is not null then
    select e.created_at, e.id into v_at, v_after from medidesk.experiments e where e.id::text = p ->> 'page_token';
    if not found then return medidesk.refuse('INVALID_ARGUMENT', 'page_token: expected the token of a page of this list'); end if;
  end if;
  select array_agg(e order by e.created_at desc, e.id desc) into v_rows from (
    select * from medidesk.experiments y
     where (v_state is null or y.state = v_state) and (v_after is null or (y.created_at, y.id) < (v_at, v_after))
     order by y.created_at desc, y.id desc limit v_limit) e;
  return jsonb_strip_nulls(jsonb_build_object(
    'experiments', (select coalesce(jsonb_agg(medidesk.experiment_json(r) order by r.created_at desc, r.id desc), '[]') from unnest(v_rows) r),
    'next_page_token', case when cardinality(v_rows) = v_limit then v_rows[v_limit].id end));
end $$;

-- What a variant changes: "prompt_style", "model", and the names of its parameters.
create or replace function medidesk.experiment_touches(p_variants jsonb) returns text[] language sql immutable as $$
  select coalesce(array_agg(distinct t), '{}') from jsonb_array_elements(p_variants) v, lateral (
    select 'prompt_style' as t where coalesce(v ->> 'prompt_style', '') <> '' union all
    select 'model' where coalesce(v ->> 'model', '') <> '' union all
    select jsonb_object_keys(coalesce(v -> 'parameters', '{}'))) x $$;

create or replace function medidesk.start_experiment(p jsonb, p_trace text) returns jsonb language plpgsql volatile as $$
declare e record;
begin
  if medidesk.role_of(p -> 'actor') not in ('admin', 'operator', 'service') then
    return medidesk.refuse('PERMISSION_DENIED', 'only an admin starts experiments');
  end if;
  perform pg_advisory_xact_lock(727013, 0);  -- two starts at once would not see each other's overlap
  select * into e from medidesk.experiments where id = (p ->> 'experiment_id')::uuid for update;
  if not found then return medidesk.refuse('NOT_FOUND', 'no such experiment'); end if;
  if e.state <> 'draft' then return medidesk.refuse('FAILED_PRECONDITION', 'it was started before', 'NOT_DRAFT'); end if;
  if exists (select 1 from medidesk.experiments o where o.state = 'running'
              and medidesk.experiment_touches(o.variants) && medidesk.experiment_touches(e.variants)
              and (o.number_ids = '{}' or e.number_ids = '{}' or o.number_ids && e.number_ids)) then
    return medidesk.refuse('FAILED_PRECONDITION', 'a running experiment changes the same thing; stop it first', 'OVERLAP');
  end if;
  update medidesk.experiments set state = 'running', started_at = clock_timestamp() where id = e.id;
  perform medidesk.record(p -> 'actor', 'update', 'experiment', e.id::text, null, p_trace, 'start');
  return medidesk.experiment_response(e.id);
end $$;

create or replace function medidesk.stop_experiment(p jsonb, p_trace text) returns jsonb language plpgsql volatile as $$
declare e record;
begin
  if medidesk.role_of(p -> 'actor') not in ('admin', 'agent', 'operator', 'service') then
    return medidesk.refuse('PERMISSION_DENIED', 'an agent or admin stops experiments');
  end if;
  select * into e from medidesk.experiments where id = (p ->> 'experiment_id')::uuid for update;
  if not found then return medidesk.refuse('NOT_FOUND', 'no such experiment'); end if;
  if e.state = 'draft' then return medidesk.refuse('FAILED_PRECONDITION', 'it was never started', 'NOT_STARTED'); end if;
  if e.state = 'running' then
    update medidesk.experiments set state = 'stopped', stopped_at = clock_timestamp(), stop_cause = 'staff' where id = e.id;
    perform medidesk.record(p -> 'actor', 'update', 'experiment', e.id::text, null, p_trace, 'stop');
  end if;
  return medidesk.experiment_response(e.id);
end $$;

-- The variant of a conversation: its hash falls into one of the weights. The same for ever, on every machine.
create or replace function medidesk.deal_variant(p_experiment uuid, p_conversation uuid, p_variants jsonb) returns text
language sql immutable as $$
  with w as (select v ->> 'name' as name, coalesce((v ->> 'weight')::bigint, 0) as weight, n
               from jsonb_array_elements(p_variants) with ordinality x(v, n)),
       edge as (select name, n, sum(weight) over (order by n) as upto, sum(weight) over () as total from w)
  select name from edge
   where upto > (('x' || substr(md5(p_experiment::text || p_conversation::text), 1, 8))::bit(32)::bigint % greatest(total, 1))
   order by n limit 1 $$;

create or replace function medidesk.assign_variant(p jsonb, p_trace text) returns jsonb language plpgsql volatile as $$
declare t record; e record; v_variant text; v_conversation uuid; v_all jsonb := '[]';
begin
  select x.id, x.conversation_id, x.number_id into t from public.turns x where x.id = (p ->> 'turn_id')::uuid;
  if not found then return medidesk.refuse('NOT_FOUND', 'no such turn'); end if;
  select coalesce(c.merged_into, c.id) into v_conversation from public.conversations c where c.id = t.conversation_id;
  for e in select * from medidesk.experiments x where x.state = 'running' and (x.number_ids = '{}' or t.number_id = any (x.number_ids))
            order by x.started_at, x.id loop
    select m.variant into v_variant from medidesk.experiment_turns m where m.experiment_id = e.id and m.turn_id = t.id;
    if not found then
      if (e.end_at is not null and e.end_at <= clock_timestamp())
         or (e.max_turns > 0 and (select count(*) from medidesk.experiment_turns m where m.experiment_id = e.id) >= e.max_turns) then
        update medidesk.experiments set state = 'stopped', stopped_at = clock_timestamp(), stop_cause = 'finished' where id = e.id and state = 'running';
        continue;
      end if;
      insert into medidesk.experiment_members values (e.id, v_conversation, medidesk.deal_variant(e.id, v_conversation, e.variants))
      on conflict do nothing;
      select m.variant into v_variant from medidesk.experiment_members m where m.experiment_id = e.id and m.conversation_id = v_conversation;
      insert into medidesk.experiment_turns (experiment_id, turn_id, conversation_id, variant) values (e.id, t.id, v_conversation, v_variant)
      on conflict do nothing;
    end if;
    v_all := v_all || jsonb_build_array(jsonb_build_object('experiment_id', e.id,
      'variant', (select v from jsonb_array_elements(e.variants) v where v ->> 'name' = v_variant)));
  end loop;
  return jsonb_build_object('assignments', v_all);
end $$;

-- Wald's ratio for a threefold rate of a counted event on a variant, against the rate of the control.
create or replace function medidesk.safety_ratio(p_events bigint, p_control_events bigint, p_turns bigint, p_control_turns bigint)
returns double precision language sql immutable as $$
  select case when p_turns + p_control_turns = 0 or p_turns = 0 then 1 else
    exp(least(700, p_events * ln(3 / (1 + 2 * s.share)) + p_control_events * ln(1 / (1 + 2 * s.share)))) end
  from (select p_turns::double precision / greatest(p_turns + p_control_turns, 1) as share) s $$;

create or replace function medidesk.record_outcome(p jsonb, p_trace text) returns jsonb language plpgsql volatile as $$
declare
  v_kind text := lower(substr(p ->> 'kind', 14)); x record; v_variant text; v_control text; v_stopped uuid[] := '{}'; v_found boolean := false;
begin
  for x in select m.experiment_id, m.variant, e.state, e.variants from medidesk.experiment_turns m
             join medidesk.experiments e on e.id = m.experiment_id
            where m.turn_id = (p ->> 'turn_id')::uuid order by m.experiment_id for update of e loop
    v_found := true;
    insert into medidesk.experiment_outcomes values (x.experiment_id, (p ->> 'turn_id')::uuid, x.variant, v_kind, coalesce((p ->> 'value')::double precision, 0))
    on conflict do nothing;
    if not found or x.state <> 'running' or v_kind not in ('check_failed', 'marked_wrong', 'late_emergency') then continue; end if;
    select v ->> 'name' into v_control from jsonb_array_elements(x.variants) v where (v ->> 'control')::boolean;
    continue when x.variant = v_control;
    if medidesk.safety_ratio(
         (select count(*) from medidesk.experiment_outcomes o where o.experiment_id = x.experiment_id and o.variant = x.variant and o.kind = v_kind and o.value > 0),
         (select count(*) from medidesk.experiment_outcomes o where o.experiment_id = x.experiment_id and o.variant = v_control and o.kind = v_kind and o.value > 0),
         (select count(*) from medidesk.experiment_turns m where m.experiment_id = x.experiment_id and m.variant = x.variant),
         (select count(*) from medidesk.experiment_turns m where m.experiment_id = x.experiment_id and m.variant = v_control)) >= 10 then
      update medidesk.experiments set state = 'stopped', stopped_at = clock_timestamp(), stop_cause = 'safety', stop_outcome = v_kind,
             stop_variant = x.variant where id = x.experiment_id;
      perform medidesk.record(null, 'update', 'experiment', x.experiment_id::text, null, p_trace, 'stop:safety:' || v_kind);
      v_stopped := v_stopped || x.experiment_id;
    end if;
  end loop;
  if not v_found then return medidesk.refuse('NOT_FOUND', 'no exposure of this turn'); end if;
  return jsonb_build_object('stopped_experiment_ids', to_jsonb(v_stopped));
end $$;

-- Every value of an experiment by variant and kind: what callers recorded, and what the store sees itself.
create or replace function medidesk.experiment_values(p_experiment uuid)
returns table (variant text, kind text, value double precision) language sql stable as $$
  select m.variant, k.kind, case when k.kind in ('check_failed', 'marked_wrong', 'late_emergency') then coalesce(o.value, 0) else o.value end
    from medidesk.experiment_turns m
   cross join unnest(array['satisfaction', 'check_failed', 'marked_wrong', 'late_emergency', 'latency_ms', 'cost_micro_usd']) k(kind)
    left join medidesk.experiment_outcomes o on o.experiment_id = m.experiment_id and o.turn_id = m.turn_id and o.kind = k.kind
   where m.experiment_id = p_experiment and (o.value is not null or k.kind in ('check_failed', 'marked_wrong', 'late_emergency'))
  union all
  select m.variant, 'handover', case when exists (
           select 1 from public.tasks t where t.conversation_id = m.conversation_id and t.kind in ('handover', 'human_request')
             and t.created_at >= m.at and t.created_at < m.at + interval '24 hours') then 1 else 0 end
    from medidesk.experiment_turns m where m.experiment_id = p_experiment
  union all
  select m.variant, 'second_question', case when exists (
           select 1 from public.turns t where t.conversation_id = m.conversation_id and t.id <> m.turn_id
             and t.opened_at > m.at and t.opened_at < m.at + interval '10 minutes') then 1 else 0 end
    from medidesk.experiment_turns m where m.experiment_id = p_experiment $$;

create or replace function medidesk.report_experiment(p jsonb, p_trace text) returns jsonb language plpgsql stable as $$
declare
  e medidesk.experiments; v_control text; v_reports jsonb; v_winner text;
begin
  select * into e from medidesk.experiments where id = (p ->> 'experiment_id')::uuid;
  if not found then return medidesk.refuse('NOT_FOUND', 'no such experiment'); end if;
  select v ->> 'name' into v_control from jsonb_array_elements(e.variants) v where (v ->> 'control')::boolean;
  with sums as (
    select x.variant, x.kind, count(*)::double precision as n, avg(x.value) as mean, coalesce(var_samp(x.value), 0) as variance
      from medidesk.experiment_values(e.id) x group by 1, 2),
  compared as (
    select s.variant, s.kind, s.n, s.mean, s.mean - c.mean as d,
           -- no variance seen yet says nothing; a floor keeps it from saying everything
           greatest(s.variance, k.floor) / greatest(s.n, 1) + greatest(c.variance, k.floor) / greatest(c.n, 1) as v, k.t, k.better
      from sums s left join sums c on c.kind = s.kind and c.variant = v_control
      join (values ('handover', 0.01, 0.01, -1), ('second_question', 0.01, 0.01, -1), ('satisfaction', 0.25, 0.25, 1), ('check_failed', 0.01, 0.01, -1),
                   ('marked_wrong', 0.01, 0.01, -1), ('late_emergency', 0.01, 0.01, -1), ('latency_ms', 250000, 10000, -1),
                   ('cost_micro_usd', 1000000, 10000, -1)) k(kind, t, floor, better) on k.kind = s.kind),
  tested as (
    select *, case when variant = v_control or d is null then 1
                   else least(1, 1 / (sqrt(v / (v + t)) * exp(least(700, t * d * d / (2 * v * (v + t)))))) end as p,
           case when variant = v_control or d is null then 0 else sqrt(2 * v * (v + t) / t * (ln(1 / e.alpha) + 0.5 * ln((v + t) / v))) end as half
      from compared)
  select jsonb_agg(jsonb_build_object('variant', one ->> 'name',
           'conversation_count', (select count(*) from medidesk.experiment_members m where m.experiment_id = e.id and m.variant = one ->> 'name')::text,
           'turn_count', (select count(*) from medidesk.experiment_turns m where m.experiment_id = e.id and m.variant = one ->> 'name')::text,
           'outcomes', coalesce((select jsonb_agg(jsonb_build_object('kind', 'OUTCOME_KIND_' || upper(t.kind), 'turn_count', t.n::bigint::text, 'mean', t.mean,
               'difference', coalesce(t.d, 0), 'difference_low', coalesce(t.d, 0) - t.half, 'difference_high', coalesce(t.d, 0) + t.half, 'p_value', t.p)
               order by t.kind <> e.primary_outcome, t.kind) from tested t where t.variant = one ->> 'name'), '[]')) order by n),
         (select t.variant from tested t where t.kind = e.primary_outcome and t.p <= e.alpha and t.d * t.better > 0 order by t.d * t.better desc limit 1)
    into v_reports, v_winner
    from jsonb_array_elements(e.variants) with ordinality x(one, n);
  -- A variant that loses leaves the control as the better one.
  if v_winner is null and (select count(*) from jsonb_array_elements(v_reports) r, jsonb_array_elements(r -> 'outcomes') o
       where o ->> 'kind' = 'OUTCOME_KIND_' || upper(e.primary_outcome) and r ->> 'variant' <> v_control
         and (o ->> 'p_value')::double precision <= e.alpha) = jsonb_array_length(e.variants) - 1 then
    v_winner := v_control;
  end if;
  return jsonb_strip_nulls(jsonb_build_object('experiment', medidesk.experiment_json(e), 'variants', v_reports, 'method', 'msprt', 'winner', v_winner));
end $$;

do $$ begin
  revoke execute on all functions in schema medidesk from public;
  if exists (select 1 from pg_roles where rolname = 'medidesk_service') then
    grant select, insert, update, delete on medidesk.experiments, medidesk.experiment_members, medidesk.experiment_turns, medidesk.experiment_outcomes to medidesk_service;
    grant execute on all functions in schema medidesk to medidesk_service;
  end if;
  if (select count(*) from pg_roles where rolname in ('anon', 'authenticated', 'service_role')) = 3 and to_regprocedure('medidesk.jwt()') is not null then
    grant execute on function medidesk.jwt(), medidesk.uid() to anon, authenticated, service_role;
  end if;
exception when insufficient_privilege then
  raise notice 'the dashboard''s roles cannot be granted rights by this login';
end $$;
