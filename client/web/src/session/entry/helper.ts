/**
 * Members in the lobby while no host is there: they let a crashed host, and members out of step, in again.
 *
 * Protocol section 6, SNUG-8 and 9. `recovery` has the other side.
 */
import { type Bytes, hex, type Rng, same, systemRng } from "../../crypto/bytes";
import { SnugError } from "../../crypto/errors";
import * as invite from "../../crypto/entry/invite";
import { H, verify } from "../../crypto/kdf";
import type { Answer } from "../../crypto/entry/answers";
import type * as lobby from "../../crypto/entry/lobby";
import { checkName } from "../../crypto/agreed/names";
import { RETURN_QUIET } from "../../crypto/agreed/policy";
import * as recovery from "../../crypto/entry/recovery";
import { hostReturnMessage, Identity } from "../../crypto/agreed/roomState";
import { NO_INVITE } from "../../crypto/proof/admission";
import * as mls from "../../mls";
import { CommandError, sentence } from "../../words/sentence";
import type { Effect, Knocked } from "../events";
import type { HealIntent, HostReturnIntent, MembersRequest, RejoinIntent } from "../kernel/intents";
import { LobbyConnections, daysAround } from "./lobbyConnections";
import { PieceQueue } from "./pieceQueue";
import { knownMember, ticketFrom } from "./tickets";
import type { Room } from "../kernel/ports";
import { ticketOf } from "../kernel/views";

/** Seconds that each next rank waits for the one before it to answer, and to commit. */
export const HERE_STEP = 0.5;
export const COMMIT_STEP = 1.5;
/** Seconds without an answer after which the host begins anew. */
export const PATIENCE = 15;
/** Requests that a member remembers, and minimum seconds between two requests of one member. */
export const REQUESTS_MAX = 16;
export const REQUEST_EVERY = 1;
/** Seconds between two commits of a member that shows that no host commits (SNUG-9). */
export const HURRY = 0.4;
/** Seconds for which a host's person has time to answer a returning host, whose program asks again meanwhile. */
export const ASKED_FOR = 60;
/** Seconds for which a refused host is not asked about again. */
export const REFUSED_FOR = 600;

interface Asked {
  readonly asked: recovery.HostReturnRequest | recovery.RejoinRequest;
  readonly day: number;
  /** Of the connection that posted the request last. */
  handle: Bytes;
  readonly keyPackage: mls.KeyPackage;
  readonly ticket: Bytes;
  readonly name: string;
  readonly due: number;
  wanted: boolean;
  /** By a person who is a host. */
  approved: boolean;
}

/** The day of the lobby in which a message came, and the handle of its connection. */
interface From {
  readonly day: number;
  readonly handle: Bytes;
}

/** Access to the lobby: a host's own, or `MembersLobby` while no host is active. */
export interface Attended {
  readonly pieces: PieceQueue;
  /** Post for the connections with the handles `to`, or (without) for all. */
  post(day: number, message: lobby.LobbyMessage, ...to: Bytes[]): Promise<void>;
}

/**
 * A member's part in readmission: of crashed hosts, and of members out of step.
 *
 * It needs access to the lobby (`Attended`).
 */
export class RejoinHelper {
  readonly #rng: Rng;
  readonly #key: Bytes;
  /** hex(nonce of a HelperQuery) -> the nonce, when, day */
  readonly #hereDue = new Map<string, { readonly nonce: Bytes; readonly due: number; readonly day: number }>();
  readonly #asked = new Map<number, Asked>();
  readonly #nextNumber: () => number;
  #hurriedAt = 0;
  /** Names of returning hosts -> until when they are refused. */
  readonly #refused = new Map<string, number>();

  /** `nextNumber` counts requests, and the knocks of newcomers. */
  constructor(doorSeed: Bytes, nextNumber: () => number, rng: Rng = systemRng) {
    this.#rng = rng;
    this.#nextNumber = nextNumber;
    this.#key = recovery.recoveryKey(doorSeed);
  }

