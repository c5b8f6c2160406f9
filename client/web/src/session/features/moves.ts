/** Where the meeting can go on, as hosts name it; and the moves there that a host calls (protocol section 12). */
import { type Bytes, same } from "../../crypto/bytes";
import { ValidationError } from "../../crypto/errors";
import { canonicalOrigin, SERVERS_MAX } from "../../crypto/entry/invite";
import { H } from "../../crypto/kdf";
import { snug18 } from "../../crypto/agreed/policy";
import type { Policy } from "../../crypto/agreed/roomState";
import type { ApplicationMessage } from "../../mls";
import { CommandError, sentence } from "../../words/sentence";
import type { AnyContent } from "../catalogue/content";
import * as reasons from "../catalogue/reasons";
import * as sentences from "../catalogue/sentences";
import { Feature } from "../kernel/feature";
import type { Change } from "../kernel/verdict";
import { Monitor } from "../monitor/monitor";

/** Repeats a MOVE of ours until it names the current chain; follows those of other hosts (SNUG-18). */
export class Moves extends Feature {
  /** The server's index in the list, 0 where the meeting began. */
  #wanted: number | null = null;
  #digest: Bytes = new Uint8Array();
  #chain: Bytes = new Uint8Array();
  /** Leaves that sent one without being hosts: reported once. */
  readonly #false = new Set<number>();

  // -- commands -------------------------------------------------------------------------------------------

  /**
   * Name the servers where the meeting goes on, in this order.
   *
   * CommandError if one is there twice, if there are too many, or if we are not a host; MalformedError for an origin
   * that is not one.
   */
  async nameServers(given: readonly string[], now: number): Promise<void> {
    const { room } = this;
    room.hostOnly();
    const origins = given.map(canonicalOrigin);
    if (origins.length > SERVERS_MAX || new Set([room.origin, ...origins]).size !== 1 + origins.length)
      throw new CommandError(sentence("link.many_servers", { most: SERVERS_MAX }));
    if (room.hostKeys === null) throw new CommandError(sentence("room.host_only"));
    const servers = await room.hostKeys.current.servers(room.membership.group.groupId, origins);
    const change = (policy: Policy): Policy | null =>
      JSON.stringify(policy.servers.map(({ origin }) => origin)) === JSON.stringify(origins)
        ? null
        : policy.withServers(servers);
    await room.queue({ type: "PolicyIntent", change }, now);
  }

  /** Tell where the meeting is, and where it can go on. */
  listServers(): void {
    const [, ...listed] = this.#origins;
    const args = { origin: this.room.here.origin, servers: listed.join(", ") };
    this.room.tell(sentences.status(listed.length > 0 ? "servers" : "servers.none", args));
  }

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
    this.#wanted = origins.indexOf(origin);
    this.#chain = new Uint8Array();
    await this.tick(now);
  }

  /** Remove all members that are not heard here; CommandError if all are, or if we are not a host. */
  async removeAbsent(now: number): Promise<void> {
    const { room } = this;
    const { membership: m } = room;
    room.hostOnly();
    const here = new Set([m.ownLeaf, ...(room.incarnation === null ? [] : room.feature(Monitor).atIncarnation(room.incarnation))]);
    const away = m.members().filter(({ leaf }) => !here.has(leaf) && !room.heardRecently(leaf, now));
    if (away.length === 0) throw new CommandError(sentence("room.all_here"));
    room.tell(sentences.status("removing_absent", { names: away.map(({ name }) => name) }));
    for (const { leaf } of away) {
      const signatureKey = m.signatureKey(leaf);
      if (signatureKey !== null) await room.queue({ type: "RemoveIntent", leaf, signatureKey }, now);
    }
  }

  get #origins(): string[] {
    return [this.room.origin, ...this.room.membership.policy.servers.map(({ origin }) => origin)];
  }

  // -- hooks ----------------------------------------------------------------------------------------------

  override async tick(now: number): Promise<void> {
    const { room } = this;
    const { membership: m } = room;
    if (this.#wanted === null || !room.isSynced(now) || same(this.#chain, m.journal.chain)) return;
    if (!m.isHost(m.ownLeaf) || this.#wanted >= this.#origins.length) {
      this.#wanted = null;
      return;
    }
    this.#chain = m.journal.chain;
    this.#digest = H(await room.relay({ type: "move", chain: this.#chain, server: this.#wanted }));
  }

  override adopted(change: Change): void {
    for (const { leaf } of change.removed) this.#false.delete(leaf);
  }

  override lost(): void {
    this.#chain = new Uint8Array(); // it may not have arrived
  }

  override async relayed(_number: number, digest: Bytes, now: number): Promise<void> {
    const { membership: m } = this.room;
    if (this.#wanted !== null && same(digest, this.#digest) && same(this.#chain, m.journal.chain))
      await this.#go(this.#wanted, m.ownLeaf, now);
  }

  override async contentReceived(received: ApplicationMessage, what: AnyContent, now: number): Promise<boolean> {
    if (what.type !== "move") return false;
    const { membership: m } = this.room;
    const leaf = received.sender;
    const byHost = m.isHost(leaf);
    const { chain, chains } = m.journal;
    if (byHost && !same(what.chain, chain) && [...chains.values()].some((known) => same(known, what.chain)))
      return true; // a commit came between: the host sends it again
    try {
      snug18({ byHost, chain: what.chain, currentChain: chain });
    } catch (error) {
      if (!(error instanceof ValidationError)) throw error;
      if (this.#false.has(leaf)) return true;
      this.#false.add(leaf);
      this.room.tell(sentences.alarm("false_end.move", { name: m.name(leaf), why: reasons.ruled(error) }));
      return true;
    }
    await this.#go(what.server, leaf, now);
    return true;
  }

  async #go(server: number, by: number, now: number): Promise<void> {
    this.#wanted = null;
    const origin = this.#origins[server];
    if (origin === undefined || origin === this.room.here.origin) return;
    this.room.tell(sentences.status("moving", { who: this.room.membership.name(by), origin }));
    await this.room.lookElsewhere(now, server);
  }
}
