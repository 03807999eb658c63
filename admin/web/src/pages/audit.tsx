import { useState } from 'preact/hooks';
import { get, lines } from '../api';
import { fullTime, number, plain } from '../format';
import { Icon } from '../parts/icons';
import { Empty, Loading, Trouble, useAction, useLoad } from '../parts/ui';
import { to } from '../router';
import { useDesk } from '../session';
import { T } from '../texts';
import type { AuditRecord, Verified } from '../types';

interface Page { records: AuditRecord[]; nextPageToken: string }

export default function AuditPage(_: { route: string[] }) {
  const desk = useDesk();
  const [action, setAction] = useState('');
  const [resource, setResource] = useState('');
  const [person, setPerson] = useState('');
  const [more, setMore] = useState<AuditRecord[]>([]);
  const [token, setToken] = useState<string | null>(null);
  const filters = { action, resource, actorId: person };
  const first = useLoad<Page>(JSON.stringify(filters), () => { setMore([]); setToken(null); return get('/v1/auditRecords', { ...filters, pageSize: 100 }); });
  const next = useAction();
  const nextToken = token ?? first.value?.nextPageToken ?? '';
  const records = [...(first.value?.records ?? []), ...more];
  const who = (record: AuditRecord): string => {
    if (record.actor.kind === 'ACTOR_KIND_STAFF') return desk.people.get(record.actor.id)?.name ?? record.actor.id.slice(0, 8);
    return { ACTOR_KIND_OPERATOR: T.audit.operator, ACTOR_KIND_TOKEN: `${T.audit.token} ${record.actor.id.slice(0, 8)}`, ACTOR_KIND_SERVICE: record.actor.id }[record.actor.kind] ?? T.audit.service;
  };
  return (
    <div class="page">
      <header><div><h1>{T.audit.title}</h1><p>{T.audit.intro}</p></div></header>
      <Verify />
      <div class="form-grid">
        <select aria-label={T.audit.action} value={action} onChange={(e) => setAction(e.currentTarget.value)}>
          <option value="">{T.audit.anyAction}</option>
          {Object.entries(T.audit.actions).map(([value, text]) => <option key={value} value={value}>{text}</option>)}
        </select>
        <select aria-label={T.audit.resource} value={resource} onChange={(e) => setResource(e.currentTarget.value)}>
          <option value="">{T.audit.anyResource}</option>
          {Object.entries(T.audit.resources).map(([value, text]) => <option key={value} value={value}>{text}</option>)}
        </select>
        <select aria-label={T.audit.person} value={person} onChange={(e) => setPerson(e.currentTarget.value)}>
          <option value="">{T.audit.anybody}</option>
          {[...desk.people.values()].map((one) => <option key={one.id} value={one.id}>{one.name}</option>)}
        </select>
      </div>
      <Trouble error={first.error ?? next.error} retry={first.reload} />
      {first.value === null && first.error === null && <Loading />}
      {first.value !== null && (records.length === 0 ? <Empty>{T.audit.empty}</Empty> : (
        <div class="table-box">
          <table class="cards-on-phone">
            <thead><tr><th>{T.audit.when}</th><th>{T.audit.who}</th><th>{T.audit.what}</th><th>{T.audit.about}</th><th>{T.audit.detail}</th><th class="num">{T.audit.position}</th></tr></thead>
            <tbody>
              {records.map((record) => (
                <tr key={record.id}>
                  <td data-label={T.audit.when}>{fullTime(record.createTime)}</td>
                  <td data-label={T.audit.who}><bdi>{who(record)}</bdi></td>
                  <td data-label={T.audit.what}>
                    <span>{T.audit.actions[record.action] ?? plain(record.action)}
                      {record.outcome !== 'AUDIT_OUTCOME_SUCCESS' && <> <span class="tag red">{T.audit.outcomes[record.outcome]}</span></>}</span>
                  </td>
                  <td data-label={T.audit.about}>
                    <span>{T.audit.resources[record.resource] ?? plain(record.resource)} {record.resource === 'RESOURCE_KIND_CONVERSATION' && record.resourceId !== ''
                      ? <a class="mono" href={to('inbox', record.resourceId)}>{record.resourceId.slice(0, 8)}</a> : <span class="mono">{record.resourceId.slice(0, /^[0-9a-f-]{36}$/.test(record.resourceId) ? 8 : 24)}</span>}</span>
                  </td>
                  <td data-label={T.audit.detail}>{plain(record.detailCode)}{record.purpose !== '' && <span class="quiet"> {record.purpose}</span>}</td>
                  <td data-label={T.audit.position} class="num">{record.sequence === '0' ? <span class="quiet">{T.audit.notSealed}</span> : number(record.sequence)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      ))}
      {nextToken !== '' && <p class="center"><button disabled={next.busy} onClick={() => void next.run(async () => {
        const page = await get<Page>('/v1/auditRecords', { ...filters, pageSize: 100, pageToken: nextToken });
        setMore([...more, ...page.records]);
        setToken(page.nextPageToken);
      })}>{T.common.more}</button></p>}
    </div>
  );
}

function Verify() {
  const [state, setState] = useState<Verified | null>(null);
  const action = useAction();
  const run = () => action.run(async () => {
    setState(null);
    for await (const told of lines<Verified>('GET', '/v1/auditRecords:verify')) setState(told);
  });
  return (
    <section class="card stack">
      <div class="row">
        <div role="status" aria-live="polite">
          {state === null && !action.busy && <span class="quiet">{T.audit.unverified}</span>}
          {action.busy && <span>{T.audit.verifying(number(state?.checkedCount ?? 0))}</span>}
          {state?.done && !action.busy && (
            <p class={`row start strong ${state.valid ? '' : 'failure'}`}><Icon name={state.valid ? 'check' : 'warning'} />
              {state.valid ? T.audit.valid(number(state.lastSequence)) : T.audit.broken(number(state.firstBadSequence), number(state.badCount))}</p>
          )}
          {state?.done && state.unsealedCount !== '0' && <p class="hint">{T.audit.unsealed(number(state.unsealedCount))}</p>}
        </div>
        <button class="primary" disabled={action.busy} onClick={() => void run()}>{T.audit.verify}</button>
      </div>
      {state?.done && state.lastChainHash !== '' && <p class="hint">{T.audit.hash}: <span class="mono">{state.lastChainHash}</span></p>}
      <Trouble error={action.error} />
    </section>
  );
}
