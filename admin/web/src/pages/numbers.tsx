import { useEffect, useRef, useState } from 'preact/hooks';
import { ApiError, call, get, lines, post, segment } from '../api';
import { ago, fullTime } from '../format';
import { useLive } from '../live';
import { Icon } from '../parts/icons';
import { Dialog, Empty, Field, Loading, Trouble, textOf, toast, useAction, useLoad, useNow } from '../parts/ui';
import { useDesk } from '../session';
import { T } from '../texts';
import type { NumberInfo } from '../types';

const trouble = new Set(['NUMBER_STATE_NEEDS_LINK', 'NUMBER_STATE_REPLACED', 'NUMBER_STATE_VERSION_REFUSED', 'NUMBER_STATE_BANNED', 'NUMBER_STATE_UNTRUSTED_SERVER', 'NUMBER_STATE_PAUSED']);
const tenDays = 10 * 86_400_000;

// What a person has to know, the worst first. A state alone is not believed: messages have to flow.
export function warnings(number: NumberInfo, now: number): string[] {
  const found: string[] = [];
  const before = (time: string | undefined, limit: number) => time !== undefined && now - Date.parse(time) > limit;
  if (T.numbers.advice[number.state]) found.push(T.numbers.advice[number.state]!);
  if (number.sendState === 'SEND_STATE_LIMITED') found.push(T.numbers.limited);
  if (number.sendState === 'SEND_STATE_HELD') found.push(T.numbers.held);
  if (number.state !== 'NUMBER_STATE_NO_DEVICE' && number.state !== 'NUMBER_STATE_STOPPED' && number.linkTime && !number.ownerAlive) found.push(T.numbers.nobody);
  if (number.state === 'NUMBER_STATE_CONNECTED' && number.lastSentTime && before(number.lastSentTime, 60_000)
      && (number.lastServerAckTime === undefined || Date.parse(number.lastServerAckTime) < Date.parse(number.lastSentTime))) found.push(T.numbers.quiet);
  if (number.linkTime && before(number.phoneSeenTime, tenDays)) found.push(T.numbers.phoneAway);
  return found;
}

export default function NumbersPage(_: { route: string[] }) {
  const desk = useDesk();
  const now = useNow(5000);
  const list = useLoad<{ numbers: NumberInfo[] }>('numbers', () => get('/v1/numbers', { pageSize: 200 }));
  const [linking, setLinking] = useState<NumberInfo | 'new' | null>(null);
  const [unlinking, setUnlinking] = useState<NumberInfo | null>(null);
  useLive((event) => event.resource === 'RESOURCE_KIND_NUMBER', list.reload, 500);
  useEffect(() => {  // message flow changes without an event of its own
    const timer = setInterval(list.reload, 10_000);
    return () => clearInterval(timer);
  }, []);
  const gone = list.error instanceof ApiError && (list.error.status === 503 || list.error.status === 501 || list.error.status === 504);
  return (
    <div class="page">
      <header>
        <div><h1>{T.numbers.title}</h1><p>{T.numbers.intro}</p></div>
        {desk.isAdmin && <button class="primary" onClick={() => setLinking('new')}><Icon name="link" />{T.numbers.add}</button>}
      </header>
      {list.error !== null && <Trouble error={gone ? T.numbers.unavailable : list.error} retry={list.reload} />}
      {list.value === null && list.error === null && <Loading />}
      {list.value?.numbers.length === 0 && <Empty>{T.numbers.empty}</Empty>}
      <div class="grid">
        {list.value?.numbers.map((number) => {
          const notes = warnings(number, now);
          const bad = trouble.has(number.state) || number.sendState === 'SEND_STATE_HELD';
          const flows = number.state === 'NUMBER_STATE_CONNECTED' && notes.length === 0 && number.botEnabled;
          const plainRow = number.state === 'NUMBER_STATE_NO_DEVICE' || number.state === 'NUMBER_STATE_STOPPED';
          return (
            <section key={number.id} class="card stack" aria-label={number.name}>
              <div class="row">
                <h2>{number.name}</h2>
                <span class={`tag ${bad ? 'red' : flows ? 'good' : plainRow ? 'here' : ''}`}><span class={`dot ${bad ? 'bad' : flows ? 'good' : plainRow ? '' : 'warn'}`} />{T.numbers.states[number.state] ?? number.state}</span>
              </div>
              {(number.phone !== '' || number.displayName !== '') && <p><bdi>{number.displayName}</bdi> <span class="quiet">{number.phone}</span></p>}
              {number.state !== 'NUMBER_STATE_NO_DEVICE' && <BotSwitch number={number} onDone={list.reload} />}
              {notes.map((note) => <p key={note} class="tag wide"><Icon name="warning" size={16} />{note}</p>)}
              <dl class="facts">
                <Flow name={T.numbers.lastIn} time={number.lastReceivedTime} now={now} />
                <Flow name={T.numbers.lastOut} time={number.lastSentTime} now={now} />
                <Flow name={T.numbers.lastAck} time={number.lastServerAckTime} now={now} />
                {number.linkTime && <Flow name={T.numbers.phoneSeen} time={number.phoneSeenTime} now={now} />}
                {number.linkTime && <><dt>{T.numbers.linked}</dt><dd>{fullTime(number.linkTime)}</dd></>}
              </dl>
              {desk.isAdmin && (
                <p class="row start">
                  {(number.state === 'NUMBER_STATE_NO_DEVICE' || number.state === 'NUMBER_STATE_NEEDS_LINK' || number.state === 'NUMBER_STATE_REPLACED') && <button class="small" onClick={() => setLinking(number)}>{T.numbers.link}</button>}
                  {number.linkTime && number.state !== 'NUMBER_STATE_NEEDS_LINK' && <button class="small danger" onClick={() => setUnlinking(number)}>{T.numbers.unlink}</button>}
                </p>
              )}
            </section>
          );
        })}
      </div>
      {linking && <LinkDialog number={linking === 'new' ? null : linking} onClose={() => { setLinking(null); list.reload(); }} />}
      {unlinking && <UnlinkDialog number={unlinking} onClose={() => { setUnlinking(null); list.reload(); }} />}
    </div>
  );
}

