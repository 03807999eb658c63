// Three columns on a desk screen: the list, the conversation, what stands beside it. One at a time on a phone.
import { useEffect, useRef, useState } from 'preact/hooks';
import { get } from '../api';
import { ago, initials, person, shortTime } from '../format';
import { useLive } from '../live';
import { Icon } from '../parts/icons';
import { Empty, Loading, Trouble, useLoad, useNow } from '../parts/ui';
import { go, to } from '../router';
import { useDesk } from '../session';
import { T } from '../texts';
import type { Inbox, InboxRow } from '../types';
import { ChatView } from './chat';

const filters = [
  ['INBOX_FILTER_ALL', 'all'], ['INBOX_FILTER_NEEDS_PERSON', 'needs'], ['INBOX_FILTER_EMERGENCY', 'emergency'], ['INBOX_FILTER_MINE', 'mine'],
  ['INBOX_FILTER_ARCHIVED', 'archived'],
] as const;
const pageSize = 50;
const redFlags = new Set(['TASK_KIND_EMERGENCY', 'TASK_KIND_SELF_HARM', 'TASK_KIND_VIOLENCE', 'TASK_KIND_THREAT', 'TASK_KIND_CALL_BACK']);

export function InboxPage({ open, message }: { open?: string; message?: string }) {
  const [filter, setFilter] = useState<string>('INBOX_FILTER_ALL');
  const [typed, setTyped] = useState('');
  const [query, setQuery] = useState('');
  const [pages, setPages] = useState(1);
  const search = useRef<HTMLInputElement>(null);
  const list = useRef<HTMLUListElement>(null);

  useEffect(() => {
    const timer = window.setTimeout(() => { setQuery(typed.trim()); setPages(1); }, 250);
    return () => window.clearTimeout(timer);
  }, [typed]);
  const inbox = useLoad<Inbox>(`${filter}|${query}|${pages}`, async () => {
    const first = await get<Inbox>('/v1/inbox', { filter, query, pageSize: Math.min(200, pageSize * pages) });
    let last = first;
    while (first.rows.length < pageSize * pages && last.nextPageToken !== '') {
      last = await get<Inbox>('/v1/inbox', { filter, query, pageSize: 200, pageToken: last.nextPageToken });
      first.rows.push(...last.rows);
    }
    return { ...first, nextPageToken: last.nextPageToken };
  });
  useLive((event) => event.conversationId !== '' || event.resource === 'RESOURCE_KIND_TASK', inbox.reload, 500);

  useEffect(() => {
    const keys = (event: KeyboardEvent) => {
      if (event.key !== '/' || event.ctrlKey || event.metaKey || event.altKey) return;
      if ((event.target as HTMLElement).closest('input, textarea, select, dialog')) return;
      event.preventDefault();
      search.current?.focus();
    };
    addEventListener('keydown', keys);
    return () => removeEventListener('keydown', keys);
  }, []);
  // Up and down walk along the list.
  const walk = (event: KeyboardEvent) => {
    if (event.key !== 'ArrowDown' && event.key !== 'ArrowUp') return;
    const links = [...(list.current?.querySelectorAll<HTMLAnchorElement>('a') ?? [])];
    const at = links.indexOf(document.activeElement as HTMLAnchorElement);
    links[event.key === 'ArrowDown' ? Math.min(at + 1, links.length - 1) : Math.max(at - 1, 0)]?.focus();
    event.preventDefault();
  };

  const count = { needs: inbox.value?.needsPersonCount, emergency: inbox.value?.emergencyCount, mine: inbox.value?.mineCount } as Record<string, number | undefined>;
  return (
    <div class="inbox">
      <section class="list" aria-label={T.inbox.list}>
        <header>
          <h1>{T.inbox.title}</h1>
          <div class="search">
            <Icon name="search" size={18} />
            <input ref={search} type="search" placeholder={T.inbox.search} aria-label={T.inbox.search} maxLength={100} value={typed} onInput={(e) => setTyped(e.currentTarget.value)} />
          </div>
          <div class="chips" role="group" aria-label={T.inbox.filters}>
            {filters.map(([value, name]) => (
              <button key={value} class={`chip ${name}`} aria-pressed={filter === value} onClick={() => { setFilter(value); setPages(1); }}>
                {T.inbox[name]}
                {count[name] !== undefined && count[name]! > 0 && <span class="count">{count[name]! >= 1000 ? '1000+' : count[name]}</span>}
              </button>
            ))}
          </div>
        </header>
        <Trouble error={inbox.error} retry={inbox.reload} />
        {inbox.value === null && inbox.error === null && <Loading />}
        {inbox.value !== null && (
          <ul ref={list} onKeyDown={walk}>
            {inbox.value.rows.map((row) => <Row key={row.conversation.id} row={row} current={row.conversation.id === open} />)}
            {inbox.value.rows.length === 0 && <li><Empty>{query === '' ? T.inbox.empty : T.inbox.emptySearch}</Empty></li>}
            {inbox.value.nextPageToken !== '' && <li class="more"><button onClick={() => setPages(pages + 1)}>{T.common.more}</button></li>}
          </ul>
        )}
      </section>
      {open ? <ChatView key={open} id={open} highlight={message} onBack={() => go('inbox')} /> : (
        <section class="chat nothing"><Icon name="inbox" size={40} /><p>{T.inbox.pick}</p></section>
      )}
    </div>
  );
}

