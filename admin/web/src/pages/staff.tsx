import { useState } from 'preact/hooks';
import { ApiError, call, newId, post } from '../api';
import { fullTime } from '../format';
import { Icon } from '../parts/icons';
import { Dialog, Field, Trouble, textOf, toast, useAction } from '../parts/ui';
import { useDesk } from '../session';
import { T } from '../texts';
import type { Role, Staff } from '../types';

const roles: Role[] = ['STAFF_ROLE_VIEWER', 'STAFF_ROLE_AGENT', 'STAFF_ROLE_ADMIN'];

function problem(error: unknown): string {
  if (error instanceof ApiError && error.reason === 'LAST_ADMIN') return T.staffPage.lastAdmin;
  if (error instanceof ApiError && error.status === 409 && error.reason === '') return T.staffPage.taken;
  return textOf(error);
}

export default function StaffPage(_: { route: string[] }) {
  const desk = useDesk();
  const [adding, setAdding] = useState(false);
  const [link, setLink] = useState('');
  const action = useAction();
  const change = (one: Staff, fields: Partial<Staff>) => action.run(async () => {
    await call('PATCH', `/v1/staff/${one.id}`, fields, { 'if-match': `"${one.etag}"` }).finally(desk.reloadPeople);
    toast(T.common.saved);
  });
  const invite = (one: Staff) => action.run(async () => {
    const { invitation } = await post<{ invitation: string }>(`/v1/staff/${one.id}:invite`);
    setLink(linkOf(invitation));
  });
  const people = [...desk.people.values()].sort((a, b) => a.name.localeCompare(b.name));
  return (
    <div class="page">
      <header>
        <div><h1>{T.staffPage.title}</h1><p>{desk.isAdmin ? T.staffPage.intro : T.staffPage.onlyAdmins}</p></div>
        {desk.isAdmin && <button class="primary" onClick={() => setAdding(true)}><Icon name="plus" />{T.staffPage.add}</button>}
      </header>
      {action.error !== null && <Trouble error={problem(action.error)} />}
      <div class="table-box">
        <table class="cards-on-phone">
          <thead><tr><th>{T.staffPage.name}</th><th>{T.staffPage.email}</th><th>{T.staffPage.role}</th><th>{T.staffPage.state}</th><th>{T.staffPage.last}</th>{desk.isAdmin && <th>{T.staffPage.actions}</th>}</tr></thead>
          <tbody>
            {people.map((one) => (
              <tr key={one.id}>
                <td data-label={T.staffPage.name}><span><bdi>{one.name}</bdi>{one.id === desk.session.staff.id && <span class="quiet"> ({T.staffPage.you})</span>}</span></td>
                <td data-label={T.staffPage.email}>{one.email}</td>
                <td data-label={T.staffPage.role}>
                  {desk.isAdmin ? (
                    <select aria-label={`${T.staffPage.role}: ${one.name}`} value={one.role} disabled={action.busy} onChange={(e) => void change(one, { role: e.currentTarget.value as Role })}>
                      {roles.map((role) => <option key={role} value={role}>{T.roles[role]}</option>)}
                    </select>
                  ) : T.roles[one.role]}
                </td>
                <td data-label={T.staffPage.state}>
                  <span class={`tag ${one.disabled ? 'red' : one.invited ? '' : 'good'}`}>{one.disabled ? T.staffPage.disabled : one.invited ? T.staffPage.invited : T.staffPage.live}</span>
                  {one.onDuty && <span class="tag person">{T.staffPage.onDuty}</span>}
                </td>
                <td data-label={T.staffPage.last}>{fullTime(one.lastLoginTime)}</td>
                {desk.isAdmin && (
                  <td data-label={T.staffPage.actions}>
                    <span class="row start">
                      {!one.disabled && <button class="small" disabled={action.busy} onClick={() => void invite(one)}>{T.staffPage.newLink}</button>}
                      {one.id !== desk.session.staff.id && <button class="small" disabled={action.busy} onClick={() => void change(one, { disabled: !one.disabled })}>{one.disabled ? T.staffPage.enable : T.staffPage.disable}</button>}
                    </span>
                  </td>
                )}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <section class="card">
        <dl class="facts">{roles.map((role) => [<dt key={role}>{T.roles[role]}</dt>, <dd key={`${role}-`}>{T.roleHints[role]}</dd>])}</dl>
      </section>
      {adding && <AddDialog onClose={() => setAdding(false)} onMade={(invitation) => { setAdding(false); setLink(linkOf(invitation)); desk.reloadPeople(); }} />}
      {link !== '' && <LinkDialog link={link} onClose={() => setLink('')} />}
    </div>
  );
}

const linkOf = (invitation: string): string => `${location.origin}/#/welcome/${invitation}`;

function LinkDialog({ link, onClose }: { link: string; onClose: () => void }) {
  return (
    <Dialog title={T.staffPage.linkTitle} onClose={onClose}>
      <p>{T.staffPage.linkHint}</p>
      <div class="link-box">
        <input readOnly aria-label={T.staffPage.linkTitle} value={link} onFocus={(e) => e.currentTarget.select()} />
        <button onClick={() => { navigator.clipboard?.writeText(link).then(() => toast(T.staffPage.copied), () => {}); }}>{T.staffPage.copy}</button>
      </div>
    </Dialog>
  );
}

function AddDialog({ onClose, onMade }: { onClose: () => void; onMade: (invitation: string) => void }) {
  const [form, setForm] = useState({ name: '', email: '', role: 'STAFF_ROLE_AGENT' as Role });
  const action = useAction();
  const [commit] = useState(newId);
  return (
    <Dialog title={T.staffPage.add} onClose={onClose}>
      <form class="stack" onSubmit={(e) => {
        e.preventDefault();
        void action.run(async () => onMade((await call<{ invitation: string }>('POST', '/v1/staff', form, { 'idempotency-key': commit })).invitation));
      }}>
        <Field label={T.staffPage.name}><input required maxLength={100} value={form.name} onInput={(e) => setForm({ ...form, name: e.currentTarget.value })} /></Field>
        <Field label={T.staffPage.email}><input type="email" required maxLength={254} value={form.email} onInput={(e) => setForm({ ...form, email: e.currentTarget.value })} /></Field>
        <Field label={T.staffPage.role} hint={`${T.roles[form.role]}: ${T.roleHints[form.role as keyof typeof T.roleHints]}`}>
          <select value={form.role} onChange={(e) => setForm({ ...form, role: e.currentTarget.value as Role })}>{roles.map((role) => <option key={role} value={role}>{T.roles[role]}</option>)}</select>
        </Field>
        {action.error !== null && <Trouble error={problem(action.error)} />}
        <button class="primary" disabled={action.busy}>{T.staffPage.add}</button>
      </form>
    </Dialog>
  );
}
