// Calls this server, and nobody else. Every call carries the session's CSRF secret, which also tells the server that
// the page is asking and not a program of this machine.
import type { Session } from './types';

export class ApiError extends Error {
  constructor(readonly status: number, message: string, readonly reason: string, readonly retryAfter: number) {
    super(message);
  }
}

let csrf = '';
let onEnded: () => void = () => {};

export function useSession(session: Session | null, ended: () => void): void {
  csrf = session?.csrfToken ?? '';
  onEnded = ended;
}

interface ErrorBody { message?: string; error?: string; details?: { reason?: string }[] }

async function failure(answer: Response): Promise<ApiError> {
  const body = (await answer.json().catch(() => ({}))) as ErrorBody;
  const reason = body.details?.map((detail) => detail.reason ?? '').find((found) => found !== '') ?? '';
  return new ApiError(answer.status, body.message ?? body.error ?? '', reason, Number(answer.headers.get('retry-after') ?? 0));
}

export async function open(method: string, path: string, body?: unknown, headers: Record<string, string> = {}, signal?: AbortSignal): Promise<Response> {
  const answer = await fetch(path, {
    method,
    headers: { 'x-csrf-token': csrf, ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
    body: body === undefined ? undefined : JSON.stringify(body),
    credentials: 'same-origin',
    cache: 'no-store',
    signal,
  });
  if (answer.ok) return answer;
  const error = await failure(answer);
  // A page that was loaded before another login has an old secret, too.
  if (csrf !== '' && (error.status === 401 || error.reason === 'CSRF')) onEnded();
  throw error;
}

export async function call<T>(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<T> {
  return (await (await open(method, path, body, headers)).json()) as T;
}

export const get = <T>(path: string, query: Record<string, string | number | boolean | string[] | undefined> = {}): Promise<T> => {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (Array.isArray(value)) value.forEach((one) => parameters.append(name, one));
    else if (value !== undefined && value !== '') parameters.append(name, String(value));
  }
  const text = parameters.toString();
  return call<T>('GET', text === '' ? path : `${path}?${text}`);
};
export const post = <T>(path: string, body: unknown = {}): Promise<T> => call<T>('POST', path, body);

// The objects of a stream, one a line, as they come.
export async function* lines<T>(method: string, path: string, body?: unknown, signal?: AbortSignal): AsyncGenerator<T> {
  const answer = await open(method, path, body, { accept: 'application/x-ndjson' }, signal);
  const reader = answer.body!.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  try {
    for (;;) {
      const { done, value } = await reader.read();
      rest += value ?? '';
      const parts = rest.split('\n');
      rest = done ? '' : parts.pop()!;
      for (const part of parts) {
        if (part.trim() === '') continue;
        const object = JSON.parse(part) as T & { error?: { message?: string } };
        if (object.error) throw new ApiError(502, object.error.message ?? '', '', 0);
        yield object as Awaited<T>;
      }
      if (done) return;
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

export const segment = encodeURIComponent;
export const newId = (): string => crypto.randomUUID ? crypto.randomUUID() : uuidFromBytes();

// Over plain HTTP on another host than this machine a browser has no randomUUID.
function uuidFromBytes(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6]! & 0x0f) | 0x40;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}
