// The frame of every page: who is logged in, the way between the pages, whether we are connected.
import { lazy, Suspense } from 'preact/compat';
import { useCallback, useEffect, useMemo, useState } from 'preact/hooks';
import { call, get, post, useSession } from './api';
import { onConnection, startLive, stopLive } from './live';
import { AccountDialog } from './pages/account';
import { InboxPage } from './pages/inbox';
import { Login } from './pages/login';
import { Welcome } from './pages/welcome';
import { Icon } from './parts/icons';
import { Loading, Toasts } from './parts/ui';
import { to, useRoute } from './router';
import { DeskContext, type Desk } from './session';
import { T } from './texts';
import { toggleTheme } from './theme';
import type { Session, Staff } from './types';

const pages = {
  numbers: lazy(() => import('./pages/numbers')),
  knowledge: lazy(() => import('./pages/knowledge')),
  analytics: lazy(() => import('./pages/analytics')),
  staff: lazy(() => import('./pages/staff')),
  audit: lazy(() => import('./pages/audit')),
};
const adminOnly = new Set(['audit']);

async function allPeople(): Promise<Map<string, Staff>> {
  const people = new Map<string, Staff>();
  let pageToken = '';
  do {
    const page = await get<{ staff: Staff[]; nextPageToken: string }>('/v1/staff', { pageSize: 200, pageToken });
    page.staff.forEach((one) => people.set(one.id, one));
    pageToken = page.nextPageToken;
  } while (pageToken !== '');
  return people;
}

export function App() {
  const route = useRoute();
  const [session, setSession] = useState<Session | null | undefined>(undefined);  // undefined: not known yet
  const [ended, setEnded] = useState(false);
  const [people, setPeople] = useState(new Map<string, Staff>());

  const end = useCallback(() => {
    stopLive();
    useSession(null, () => {});
    setSession(null);
    setEnded(true);
  }, []);
  const begin = useCallback((opened: Session) => {
    useSession(opened, end);
    setEnded(false);
    setSession(opened);
    startLive(end);
    allPeople().then(setPeople, () => {});
  }, [end]);

  useEffect(() => {
    call<Session>('GET', '/desk/session').then(begin, () => setSession(null));
    return stopLive;
  }, [begin]);

  const desk = useMemo<Desk | null>(() => {
    if (!session) return null;
    const role = session.staff.role;
    return {
      session, people,
      reloadPeople: () => { allPeople().then(setPeople, () => {}); },
      canWrite: role !== 'STAFF_ROLE_VIEWER',
      isAdmin: role === 'STAFF_ROLE_ADMIN',
      setMe: (staff) => { setSession({ ...session, staff }); setPeople((before) => new Map(before).set(staff.id, staff)); },
      logout: async (everywhere = false) => { await post('/desk/logout', { everywhere }); end(); setEnded(false); },
    };
  }, [session, people, end]);

  if (route[0] === 'welcome') return <><Welcome invitation={route[1] ?? ''} onLogin={begin} /><Toasts /></>;
  if (session === undefined) return <main class="alone"><Loading /></main>;
  if (desk === null) return <><Login ended={ended} onLogin={begin} /><Toasts /></>;
  return <DeskContext.Provider value={desk}><Frame route={route} desk={desk} /><Toasts /></DeskContext.Provider>;
}

function Frame({ route, desk }: { route: string[]; desk: Desk }) {
  const [connected, setConnected] = useState(true);
  const [account, setAccount] = useState(false);
  useEffect(() => {
    let timer = 0;
    const stop = onConnection((now) => {
      window.clearTimeout(timer);
      if (now) setConnected(true);
      else timer = window.setTimeout(() => setConnected(false), 4000);  // a short break is nobody's concern
    });
    return () => { stop(); window.clearTimeout(timer); };
  }, []);
  const names = ['inbox', 'numbers', 'knowledge', 'analytics', 'staff', 'audit'] as const;
  const allowed = names.filter((name) => desk.isAdmin || !adminOnly.has(name));
  const current = allowed.find((name) => name === route[0]) ?? 'inbox';
  const Page = current === 'inbox' ? null : pages[current];
  useEffect(() => { document.title = `${T.nav[current]} · ${T.common.product}`; }, [current]);
  return (
    <div class={`frame page-${current} ${route[1] ? 'opened' : ''}`}>
      <a class="skip" href="#main" onClick={(event) => { event.preventDefault(); document.getElementById('main')?.focus(); }}>{T.common.skip}</a>
      <nav class="rail" aria-label={T.nav.label}>
        <div class="brand" aria-hidden="true"><Icon name="brand" size={24} /></div>
        <ul>
          {allowed.map((name) => (
            <li key={name}>
              <a href={to(name)} aria-current={name === current ? 'page' : undefined}><Icon name={name} size={22} /><span>{T.nav[name]}</span></a>
            </li>
          ))}
        </ul>
        <div class="rail-end">
          <button class="icon-button" aria-label={T.nav.theme} title={T.nav.theme} onClick={toggleTheme}><Icon name="theme" /></button>
          <button class="icon-button" aria-label={T.nav.account} title={`${desk.session.staff.name}: ${T.nav.account}`} onClick={() => setAccount(true)}><Icon name="user" /></button>
        </div>
      </nav>
      <main id="main" tabIndex={-1}>
        {!connected && <div class="offline" role="status">{T.common.offline}</div>}
        {Page === null ? <InboxPage open={route[0] === 'inbox' ? route[1] : undefined} message={route[2]} /> : (
          <Suspense fallback={<Loading />}><Page route={route.slice(1)} /></Suspense>
        )}
      </main>
      {account && <AccountDialog onClose={() => setAccount(false)} />}
    </div>
  );
}
