// What the forms of the facts have in common: their fields, saving, and what happens when somebody else was faster.
import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import { ApiError, call, get, segment } from '../api';
import { clockOf, minuteOf, plain } from '../format';
import { Icon } from '../parts/icons';
import { Dialog, Field, Trouble, toast, useAction } from '../parts/ui';
import { useDesk } from '../session';
import { T } from '../texts';
import type { WeeklyRange } from '../types';

interface Stored { revision?: string; updateTime?: string }
// `path` of a row, such as "faqs/parking", and the name its answers give it.
export interface Place { path: string; field: string }
export const placeOf = (collection: string, field: string, key: string): Place => ({ path: `${collection}/${segment(key)}`, field });

const listOf = (text: string): string[] => text.split('\n').map((line) => line.trim()).filter((line) => line !== '');
export const keyOf = (text: string): string => text.toLowerCase().normalize('NFKD').replace(/[^a-z0-9]+/g, '-').replace(/^-+|-+$/g, '').slice(0, 64);
const days = ['WEEKDAY_MONDAY', 'WEEKDAY_TUESDAY', 'WEEKDAY_WEDNESDAY', 'WEEKDAY_THURSDAY', 'WEEKDAY_FRIDAY', 'WEEKDAY_SATURDAY', 'WEEKDAY_SUNDAY'];

export const Key = ({ value, fresh, onInput }: { value: string; fresh: boolean; onInput: (value: string) => void }) => (
  <Field label={T.knowledge.key} hint={fresh ? T.knowledge.keyHint : undefined}><input required pattern="[a-z0-9][a-z0-9_\-]{0,63}" readOnly={!fresh} value={value} onInput={(e) => onInput(e.currentTarget.value)} /></Field>
);
export const Text = ({ label, hint, value, max, required, onInput }: { label: string; hint?: string; value: string; max: number; required?: boolean; onInput: (value: string) => void }) => (
  <Field label={label} hint={hint}><input value={value} maxLength={max} required={required} onInput={(e) => onInput(e.currentTarget.value)} /></Field>
);
export const Lines = ({ label, hint, values, onChange }: { label: string; hint?: string; values: string[]; onChange: (values: string[]) => void }) => {
  const [text, setText] = useState(values.join('\n'));
  return <Field label={label} hint={hint ?? T.knowledge.lines}><textarea rows={Math.min(6, Math.max(2, values.length + 1))} value={text} onInput={(e) => { setText(e.currentTarget.value); onChange(listOf(e.currentTarget.value)); }} /></Field>;
};

export function Hours({ label, ranges, rooms, empty, onChange }: { label: string; ranges: WeeklyRange[]; rooms: boolean; empty?: string; onChange: (ranges: WeeklyRange[]) => void }) {
  const set = (i: number, change: Partial<WeeklyRange>) => onChange(ranges.map((one, at) => (at === i ? { ...one, ...change } : one)));
  return (
    <div class="full stack">
      <h3>{label}</h3>
      {ranges.length === 0 && empty !== undefined && <p class="hint">{empty}</p>}
      <div class={`roster ${rooms ? '' : 'no-room'}`}>
        {ranges.map((one, i) => (
          <div key={i} class="row">
            <select aria-label={T.knowledge.day} value={one.weekday} onChange={(e) => set(i, { weekday: e.currentTarget.value })}>{days.map((day) => <option key={day} value={day}>{T.weekdays[day]}</option>)}</select>
            <Clock label={T.knowledge.from} value={one.startMinute} onChange={(startMinute) => set(i, { startMinute })} />
            <Clock label={T.knowledge.until} value={one.endMinute} onChange={(endMinute) => set(i, { endMinute: endMinute <= one.startMinute ? endMinute + 1440 : endMinute })} />
            {rooms && <input aria-label={T.knowledge.room} placeholder={T.knowledge.room} maxLength={80} value={one.room ?? ''} onInput={(e) => set(i, { room: e.currentTarget.value })} />}
            <button type="button" class="icon-button" aria-label={T.common.remove} onClick={() => onChange(ranges.filter((_, at) => at !== i))}><Icon name="close" size={18} /></button>
          </div>
        ))}
      </div>
      <p><button type="button" class="small" onClick={() => onChange([...ranges, { weekday: 'WEEKDAY_MONDAY', startMinute: 540, endMinute: 1020, ...(rooms ? { room: '' } : {}) }])}><Icon name="plus" size={16} />{T.knowledge.addTime}</button></p>
    </div>
  );
}

function Clock({ label, value, onChange }: { label: string; value: number; onChange: (minute: number) => void }) {
  const [text, setText] = useState(clockOf(value));
  const typed = minuteOf(text);
  const shown = typed !== null && clockOf(typed) !== clockOf(value) ? clockOf(value) : text;  // the row before it may have gone
  return (
    <input aria-label={label} inputMode="numeric" required pattern="([01]?[0-9]|2[0-4]):[0-5][0-9]" title={T.knowledge.timeWrong} value={shown} onInput={(e) => {
      setText(e.currentTarget.value);
      const minute = minuteOf(e.currentTarget.value);
      if (minute !== null) onChange(minute);
    }} />
  );
}

