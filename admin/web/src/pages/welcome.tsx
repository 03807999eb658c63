// Where the one-time link leads: "#/welcome/<invitation>". What stands after # is never sent to a server.
import { useState } from 'preact/hooks';
import { ApiError, post } from '../api';
import { Icon } from '../parts/icons';
import { Field, Trouble, textOf, useAction } from '../parts/ui';
import { go } from '../router';
import { T } from '../texts';
import type { Session, Staff } from '../types';

export function Welcome({ invitation, onLogin }: { invitation: string; onLogin: (session: Session) => void }) {
  const [form, setForm] = useState({ email: '', name: '', password: '', again: '' });
  const [differ, setDiffer] = useState(false);
  const action = useAction();
  const set = (name: keyof typeof form) => (event: Event) => setForm({ ...form, [name]: (event.currentTarget as HTMLInputElement).value });
  const submit = (event: Event) => {
    event.preventDefault();
    setDiffer(form.password !== form.again);
    if (form.password !== form.again) return;
    void action.run(async () => {
      const { staff } = await post<{ staff: Staff }>('/desk/password', { invitation, newPassword: form.password, email: form.email, name: form.name });
      const session = await post<Session>('/desk/login', { email: staff.email, password: form.password });
      history.replaceState(null, '', '#/inbox');  // the link is worth nothing now; nobody needs to see it
      onLogin(session);
      go('inbox');
      dispatchEvent(new HashChangeEvent('hashchange'));
    });
  };
  const text = action.error instanceof ApiError && action.error.status === 401 ? T.welcome.used
    : action.error === null ? '' : textOf(action.error).replace(/^new_password: /, '');
  return (
    <main class="alone">
      <form class="card login" onSubmit={submit}>
        <div class="brand big" aria-hidden="true"><Icon name="brand" size={30} /></div>
        <h1>{T.welcome.title}</h1>
        <p class="quiet">{T.welcome.intro}</p>
        <Field label={T.welcome.name} hint={T.welcome.nameHint}><input name="name" autocomplete="name" maxLength={100} value={form.name} onInput={set('name')} /></Field>
        <Field label={T.welcome.email} hint={T.welcome.keepEmail}><input type="email" name="email" autocomplete="username" value={form.email} onInput={set('email')} /></Field>
        <Field label={T.welcome.password} hint={T.welcome.rules}>
          <input type="password" name="password" autocomplete="new-password" required minLength={12} value={form.password} onInput={set('password')} />
        </Field>
        <Field label={T.welcome.again}><input type="password" name="again" autocomplete="new-password" required value={form.again} onInput={set('again')} /></Field>
        {differ && <Trouble error={T.welcome.differ} />}
        {text !== '' && <Trouble error={text} />}
        <button class="primary" disabled={action.busy}>{T.welcome.set}</button>
      </form>
    </main>
  );
}