const Flow = ({ name, time, now }: { name: string; time?: string; now: number }) => (
  <><dt>{name}</dt><dd>{time ? <time dateTime={time} title={fullTime(time)}>{T.numbers.ago(ago(time, now))}</time> : T.numbers.never}</dd></>
);

// Silences the assistant on one number, or lets it answer again. Others see how it stands. What comes over the webhook
// is answered all the same, so a number without a device has no switch.
function BotSwitch({ number, onDone }: { number: NumberInfo; onDone: () => void }) {
  const desk = useDesk();
  const action = useAction();
  const turn = (botEnabled: boolean) => action.run(async () => {
    try {
      await call('PATCH', `/v1/numbers/${segment(number.id)}`, { botEnabled }, { 'if-match': `"${number.etag}"` });
      toast(T.numbers.botNow(botEnabled));
    } finally {
      onDone();
    }
  });
  return (
    <>
      <label class="check"><input type="checkbox" role="switch" checked={number.botEnabled} disabled={!desk.isAdmin || action.busy}
        onClick={(e) => { e.preventDefault(); void turn(!number.botEnabled); }} /> {T.numbers.botSwitch}</label>
      {!number.botEnabled && <p class="tag wide red"><Icon name="warning" size={16} />{T.numbers.botOff}</p>}
      <Trouble error={action.error} />
    </>
  );
}

function UnlinkDialog({ number, onClose }: { number: NumberInfo; onClose: () => void }) {
  const [force, setForce] = useState(false);
  const action = useAction();
  return (
    <Dialog title={T.numbers.unlinkTitle} onClose={onClose}>
      <p><strong>{number.name}</strong> {number.phone}</p>
      <p>{T.numbers.unlinkText}</p>
      <label class="check"><input type="checkbox" checked={force} onChange={(e) => setForce(e.currentTarget.checked)} /> {T.numbers.force}</label>
      <Trouble error={action.error} />
      <button class="danger" disabled={action.busy} onClick={() => void action.run(async () => { await post(`/v1/numbers/${number.id}:unlink`, { force }); onClose(); })}>{T.numbers.unlink}</button>
    </Dialog>
  );
}

interface LinkEvent {
  attemptId: string; numberId: string;
  qrCode?: { text: string; svg: string; expireTime: string; index: number; count: number };
  pairingCode?: { code: string; expireTime: string };
  progress?: { step: string };
  passkeyRequest?: { optionsJson: string; expireTime: string; consoleScript: string };
  passkeyCode?: { code: string; mustConfirm: boolean };
  linked?: { number: NumberInfo };
  failed?: { reason: string; advice: string };
}

