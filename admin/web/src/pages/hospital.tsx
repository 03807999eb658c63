// The hospital's own settings: what it is called, how it is reached, when its desk is open, how the assistant speaks.
import { useState } from 'preact/hooks';
import { fullTime } from '../format';
import { Icon } from '../parts/icons';
import { Field } from '../parts/ui';
import { T } from '../texts';
import type { Hospital } from '../types';
import { Hours, Lines, RowForm, Text, inOrder } from './form';

const nothing: Hospital = {
  name: '', timezone: Intl.DateTimeFormat().resolvedOptions().timeZone, defaultLanguage: 'en', languages: ['en'], emergencyNumber: '', crisisLine: '', phone: '', email: '',
  website: '', address: '', emergencyAddress: '', deskHours: [], holidays: [], allowedLinkHosts: [], insurers: [], personaName: '', personaStyle: '', about: '',
};
const number = '[0-9+][0-9 +\\-]{1,19}';

export function HospitalForm({ stored, onDone }: { stored: Hospital | undefined; onDone: () => void }) {
  const [h, set] = useState(stored ?? nothing);
  const t = T.hospital;
  const mine = { ...h, deskHours: inOrder(h.deskHours), holidays: [...h.holidays].sort((a, b) => a.date.localeCompare(b.date)) };
  const phone = (label: string, hint: string, value: string, onInput: (value: string) => void, required = false) => (
    <Field label={label} hint={hint}><input type="tel" pattern={number} title={t.numberWrong} required={required} maxLength={20} value={value} onInput={(e) => onInput(e.currentTarget.value)} /></Field>
  );
  return (
    <section class="card stack" aria-label={T.knowledge.hospital}>
      {h.updateTime && <p class="hint">{t.changed(fullTime(h.updateTime))}</p>}
      <RowForm place={{ path: 'hospital', field: 'hospital' }} mine={mine} take={set} onDone={onDone}>
        <Text label={t.name} value={h.name} max={120} required onInput={(name) => set({ ...h, name })} />
        <Field label={t.timezone} hint={t.timezoneHint}><input required list="timezones" autocomplete="off" value={h.timezone} onInput={(e) => set({ ...h, timezone: e.currentTarget.value })} /></Field>
        <datalist id="timezones">{Intl.supportedValuesOf('timeZone').map((zone) => <option key={zone} value={zone} />)}</datalist>
        <div class="full"><h3>{t.emergency}</h3></div>
        {phone(t.emergencyNumber, t.emergencyNumberHint, h.emergencyNumber, (emergencyNumber) => set({ ...h, emergencyNumber }), true)}
        {phone(t.crisisLine, t.crisisLineHint, h.crisisLine, (crisisLine) => set({ ...h, crisisLine }))}
        <div class="full"><Text label={t.emergencyAddress} hint={t.emergencyAddressHint} value={h.emergencyAddress} max={300} onInput={(emergencyAddress) => set({ ...h, emergencyAddress })} /></div>
        <div class="full"><h3>{t.contacts}</h3></div>
        {phone(t.phone, t.untold, h.phone, (value) => set({ ...h, phone: value }))}
        <Field label={t.email} hint={t.untold}><input type="email" maxLength={120} value={h.email} onInput={(e) => set({ ...h, email: e.currentTarget.value })} /></Field>
        <div class="full"><Text label={t.address} value={h.address} max={300} required onInput={(address) => set({ ...h, address })} /></div>
        <Field label={t.website} hint={t.websiteHint}><input type="url" pattern="https://.*" maxLength={200} value={h.website} onInput={(e) => set({ ...h, website: e.currentTarget.value })} /></Field>
        <Lines label={t.hosts} hint={t.hostsHint} values={h.allowedLinkHosts} onChange={(allowedLinkHosts) => set({ ...h, allowedLinkHosts })} />
        <Hours label={t.deskHours} ranges={h.deskHours} rooms={false} onChange={(deskHours) => set({ ...h, deskHours })} />
        <Holidays days={h.holidays} onChange={(holidays) => set({ ...h, holidays })} />
        <div class="full"><h3>{t.assistant}</h3></div>
        <Text label={t.personaName} hint={t.personaNameHint} value={h.personaName} max={40} onInput={(personaName) => set({ ...h, personaName })} />
        <Text label={t.defaultLanguage} hint={t.defaultLanguageHint} value={h.defaultLanguage} max={35} required onInput={(defaultLanguage) => set({ ...h, defaultLanguage })} />
        <div class="full"><Field label={t.personaStyle} hint={t.personaStyleHint}><textarea rows={2} maxLength={500} value={h.personaStyle} onInput={(e) => set({ ...h, personaStyle: e.currentTarget.value })} /></Field></div>
        <Lines label={T.knowledge.languages} hint={T.knowledge.languagesHint} values={h.languages} onChange={(languages) => set({ ...h, languages })} />
        <Lines label={t.insurers} values={h.insurers} onChange={(insurers) => set({ ...h, insurers })} />
        <div class="full"><Field label={t.about}><textarea rows={4} maxLength={2000} value={h.about} onInput={(e) => set({ ...h, about: e.currentTarget.value })} /></Field></div>
      </RowForm>
    </section>
  );
}

function Holidays({ days, onChange }: { days: Hospital['holidays']; onChange: (days: Hospital['holidays']) => void }) {
  const set = (i: number, change: Partial<Hospital['holidays'][number]>) => onChange(days.map((one, at) => (at === i ? { ...one, ...change } : one)));
  return (
    <div class="full stack">
      <h3>{T.hospital.holidays}</h3>
      <div class="roster holidays">
        {days.map((one, i) => (
          <div key={i} class="row">
            <input type="date" required aria-label={T.knowledge.day} value={one.date} onInput={(e) => set(i, { date: e.currentTarget.value })} />
            <input required aria-label={T.hospital.holidayName} placeholder={T.hospital.holidayName} maxLength={80} value={one.name} onInput={(e) => set(i, { name: e.currentTarget.value })} />
            <button type="button" class="icon-button" aria-label={T.common.remove} onClick={() => onChange(days.filter((_, at) => at !== i))}><Icon name="close" size={18} /></button>
          </div>
        ))}
      </div>
      <p><button type="button" class="small" onClick={() => onChange([...days, { date: '', name: '' }])}><Icon name="plus" size={16} />{T.hospital.addHoliday}</button></p>
    </div>
  );
}
