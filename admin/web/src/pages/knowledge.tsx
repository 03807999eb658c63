// The hospital's facts: to look up, to change, to try out; what patients asked in vain, and what was answered wrongly.
import { useEffect, useRef, useState } from 'preact/hooks';
import { get, newId, post } from '../api';
import { clockOf, fullTime, plain } from '../format';
import { Icon } from '../parts/icons';
import { Empty, Loading, Trouble, toast, useAction, useLoad } from '../parts/ui';
import { go, to } from '../router';
import { useDesk } from '../session';
import { T } from '../texts';
import type { Department, Doctor, Faq, Hospital, KnowledgeChange, MarkedAnswer, Tried, UnansweredQuestion, VisitingHours, WeeklyRange } from '../types';
import { DepartmentForm, DoctorForm, FaqForm, VisitingHoursForm } from './editors';
import { Difference } from './form';
import { HospitalForm } from './hospital';
import { ImportDialog } from './import';

interface Facts { revision: string; hospital?: Hospital; faqs: Faq[]; departments: Department[]; doctors: Doctor[]; visitingHours: VisitingHours[] }
const tabs = ['faqs', 'doctors', 'departments', 'visitingHours', 'hospital', 'unanswered', 'review', 'history'] as const;
type Editing = { kind: 'visitingHours'; row: VisitingHours; fresh: boolean } | { kind: 'faqs'; row: Faq; fresh: boolean } | { kind: 'doctors'; row: Doctor; fresh: boolean } | { kind: 'departments'; row: Department; fresh: boolean };

const emptyFaq = (question = ''): Faq => ({ key: '', question, alternatives: [], answer: '', category: 'general', language: '', source: '' });
const emptyDoctor = (): Doctor => ({ key: '', name: '', title: '', departmentKey: '', specialties: [], languages: [], qualifications: [], roster: [], rosterNote: '', consultationFee: '' });
const emptyVisitingHours = (): VisitingHours => ({ key: '', area: '', aliases: [], hours: [], note: '' });
const emptyDepartment = (): Department => ({ key: '', name: '', aliases: [], description: '', location: '', phone: '', hours: [], hoursNote: '' });

