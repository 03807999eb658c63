// Every text of the dashboard. Another language is a file beside en.ts of the same shape, and a line here.
import { en } from './en';

export type Texts = typeof en;
const languages: Record<string, Texts> = { en };

const wanted = navigator.languages.map((tag) => tag.slice(0, 2)).find((tag) => tag in languages) ?? 'en';
export const T: Texts = languages[wanted]!;
document.documentElement.lang = wanted;
