// What stands beside a conversation: the contact, what is to do, notes.
import { useRef, useState } from 'preact/hooks';
import { call, newId, post } from '../api';
import { ago, fullTime, person, plain } from '../format';
import { Icon } from '../parts/icons';
import { Empty, Trouble, useAction, useNow } from '../parts/ui';
import { useDesk } from '../session';
import { T } from '../texts';
import type { DeskConversation, Task } from '../types';

export function reasonText(code: string): string {
  if (code.startsWith('emergency:')) return T.emergencyReason(plain(code.slice(10)));
  return T.reasons[code] ?? plain(code || 'staff');
}

export function Side({ facts, open, onClose, onChange }: { facts: DeskConversation; open: boolean; onClose: () => void; onChange: () => void }) {
  const c = facts.conversation;
  return (
    <aside class={`side ${open ? 'open' : ''}`} aria-label={T.side.title}>
      <header class="row">
        <h2>{T.side.title}</h2>
        <button class="icon-button side-close" aria-label={T.common.close} onClick={onClose}><Icon name="close" /></button>
      </header>
      <dl class="facts">
        <dt>{T.side.phone}</dt><dd>{c.phone.startsWith('lid:') ? T.side.lid : c.phone}</dd>
        {c.status === 'CONVERSATION_STATUS_HUMAN_TAKEOVER' && <><dt>{T.side.reason}</dt><dd>{reasonText(c.takeoverReason)} · {fullTime(facts.takeoverTime)}</dd></>}
        {facts.language !== '' && <><dt>{T.side.language}</dt><dd>{languageName(facts.language)}</dd></>}
        <dt>{T.side.since}</dt><dd>{fullTime(facts.firstContactTime)}</dd>
        <dt>{T.side.via}</dt><dd>{facts.numberName}</dd>
        {facts.blockTime && <><dt>{T.side.blocked}</dt><dd>{fullTime(facts.blockTime)}</dd></>}
      </dl>
      {c.optedOut && <p class="tag wide">{T.side.optedOut}</p>}
      <h3>{T.side.tasks}</h3>
      {facts.tasks.length === 0 ? <Empty>{T.side.noTasks}</Empty> : <ul class="tasks">{facts.tasks.map((task) => <TaskRow key={task.id} task={task} onChange={onChange} />)}</ul>}
      <h3>{T.side.notes}</h3>
      <Notes facts={facts} onChange={onChange} />
    </aside>
  );
}

function languageName(tag: string): string {
  try {
    return new Intl.DisplayNames([document.documentElement.lang], { type: 'language' }).of(tag) ?? tag;
  } catch {
    return tag;  // the gate's own names of mixed languages need not be known here
  }
}

function TaskRow({ task, onChange }: { task: Task; onChange: () => void }) {
  const desk = useDesk();
  const now = useNow();
  const action = useAction();
  const act = (verb: string, body: object) => action.run(async () => { await post(`/v1/tasks/${task.id}:${verb}`, { commitId: newId(), ...body }); onChange(); });
  const late = task.dueTime !== undefined && Date.parse(task.dueTime) < now;
  return (
    <li class={task.priority === 'TASK_PRIORITY_URGENT' ? 'urgent' : ''}>
      <p class="strong">{T.tasks[task.kind] ?? plain(task.kind)}</p>
      {task.summary !== '' && <p dir="auto">{task.summary}</p>}
      <p class="hint">{ago(task.createTime, now)}{late && <strong> · {T.side.overdue}</strong>}{task.assigneeId !== '' && ` · ${desk.people.get(task.assigneeId)?.name ?? ''}`}</p>
      <Trouble error={action.error} />
      {desk.canWrite && (
        <p class="row start">
          {task.state === 'TASK_STATE_OPEN' && <button class="small" disabled={action.busy} onClick={() => void act('claim', { assigneeId: desk.session.staff.id })}>{T.chat.claim}</button>}
          <button class="small" disabled={action.busy} onClick={() => void act('complete', { state: 'TASK_STATE_DONE' })}>{T.chat.closeTask}</button>
          <button class="small plain" disabled={action.busy} onClick={() => void act('complete', { state: 'TASK_STATE_DISMISSED' })}>{T.chat.dismiss}</button>
        </p>
      )}
    </li>
  );
}

function Notes({ facts, onChange }: { facts: DeskConversation; onChange: () => void }) {
  const desk = useDesk();
  const [text, setText] = useState('');
  const commit = useRef(newId());
  const action = useAction();
  return (
    <div class="stack">
      {desk.canWrite && (
        <form class="stack" onSubmit={(e) => {
          e.preventDefault();
          if (text.trim() === '') return;
          void action.run(async () => {
            await post(`/v1/conversations/${facts.conversation.id}/notes`, { commitId: commit.current, text });
            commit.current = newId();
            setText('');
            onChange();
          });
        }}>
          <textarea rows={2} maxLength={4000} aria-label={T.side.addNote} placeholder={T.side.notePlaceholder} value={text} onInput={(e) => setText(e.currentTarget.value)} />
          <Trouble error={action.error} />
          {text.trim() !== '' && <button class="small" disabled={action.busy}>{T.side.addNote}</button>}
        </form>
      )}
      {facts.notes.length === 0 && !desk.canWrite && <Empty>{T.side.noNotes}</Empty>}
      <ul class="notes">
        {facts.notes.map((note) => (
          <li key={note.id}>
            <p dir="auto" class="words">{note.text}</p>
            <p class="hint">{person(note.staffName, '')} · {fullTime(note.createTime)}
              {(note.staffId === desk.session.staff.id || desk.isAdmin) && <button class="small plain" onClick={() => void action.run(async () => { await call('DELETE', `/v1/notes/${note.id}`); onChange(); })}>{T.common.remove}</button>}
            </p>
          </li>
        ))}
      </ul>
    </div>
  );
}