export default function KnowledgePage({ route }: { route: string[] }) {
  const desk = useDesk();
  const tab = tabs.find((one) => one === route[0]) ?? 'faqs';
  const facts = useLoad<Facts>('facts', () => get('/v1/knowledge'));
  const [query, setQuery] = useState('');
  const [editing, setEditing] = useState<Editing | null>(null);
  const [importing, setImporting] = useState(false);
  const file = useAction();
  const exportFile = () => file.run(async () => {
    const { content } = await get<{ content: string }>('/v1/knowledge:export');
    const url = URL.createObjectURL(new Blob([content], { type: 'application/yaml' }));
    const link = document.createElement('a');
    link.href = url;
    link.download = 'hospital.yaml';
    link.click();
    URL.revokeObjectURL(url);
  });
  const key = route[1];
  useEffect(() => {  // a link to one row opens it
    if (!key || !facts.value) return;
    if (tab === 'faqs') { const row = facts.value.faqs.find((one) => one.key === key); if (row) setEditing({ kind: 'faqs', row, fresh: false }); }
    if (tab === 'doctors') { const row = facts.value.doctors.find((one) => one.key === key); if (row) setEditing({ kind: 'doctors', row, fresh: false }); }
    if (tab === 'visitingHours') { const row = facts.value.visitingHours.find((one) => one.key === key); if (row) setEditing({ kind: 'visitingHours', row, fresh: false }); }
    if (tab === 'departments') { const row = facts.value.departments.find((one) => one.key === key); if (row) setEditing({ kind: 'departments', row, fresh: false }); }
  }, [key, tab, facts.value === null]);
  const done = () => { setEditing(null); if (key) go('knowledge', tab); facts.reload(); };
  const isList = tab === 'faqs' || tab === 'doctors' || tab === 'departments' || tab === 'visitingHours';
  const words = query.toLowerCase().split(/\s+/).filter((word) => word !== '');
  const fits = (...texts: string[]) => words.every((word) => texts.some((text) => text.toLowerCase().includes(word)));
  const add = () => setEditing(tab === 'faqs' ? { kind: 'faqs', row: emptyFaq(), fresh: true } : tab === 'doctors' ? { kind: 'doctors', row: emptyDoctor(), fresh: true } : tab === 'visitingHours' ? { kind: 'visitingHours', row: emptyVisitingHours(), fresh: true } : { kind: 'departments', row: emptyDepartment(), fresh: true });
  const list = useRef<HTMLDivElement>(null);
  useEffect(() => { list.current?.querySelector(`[data-tab=${tab}]`)?.scrollIntoView({ block: 'nearest', inline: 'nearest' }); }, [tab]);  // a phone shows three
  return (
    <div class="page">
      <header>
        <div><h1>{T.knowledge.title}</h1><p>{desk.isAdmin ? T.knowledge.intro : T.knowledge.viewer}</p></div>
        <div class="row">
          <button disabled={file.busy} onClick={() => void exportFile()}><Icon name="download" />{T.knowledge.export}</button>
          {desk.isAdmin && <button onClick={() => setImporting(true)}><Icon name="upload" />{T.knowledge.import}</button>}
        </div>
      </header>
      <Trouble error={facts.error ?? file.error} retry={facts.reload} />
      <div class="split">
        <div class="stack">
          <div class="tabs" role="tablist" ref={list} onKeyDown={(e) => {
            const move = e.key === 'ArrowRight' ? 1 : e.key === 'ArrowLeft' ? -1 : 0;
            if (move === 0) return;
            const next = tabs[(tabs.indexOf(tab) + move + tabs.length) % tabs.length]!;
            go('knowledge', next);
            list.current?.querySelector<HTMLElement>(`[data-tab=${next}]`)?.focus();
          }}>
            {tabs.map((one) => <button key={one} role="tab" data-tab={one} id={`tab-${one}`} aria-controls="tab-panel" aria-selected={one === tab} tabIndex={one === tab ? 0 : -1} onClick={() => go('knowledge', one)}>{T.knowledge[one]}</button>)}
          </div>
          <div role="tabpanel" id="tab-panel" aria-labelledby={`tab-${tab}`} class="stack">
            {isList && (
              <div class="row">
                <div class="search grow"><Icon name="search" size={18} /><input type="search" aria-label={T.knowledge.search} placeholder={T.knowledge.search} value={query} onInput={(e) => setQuery(e.currentTarget.value)} /></div>
                {desk.isAdmin && <button class="primary" onClick={add}><Icon name="plus" />{T.knowledge.add}</button>}
              </div>
            )}
            {facts.value === null && facts.error === null && (isList || tab === 'hospital') && <Loading />}
            {facts.value !== null && tab === 'faqs' && <Rows rows={facts.value.faqs.filter((one) => fits(one.question, one.answer, one.category, ...one.alternatives))} title={(one) => one.question} text={(one) => one.answer} tag={(one) => plain(one.category)} onOpen={(row) => setEditing({ kind: 'faqs', row, fresh: false })} />}
            {facts.value !== null && tab === 'doctors' && <Rows rows={facts.value.doctors.filter((one) => fits(one.name, one.title, one.departmentKey, ...one.specialties))} title={(one) => `${one.title.split(',')[0] ?? ''} ${one.name}`.trim()}
              text={(one) => weekOf(one.roster)} tag={(one) => facts.value!.departments.find((d) => d.key === one.departmentKey)?.name ?? one.departmentKey} onOpen={(row) => setEditing({ kind: 'doctors', row, fresh: false })} />}
            {facts.value !== null && tab === 'departments' && <Rows rows={facts.value.departments.filter((one) => fits(one.name, one.description, one.location, ...one.aliases))} title={(one) => one.name} text={(one) => one.description || one.location} tag={(one) => one.phone} onOpen={(row) => setEditing({ kind: 'departments', row, fresh: false })} />}
            {facts.value !== null && tab === 'visitingHours' && <Rows rows={facts.value.visitingHours.filter((one) => fits(one.area, one.note, ...one.aliases))} title={(one) => one.area} text={(one) => [weekOf(one.hours) || T.knowledge.noVisits, one.note].join(' · ')} tag={() => ''} onOpen={(row) => setEditing({ kind: 'visitingHours', row, fresh: false })} />}
            {facts.value !== null && tab === 'hospital' && <HospitalForm key={facts.value.hospital?.revision ?? ''} stored={facts.value.hospital} onDone={facts.reload} />}
            {tab === 'unanswered' && <Unanswered canEdit={desk.isAdmin} onAnswer={(question) => setEditing({ kind: 'faqs', row: emptyFaq(question.slice(0, 300)), fresh: true })} />}
            {tab === 'review' && <Review />}
            {tab === 'history' && <History />}
          </div>
        </div>
        <TryOut />
      </div>
      {editing?.kind === 'faqs' && <FaqForm row={editing.row} fresh={editing.fresh} onClose={() => { setEditing(null); if (key) go('knowledge', tab); }} onDone={done} />}
      {editing?.kind === 'doctors' && <DoctorForm row={editing.row} fresh={editing.fresh} departments={facts.value?.departments ?? []} onClose={() => { setEditing(null); if (key) go('knowledge', tab); }} onDone={done} />}
      {editing?.kind === 'departments' && <DepartmentForm row={editing.row} fresh={editing.fresh} onClose={() => { setEditing(null); if (key) go('knowledge', tab); }} onDone={done} />}
      {editing?.kind === 'visitingHours' && <VisitingHoursForm row={editing.row} fresh={editing.fresh} onClose={() => { setEditing(null); if (key) go('knowledge', tab); }} onDone={done} />}
      {importing && <ImportDialog onClose={() => { setImporting(false); facts.reload(); }} />}
    </div>
  );
}

