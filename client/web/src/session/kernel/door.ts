/**
 * The room's door at the server, and what a server wants of whoever opens a room (protocol section 3).
 *
 * A member shows the permit that the server gave it, which reopens a room that the server has lost. The password or a
 * token is for a room that we found, and for one that no permit reopens.
 */
import { type Bytes, same } from "../../crypto/bytes";
import * as invite from "../../crypto/entry/invite";
import * as permission from "../../crypto/entry/permission";
import { mac } from "../../crypto/kdf";
import type { Challenge, PermissionPolicy, Refused, RoomDoor, TokenSpent } from "../../wire/messages";
import { sentence } from "../../words/sentence";
import type { Here, Room } from "./ports";

/** One membership's door at the server where `here` says that its room is. */
export class Door {
  readonly #room: Room;
  readonly #here: Here;
  /** Whether nobody has opened this room before: it is ours. */
  #founding: boolean;
  #proves: boolean;
  /** Why the last password or token did not do; empty if none was refused. */
  #why = "";
  /** The room's number, and the permit. */
  #permit: readonly [Bytes, Bytes] | null = null;
  /** Salt and key. */
  #passwordKey: readonly [Bytes, Bytes] | null = null;
  /** The hash of each week's token key that the server has shown us, by week. */
  #tokenKeys = new Map<number, Bytes>();

  /** `founds`: nobody has opened this room before, and the meeting begins with it. */
  constructor(room: Room, here: Here, founds: boolean) {
    this.#room = room;
    this.#here = here;
    this.#founding = this.#proves = founds;
  }

  get tokenKeys(): ReadonlyMap<number, Bytes> {
    return this.#tokenKeys;
  }

  /** Take over from the membership before a rejoin. */
  carryOver(old: Door): void {
    this.#permit = old.#permit;
    this.#passwordKey = old.#passwordKey;
    this.#tokenKeys = old.#tokenKeys;
  }

  /**
   * Return what opens the door of the room, under this room admin key if it isn't the current one; null if this
   * membership has ended, for want of a password or token.
   */
  async message(challenge: Challenge, now: number, other: Bytes | null = null): Promise<RoomDoor | null> {
    const [room, here] = [this.#room, this.#here];
    const { doorKey, origin } = here;
    const key = other ?? here.roomAdminPublic;
    const number = here.numberUnder(key);
    const nonce = room.rng(32);
    const signature = await doorKey.sign(invite.doorMessage(origin, number, challenge.nonce, nonce));
    let password: Bytes | null = null;
    let token: TokenSpent | null = null;
    const policy = challenge.permission;
    if (policy !== null) {
      const shown = new Map(policy.keys.filter(({ week }) => permission.spendable(week, now)).map(({ week, key }) => [week, key]));
      for (const [week, key] of shown) this.#tokenKeys.set(week, permission.keyHash(week, key));
      if (this.#proves) {
        const text = permission.proofMessage(origin, number, challenge.nonce);
        password = await this.#password(policy, text);
        token = this.#token(policy, shown, text);
        if (this.#founding && password === null && token === null) {
          const lacks = policy.keys.length > 0 && shown.size === 0 ? "clock" : `no_${policy.kind}`;
          room.finish("unopened", sentence(`unopened.${this.#why || lacks}`));
          return null;
        }
      }
    }
    const [door_key, permit] = [doorKey.public, this.permit(number)];
    return { type: "room_door", door_key, room_admin_key: key, nonce, signature, password, token, permit, probe: null };
  }

  /** Return the permit for the room `number`, null without one. */
  permit(number: Bytes): Bytes | null {
    return this.#permit !== null && same(this.#permit[0], number) ? this.#permit[1] : null;
  }

  async #password({ salt, cost }: PermissionPolicy, text: Bytes): Promise<Bytes | null> {
    const password = this.#room.options.permission?.password ?? null;
    if (password === null || this.#why === "password" || salt === null || cost === null) return null;
    let known = this.#passwordKey;
    if (known === null || !same(known[0], salt))
      known = [salt, await permission.passwordKey(password, this.#here.origin, salt, cost)];
    this.#passwordKey = known;
    return mac(known[1], text);
  }

  #token({ kind }: PermissionPolicy, shown: ReadonlyMap<number, Bytes>, text: Bytes): TokenSpent | null {
    const token = kind === "tokens" ? this.#room.options.permission?.takeToken(shown) : null;
    return token == null ? null : { week: token.week, input: token.input, proof: permission.tokenProof(token, text) };
  }

  /** Keep the permit for the room as it is now. */
  given(permit: Bytes): void {
    this.#permit = [this.#here.numberUnder(this.#here.roomAdminPublic), permit];
  }

  /** The server has let us in. */
  entered(): void {
    this.#founding = this.#proves = false;
  }

  /** The server has refused our door: show what we have, show another token, or give up a new room. */
  refused({ code }: Refused): void {
    if (code === "permission") this.#proves = this.#room.options.permission !== null;
    else if (this.#proves && ["password", "token", "spent", "rate"].includes(code)) {
      this.#why = code;
      if (this.#founding && (code === "password" || code === "rate"))
        this.#room.finish("unopened", sentence(`unopened.${code}`));
    }
  }
}
