import { useState } from 'preact/hooks';
import { ApiError, call, post } from '../api';
import { Dialog, Field, Trouble, textOf, toast, useAction } from '../parts/ui';
import { useDesk } from '../session';
import { T } from '../texts';
import type { Staff } from '../types';

export function AccountDialog({ onClose }: { onClose: () => void }) {
  const desk = useDesk();
  const me = desk.session.staff;
  const [name, setName] = useState(me.name);
  const [old, setOld] = useState('');
  const [fresh, setFresh] = useState('');
  const profile = useAction();
  const password = useAction();
  const change = (fields: Partial<Staff>) => profile.run(async () => {
    const { staff } = await call<{ staff: Staff }>('PATCH', `/v1/staff/${me.id}`, fields);
    desk.setMe(staff);
    toast(T.common.saved);
  });
  const passwordError = password.error instanceof ApiError && password.error.status === 401 ? T.account.wrongOld
    : password.error === null ? '' : textOf(password.error).replace(/^new_password: /, '');
  return (
    <Dialog title={T.account.title} onClose={onClose}>
      <p class="quiet">{me.email} · {T.roles[me.role]}</p>
      <form class="stack" onSubmit={(e) => { e.preventDefault(); void change({ name }); }}>
        <Field label={T.account.name}><input value={name} maxLength={100} required onInput={(e) => setName(e.currentTarget.value)} /></Field>
        <label class="check"><input type="checkbox" checked={me.onDuty} onChange={(e) => void change({ onDuty: e.currentTarget.checked })} /> {T.nav.onDuty}</label>
        <Trouble error={profile.error} />
        <button disabled={profile.busy || name === me.name}>{T.common.save}</button>
      </form>
      <hr />
      <form class="stack" onSubmit={(e) => {
        e.preventDefault();
        void password.run(async () => {
          await post('/desk/password', { oldPassword: old, newPassword: fresh });
          setOld('');
          setFresh('');
          toast(T.account.changed);
        });
      }}>
        <h3>{T.account.password}</h3>
        <Field label={T.account.old}><input type="password" autocomplete="current-password" required value={old} onInput={(e) => setOld(e.currentTarget.value)} /></Field>
        <Field label={T.welcome.password} hint={T.welcome.rules}><input type="password" autocomplete="new-password" required minLength={12} value={fresh} onInput={(e) => setFresh(e.currentTarget.value)} /></Field>
        {passwordError !== '' && <Trouble error={passwordError} />}
        <button disabled={password.busy}>{T.common.save}</button>
      </form>
      <hr />
      <div class="row">
        <button onClick={() => void desk.logout()}>{T.nav.logout}</button>
        <button class="plain" onClick={() => void desk.logout(true)}>{T.account.everywhere}</button>
      </div>
    </Dialog>
  );
}