// "Mon–Fri 09:00–17:00, Sat 09:00–13:00": days that follow one another and have the same times together.
function weekOf(ranges: WeeklyRange[]): string {
  const names = Object.keys(T.weekdays);
  const short = (day: number) => (T.weekdays[names[day]!] ?? '').slice(0, 3);
  const times = names.map((day) => ranges.filter((one) => one.weekday === day).map((one) => `${clockOf(one.startMinute)}–${clockOf(one.endMinute)}`).join(', '));
  const parts: string[] = [];
  for (let from = 0; from < 7;) {
    let end = from + 1;
    while (end < 7 && times[end] === times[from]) ++end;
    if (times[from] !== '') parts.push(`${short(from)}${end - from > 1 ? `–${short(end - 1)}` : ''} ${times[from]}`);
    from = end;
  }
  return parts.join('; ');
}

function Rows<R extends { key: string }>({ rows, title, text, tag, onOpen }: { rows: R[]; title: (row: R) => string; text: (row: R) => string; tag: (row: R) => string; onOpen: (row: R) => void }) {
  const [shown, setShown] = useState(60);
  if (rows.length === 0) return <Empty>{T.knowledge.none}</Empty>;
  return (
    <ul class="rows">
      {rows.slice(0, shown).map((row) => (
        <li key={row.key}>
          <button class="fact" onClick={() => onOpen(row)}>
            <span class="row"><span class="strong">{title(row)}</span>{tag(row) !== '' && <span class="tag here">{tag(row)}</span>}</span>
            <span class="quiet clamp">{text(row)}</span>
          </button>
        </li>
      ))}
      {rows.length > shown && <li class="center"><button onClick={() => setShown(shown + 100)}>{T.common.more}</button></li>}
    </ul>
  );
}

function TryOut() {
  const [text, setText] = useState('');
  const [tried, setTried] = useState<Tried | null>(null);
  const action = useAction();
  const pages: Record<string, string> = { faq: 'faqs', doctor: 'doctors', department: 'departments', visiting_hours: 'visitingHours' };
  return (
    <section class="card stack" aria-label={T.knowledge.tryTitle}>
      <h2>{T.knowledge.tryTitle}</h2>
      <p class="hint">{T.knowledge.tryHint}</p>
      <form class="stack" onSubmit={(e) => {
        e.preventDefault();
        if (text.trim() !== '') void action.run(async () => setTried(await post<Tried>('/v1/assistant:tryQuestion', { text })));
      }}>
        <textarea rows={2} aria-label={T.knowledge.question} placeholder={T.knowledge.tryPlaceholder} maxLength={1000} value={text} onInput={(e) => setText(e.currentTarget.value)} />
        <button class="primary" disabled={action.busy || text.trim() === ''}>{T.knowledge.tryDo}</button>
      </form>
      <Trouble error={action.error} />
      <div aria-live="polite" class="stack">
        {tried && <>
          <div class={`bubble ${tried.source === 'gate' ? 'gate' : 'bot'} tried`}><p class="author">{T.knowledge.trySource(T.chat.sources[tried.source] ?? tried.source)}</p><p class="words" dir="auto">{tried.text}</p></div>
          {tried.source === 'gate' && <p class="tag wide red">{T.knowledge.tryGate}</p>}
          {!tried.known && <p class="tag wide">{T.knowledge.tryUnknown}</p>}
          {tried.facts.length > 0 && <>
            <h3>{T.knowledge.tryFacts}</h3>
            <ul class="rows">{tried.facts.map((fact) => (
              <li key={fact.kind + fact.key} class="row start"><span class="tag here">{T.knowledge.kinds[fact.kind] ?? fact.kind}</span>
                {pages[fact.kind] ? <a href={to('knowledge', pages[fact.kind]!, fact.key)}>{fact.title}</a> : <span>{fact.title}</span>}</li>
            ))}</ul>
          </>}
        </>}
      </div>
    </section>
  );
}

