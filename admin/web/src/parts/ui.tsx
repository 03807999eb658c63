// Small things that every page uses.
import { cloneElement, type ComponentChildren, type VNode } from 'preact';
import { useCallback, useEffect, useId, useRef, useState } from 'preact/hooks';
import { ApiError } from '../api';
import { T } from '../texts';
import { Icon } from './icons';

export function textOf(error: unknown): string {
  if (!(error instanceof ApiError)) return error instanceof TypeError ? T.errors.network : T.errors.generic;
  if (error.status === 403) return T.errors.forbidden;
  if (error.status === 412 || (error.status === 409 && error.reason === 'ETAG_MISMATCH')) return T.errors.stale;
  if (error.status === 503 || error.status === 429) return T.errors.busy;
  if (error.status === 404) return T.errors.missing;
  return error.message || T.errors.generic;
}

// Loads when `key` changes, and whenever `reload` is called; what was there stays until the new is.
export function useLoad<V>(key: string, load: () => Promise<V>): { value: V | null; error: unknown; reload: () => void; set: (value: V) => void } {
  const [value, setValue] = useState<V | null>(null);
  const [error, setError] = useState<unknown>(null);
  const turn = useRef(0);
  const latest = useRef(load);
  latest.current = load;
  const reload = useCallback(() => {
    const mine = ++turn.current;
    latest.current().then(
      (loaded) => { if (mine === turn.current) { setValue(() => loaded); setError(null); } },
      (failed: unknown) => { if (mine === turn.current) setError(failed); });
  }, []);
  useEffect(() => {
    setValue(null);
    reload();
    return () => { turn.current += 1; };
  }, [key]);
  return { value, error, reload, set: (changed) => setValue(() => changed) };
}

// The current time, again every so often, for what shows how long ago something was.
export function useNow(every = 10_000): number {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), every);
    return () => clearInterval(timer);
  }, [every]);
  return now;
}

export function Trouble({ error, retry }: { error: unknown; retry?: () => void }) {
  if (error === null || error === undefined) return null;
  return (
    <div class="trouble-box" role="alert">
      <Icon name="warning" />
      <span>{typeof error === 'string' ? error : textOf(error)}</span>
      {retry && <button class="plain" onClick={retry}>{T.common.retry}</button>}
    </div>
  );
}

export const Loading = () => <p class="quiet" role="status">{T.common.loading}</p>;
export const Empty = ({ children }: { children: ComponentChildren }) => <p class="empty">{children}</p>;

// A control with its label and what explains it.
export function Field({ label, hint, children }: { label: string; hint?: string; children: VNode }) {
  const id = useId();
  return (
    <div class="field">
      <label class="label" for={id}>{label}</label>
      {cloneElement(children, { id, ...(hint ? { 'aria-describedby': `${id}-hint` } : {}) })}
      {hint && <span class="hint" id={`${id}-hint`}>{hint}</span>}
    </div>
  );
}

// A dialog of the browser's own: it keeps the focus inside, and Escape closes it.
export function Dialog({ title, onClose, children, wide }: { title: string; onClose: () => void; children: ComponentChildren; wide?: boolean }) {
  const ref = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const dialog = ref.current!;
    dialog.showModal();
    return () => dialog.close();
  }, []);
  return (
    <dialog ref={ref} class={wide ? 'wide' : ''} aria-label={title} onCancel={(event) => { event.preventDefault(); onClose(); }}
      onClick={(event) => { if (event.target === ref.current) onClose(); }}>
      <div class="dialog-body">
        <header class="row">
          <h2>{title}</h2>
          <button class="icon-button" aria-label={T.common.close} onClick={onClose}><Icon name="close" /></button>
        </header>
        {children}
      </div>
    </dialog>
  );
}

let say: (text: string) => void = () => {};
export const toast = (text: string): void => say(text);
export function Toasts() {
  const [text, setText] = useState('');
  useEffect(() => {
    let timer = 0;
    say = (next) => {
      setText(next);
      window.clearTimeout(timer);
      timer = window.setTimeout(() => setText(''), 4000);
    };
    return () => { say = () => {}; window.clearTimeout(timer); };
  }, []);
  return <div class="toasts" role="status" aria-live="polite">{text !== '' && <div class="toast">{text}</div>}</div>;
}

// Runs what a button starts: disables it meanwhile, tells what went wrong.
export function useAction(): { busy: boolean; error: unknown; clear: () => void; run: (work: () => Promise<void>) => Promise<boolean> } {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const run = async (work: () => Promise<void>): Promise<boolean> => {
    setBusy(true);
    setError(null);
    try {
      await work();
      return true;
    } catch (failed) {
      setError(failed);
      return false;
    } finally {
      setBusy(false);
    }
  };
  return { busy, error, clear: () => setError(null), run };
}
