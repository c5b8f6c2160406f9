/** A participant's choices before the meeting, as far as its session needs them. */
import type { Bytes } from "../crypto/bytes";
import type { Token } from "../crypto/entry/permission";
import type { Contacts } from "./entry/contacts";

/** What a person has to open a room with, where not anyone may. */
export interface PermissionMeans {
  readonly password: string | null;
  /** Return an unspent token under one of these keys, by week, and forget it; null if there is none. */
  takeToken(keys: ReadonlyMap<number, Bytes>): Token | null;
}

/** Where a page goes of itself: to others that hosts name if the person, who is asked, allows it; or to all of them. */
export type ServersFrom = "ask" | "any";

export interface Options {
  /** Our identity and contact book; none of it is sent unless a person asks for it. */
  readonly contacts: Contacts | null;
  /** Show our identity to the hosts when knocking. */
  readonly showIdentity: boolean;
  /** Host: the meeting keeps signatures, so that its messages can be proven to others afterwards. */
  readonly reports: boolean;
  /** Host: the meeting's heartbeats go through a second server as well. */
  readonly mirror: boolean;
  /** Host: in a large room, the server forwards 16 microphones only, and can tell who speaks. */
  readonly sixteen: boolean;
  /** Host: the others go on for 15 s without the hosts, and not for 60 s. */
  readonly strict: boolean;
  /** Host: where too few are heard for anybody to speak, wait for the others, and don't go on without them. */
  readonly waitsForSilent: boolean;
  /** Tell the shell what to keep, so that the member can come back after its page has ended. */
  readonly keep: boolean;
  /** Save evidence without a request when the server drops us, and whether to include names. */
  readonly evidence: boolean;
  readonly evidenceNames: boolean;
  /** Seconds for which the session tries to get back into a meeting that the server has dropped. */
  readonly patience: number;
  /** What opens a room, where not anyone may. */
  readonly permission: PermissionMeans | null;
  /** Which servers beside those of the link are contacted. A person's page asks: the shell says so. */
  readonly servers: ServersFrom;
}

export const OPTIONS: Options = {
  contacts: null,
  showIdentity: false,
  reports: false,
  mirror: false,
  sixteen: false,
  strict: false,
  waitsForSilent: false,
  keep: false,
  evidence: false,
  evidenceNames: false,
  patience: 60,
  permission: null,
  servers: "any",
};
