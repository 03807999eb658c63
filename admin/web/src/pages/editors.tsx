// Forms of the facts. A reader sees them filled in and closed.
import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import { clockOf, minuteOf } from '../format';
import { Icon } from '../parts/icons';
import { Dialog, Field, Trouble, useAction } from '../parts/ui';
import { useDesk } from '../session';
import { T } from '../texts';
import type { Department, Doctor, Faq, WeeklyRange } from '../types';
import { deleteRow, saveRow } from './knowledge';

const listOf = (text: string): string[] => text.split('\n').map((line) => line.trim()).filter((line) => line !== '');
const keyOf = (text: string): string => text.toLowerCase().normalize('NFKD').replace(/[^a-z0-9]+/g, '-').replace(/^-+|-+$/g, '').slice(0, 64);
const days = ['WEEKDAY_MONDAY', 'WEEKDAY_TUESDAY', 'WEEKDAY_WEDNESDAY', 'WEEKDAY_THURSDAY', 'WEEKDAY_FRIDAY', 'WEEKDAY_SATURDAY', 'WEEKDAY_SUNDAY'];

function Shell({ title, collection, rowKey, name, fresh, onSave, onClose, onDone, children }: {
  title: string; collection: string; rowKey: string; name: string; fresh: boolean; onSave: () => Promise<void>; onClose: () => void; onDone: () => void; children: ComponentChildren;
}) {
  const desk = useDesk();
  const action = useAction();
  const [sure, setSure] = useState(false);
  return (
    <Dialog title={title} wide onClose={onClose}>
      <form class="stack" onSubmit={(e) => { e.preventDefault(); void action.run(async () => { await onSave(); onDone(); }); }}>
        <fieldset disabled={!desk.isAdmin} class="plain-set"><div class="form-grid">{children}</div></fieldset>
        <Trouble error={action.error} />
        {desk.isAdmin && (
          <div class="row">
            <button class="primary" disabled={action.busy}>{T.common.save}</button>
            {!fresh && !sure && <button type="button" class="plain" onClick={() => setSure(true)}>{T.common.remove}</button>}
            {sure && <span class="row start"><span>{T.knowledge.deleteSure(name)}</span><button type="button" class="danger" disabled={action.busy} onClick={() => void action.run(async () => { await deleteRow(collection, rowKey); onDone(); })}>{T.common.remove}</button></span>}
          </div>
        )}
      </form>
    </Dialog>
  );
}

const Key = ({ value, fresh, onInput }: { value: string; fresh: boolean; onInput: (value: string) => void }) => (
  <Field label={T.knowledge.key} hint={fresh ? T.knowledge.keyHint : undefined}><input required pattern="[a-z0-9][a-z0-9_\-]{0,63}" readOnly={!fresh} value={value} onInput={(e) => onInput(e.currentTarget.value)} /></Field>
);
const Text = ({ label, hint, value, max, required, onInput }: { label: string; hint?: string; value: string; max: number; required?: boolean; onInput: (value: string) => void }) => (
  <Field label={label} hint={hint}><input value={value} maxLength={max} required={required} onInput={(e) => onInput(e.currentTarget.value)} /></Field>
);
const Lines = ({ label, hint, values, onChange }: { label: string; hint?: string; values: string[]; onChange: (values: string[]) => void }) => {
  const [text, setText] = useState(values.join('\n'));
  return <Field label={label} hint={hint ?? T.knowledge.lines}><textarea rows={Math.min(6, Math.max(2, values.length + 1))} value={text} onInput={(e) => { setText(e.currentTarget.value); onChange(listOf(e.currentTarget.value)); }} /></Field>;
};

