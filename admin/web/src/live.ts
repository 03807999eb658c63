// What happens, as the server tells it; see admin/api/desk/event_feed.h. Reconnects by itself.
import { useEffect, useRef } from 'preact/hooks';
import type { ChangeEvent } from './types';

type Listener = (event: ChangeEvent | null) => void; // null: something was missed, read anew

const listeners = new Set<Listener>();
const stateListeners = new Set<(connected: boolean) => void>();
let source: EventSource | null = null;
let connected = false;
let opened = false;

function setConnected(value: boolean): void {
  connected = value;
  stateListeners.forEach((listener) => listener(value));
}

export function startLive(onEnded: () => void): void {
  stopLive();
  opened = false;
  source = new EventSource('/desk/events');
  source.addEventListener('open', () => setConnected(true));
  source.addEventListener('error', () => setConnected(false));
  source.addEventListener('ended', () => { stopLive(); onEnded(); });
  const everything = () => listeners.forEach((listener) => listener(null));
  source.addEventListener('lost', everything);
  source.addEventListener('open', () => {
    if (opened) everything(); // what happened while there was no connection is not told again
    opened = true;
  });
  source.addEventListener('change', (event) => {
    const change = JSON.parse((event as MessageEvent<string>).data) as ChangeEvent;
    listeners.forEach((listener) => listener(change));
  });
}

export function stopLive(): void {
  source?.close();
  source = null;
  setConnected(false);
}

export function onConnection(listener: (connected: boolean) => void): () => void {
  stateListeners.add(listener);
  listener(connected);
  return () => { stateListeners.delete(listener); };
}

// Calls `run` soon after something happened that `wants` says yes to, at most once in `every` ms.
export function useLive(wants: (event: ChangeEvent) => boolean, run: () => void, every = 300): void {
  const latest = useRef({ wants, run });
  latest.current = { wants, run };
  useEffect(() => {
    let timer: number | undefined;
    const listener: Listener = (event) => {
      if (event !== null && !latest.current.wants(event)) return;
      if (timer !== undefined) return;
      timer = window.setTimeout(() => { timer = undefined; latest.current.run(); }, every);
    };
    listeners.add(listener);
    return () => {
      listeners.delete(listener);
      window.clearTimeout(timer);
    };
  }, [every]);
}
