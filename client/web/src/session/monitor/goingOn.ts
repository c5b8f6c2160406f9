/** Members whose persons go on without the hosts that are not heard, as they sign (protocol section 7). */
import { Act, type Heartbeat } from "../../crypto/agreed/heartbeat";
import type { MemberTable } from "./memberTable";

/** In the heartbeats of whoever goes on. */
export const GO_ON = { act: Act.GO_ON, leaf: 0 };

/** The others who go on, as of their last heartbeats of our history. */
export class GoingOn {
  readonly #members: MemberTable;
  readonly #leaves = new Set<number>();

  constructor(members: MemberTable) {
    this.#members = members;
  }

  /** Process a heartbeat of our history. */
  heard({ leaf, pending }: Heartbeat): void {
    if (pending.some(({ act }) => act === Act.GO_ON)) this.#leaves.add(leaf);
    else this.#leaves.delete(leaf);
  }

  /** Forget the member of a leaf that is empty now or has another member. */
  forget(leaf: number): void {
    this.#leaves.delete(leaf);
  }

  /** Whether they are more than half of all members: then the others' programs follow. */
  get isMost(): boolean {
    const { others } = this.#members;
    return 2 * [...this.#leaves].filter((leaf) => others.has(leaf)).length > 1 + others.size;
  }
}
