/** What a session is created from. */
import type { Rng } from "../../crypto/bytes";
import type { MemberRecoveryData } from "../../crypto/entry/memberRecovery";
import type { Options } from "../options";

/** What each of them needs. */
export interface Common {
  readonly options?: Options;
  readonly now: number;
  readonly rng?: Rng;
}

export interface HostFacts extends Common {
  readonly origin: string;
  /** Further servers where the meeting can go on, as origins in order. */
  readonly servers?: readonly string[];
  readonly name: string;
  readonly title?: string;
  readonly admission?: "ask" | "all";
  /** Further invites to make. */
  readonly invites?: readonly { readonly label: string; readonly once: boolean }[];
  readonly openInvite?: boolean;
  /** What a host's device has kept of a meeting that nobody is in: its links lead here then. */
  readonly again?: MemberRecoveryData | null;
}

export interface JoinFacts extends Common {
  readonly link: string;
  readonly name: string;
  readonly greeting?: string;
}
