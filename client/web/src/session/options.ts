/** A participant's choices before the meeting, as far as its session needs them. */
import type { Contacts } from "./entry/contacts";

export interface Options {
  /** Our identity and contact book; none of it is sent unless a person asks for it. */
  readonly contacts: Contacts | null;
  /** Show our identity to the hosts when knocking. */
  readonly showIdentity: boolean;
  /** Host: the meeting keeps signatures, so that its messages can be proven to others afterwards. */
  readonly reports: boolean;
  /** Save evidence without a request when the server drops us, and whether to include names. */
  readonly evidence: boolean;
  readonly evidenceNames: boolean;
  /** Seconds for which the session tries to get back into a meeting that the server has dropped. */
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
