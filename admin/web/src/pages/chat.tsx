// One conversation: what was said, by whom, whether it arrived; and the way to answer.
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { ApiError, call, get, newId, post } from '../api';
import { dayOf, person, sameDay, timeOf } from '../format';
import { useLive } from '../live';
import { Icon, Ticks } from '../parts/icons';
import { Dialog, Loading, Trouble, textOf, toast, useAction, useLoad } from '../parts/ui';
import { to } from '../router';
import { useDesk } from '../session';
import { T } from '../texts';
import type { DeskConversation, Holder, Message } from '../types';
import { Side, reasonText } from './side';

interface Page { messages: Message[]; nextPageToken: string }

export function ChatView({ id, highlight, onBack }: { id: string; highlight?: string; onBack: () => void }) {
  const desk = useDesk();
  const [side, setSide] = useState(false);
  const [older, setOlder] = useState<Message[]>([]);
  const [token, setToken] = useState<string | null>(null);  // of the page before the oldest shown
  const facts = useLoad<DeskConversation>(id, () => get(`/v1/conversations/${id}:desk`));
  const newest = useLoad<Page>(id, () => get(`/v1/conversations/${id}/messages`, { pageSize: highlight ? 200 : 60 }));
  const [holders, setHolders] = useState<Holder[]>([]);
  const [writing, setWriting] = useState(false);
  const [marking, setMarking] = useState<Message | null>(null);
  useLive((event) => event.conversationId === id, () => { newest.reload(); facts.reload(); }, 200);

  // Who else is here: told to the others every five seconds, and at once when we begin or stop to write.
  useEffect(() => {
    if (!desk.canWrite) return;
    let gone = false;
    const hold = () => post<{ holders: Holder[] }>(`/v1/conversations/${id}:hold`, { writing }).then((told) => { if (!gone) setHolders(told.holders); }, () => {});
    void hold();
    const timer = setInterval(() => void hold(), 5000);
    return () => { gone = true; clearInterval(timer); };
  }, [id, writing, desk.canWrite]);
  useEffect(() => () => {
    if (desk.canWrite) post(`/v1/conversations/${id}:hold`, { leave: true }).catch(() => {});
  }, [id, desk.canWrite]);

  // A page that moved on since it was read leaves no gap: what was loaded before it stays until it overlaps.
  const recent = newest.value?.messages ?? [];
  const known = new Set(recent.map((one) => one.id));
  const messages = [...recent, ...older.filter((one) => !known.has(one.id))].sort((a, b) => Number(a.seq) - Number(b.seq));
  const before = token ?? newest.value?.nextPageToken ?? '';
  const loadOlder = useAction();
  const earlier = () => loadOlder.run(async () => {
    const page = await get<Page>(`/v1/conversations/${id}/messages`, { pageSize: 100, pageToken: before });
    setOlder([...older, ...recent.filter((one) => !older.some((two) => two.id === one.id)), ...page.messages]);
    setToken(page.nextPageToken);
  });

  const lastSeq = messages.length > 0 ? messages[messages.length - 1]!.seq : '0';
  const marked = useRef('0');
  useEffect(() => {
    if (!desk.canWrite || lastSeq === '0' || Number(lastSeq) <= Number(marked.current) || document.hidden) return;
    marked.current = lastSeq;
    post(`/v1/conversations/${id}:markRead`, { seq: lastSeq }).catch(() => {});
  }, [lastSeq, id, desk.canWrite]);

  if (facts.value === null) {
    return <section class="chat"><header class="chat-head"><BackButton onBack={onBack} /></header>{facts.error ? <Trouble error={facts.error} retry={facts.reload} /> : <Loading />}</section>;
  }
  const f = facts.value;
  const reload = () => { facts.reload(); newest.reload(); };
  return (
    <>
      <section class="chat" aria-label={person(f.conversation.patientName, f.conversation.phone)}>
        <Head facts={f} onBack={onBack} onChange={reload} side={side} onSide={() => setSide(!side)} />
        <Presence holders={holders} />
        <Log messages={messages} facts={f} highlight={highlight} onMark={setMarking} hasOlder={before !== ''} onOlder={() => void earlier()} busy={loadOlder.busy} loading={newest.value === null} />
        <Trouble error={newest.error} retry={newest.reload} />
        <Composer facts={f} lastSeq={lastSeq} onWriting={setWriting} onSent={reload} />
      </section>
      <Side facts={f} open={side} onClose={() => setSide(false)} onChange={facts.reload} />
      {marking && <MarkDialog message={marking} onClose={() => setMarking(null)} onDone={() => { setMarking(null); facts.reload(); }} />}
    </>
  );
}

