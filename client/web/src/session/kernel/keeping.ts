/** The data that a device keeps while a membership lasts, so that the member can come back (protocol section 6). */
import { hex } from "../../crypto/bytes";
import type { HostKeys, Invite } from "../../crypto/entry/invite";
import type { MemberRecoveryData } from "../../crypto/entry/memberRecovery";
import type { Effect, Ended } from "../events";
import { memberRecoveryData } from "./entering";
import type { Me } from "./me";
import { RejoinKeys } from "./rejoinKeys";
import type { RoomSession } from "./room";

/** Ends after which nobody comes back. */
const OVER: readonly string[] = ["left", "removed", "replaced", "refused", "ended"];

/** A member on its way back: what was kept, and the rejoin keys that its leaf may have. */
export class Comeback {
  private constructor(readonly kept: MemberRecoveryData, readonly keys: RejoinKeys) {}

  /** Begin with what the device has kept: its tickets ask for a new rejoin key. */
  static async begin(kept: MemberRecoveryData): Promise<Comeback> {
    const keys = RejoinKeys.restored(kept.fields.rejoinKeys, kept.fields.requests);
    await keys.beginRequest();
    return new Comeback(kept, keys);
  }

  /** The keys of all hosts, if we were one. */
  get hostKeys(): HostKeys | null {
    return this.kept.fields.hostKeys;
  }

  /** What the device keeps meanwhile. */
  get data(): MemberRecoveryData {
    return this.kept.with(this.keys.all(), this.keys.requestCount);
  }
}

/** Tells the shell what to keep whenever that has changed: before anything that makes it necessary. */
export class Keeping {
  #state: readonly unknown[] = [];

  constructor(readonly wanted: boolean) {}

  /** Return the effect that keeps what has changed since the last call. */
  due(me: Me, room: RoomSession | null, own: Invite, comeback: Comeback | null): Effect[] {
    const keys = room?.membership.rejoinKeys ?? comeback?.keys;
    if (!this.wanted || keys === undefined) return [];
    const known = keys.all().map((key) => hex(key.public));
    const state = [known.join(), room?.membership.journal.slot, room?.here.origin, room?.hostKeys, own];
    if (state.every((each, i) => each === this.#state[i])) return [];
    this.#state = state;
    const data = room === null ? comeback?.data : memberRecoveryData(me, room, own);
    return data === undefined ? [] : [{ type: "Keep", data }];
  }

  /** Return the effect that forgets it, if nobody comes back after that end. */
  over(ended: Ended): Effect[] {
    return this.wanted && OVER.includes(ended.reason) ? [{ type: "Keep", data: null }] : [];
  }
}
