// Who is logged in, for every part of the page.
import { createContext } from 'preact';
import { useContext } from 'preact/hooks';
import type { Session, Staff } from './types';

export interface Desk {
  session: Session;
  people: Map<string, Staff>;
  reloadPeople: () => void;
  canWrite: boolean;  // agent or admin
  isAdmin: boolean;
  setMe: (staff: Staff) => void;
  logout: (everywhere?: boolean) => Promise<void>;
}

export const DeskContext = createContext<Desk | null>(null);
export function useDesk(): Desk {
  const desk = useContext(DeskContext);
  if (desk === null) throw new Error('nobody is logged in');
  return desk;
}