const BackButton = ({ onBack }: { onBack: () => void }) => (
  <button class="icon-button only-phone" aria-label={T.common.back} onClick={onBack}><Icon name="back" /></button>
);

function Head({ facts, onBack, onChange, side, onSide }: { facts: DeskConversation; onBack: () => void; onChange: () => void; side: boolean; onSide: () => void }) {
  const desk = useDesk();
  const c = facts.conversation;
  const action = useAction();
  const taken = c.status === 'CONVERSATION_STATUS_HUMAN_TAKEOVER';
  const act = (path: string, body: unknown = {}) => action.run(async () => { await post(`/v1/conversations/${c.id}:${path}`, body); onChange(); });
  const takeOver = () => action.run(async () => {
    await post(`/v1/conversations/${c.id}:takeOver`, { reason: 'staff' });
    await post(`/v1/conversations/${c.id}:assign`, { staffId: desk.session.staff.id });
    onChange();
  });
  const handBack = () => action.run(async () => {
    await post(`/v1/conversations/${c.id}:handBack`);
    await post(`/v1/conversations/${c.id}:assign`, { staffId: '' });
    onChange();
  });
  const archive = (status: string) => action.run(async () => {
    await call('PATCH', `/v1/conversations/${c.id}`, { status });
    onChange();
  });
  return (
    <header class="chat-head">
      <BackButton onBack={onBack} />
      <div class="chat-title">
        <h2><bdi>{person(c.patientName, c.phone)}</bdi></h2>
        <p><span class={`state ${taken ? 'person' : ''}`}><Icon name={taken ? 'hand' : 'robot'} size={15} />{T.status[c.status]}</span></p>
      </div>
      <div class="chat-actions">
        {desk.canWrite && !taken && c.status !== 'CONVERSATION_STATUS_ARCHIVED' && <button class="primary" title={T.chat.takeOverHint} disabled={action.busy} onClick={() => void takeOver()}>{T.chat.takeOver}</button>}
        {desk.canWrite && taken && <button disabled={action.busy} onClick={() => void handBack()}>{T.chat.handBack}</button>}
        {desk.canWrite && (
          <label class="assign"><span class="visually-hidden">{T.chat.assign}</span>
            <select value={c.assignedTo} disabled={action.busy} onChange={(e) => void act('assign', { staffId: e.currentTarget.value })}>
              <option value="">{T.chat.nobody}</option>
              {[...desk.people.values()].filter((one) => !one.disabled && one.role !== 'STAFF_ROLE_VIEWER').map((one) => <option key={one.id} value={one.id}>{one.name}</option>)}
            </select>
          </label>
        )}
        {desk.canWrite && c.status === 'CONVERSATION_STATUS_ARCHIVED' && <button disabled={action.busy} onClick={() => void archive('CONVERSATION_STATUS_ACTIVE')}>{T.chat.unarchive}</button>}
        {desk.canWrite && c.status === 'CONVERSATION_STATUS_ACTIVE' && <button class="icon-button" aria-label={T.chat.archive} title={T.chat.archive} disabled={action.busy} onClick={() => void archive('CONVERSATION_STATUS_ARCHIVED')}><Icon name="archive" /></button>}
        <button class="icon-button side-toggle" aria-label={side ? T.chat.hideDetails : T.chat.details} aria-expanded={side} onClick={onSide}><Icon name="info" /></button>
      </div>
      {action.error !== null && <Trouble error={action.error} />}
    </header>
  );
}

function Presence({ holders }: { holders: Holder[] }) {
  const writers = holders.filter((one) => one.writing);
  const readers = holders.filter((one) => !one.writing);
  return (
    <div class="presence" role="status" aria-live="polite">
      {writers.length > 0 && <p class="lock"><Icon name="warning" size={16} />{T.chat.writing(writers.map((one) => one.name).join(', '))}</p>}
      {writers.length === 0 && readers.length > 0 && <p><Icon name="user" size={16} />{T.chat.viewing(readers.map((one) => one.name).join(', '))}</p>}
    </div>
  );
}