function Hours({ label, ranges, rooms, onChange }: { label: string; ranges: WeeklyRange[]; rooms: boolean; onChange: (ranges: WeeklyRange[]) => void }) {
  const set = (i: number, change: Partial<WeeklyRange>) => onChange(ranges.map((one, at) => (at === i ? { ...one, ...change } : one)));
  return (
    <div class="full stack">
      <h3>{label}</h3>
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
  return (
    <input aria-label={label} inputMode="numeric" required pattern="([01]?[0-9]|2[0-4]):[0-5][0-9]" title={T.knowledge.timeWrong} value={text} onInput={(e) => {
      setText(e.currentTarget.value);
      const minute = minuteOf(e.currentTarget.value);
      if (minute !== null) onChange(minute);
    }} />
  );
}

const inOrder = (ranges: WeeklyRange[]): WeeklyRange[] => [...ranges].sort((a, b) => days.indexOf(a.weekday) - days.indexOf(b.weekday) || a.startMinute - b.startMinute);
interface FormProps<R> { row: R; fresh: boolean; onClose: () => void; onDone: () => void }

export function FaqForm({ row, fresh, onClose, onDone }: FormProps<Faq>) {
  const [f, set] = useState(row);
  const key = fresh && f.key === '' ? keyOf(f.question) : f.key;
  return (
    <Shell title={T.knowledge.kinds.faq!} collection="faqs" rowKey={row.key} name={row.question} fresh={fresh} onClose={onClose} onDone={onDone} onSave={() => saveRow('faqs', { ...f, key }, fresh)}>
      <div class="full"><Text label={T.knowledge.question} value={f.question} max={300} required onInput={(question) => set({ ...f, question })} /></div>
      <div class="full"><Field label={T.knowledge.answer}><textarea rows={5} required maxLength={4000} value={f.answer} onInput={(e) => set({ ...f, answer: e.currentTarget.value })} /></Field></div>
      <div class="full"><Lines label={T.knowledge.alternatives} values={f.alternatives} onChange={(alternatives) => set({ ...f, alternatives })} /></div>
      <Text label={T.knowledge.category} value={f.category} max={64} required onInput={(category) => set({ ...f, category })} />
      <Text label={T.knowledge.source} value={f.source} max={200} onInput={(source) => set({ ...f, source })} />
      <Key value={key} fresh={fresh} onInput={(value) => set({ ...f, key: value })} />
    </Shell>
  );
}

export function DoctorForm({ row, fresh, departments, onClose, onDone }: FormProps<Doctor> & { departments: Department[] }) {
  const [d, set] = useState({ ...row, departmentKey: row.departmentKey || departments[0]?.key || '' });
  const key = fresh && d.key === '' ? keyOf(d.name) : d.key;
  return (
    <Shell title={T.knowledge.kinds.doctor!} collection="doctors" rowKey={row.key} name={row.name} fresh={fresh} onClose={onClose} onDone={onDone} onSave={() => saveRow('doctors', { ...d, key, roster: inOrder(d.roster) }, fresh)}>
      <Text label={T.knowledge.name} value={d.name} max={120} required onInput={(name) => set({ ...d, name })} />
      <Text label={T.knowledge.doctorTitle} value={d.title} max={80} onInput={(title) => set({ ...d, title })} />
      <Field label={T.knowledge.department}><select required value={d.departmentKey} onChange={(e) => set({ ...d, departmentKey: e.currentTarget.value })}>{departments.map((one) => <option key={one.key} value={one.key}>{one.name}</option>)}</select></Field>
      <Text label={T.knowledge.fee} value={d.consultationFee} max={120} onInput={(consultationFee) => set({ ...d, consultationFee })} />
      <Hours label={T.knowledge.roster} ranges={d.roster} rooms onChange={(roster) => set({ ...d, roster })} />
      <div class="full"><Text label={T.knowledge.rosterNote} value={d.rosterNote} max={200} onInput={(rosterNote) => set({ ...d, rosterNote })} /></div>
      <Lines label={T.knowledge.specialties} values={d.specialties} onChange={(specialties) => set({ ...d, specialties })} />
      <Lines label={T.knowledge.qualifications} values={d.qualifications} onChange={(qualifications) => set({ ...d, qualifications })} />
      <Lines label={T.knowledge.languages} hint={T.knowledge.languagesHint} values={d.languages} onChange={(languages) => set({ ...d, languages })} />
      <Key value={key} fresh={fresh} onInput={(value) => set({ ...d, key: value })} />
    </Shell>
  );
}

export function DepartmentForm({ row, fresh, onClose, onDone }: FormProps<Department>) {
  const [d, set] = useState(row);
  const key = fresh && d.key === '' ? keyOf(d.name) : d.key;
  return (
    <Shell title={T.knowledge.kinds.department!} collection="departments" rowKey={row.key} name={row.name} fresh={fresh} onClose={onClose} onDone={onDone} onSave={() => saveRow('departments', { ...d, key, hours: inOrder(d.hours) }, fresh)}>
      <Text label={T.knowledge.name} value={d.name} max={120} required onInput={(name) => set({ ...d, name })} />
      <Text label={T.knowledge.phone} value={d.phone} max={40} onInput={(phone) => set({ ...d, phone })} />
      <div class="full"><Field label={T.knowledge.description}><textarea rows={3} maxLength={2000} value={d.description} onInput={(e) => set({ ...d, description: e.currentTarget.value })} /></Field></div>
      <div class="full"><Text label={T.knowledge.location} value={d.location} max={200} onInput={(location) => set({ ...d, location })} /></div>
      <Hours label={T.knowledge.hours} ranges={d.hours} rooms={false} onChange={(hours) => set({ ...d, hours })} />
      <div class="full"><Text label={T.knowledge.hoursNote} value={d.hoursNote} max={200} onInput={(hoursNote) => set({ ...d, hoursNote })} /></div>
      <Lines label={T.knowledge.aliases} values={d.aliases} onChange={(aliases) => set({ ...d, aliases })} />
      <Key value={key} fresh={fresh} onInput={(value) => set({ ...d, key: value })} />
    </Shell>
  );
}
