// Pages by the part of the address after #: "#/inbox/<id>" is ['inbox', '<id>'].
import { useEffect, useState } from 'preact/hooks';

const read = (): string[] => location.hash.replace(/^#\/?/, '').split('/').filter((part) => part !== '').map(decodeURIComponent);

export function useRoute(): string[] {
  const [route, setRoute] = useState(read);
  useEffect(() => {
    const listener = () => setRoute(read());
    addEventListener('hashchange', listener);
    return () => removeEventListener('hashchange', listener);
  }, []);
  return route;
}

export const to = (...parts: string[]): string => '#/' + parts.map(encodeURIComponent).join('/');
export const go = (...parts: string[]): void => { location.hash = to(...parts); };
