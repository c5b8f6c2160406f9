/** The hooks of the search for a host that is not here: `lookout.ts` has it, and why. A host takes no part. */
import type { Bytes } from "../../crypto/bytes";
import type { InputOf } from "../events";
import { Feature } from "../kernel/feature";
import { loadedLater } from "../kernel/load";
import type { Room } from "../kernel/ports";
import type { Change } from "../kernel/verdict";
import type { Lookout } from "./lookout";

/** One membership's search for its hosts. */
export class HostSearch extends Feature {
  #search: Lookout | null = null;

  override async further(what: InputOf<"Received"> | InputOf<"Lost">, now: number): Promise<void> {
    await this.#search?.further(what, now);
  }

  override heartbeatSent(blob: Bytes): void {
    this.#search?.heartbeatSent(blob);
  }

  override adopted(_change: Change, _now: number): void {
    this.#search?.close(); // it may be another place by now
  }

  override carryOver(old: Room): void {
    old.feature(HostSearch).#search?.close();
  }

  override ending(): void {
    this.#search?.close();
  }

  override async tick(now: number): Promise<void> {
    const later = this.room.membership.policy.servers.length > 0 ? loadedLater() : null;
    if (later !== null) this.#search ??= new later.Lookout(this.room);
    await this.#search?.tick(now);
  }
}