function Log({ messages, facts, highlight, onMark, hasOlder, onOlder, busy, loading }: {
  messages: Message[]; facts: DeskConversation; highlight?: string; onMark: (message: Message) => void; hasOlder: boolean; onOlder: () => void; busy: boolean; loading: boolean;
}) {
  const box = useRef<HTMLDivElement>(null);
  const atEnd = useRef(true);
  const lastId = messages[messages.length - 1]?.id;
  useLayoutEffect(() => {
    if (box.current && atEnd.current && !highlight) box.current.scrollTop = box.current.scrollHeight;
  }, [lastId, messages.length]);
  useEffect(() => {
    if (highlight) document.getElementById(`m-${highlight}`)?.scrollIntoView({ block: 'center' });
  }, [highlight, loading]);
  const handed = facts.takeoverTime;
  let shownHanded = false;
  return (
    <div class="log" ref={box} tabIndex={0} role="log" aria-label={T.chat.messages} onScroll={(e) => {
      const at = e.currentTarget;
      atEnd.current = at.scrollHeight - at.scrollTop - at.clientHeight < 60;
    }}>
      {hasOlder && <p class="center"><button class="plain" disabled={busy} onClick={onOlder}>{T.chat.older}</button></p>}
      {loading && <Loading />}
      {messages.map((message, i) => {
        const before = messages[i - 1];
        const day = before === undefined || !sameDay(before.createTime, message.createTime);
        const handover = handed !== undefined && !shownHanded && Date.parse(message.createTime) > Date.parse(handed);
        if (handover) shownHanded = true;
        return (
          <div key={message.id}>
            {day && <p class="day"><span>{dayOf(message.createTime)}</span></p>}
            {handover && <Handover facts={facts} />}
            <Bubble message={message} marked={facts.markedMessageIds.includes(message.id)} highlighted={message.id === highlight} onMark={onMark} />
          </div>
        );
      })}
      {handed !== undefined && !shownHanded && !loading && <Handover facts={facts} />}
    </div>
  );
}

const Handover = ({ facts }: { facts: DeskConversation }) => (
  <p class="handover"><Icon name="hand" size={16} /><span>{T.chat.handedOver(reasonText(facts.conversation.takeoverReason))}</span> <time dateTime={facts.takeoverTime}>{timeOf(facts.takeoverTime!)}</time></p>
);

function Bubble({ message, marked, highlighted, onMark }: { message: Message; marked: boolean; highlighted: boolean; onMark: (message: Message) => void }) {
  const desk = useDesk();
  const kind = message.received ? 'patient' : { REPLY_ORIGIN_BOT: 'bot', REPLY_ORIGIN_GATE: 'gate', REPLY_ORIGIN_STAFF: 'staff', REPLY_ORIGIN_SERVICE: 'service', REPLY_ORIGIN_UNSPECIFIED: message.sender === 'staff' ? 'staff' : 'bot' }[message.origin];
  const author = {
    patient: T.chat.patient, gate: T.chat.safety, service: T.chat.service,
    bot: message.source === '' ? T.chat.assistant : `${T.chat.assistant} · ${T.chat.sources[message.source] ?? message.source}`,
    staff: message.staffId === '' ? T.chat.fromPhone : desk.people.get(message.staffId)?.name ?? T.chat.staff,
  }[kind]!;
  const state = message.partState === 'PART_STATE_UNSPECIFIED' ? '' : message.partState;
  const red = message.verdict?.severity === 'emergency';
  return (
    <article id={`m-${message.id}`} class={`bubble ${kind} ${red ? 'red' : ''} ${highlighted ? 'highlighted' : ''}`}>
      <p class="author">{author}{red && <span class="tag red"><Icon name="flag" size={14} />{T.chat.redFlag}: {message.verdict!.family.replace(/_/g, ' ')}</span>}</p>
      {message.text === '' ? <p class="deleted">{T.chat.deleted}</p> : <p class="words" dir="auto">{message.text}</p>}
      <p class="meta">
        {message.failure !== '' && <span class="failure">{message.failure.replace(/_/g, ' ')}</span>}
        <time dateTime={message.createTime}>{timeOf(message.createTime)}</time>
        {state !== '' && <Ticks state={state} label={T.part[state] ?? state} />}
      </p>
      {kind === 'bot' && marked && <p class="marked"><Icon name="flag" size={14} />{T.chat.marked}</p>}
      {kind === 'bot' && !marked && desk.canWrite && message.text !== '' && <button class="mark plain" onClick={() => onMark(message)}>{T.chat.markWrong}</button>}
    </article>
  );
}