function Unanswered({ canEdit, onAnswer }: { canEdit: boolean; onAnswer: (question: string) => void }) {
  const list = useLoad<{ questions: UnansweredQuestion[] }>('unanswered', () => get('/v1/reports/unansweredQuestions', { 'scope.timeRange.startTime': new Date(Date.now() - 30 * 86_400_000).toISOString(), pageSize: 100 }));
  return (
    <>
      <p class="hint">{T.knowledge.unansweredHint}</p>
      <Trouble error={list.error} retry={list.reload} />
      {list.value === null && list.error === null && <Loading />}
      {list.value?.questions.length === 0 && <Empty>{T.knowledge.none}</Empty>}
      <ul class="rows">
        {list.value?.questions.map((one) => (
          <li key={one.text} class="card row">
            <div><p class="strong" dir="auto">{one.text}</p><p class="hint">{T.knowledge.times(Number(one.count))} · {fullTime(one.lastTime)} · <a href={to('inbox', one.lastConversationId)}>{T.knowledge.show}</a></p></div>
            {canEdit && <button class="small" onClick={() => onAnswer(one.text)}>{T.knowledge.answerThis}</button>}
          </li>
        ))}
      </ul>
    </>
  );
}

function Review() {
  const desk = useDesk();
  const list = useLoad<{ answers: MarkedAnswer[] }>('marked', () => get('/v1/markedAnswers', { pageSize: 100 }));
  const action = useAction();
  return (
    <>
      <p class="hint">{T.knowledge.reviewHint}</p>
      <Trouble error={list.error ?? action.error} retry={list.reload} />
      {list.value === null && list.error === null && <Loading />}
      {list.value?.answers.length === 0 && <Empty>{T.knowledge.none}</Empty>}
      <ul class="rows">
        {list.value?.answers.map((one) => (
          <li key={one.task.id} class="card stack">
            <p><span class="quiet">{T.knowledge.asked}:</span> <bdi>{one.question}</bdi></p>
            <blockquote dir="auto">{one.answer}</blockquote>
            {one.task.summary !== '' && <p class="tag wide" dir="auto">{one.task.summary}</p>}
            <p class="row"><span class="hint">{T.knowledge.markedBy} {one.markedBy?.name ?? T.knowledge.operator} · {fullTime(one.task.createTime)} · <a href={to('inbox', one.task.conversationId, one.task.messageId)}>{T.knowledge.show}</a></span>
              {desk.canWrite && <button class="small" disabled={action.busy} onClick={() => void action.run(async () => { await post(`/v1/tasks/${one.task.id}:complete`, { commitId: newId(), state: 'TASK_STATE_DONE' }); list.reload(); toast(T.common.saved); })}>{T.knowledge.closeReview}</button>}</p>
          </li>
        ))}
      </ul>
    </>
  );
}

function History() {
  const desk = useDesk();
  const list = useLoad<{ changes: KnowledgeChange[] }>('changes', () => get('/v1/knowledge/changes', { pageSize: 100 }));
  const who = (change: KnowledgeChange) => change.actor?.kind === 'ACTOR_KIND_STAFF' ? desk.people.get(change.actor.id)?.name ?? change.actor.id.slice(0, 8) : change.actor?.kind === 'ACTOR_KIND_TOKEN' ? T.knowledge.system : T.knowledge.operator;
  return (
    <>
      <Trouble error={list.error} retry={list.reload} />
      {list.value === null && list.error === null && <Loading />}
      {list.value?.changes.length === 0 && <Empty>{T.knowledge.none}</Empty>}
      <ul class="rows">
        {list.value?.changes.map((one) => (
          <li key={one.id} class="card">
            <details class="diff">
              <summary><span class="strong">{T.knowledge.kinds[one.kind] ?? one.kind} {one.key}</span> {T.knowledge.actions[one.action] ?? ''} · {who(one)} · {fullTime(one.changeTime)}</summary>
              <Difference before={fieldsOf(one.before)} after={fieldsOf(one.after)} />
            </details>
          </li>
        ))}
      </ul>
    </>
  );
}

function fieldsOf(json: string): Record<string, unknown> {
  try {
    return (json === '' ? {} : JSON.parse(json)) as Record<string, unknown>;
  } catch {
    return {};  // cut short by the history's own limit
  }
}
