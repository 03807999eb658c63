-- The history of the facts, read by kind without passing over the other kinds' rows; and never rewritten.
create index if not exists knowledge_changes_kind on medidesk.knowledge_changes (kind, id desc);

create or replace function medidesk.refuse_history_change() returns trigger language plpgsql set search_path = ''
  as $$ begin raise exception 'the history of the facts is never changed' using errcode = 'insufficient_privilege'; end $$;
create or replace trigger knowledge_changes_frozen before update or delete on medidesk.knowledge_changes
  for each row execute function medidesk.refuse_history_change();
create or replace trigger knowledge_changes_not_emptied before truncate on medidesk.knowledge_changes
  for each statement execute function medidesk.refuse_history_change();

revoke execute on function medidesk.refuse_history_change() from public;