function Row({ row, current }: { row: InboxRow; current: boolean }) {
  const now = useNow();
  const desk = useDesk();
  const c = row.conversation;
  const name = person(c.patientName, c.phone);
  const red = redFlags.has(row.taskKind);
  const who = row.previewReceived ? '' : { REPLY_ORIGIN_BOT: T.inbox.assistantSays, REPLY_ORIGIN_STAFF: T.inbox.staffSays, REPLY_ORIGIN_GATE: T.inbox.gateSays,
    REPLY_ORIGIN_SERVICE: T.inbox.serviceSays, REPLY_ORIGIN_UNSPECIFIED: '' }[row.previewOrigin];
  const holders = row.holderIds.filter((id) => id !== desk.session.staff.id).map((id) => desk.people.get(id)?.name ?? '').filter((found) => found !== '');
  return (
    <li>
      <a class={`entry ${red ? 'red' : ''} ${row.unreadCount > 0 ? 'unread' : ''}`} href={to('inbox', c.id)} aria-current={current ? 'true' : undefined}>
        <span class={`avatar ${c.status === 'CONVERSATION_STATUS_HUMAN_TAKEOVER' ? 'person' : ''}`} aria-hidden="true">{initials(c.patientName)}</span>
        <span class="entry-text">
          <span class="entry-line">
            <bdi class="name">{name}</bdi>
            <time dateTime={row.lastMessageTime}>{row.lastMessageTime ? shortTime(row.lastMessageTime) : ''}</time>
          </span>
          <span class="entry-line">
            <span class="preview">{who}<bdi>{row.preview}</bdi></span>
            {row.unreadCount > 0 && <span class="badge" role="img" aria-label={T.inbox.unread(row.unreadCount)}>{row.unreadCount >= 20 ? '20+' : row.unreadCount}</span>}
          </span>
          <span class="tags">
            {red && <span class="tag red"><Icon name="flag" size={14} />{T.tasks[row.taskKind]}</span>}
            {!red && (row.taskPriority === 'TASK_PRIORITY_URGENT' || row.taskPriority === 'TASK_PRIORITY_HIGH') && <span class="tag">{T.tasks[row.taskKind]}</span>}
            {c.status === 'CONVERSATION_STATUS_HUMAN_TAKEOVER' && <span class="tag person"><Icon name="hand" size={14} />{desk.people.get(c.assignedTo)?.name ?? T.status[c.status]}</span>}
            {row.waitingSince && c.status !== 'CONVERSATION_STATUS_ARCHIVED' && <span class="tag wait"><Icon name="clock" size={14} />{T.inbox.waiting(ago(row.waitingSince, now))}</span>}
            {holders.length > 0 && <span class="tag here">{T.inbox.here(holders.join(', '))}</span>}
          </span>
        </span>
      </a>
    </li>
  );
}
