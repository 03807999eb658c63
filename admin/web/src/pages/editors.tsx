// Forms of the facts that have a key. A reader sees them filled in and closed.
import { useState } from 'preact/hooks';
import { Field } from '../parts/ui';
import { T } from '../texts';
import type { Department, Doctor, Faq, VisitingHours } from '../types';
import { Hours, Key, Lines, Shell, Text, inOrder, keyOf } from './form';

interface FormProps<R> { row: R; fresh: boolean; onClose: () => void; onDone: () => void }

export function FaqForm({ row, fresh, onClose, onDone }: FormProps<Faq>) {
  const [f, set] = useState(row);
  const key = fresh && f.key === '' ? keyOf(f.question) : f.key;
  return (
    <Shell title={T.knowledge.kinds.faq!} collection="faqs" field="faq" row={row} mine={{ ...f, key }} take={set} name={row.question} fresh={fresh} onClose={onClose} onDone={onDone}>
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
    <Shell title={T.knowledge.kinds.doctor!} collection="doctors" field="doctor" row={row} mine={{ ...d, key, roster: inOrder(d.roster) }} take={set} name={row.name} fresh={fresh} onClose={onClose} onDone={onDone}>
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
    <Shell title={T.knowledge.kinds.department!} collection="departments" field="department" row={row} mine={{ ...d, key, hours: inOrder(d.hours) }} take={set} name={row.name} fresh={fresh} onClose={onClose} onDone={onDone}>
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

export function VisitingHoursForm({ row, fresh, onClose, onDone }: FormProps<VisitingHours>) {
  const [v, set] = useState(row);
  const key = fresh && v.key === '' ? keyOf(v.area) : v.key;
  return (
    <Shell title={T.knowledge.kinds.visiting_hours!} collection="visitingHours" field="visitingHours" row={row} mine={{ ...v, key, hours: inOrder(v.hours) }} take={set} name={row.area} fresh={fresh} onClose={onClose} onDone={onDone}>
      <Text label={T.knowledge.area} value={v.area} max={120} required onInput={(area) => set({ ...v, area })} />
      <Key value={key} fresh={fresh} onInput={(value) => set({ ...v, key: value })} />
      <Hours label={T.knowledge.visitingHours} ranges={v.hours} rooms={false} empty={T.knowledge.noVisits} onChange={(hours) => set({ ...v, hours })} />
      <div class="full"><Field label={T.knowledge.visitNote} hint={T.knowledge.visitNoteHint}><textarea rows={2} maxLength={500} value={v.note} onInput={(e) => set({ ...v, note: e.currentTarget.value })} /></Field></div>
      <div class="full"><Lines label={T.knowledge.aliases} values={v.aliases} onChange={(aliases) => set({ ...v, aliases })} /></div>
    </Shell>
  );
}