export const inOrder = (ranges: WeeklyRange[]): WeeklyRange[] =>
  ranges.map((one) => ({ ...one, endMinute: one.startMinute + ((((one.endMinute - one.startMinute - 1) % 1440) + 1440) % 1440) + 1 }))  // ends within a day of its begin
    .sort((a, b) => days.indexOf(a.weekday) - days.indexOf(b.weekday) || a.startMinute - b.startMinute);

// Replaces the row, unless it is no longer the one that was read.
export async function replaceRow(place: Place, row: Stored): Promise<void> {
  const { revision, updateTime: _, ...body } = row;
  await call('PUT', `/v1/knowledge/${place.path}`, body, revision ? { 'if-match': `"${revision}"` } : {});
}

function same(a: unknown, b: unknown): boolean { return JSON.stringify(a) === JSON.stringify(b); }

// Two states of a row, field by field; what is the same in both is left out.
export function Difference({ before, after }: { before: object; after: object }) {
  const a = { ...before } as Record<string, unknown>;
  const b = { ...after } as Record<string, unknown>;
  const text = (value: unknown) => value === undefined ? '' : typeof value === 'string' ? value : JSON.stringify(value, null, 1);
  const names = [...new Set([...Object.keys(a), ...Object.keys(b)])].filter((name) => name !== 'revision' && name !== 'updateTime' && !same(a[name], b[name]));
  return <dl class="facts">{names.map((name) => [<dt key={name}>{plain(name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`))}</dt>, <dd key={`${name}-`}>{text(a[name]) !== '' && <pre><del>{text(a[name])}</del></pre>}{text(b[name]) !== '' && <pre><ins>{text(b[name])}</ins></pre>}</dd>])}</dl>;
}

// The form of one row. `mine` is what it holds now; `take` puts another state into it. Without `add` the row is there
// already and `place` is replaced, or removed where `remove` names it. One that changed meanwhile is shown beside
// what was written here, and the person decides.
export function RowForm<R extends Stored>({ place, mine, take, add, remove, onDone, children }: {
  place: Place; mine: R; take: (row: R) => void; add?: () => Promise<void>; remove?: string; onDone: () => void; children: ComponentChildren;
}) {
  const desk = useDesk();
  const action = useAction();
  const [sure, setSure] = useState(false);
  const [theirs, setTheirs] = useState<R | null>(null);
  const [taken, setTaken] = useState(0);  // fields keep what is typed: another state needs new ones
  const save = (row: R) => action.run(async () => {
    try {
      await (add ? add() : replaceRow(place, row));
    } catch (error) {
      if (add || !(error instanceof ApiError) || error.status !== 412) throw error;
      setTheirs((await get<Record<string, R>>(`/v1/knowledge/${place.path}`))[place.field]!);
      return;
    }
    setTheirs(null);
    toast(T.common.saved);
    onDone();
  });
  return (
    <form class="stack" onSubmit={(e) => { e.preventDefault(); if (theirs === null) void save(mine); }}>
      <fieldset disabled={!desk.isAdmin || theirs !== null} class="plain-set"><div class="form-grid" key={taken}>{children}</div></fieldset>
      <Trouble error={action.error} />
      {theirs !== null && (
        <div class="card stack" role="alert">
          <p class="strong">{T.knowledge.conflict}</p>
          <p class="hint">{T.knowledge.conflictHint}</p>
          <Difference before={theirs} after={mine} />
          <p class="row start">
            <button type="button" onClick={() => { take(theirs); setTaken(taken + 1); setTheirs(null); }}>{T.knowledge.takeTheirs}</button>
            <button type="button" class="danger" disabled={action.busy} onClick={() => void save({ ...mine, revision: theirs.revision })}>{T.knowledge.keepMine}</button>
          </p>
        </div>
      )}
      {desk.isAdmin && theirs === null && (
        <div class="row">
          <button class="primary" disabled={action.busy}>{T.common.save}</button>
          {remove !== undefined && !sure && <button type="button" class="plain" onClick={() => setSure(true)}>{T.common.remove}</button>}
          {sure && <span class="row start"><span>{T.knowledge.deleteSure(remove ?? '')}</span><button type="button" class="danger" disabled={action.busy} onClick={() => void action.run(async () => { await call('DELETE', `/v1/knowledge/${place.path}`); onDone(); })}>{T.common.remove}</button></span>}
        </div>
      )}
    </form>
  );
}

// The same for a row with a key, in a dialog.
export function Shell<R extends Stored & { key: string }>({ title, collection, field, row, mine, take, name, fresh, onClose, onDone, children }: {
  title: string; collection: string; field: string; row: R; mine: R; take: (row: R) => void; name: string; fresh: boolean; onClose: () => void; onDone: () => void; children: ComponentChildren;
}) {
  const add = async () => {
    const { revision: _, updateTime: __, ...body } = mine;
    await call('POST', `/v1/knowledge/${collection}`, body);
  };
  return (
    <Dialog title={title} wide onClose={onClose}>
      <RowForm place={placeOf(collection, field, row.key)} mine={mine} take={take} add={fresh ? add : undefined} remove={fresh ? undefined : name} onDone={onDone}>{children}</RowForm>
    </Dialog>
  );
}
