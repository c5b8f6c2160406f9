/** Where the meeting can go on, as hosts name it; and the moves there that a host calls (protocol section 12). */
import type { Bytes } from "../../crypto/bytes";
import { canonicalOrigin } from "../../crypto/entry/invite";
import type { Policy } from "../../crypto/agreed/roomState";
import { CommandError, sentence } from "../../words/sentence";
import type { AnyContent } from "../catalogue/content";
import { checkAll, objection, strange } from "../addresses";
import * as sentences from "../catalogue/sentences";
import type { Change } from "../kernel/verdict";
import { Monitor } from "../monitor/monitor";
import { Announcement } from "./announcement";

type Move = Extract<AnyContent, { type: "move" }>;

/** The list of servers, and the moves: a host goes when its own has come back. */
export class Moves extends Announcement<Move> {
  /** The server's index in the list, 0 where the meeting began. */
  #wanted: number | null = null;
  /** At the hosts' place: somebody has come in, and does not know a member's. */
  #gathers = false;
  /** Whose servers are judged. */
  #judged: Policy | null = null;

  protected readonly alarm = "false_end.move";

  // -- commands -------------------------------------------------------------------------------------------

  /**
   * Have everybody go on at that server of the list; empty: at the next one.
   *
   * CommandError if the list does not have it, if the meeting is there, or if we are not a host.
   */
  async move(given: string, now: number): Promise<void> {
    this.room.hostOnly();
    const origins = this.#origins;
    const here = this.room.here.origin;
    const next = origins[(origins.indexOf(here) + 1) % origins.length] ?? here;
    const origin = given === "" ? next : canonicalOrigin(given);
    if (!origins.includes(origin)) throw new CommandError(sentence("room.no_such_server", { origin }));
    if (origin === here) throw new CommandError(sentence("room.is_there", { origin }));
    checkAll(this.room.origin, [origin]);
    this.#wanted = origins.indexOf(origin);
    await this.announce(now);
  }

  /** Tell of servers of the list to which our page does not go. */
  #tellStrange(): void {
    const { policy } = this.room.membership;
    if (policy === this.#judged) return;
    this.#judged = policy;
    const first = this.room.origin;
    for (const [origin, why] of strange(first, policy.origins)) this.room.tell(sentences.strangeServer(first, origin, why));
  }

  get #origins(): string[] {
    return [this.room.origin, ...this.room.membership.policy.origins];
  }

  // -- a call ---------------------------------------------------------------------------------------------

  override adopted(change: Change): void {
    super.adopted(change);
    if (change.added.length > 0 && this.room.here.attempt > 0) this.#gathers = true;
  }

  override async tick(now: number): Promise<void> {
    const { room } = this;
    const { here, incarnation } = room;
    this.#tellStrange();
    if (here.attempt > 0 && here.server > 0 && room.isSynced(now)) {
      const others = incarnation === null ? [] : room.feature(Monitor).atIncarnation(incarnation, now);
      if (this.#gathers && room.idle) {
        this.#gathers = false;
        await room.lookElsewhere(now, here.server);
      } else if (room.hostKeys !== null && others.length > 0) this.#wanted = here.server; // no member can spoil the hosts' place
    }
    await super.tick(now);
  }

  protected isMine(what: AnyContent): what is Move {
    return what.type === "move";
  }

  protected wanted(chain: Bytes): Move | null {
    const { membership: m } = this.room;
    const server = this.#wanted;
    if (server === null || !m.isHost(m.ownLeaf) || server >= this.#origins.length) {
      this.#wanted = null;
      return null;
    }
    return { type: "move", chain, server };
  }

  protected async follow({ server }: Move, by: number, now: number): Promise<void> {
    this.#wanted = null;
    const origin = this.#origins[server];
    const { here } = this.room;
    if (origin === undefined || (origin === here.origin && here.attempt === 0)) return;
    const who = this.room.membership.name(by);
    const why = objection(this.room.origin, origin);
    if (why !== null) return this.room.tell(sentences.status("move_refused", { who, origin, why: sentence(`room.strange_${why}`) }));
    if (origin !== here.origin) this.room.tell(sentences.status("moving", { who, origin }));
    await this.room.lookElsewhere(now, server);
  }
}
