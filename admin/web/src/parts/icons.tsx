// Line icons, drawn for this page; each is decoration beside a text or a label.
const paths: Record<string, string> = {
  brand: 'M5 5h14a2 2 0 0 1 2 2v8a2 2 0 0 1-2 2h-6l-5 4v-4H5a2 2 0 0 1-2-2V7a2 2 0 0 1 2-2zM12 8v6M9 11h6',
  inbox: 'M4 13h4l1.5 3h5L16 13h4M4 13l2.5-8h11L20 13v6H4z',
  numbers: 'M8 3h8v18H8zM11 18h2',
  knowledge: 'M5 4h6a2 2 0 0 1 1 2v14a2 2 0 0 0-2-1H5zM19 4h-6a2 2 0 0 0-1 2v14a2 2 0 0 1 2-1h5z',
  analytics: 'M4 20V4M4 20h16M8 16v-5M12 16V8M16 16v-3',
  staff: 'M9 11a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7zM2.5 20a6.5 6.5 0 0 1 13 0M16 4.5a3.5 3.5 0 0 1 0 6.5M18 14.5a6.5 6.5 0 0 1 3.5 5.5',
  audit: 'M12 3l7 3v5c0 5-3 8-7 10-4-2-7-5-7-10V6zM9 12l2 2 4-4',
  search: 'M11 18a7 7 0 1 0 0-14 7 7 0 0 0 0 14zM20 20l-4-4',
  back: 'M15 5l-7 7 7 7',
  send: 'M4 12l16-8-6 16-3-7z',
  close: 'M6 6l12 12M18 6L6 18',
  info: 'M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM12 11v5M12 7.5v.5',
  warning: 'M12 4l9 16H3zM12 10v4M12 17v.5',
  flag: 'M6 21V4h11l-2 4 2 4H6',
  archive: 'M4 5h16v4H4zM6 9v10h12V9M10 13h4',
  hand: 'M8 12V6a1.5 1.5 0 0 1 3 0v5M11 11V4.5a1.5 1.5 0 0 1 3 0V11M14 11V6a1.5 1.5 0 0 1 3 0v8a6 6 0 0 1-6 6c-3 0-4.5-1.5-6-5l-1-2.5a1.5 1.5 0 0 1 2.7-1.2L8 13',
  robot: 'M6 9h12v9H6zM12 9V5M10 5h4M9 13v1M15 13v1M3.5 12v3M20.5 12v3',
  plus: 'M12 5v14M5 12h14',
  note: 'M5 4h14v11l-4 5H5zM15 20v-5h4',
  out: 'M14 4h5v16h-5M10 8l-4 4 4 4M6 12h9',
  theme: 'M12 4a8 8 0 1 0 8 8 6 6 0 0 1-8-8z',
  check: 'M5 13l4 4L19 7',
  clock: 'M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM12 7v5l3 2',
  download: 'M12 4v11M7 11l5 5 5-5M5 20h14',
  upload: 'M12 16V5M7 9l5-5 5 5M5 20h14',
  user: 'M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM4 21a8 8 0 0 1 16 0',
  link: 'M10 14a4 4 0 0 0 6 0l3-3a4 4 0 0 0-6-6l-1 1M14 10a4 4 0 0 0-6 0l-3 3a4 4 0 0 0 6 6l1-1',
  menu: 'M5 12h.01M12 12h.01M19 12h.01',
};

export function Icon({ name, size = 20 }: { name: keyof typeof paths | string; size?: number }) {
  return (
    <svg class="icon" width={size} height={size} viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="1.8" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true">
      <path d={paths[name] ?? ''} />
    </svg>
  );
}

// The ticks of a message that was sent; `label` says the same in words.
export function Ticks({ state, label }: { state: string; label: string }) {
  const two = state === 'PART_STATE_DELIVERED' || state === 'PART_STATE_READ';
  const trouble = ['PART_STATE_FAILED', 'PART_STATE_DISCARDED', 'PART_STATE_UNKNOWN'].includes(state);
  const waiting = state === 'PART_STATE_QUEUED' || state === 'PART_STATE_SENDING';
  return (
    <span class={`ticks ${state === 'PART_STATE_READ' ? 'read' : ''} ${trouble ? 'trouble' : ''}`} role="img" aria-label={label} title={label}>
      <svg width="18" height="12" viewBox="0 0 18 12" fill="none" stroke="currentColor" stroke-width="1.7" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true">
        {waiting && <path d="M9 10.5a4.5 4.5 0 1 0 0-9 4.5 4.5 0 0 0 0 9zM9 3.8V6l1.5 1" />}
        {trouble && <path d="M9 1v6M9 10.2v.3" />}
        {!waiting && !trouble && <path d={two ? 'M1 6.5l3.5 3.5L11 2M8 9l1 1L15.5 2' : 'M4 6.5l3.5 3.5L14 2'} />}
      </svg>
    </span>
  );
}
