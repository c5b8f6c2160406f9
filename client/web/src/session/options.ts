/** What a participant chooses before the meeting, as far as its session has to know. */
import type { Contacts } from "./contacts";

export interface Options {
  /** Our identity and whom we know; nothing of it is sent unless asked for. */
  readonly contacts: Contacts | null;
  /** Show our identity to the hosts when knocking. */
  readonly showIdentity: boolean;
  /** Host: the meeting keeps signatures, so that what is written in it can be proven to others afterwards. */
  readonly reports: boolean;
  /** Give out evidence unasked when the server drops us, and whether with names. */
  readonly evidence: boolean;
  readonly evidenceNames: boolean;
  /** Seconds for which a meeting that the server has dropped is tried again. */
  readonly patience: number;
}

export const OPTIONS: Options = {
  contacts: null,
  showIdentity: false,
  reports: false,
  evidence: false,
  evidenceNames: false,
  patience: 60,
};
