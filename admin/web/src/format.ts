// Times, names and codes as people read them.
import { T } from './texts';

// The texts' language as this browser writes its times and numbers.
const language = document.documentElement.lang || 'en';
const locale = navigator.languages.find((tag) => tag.startsWith(language)) ?? language;
const clock = new Intl.DateTimeFormat(locale, { hour: '2-digit', minute: '2-digit' });
const day = new Intl.DateTimeFormat(locale, { day: 'numeric', month: 'short' });
const longDay = new Intl.DateTimeFormat(locale, { weekday: 'long', day: 'numeric', month: 'long' });
const full = new Intl.DateTimeFormat(locale, { dateStyle: 'medium', timeStyle: 'short' });
const whole = new Intl.NumberFormat(locale);

export const timeOf = (time: string): string => clock.format(new Date(time));
export const fullTime = (time: string | undefined): string => (time ? full.format(new Date(time)) : T.common.never);
const cents = new Intl.NumberFormat(locale, { style: 'currency', currency: 'USD' });
const small = new Intl.NumberFormat(locale, { style: 'currency', currency: 'USD', minimumFractionDigits: 4 });
// Of millionths of a US dollar; a single answer costs less than a cent.
export const money = (micro: number): string => (micro > 0 && micro < 1e6 ? small : cents).format(micro / 1e6);
export const number = (value: string | number): string => whole.format(Number(value));

export const sameDay = (a: string, b: string): boolean => new Date(a).toDateString() === new Date(b).toDateString();
export function dayOf(time: string): string {
  const now = new Date();
  if (sameDay(time, now.toISOString())) return T.common.today;
  if (sameDay(time, new Date(now.getTime() - 86_400_000).toISOString())) return T.common.yesterday;
  return longDay.format(new Date(time));
}
export const shortTime = (time: string): string => (sameDay(time, new Date().toISOString()) ? timeOf(time) : day.format(new Date(time)));

export function ago(time: string, now = Date.now()): string {
  const seconds = Math.max(0, Math.round((now - Date.parse(time)) / 1000));
  if (seconds < 60) return T.common.seconds(seconds);
  if (seconds < 3600) return T.common.minutes(Math.floor(seconds / 60));
  if (seconds < 86_400) return T.common.hours(Math.floor(seconds / 3600));
  return T.common.days(Math.floor(seconds / 86_400));
}

export const duration = (text: string | undefined): number | null => (text === undefined ? null : Number(text.replace(/s$/, '')));
export function seconds(value: number | null): string {
  if (value === null || Number.isNaN(value)) return '–';
  if (value < 1) return T.common.milliseconds(Math.round(value * 1000));
  if (value < 60) return T.common.secondsExact(value.toFixed(1));
  if (value < 3600) return T.common.minutes(Math.round(value / 60));
  return T.common.hours(Math.round(value / 3600));
}

// A code that no text was written for, made readable.
export const plain = (code: string): string => code.replace(/[_.:]+/g, ' ').trim();
export const person = (name: string, phone: string): string => name.trim() || phone;
export function initials(name: string): string {
  const words = name.replace(/[^\p{L}\p{N} ]/gu, '').trim().split(/\s+/);
  return ((words[0]?.[0] ?? '') + (words.length > 1 ? words[words.length - 1]![0] : '')).toUpperCase() || '#';
}

export const clockOf = (minute: number): string => `${String(Math.floor(minute / 60) % 24).padStart(2, '0')}:${String(minute % 60).padStart(2, '0')}`;
export function minuteOf(text: string): number | null {
  const match = /^([01]?\d|2[0-4]):([0-5]\d)$/.exec(text.trim());
  return match ? Number(match[1]) * 60 + Number(match[2]) : null;
}