function MarkDialog({ message, onClose, onDone }: { message: Message; onClose: () => void; onDone: () => void }) {
  const [comment, setComment] = useState('');
  const action = useAction();
  const commit = useRef(newId());
  return (
    <Dialog title={T.chat.markTitle} onClose={onClose}>
      <blockquote dir="auto">{message.text}</blockquote>
      <form class="stack" onSubmit={(e) => {
        e.preventDefault();
        void action.run(async () => {
          await post(`/v1/messages/${message.id}:mark`, { commitId: commit.current, comment });
          toast(T.chat.markDone);
          onDone();
        });
      }}>
        <textarea aria-label={T.chat.markComment} placeholder={T.chat.markComment} rows={3} maxLength={1000} value={comment} onInput={(e) => setComment(e.currentTarget.value)} />
        <Trouble error={action.error} />
        <button class="primary" disabled={action.busy}>{T.chat.markDo}</button>
      </form>
    </Dialog>
  );
}

function Composer({ facts, lastSeq, onWriting, onSent }: { facts: DeskConversation; lastSeq: string; onWriting: (writing: boolean) => void; onSent: () => void }) {
  const desk = useDesk();
  const [text, setText] = useState('');
  const [conflict, setConflict] = useState('');
  const commit = useRef(newId());
  const action = useAction();
  const box = useRef<HTMLTextAreaElement>(null);
  const wants = text.trim() !== '';
  useEffect(() => onWriting(wants), [wants]);
  useLayoutEffect(() => {  // as high as its text
    if (!box.current) return;
    box.current.style.height = 'auto';
    box.current.style.height = `${Math.min(box.current.scrollHeight + 2, 180)}px`;
  }, [text]);
  if (!desk.canWrite) return <p class="composer note">{T.chat.viewer}</p>;
  if (!facts.canSend) return <p class="composer note">{T.chat.notLinked} <a href={to('numbers')}>{T.chat.linkIt}</a></p>;

  const send = async (force: boolean) => {
    if (!wants || action.busy) return;
    setConflict('');
    await action.run(async () => {
      try {
        await post(`/v1/conversations/${facts.conversation.id}:send`, { commitId: commit.current, text, lastSeenSeq: lastSeq, force });
      } catch (error) {
        if (error instanceof ApiError && (error.reason === 'OTHER_WRITING' || error.reason === 'NEWER_MESSAGE')) {
          setConflict(error.reason === 'OTHER_WRITING' ? T.chat.otherWriting : T.chat.newer);
          onSent();
          return;
        }
        throw error;  // the same id again is the same answer, so trying again sends it once
      }
      commit.current = newId();
      setText('');
      onSent();
    });
    box.current?.focus();
  };
  const taken = facts.conversation.status === 'CONVERSATION_STATUS_HUMAN_TAKEOVER';
  return (
    <form class="composer" onSubmit={(e) => { e.preventDefault(); void send(false); }}>
      {conflict !== '' && <div class="trouble-box" role="alert"><Icon name="warning" /><span>{conflict}</span><button type="button" class="plain" onClick={() => void send(true)}>{T.chat.sendAnyway}</button></div>}
      {action.error !== null && <Trouble error={textOf(action.error)} />}
      {!taken && wants && <p class="hint">{T.chat.silent}</p>}
      <div class="composer-row">
        <textarea ref={box} rows={1} maxLength={12_288} aria-label={T.chat.write} placeholder={matchMedia('(max-width: 700px)').matches ? T.chat.placeholderShort : T.chat.placeholder}
          value={text} onInput={(e) => setText(e.currentTarget.value)} onKeyDown={(e) => {
            if (e.key === 'Enter' && !e.shiftKey && !e.isComposing) { e.preventDefault(); void send(false); }
          }} />
        <button class="primary send" aria-label={T.chat.send} title={T.chat.send} disabled={!wants || action.busy}><Icon name="send" /></button>
      </div>
    </form>
  );
}
