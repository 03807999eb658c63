// Light or dark: as the system has it, until somebody chooses.
const key = 'medidesk-theme';

const chosen = (): string | null => {
  try { return localStorage.getItem(key); } catch { return null; }  // storage may be switched off
};
export const isDark = (): boolean => (chosen() ?? (matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light')) === 'dark';
export function applyTheme(): void {
  const theme = chosen();
  if (theme === null) delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
}
export function toggleTheme(): void {
  try { localStorage.setItem(key, isDark() ? 'light' : 'dark'); } catch { /* then it is as the system has it */ }
  applyTheme();
}
