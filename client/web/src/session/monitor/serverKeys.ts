/**
 * Whether the server shows all members one key, and to each of them no other one in turn.
 *
 * Protocol section 7. A server makes its key at its start, as it makes its incarnation: members that name one
 * incarnation have seen one key, and no incarnation of a place comes back after another. So a restart and a move say
 * nothing here. One member's word about another key is that alone, and stops nobody.
 */
import { type Heartbeat, serverMark } from "../../crypto/agreed/heartbeat";
import { type Bytes, hex, same } from "../../crypto/bytes";
import * as sentences from "../catalogue/sentences";
import type { Room } from "../kernel/ports";
import type { Arg } from "../../words/sentence";
import { TOLD_AGAIN } from "./claims";
import type { Record } from "./heartbeats";
import type { MemberTable } from "./memberTable";

/** Incarnations that are remembered, over all places. */
export const KEPT = 64;

/** The key that the server has shown to us, and what the others have signed about theirs. */
export class ServerKeys {
  #room: Room;
  #members: MemberTable;
  readonly #record: Record;
  /** The server's key when we last came in step, 32 bytes. */
  #key: Bytes = new Uint8Array(32);
  /** The room there, as heartbeats name it. */
  #incarnation: Bytes = new Uint8Array(8);
  /** The places, incarnations and keys (hex) in turn. A place: the server, whether the meeting began there, and whose it is. */
  #shown: readonly (readonly [string, string, string])[] = [];
  /** The server has shown ourselves two keys where an honest one has one. */
  #turned = false;
  /** The signature keys (hex) of members to whom it shows another one. */
  #reporters = new Set<string>();
  /** When one member's word was told. */
  #toldAt = -Infinity;
  /** The word of more was told. */
  #proven = false;

  constructor(room: Room, members: MemberTable, record: Record) {
    this.#room = room;
    this.#members = members;
    this.#record = record;
  }

  /** Return this for the membership after a rejoin of ours. */
  takenAlong(room: Room, members: MemberTable): ServerKeys {
    this.#room = room;
    this.#members = members;
    return this;
  }

  /** Take key and incarnation of the connection that has come in step. */
  synced(now: number): void {
    const { here, serverKey: key, incarnation } = this.#room;
    if (key === null || incarnation === null) return;
    const shown = [`${here.origin} ${here.isHome} ${here.attempt}`, hex(incarnation), hex(key)] as const;
    const seen = this.#shown.filter(([place]) => place === shown[0]);
    const last = seen.at(-1);
    if (String(last) !== String(shown)) {
      this.#shown = [...this.#shown, shown].slice(-KEPT);
      if (seen.some((each) => each[1] === shown[1])) {
        const text = `the key ${last?.[2]}, then ${shown[2]}, and no restart lies between`;
        this.#tell(this.#turned ? "" : "turned", text, now);
        this.#turned = true;
      }
    }
    if (!same(incarnation, this.#incarnation)) {
      this.#reporters.clear();
      this.#proven = false;
    }
    this.#key = key;
    this.#incarnation = incarnation;
  }

  /** Keep what the server has shown, and tell it if `form` is not empty. */
  #tell(form: "" | "turned" | "one" | "proven", text: string, now: number, who: Arg = ""): void {
    this.#record.addContradiction(now, "server_key", text);
    if (form) this.#room.tell(sentences.alarm(`server_key.${form}`, { proof: sentences.proof(this.#room), who }));
  }

  /** Compare the key that a member has signed with ours. */
  heard({ leaf: author, incarnation, prev, server }: Heartbeat, now: number): void {
    if (this.#shown.length === 0 && this.#room.isSynced(now)) this.synced(now); // this file came later
    if (!same(incarnation, this.#incarnation)) return; // it is elsewhere, or has not come back from a restart
    const keyOf = (leaf: number): string => hex(this.#room.membership.signatureKey(leaf) ?? new Uint8Array());
    if (same(server, serverMark(prev, this.#key))) {
      this.#reporters.delete(keyOf(author));
      return;
    }
    this.#reporters.add(keyOf(author));
    const { others } = this.#members;
    const leaves = [...others.keys()].filter((leaf) => this.#reporters.has(keyOf(leaf)));
    this.#reporters = new Set(leaves.map(keyOf));
    const proven = leaves.length > 1 || (this.#turned && others.get(author) === true);
    if (this.#proven || !(proven || now - this.#toldAt > TOLD_AGAIN)) return;
    this.#toldAt = now;
    this.#proven = proven;
    const text = `the key ${hex(this.#key)}; of the others, ${leaves.length} signed that they were shown another one`;
    this.#tell(proven ? "proven" : "one", text, now, this.#members.names(leaves));
  }
}
