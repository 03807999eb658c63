import { useState } from 'preact/hooks';
import { ApiError, post } from '../api';
import { seconds } from '../format';
import { Icon } from '../parts/icons';
import { Field, Trouble, textOf, useAction } from '../parts/ui';
import { T } from '../texts';
import type { Session } from '../types';

export function loginError(error: unknown): string {
  if (error instanceof ApiError && error.status === 401) return T.login.wrong;
  if (error instanceof ApiError && error.status === 429) return T.login.locked(seconds(error.retryAfter || 60));
  return textOf(error);
}

export function Login({ ended, onLogin }: { ended: boolean; onLogin: (session: Session) => void }) {
  const [email, setEmail] = useState('');
  const [password, setPassword] = useState('');
  const action = useAction();
  const submit = (event: Event) => {
    event.preventDefault();
    void action.run(async () => onLogin(await post<Session>('/desk/login', { email, password })));
  };
  return (
    <main class="alone">
      <form class="card login" onSubmit={submit}>
        <div class="brand big" aria-hidden="true"><Icon name="brand" size={30} /></div>
        <h1>{T.login.title}</h1>
        <p class="quiet">{ended ? T.login.ended : T.login.intro}</p>
        <Field label={T.login.email}>
          <input type="email" name="email" autocomplete="username" required autofocus value={email} onInput={(e) => setEmail(e.currentTarget.value)} />
        </Field>
        <Field label={T.login.password}>
          <input type="password" name="password" autocomplete="current-password" required value={password} onInput={(e) => setPassword(e.currentTarget.value)} />
        </Field>
        {action.error !== null && <Trouble error={loginError(action.error)} />}
        <button class="primary" disabled={action.busy}>{T.login.enter}</button>
        <p class="hint">{T.login.forgotten}</p>
      </form>
    </main>
  );
}
