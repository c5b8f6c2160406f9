/** Where the meeting can go on, as hosts name it; and the moves there that a host calls (protocol section 12). */
import type { Bytes } from "../../crypto/bytes";
import type { Policy } from "../../crypto/agreed/roomState";
import { CommandError, sentence } from "../../words/sentence";
import type { AnyContent } from "../catalogue/content";
import { checkAll, strange, typedOrigin } from "../addresses";
import * as sentences from "../catalogue/sentences";
import type { Change } from "../kernel/verdict";
import { QUESTIONS_MAX } from "../kernel/knownServers";
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
  /** The leaf of the host who has changed the list last. */
  #author: number | null = null;
  /** A server to which a host has called us, and that our person has not allowed. */
  #left = "";

  protected readonly alarm = "false_end.move";
  protected readonly kind = "move";

  // -- commands -------------------------------------------------------------------------------------------

  /**
   * Have everybody go on at that server of the list; empty: at the next one.
   *
   * CommandError if it is none, if the list does not have it, if the meeting is there, or if we are not a host.
   */
  async move(given: string, now: number): Promise<void> {
    this.room.hostOnly();
    const origins = this.#origins;
    const here = this.room.here.origin;
    const next = origins[(origins.indexOf(here) + 1) % origins.length] ?? here;
    const origin = given === "" ? next : typedOrigin(given);
    if (!origins.includes(origin)) throw new CommandError(sentence("room.no_such_server", { origin }));
    if (origin === here) throw new CommandError(sentence("room.is_there", { origin }));
    checkAll(this.room.origin, [origin]);
    this.room.servers.allow([origin]);
    this.#wanted = origins.indexOf(origin);
    await this.announce(now);
  }

  /**
   * Let our page go to that server of the list, at once if the others have been called there.
   *
   * CommandError if it is none, if the list does not have it, or if this meeting leads nobody there.
   */
  async allow(given: string, now: number): Promise<void> {
    const { room } = this;
    const origin = typedOrigin(given);
    if (!this.#origins.includes(origin)) throw new CommandError(sentence("room.no_such_server", { origin }));
    checkAll(room.origin, [origin]);
    room.servers.allow([origin]);
    room.tell(sentences.status("cleared.server_asked.allowed", { servers: [origin] }));
    if (origin !== this.#left) return;
    this.#left = "";
    await room.lookElsewhere(now, this.#origins.indexOf(origin));
  }

  /** Tell of servers of the list to which our page does not go, or not without our person's word. */
  #judgeList(): void {
    const { room } = this;
    const { membership: m, origin: first } = room;
    const { policy } = m;
    if (policy === this.#judged) return;
    this.#judged = policy;
    for (const [origin, why] of strange(first, policy.origins)) room.tell(sentences.strangeServer(first, origin, why));
    const by = this.#author;
    this.#author = null;
    const who = by === null ? sentence("room.a_host") : m.name(by);
    const key = by === null ? null : m.signatureKey(by);
    const { withdrawn, asked, passed } = room.servers.listed(policy.origins, key ?? new Uint8Array());
    if (withdrawn.length > 0) room.tell(sentences.status("cleared.server_asked", { servers: withdrawn }));
    if (asked.length > 0) room.tell(sentences.status("server_asked", { who, servers: asked }));
    if (passed.length > 0) room.tell(sentences.status("server_asked.many", { who, most: QUESTIONS_MAX }));
  }

  get #origins(): string[] {
    return [this.room.origin, ...this.room.membership.policy.origins];
  }

  // -- a call ---------------------------------------------------------------------------------------------

  override adopted(change: Change): void {
    super.adopted(change);
    if (String(change.policyBefore.origins) !== String(change.policyAfter.origins)) this.#author = change.by;
    if (change.added.length > 0 && this.room.here.attempt > 0) this.#gathers = true;
  }

  override async tick(now: number): Promise<void> {
    const { room } = this;
    const { here, incarnation } = room;
    this.#judgeList();
    if (here.attempt > 0 && here.server > 0 && room.isSynced(now)) {
      const others = incarnation === null ? [] : room.feature(Monitor).atIncarnation(incarnation, now);
      if (this.#gathers && room.idle) {
        this.#gathers = false;
        await room.lookElsewhere(now, here.server);
      } else if (room.hostKeys !== null && others.length > 0) this.#wanted = here.server; // no member can spoil the hosts' place
    }
    await super.tick(now);
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
    this.#left = "";
    const origin = this.#origins[server];
    const { here, servers } = this.room;
    if (origin === undefined || (origin === here.origin && here.attempt === 0)) return;
    const who = this.room.membership.name(by);
    const why = servers.objection(origin);
    if (why !== null) return this.room.tell(sentences.status("move_refused", { who, origin, why: sentence(`room.strange_${why}`) }));
    if (!servers.leads(origin)) {
      this.#left = origin;
      return this.room.tell(sentences.status("server_asked.moved", { who, origin, servers: [origin] }));
    }
    if (origin !== here.origin) this.room.tell(sentences.status("moving", { who, origin }));
    await this.room.lookElsewhere(now, server);
  }
}