  /** Send the answers that are due, unless another member has; return intents for the room to commit. */
  async tick(room: Room, place: Pick<Attended, "post">, now: number): Promise<(HostReturnIntent | RejoinIntent | HealIntent)[]> {
    const { journal, policy, group } = room.membership;
    for (const [key, { nonce, due, day }] of [...this.#hereDue]) {
      if (now < due) continue;
      this.#hereDue.delete(key);
      const here = { type: "HelperOffer", nonce, slot: journal.slot, returnPublic: policy.returnPublic } as const;
      await place.post(day, await recovery.seal(this.#key, here, this.#rng));
    }
    const wanted: (HostReturnIntent | RejoinIntent | HealIntent)[] = [];
    for (const [number, asked] of this.#asked) {
      const returns = asked.asked.type === "HostReturnRequest";
      const step = returns && !asked.approved ? COMMIT_STEP : 0;
      // Given up meanwhile; or a person must approve, or the host has not crashed.
      if (returns && (now - asked.due > PATIENCE || !mayReturn(room, asked, now))) continue;
      if (returns && !asked.approved && !hostsQuiet(room)) {
        if (now - this.#hurriedAt >= HURRY + step * room.rank && room.idle) {
          this.#hurriedAt = now;
          wanted.push({ type: "HealIntent", epoch: group.epoch });
        }
        continue;
      }
      if (asked.wanted || now < asked.due + step * room.rank) continue;
      asked.wanted = true;
      wanted.push(intentOf(number, asked));
    }
    return wanted;
  }

  /**
   * Process a lobby message under the key that members have, and where it came from.
   *
   * Returns the question for our person, if we are a host and a host asks to come back.
   */
  async messagePosted(
    posted: lobby.RecoveryMessage,
    from: From,
    room: Room,
    now: number,
  ): Promise<Knocked | null> {
    let said: recovery.InsideMessage;
    try {
      said = await recovery.open(this.#key, posted);
    } catch (error) {
      if (error instanceof SnugError) return null; // the sender has the link, and was never admitted
      throw error;
    }
    if (said.type === "HelperQuery") {
      const key = hex(said.nonce);
      if (this.#hereDue.size < REQUESTS_MAX && !this.#hereDue.has(key))
        this.#hereDue.set(key, { nonce: said.nonce, due: now + HERE_STEP * room.rank, day: from.day });
    } else if (said.type === "HelperOffer") this.#hereDue.delete(hex(said.nonce));
    else if (said.type === "HostReturnRequest" || said.type === "RejoinRequest")
      return await this.#ask(said, from, room, now);
    return null;
  }

  async #ask(
    said: recovery.HostReturnRequest | recovery.RejoinRequest,
    from: From,
    room: Room,
    now: number,
  ): Promise<Knocked | null> {
    for (const known of this.#asked.values()) {
      if (!same(known.asked.keyPackage, said.keyPackage)) continue;
      known.handle = from.handle;
      return null;
    }
    const { membership: m } = room;
    // Perhaps a former host's: it is void, and must not displace others.
    if (said.type === "HostReturnRequest" && m.ledger.rotationDue) return null;
    let keyPackage: mls.KeyPackage, name: string, encoded: Bytes;
    try {
      keyPackage = await mls.KeyPackageIn.decode(said.keyPackage).verify(m.group.suite, Math.floor(now));
      name = checkName(Identity.decode(keyPackage.leafNode.credential.identity).name);
      encoded = ticketOf(keyPackage) ?? new Uint8Array();
      if (said.type === "HostReturnRequest") {
        const message = hostReturnMessage(m.group.groupId, H(said.keyPackage), said.slot);
        await verify(m.policy.returnPublic, message, said.signature);
      } else {
        const ticket = await ticketFrom(m, keyPackage);
        // For another group or member, or not signed with the leaf's current key.
        if (ticket?.by !== m.ownLeaf) return null;
      }
    } catch (error) {
      if (error instanceof SnugError) return null; // from a member, former or current, without the return key
      throw error;
    }
    if (said.type === "RejoinRequest" && !(await this.#mayAsk(keyPackage, room, now))) return null;
    const facts = { keyPackage, ticket: encoded, name, due: now, wanted: false, approved: false };
    const asked: Asked = { asked: said, ...from, ...facts };
    if (said.type === "HostReturnRequest") {
      const hosts = m.members().filter((member) => member.host && member.name === name);
      // Nobody comes back under a new name.
      if (hosts.length === 0 || now < (this.#refused.get(name) ?? 0)) return null;
      if (m.isHost(m.ownLeaf)) return this.#askPerson(asked, room, now);
    }
    this.#add(asked);
    return null;
  }

  /** Keep a host's request until our person approves it; the newest one counts, under one number. */
  #askPerson(asked: Asked, room: Room, now: number): Knocked | null {
    if (isHere(room, asked.name, now)) return null;
    for (const [number, known] of this.#asked) {
      const pending = known.asked.type === "HostReturnRequest" && !known.wanted;
      if (!pending || known.name !== asked.name || now - known.due > ASKED_FOR) continue;
      this.#asked.set(number, { ...asked, approved: known.approved });
      return null;
    }
    return {
      type: "Knocked",
      knock: this.#add(asked),
      name: asked.name,
      greeting: "",
      invite: NO_INVITE,
      looksLike: null,
      silent: false,
      proof: null,
      label: null,
      standing: "none",
      contact: null,
      fingerprint: null,
      warnings: [sentence("warning.returning")],
      older: false,
      returning: true,
    };
  }

  /** Return whether a returning host asks, or has asked, under that number. */
  isHost(number: number): boolean {
    return this.#asked.get(number)?.asked.type === "HostReturnRequest";
  }

  /** Let a host come back, or refuse it, as a host's person says; CommandError if none asks any more. */
  decide(number: number, admit: boolean, now: number): void {
    const asked = this.#asked.get(number);
    if (asked === undefined || asked.wanted || now - asked.due > ASKED_FOR)
      throw new CommandError(sentence("cannot.nobody_waits", { number }));
    if (admit) asked.approved = true;
    else {
      this.#asked.delete(number);
      this.#refused.set(asked.name, now + REFUSED_FOR);
    }
  }

  /** Return the numbers of the returning hosts that our person may still answer. */
  waiting(now: number): number[] {
    const pending = [...this.#asked].filter(([, { asked, wanted, approved, due }]) => {
      const open = asked.type === "HostReturnRequest" && !wanted && !approved;
      return open && now - due <= ASKED_FOR;
    });
    return pending.map(([number]) => number);
  }

  #add(asked: Asked): number {
    const number = this.#nextNumber();
    this.#asked.set(number, asked);
    while (this.#asked.size > REQUESTS_MAX) {
      // Members' requests are dropped before hosts'.
      const [first] = this.#asked.keys();
      const again = [...this.#asked].find(([, asked]) => asked.asked.type === "RejoinRequest");
      this.#asked.delete(again?.[0] ?? first ?? 0);
    }
    return number;
  }

  /** Return whether a member of the room may ask again; its previous request is then forgotten. */
  async #mayAsk(keyPackage: mls.KeyPackage, room: Room, now: number): Promise<boolean> {
    const key = keyPackage.leafNode.signatureKey;
    if ((await knownMember(room.membership, key))?.nameTaken ?? true) return false;
    for (const [number, asked] of [...this.#asked]) {
      if (asked.asked.type !== "RejoinRequest" || !same(asked.keyPackage.leafNode.signatureKey, key)) continue;
      if (now - asked.due < REQUEST_EVERY) return false;
      this.#asked.delete(number);
    }
    return true;
  }

  /** Answer a request: our commit of it has come back. `pieces`: those that the answer lists. */
  async answer(
    number: number,
    answer: Answer,
    pieces: readonly lobby.Piece[],
    place: Attended,
    now: number,
  ): Promise<void> {
    const asked = this.#asked.get(number);
    if (asked === undefined) return;
    let back: recovery.RecoveryReply;
    try {
      back = await recovery.makeRecoveryReply(asked.asked, answer, this.#rng);
    } catch (error) {
      // An invalid reply key: the asker cannot be answered.
      if (error instanceof SnugError) return;
      throw error;
    }
    await place.post(asked.day, await recovery.seal(this.#key, back, this.#rng), asked.handle);
    place.pieces.add(hex(back.id), asked.day, asked.handle, pieces, now);
    await place.pieces.tick(now);
  }
}

/** Return whether a host may come back now: a person has approved it, or no host is heard. */
function mayReturn(room: Room, { approved, name }: Asked, now: number): boolean {
  const hosts = room.membership.members().filter(({ host }) => host);
  const alone = !hosts.some(({ leaf }) => room.heardRecently(leaf, now));
  return (approved || alone) && !isHere(room, name, now);
}

/** Return whether no host has committed for so long that a member may commit a host's return. */
function hostsQuiet({ membership: m }: Room): boolean {
  return m.isHost(m.ownLeaf) || m.journal.slot + 1 - m.ledger.hosted > RETURN_QUIET;
}

/** Return whether a host of that name has signed something lately: it has not crashed. */
function isHere(room: Room, name: string, now: number): boolean {
  const hosts = room.membership.members().filter((member) => member.host && member.name === name);
  return hosts.some(({ leaf }) => room.heardRecently(leaf, now));
}

function intentOf(number: number, { asked, keyPackage, ticket, name }: Asked): HostReturnIntent | RejoinIntent {
  const knock: MembersRequest = { type: "MembersRequest", number };
  if (asked.type === "RejoinRequest") return { type: "RejoinIntent", knock, keyPackage, ticket, name };
  return { type: "HostReturnIntent", knock, keyPackage, hostReturn: { slot: asked.slot, signature: asked.signature }, name };
}

/** A member without the host keys, in the lobby for as long as no host is active. */
export class MembersLobby extends LobbyConnections {
  readonly effects: Effect[];
  readonly pieces = new PieceQueue(this);

  constructor(link: invite.Invite, rng: Rng = systemRng) {
    const effects: Effect[] = [];
    super(link.secret, [link.origin], effects, rng);
    this.effects = effects;
  }

  /** Be where the room is. */
  follow(origin: string): Promise<void> {
    return this.go(origin);
  }

  /** Stay in the lobby. */
  async tick(now: number): Promise<void> {
    await this.stayIn(daysAround(now), now);
    await this.pieces.tick(now);
  }
}