function LinkDialog({ number, onClose }: { number: NumberInfo | null; onClose: () => void }) {
  const [name, setName] = useState(number?.name ?? '');
  const [method, setMethod] = useState('LINK_METHOD_QR');
  const [phone, setPhone] = useState(number?.phone ?? '');
  const [event, setEvent] = useState<LinkEvent | null>(null);
  const [error, setError] = useState<unknown>(null);
  const [running, setRunning] = useState(false);
  const stop = useRef<AbortController | null>(null);
  useEffect(() => () => stop.current?.abort(), []);  // leaving ends the attempt
  const start = async () => {
    setError(null);
    setEvent(null);
    setRunning(true);
    stop.current = new AbortController();
    try {
      const body = { ...(number ? { numberId: number.id } : { name }), method, phone };
      for await (const told of lines<LinkEvent>('POST', '/v1/numbers:link', body, stop.current.signal)) setEvent(told);
    } catch (failed) {
      if (!stop.current.signal.aborted) setError(failed instanceof ApiError && failed.status === 501 ? T.numbers.notYet : failed);
    }
    setRunning(false);
  };
  const ended = event?.linked ?? event?.failed;
  return (
    <Dialog title={T.numbers.add} onClose={onClose}>
      {!running && !event?.linked && (
        <form class="stack" onSubmit={(e) => { e.preventDefault(); void start(); }}>
          {!number && <Field label={T.numbers.name} hint={T.numbers.nameHint}><input required pattern="[a-z0-9\-]{1,32}" maxLength={32} value={name} onInput={(e) => setName(e.currentTarget.value)} /></Field>}
          <Field label={T.numbers.method}>
            <select value={method} onChange={(e) => setMethod(e.currentTarget.value)}><option value="LINK_METHOD_QR">{T.numbers.byQr}</option><option value="LINK_METHOD_PHONE_CODE">{T.numbers.byCode}</option></select>
          </Field>
          <Field label={`${T.numbers.phone}${method === 'LINK_METHOD_QR' ? ` (${T.common.optional})` : ''}`} hint={T.numbers.phoneHint}>
            <input type="tel" required={method !== 'LINK_METHOD_QR'} value={phone} onInput={(e) => setPhone(e.currentTarget.value)} />
          </Field>
          {error !== null && <Trouble error={typeof error === 'string' ? error : textOf(error)} />}
          {event?.failed && <Trouble error={event.failed.advice || T.numbers.ended} />}
          <button class="primary">{ended || error !== null ? T.numbers.again : T.numbers.start}</button>
        </form>
      )}
      {running && <div aria-live="polite" class="stack">{event === null ? <Loading /> : <Step event={event} />}</div>}
      {event?.linked && <><p class="tag wide good" role="status"><Icon name="check" />{T.numbers.done} {event.linked.number.phone}</p><button class="primary" onClick={onClose}>{T.common.close}</button></>}
    </Dialog>
  );
}

const Steps = ({ steps }: { steps: string[] }) => <ol class="steps">{steps.map((step) => <li key={step}>{step}</li>)}</ol>;

function Step({ event }: { event: LinkEvent }) {
  const now = useNow(1000);
  const left = (time: string) => T.common.seconds(Math.max(0, Math.round((Date.parse(time) - now) / 1000)));
  if (event.qrCode) {
    return (
      <>
        <Steps steps={T.numbers.steps} />
        <div class="qr"><img data-qr alt={T.numbers.qrAlt} src={`data:image/svg+xml;charset=utf-8,${encodeURIComponent(event.qrCode.svg)}`} /></div>
        <p class="center quiet">{T.numbers.codeOf(event.qrCode.index, event.qrCode.count)} · {T.numbers.expires(left(event.qrCode.expireTime))}</p>
      </>
    );
  }
  if (event.pairingCode) return <><Steps steps={T.numbers.codeSteps} /><p class="code">{event.pairingCode.code}</p><p class="center quiet">{T.numbers.codeExpires(left(event.pairingCode.expireTime))}</p></>;
  if (event.progress) return <p role="status">{T.numbers.steps2[event.progress.step] ?? T.common.loading}</p>;
  if (event.passkeyRequest) return <Passkey attempt={event.attemptId} script={event.passkeyRequest.consoleScript} />;
  if (event.passkeyCode) return <Compare attempt={event.attemptId} code={event.passkeyCode.code} ask={event.passkeyCode.mustConfirm} />;
  return <Loading />;
}

function Passkey({ attempt, script }: { attempt: string; script: string }) {
  const [assertion, setAssertion] = useState('');
  const action = useAction();
  return (
    <form class="stack" onSubmit={(e) => { e.preventDefault(); void action.run(() => post(`/v1/linkAttempts/${attempt}:submitPasskey`, { assertionJson: assertion }).then(() => {})); }}>
      <h3>{T.numbers.passkeyTitle}</h3>
      <Steps steps={T.numbers.passkeySteps} />
      <Field label={T.numbers.passkeyScript}><textarea class="mono" readOnly rows={4} value={script} onFocus={(e) => e.currentTarget.select()} /></Field>
      <Field label={T.numbers.passkeyAnswer}><textarea class="mono" rows={3} required maxLength={16_384} value={assertion} onInput={(e) => setAssertion(e.currentTarget.value)} /></Field>
      <Trouble error={action.error} />
      <button class="primary" disabled={action.busy}>{T.numbers.passkeySend}</button>
    </form>
  );
}

function Compare({ attempt, code, ask }: { attempt: string; code: string; ask: boolean }) {
  const action = useAction();
  const answer = (matches: boolean) => action.run(() => post(`/v1/linkAttempts/${attempt}:confirmCode`, { matches }).then(() => {}));
  return (
    <>
      {ask && <p>{T.numbers.compare}</p>}
      <p class="code">{code}</p>
      <Trouble error={action.error} />
      {ask && <p class="row"><button class="primary" disabled={action.busy} onClick={() => void answer(true)}>{T.numbers.same}</button><button class="danger" disabled={action.busy} onClick={() => void answer(false)}>{T.numbers.differs}</button></p>}
    </>
  );
}
