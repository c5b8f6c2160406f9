/**
 * A crashed host, or a member out of step, in the lobby: both ask the members there to let them in again.
 *
 * Protocol section 6, SNUG-8 and 9. The host knows its keys, the link's secret and the door key, but not the epoch;
 * the members know the epoch, and that no host is there. Even with the server's help, a member can commit only a
 * return that the return key has signed. A server sees that messages are exchanged in the lobby.
 */
import { led } from "../addresses";
import { type Bytes, among, hex, type Rng, same, systemRng } from "../../crypto/bytes";
import { SnugError } from "../../crypto/errors";
import * as invite from "../../crypto/entry/invite";
import type { Answer } from "../../crypto/entry/answers";
import type * as lobby from "../../crypto/entry/lobby";
import { Assemblies } from "../../crypto/entry/pieces";
import type { SigningKey } from "../../crypto/kdf";
import { X25519Key } from "../../crypto/primitives";
import type { Standing } from "../../crypto/entry/memberRecovery";
import * as recovery from "../../crypto/entry/recovery";
import { Ledger } from "../../crypto/agreed/ledger";
import { ANY_HOST, type Policy, RejoinTicket } from "../../crypto/agreed/roomState";
import * as mls from "../../mls";
import type { ServerMessage } from "../../wire/messages";
import { type Sentence, sentence } from "../../words/sentence";
import type { Effect } from "../events";
import { type Entry, GuestLobby } from "./guest";
import { ATTENDANTS_MAX } from "./attendants";
import { PATIENCE } from "./helper";
import { FINAL } from "./refusals";
import { LobbyConnections, type PostedMessage } from "./lobbyConnections";
import { policyOf, SUITE } from "../kernel/membership";
import type { RejoinKeys } from "../kernel/rejoinKeys";
import { leafView, ticketOf } from "../kernel/views";
import type { Room } from "../kernel/ports";
import * as sentences from "../catalogue/sentences";

/** Seconds between two posts: of a host that has crashed, and of a member that asks to be let in again. */
export const SEEK_EVERY = 3;
const ASK_EVERY = 1;
/** Seconds in the lobby before members are asked while a host may be there. */
const HOST_FIRST = 3;
/** Requests with an earlier ticket whose answers still count. */
const EARLIER_MAX = 16;
/** Seconds after which a member that is not let in makes another ticket, of the slot that it then knows. */
export const TICKET_FOR = 120;
/** Seconds for which one member is asked to let us back in, before the next. */
export const HELPER_WAIT = 6;
/** Seconds for which a member that asks to be let in again counts as waiting. */
export const LEVEL_FOR = 9;
/** Seconds until a member that could not be let back in yet asks again. */
export const REFUSED_WAIT = 30;

/** A request to one member, with its keys. */
interface Again {
  readonly asked: recovery.RejoinRequest;
  readonly privateKey: X25519Key;
  readonly bundle: mls.KeyPackageBundle;
  readonly leaf: number;
  readonly at: number;
}

export interface RejoinFacts {
  readonly link: invite.Invite;
  readonly name: string;
  /** The membership, which may go on meanwhile, and its keys. */
  readonly standing: () => Standing;
  readonly rejoinKeys: RejoinKeys;
  /** Takes a time, the ticket's nonce (16 bytes) and the leaf that may commit it. */
  readonly makePackage: (now: number, nonce: Bytes, by: number) => Promise<mls.KeyPackageBundle>;
  readonly psks: mls.Psks;
  /** The leaf of the member that helped before, if any. */
  readonly first: number | null;
  /** If a host says that we are no member any more, that is the end: we keep no membership (`FINAL`). */
  readonly final?: boolean;
  readonly now: number;
  readonly rng?: Rng;
}

/** A member out of step: knocks like a newcomer, and also asks the members, in case no host is there. */
export class RejoinLobby extends GuestLobby {
  override readonly again = true;
  /** The leaf of the member that let us in, if it was one of them. */
  helpedBy: number | null = null;
  readonly #standing: () => Standing;
  readonly #keys: RejoinKeys;
  /** Whether a refusal of `FINAL` is the end: we keep no membership. */
  final: boolean;
  readonly #packageFor: RejoinFacts["makePackage"];
  /** Leaves that may be asked in the lobby, the last helper first; and the number of requests so far. */
  readonly #helpers: readonly number[];
  #turn = 0;
  /** When a member last asked too, at our own slot and chain. */
  readonly #level = new Map<number, number>();
  #nonce: Bytes = new Uint8Array();
  #refusedAt: number | null = null;
  readonly #key: Bytes;
  /** Our requests to members with the current ticket, the newest last, and some with earlier ones. */
  #asked: Again[] = [];
  #earlier: readonly Again[] = [];
  /** Seconds that a host has before we ask members; and when we ask next. */
  readonly #first: number;
  #askAt: number;
  #made: { readonly at: number; readonly bundle: mls.KeyPackageBundle } | null = null;
  /** Members' answers whose pieces have not all come. A former member can send any number of these. */
  readonly #fromMembers = new Assemblies();

  static async begin(facts: RejoinFacts): Promise<RejoinLobby> {
    const lobby = new RejoinLobby(facts);
    await lobby.connections.go(facts.standing().fields.origin);
    await lobby.tick(facts.now);
    return lobby;
  }

  private constructor(facts: RejoinFacts) {
    const { link, name, psks, first, now, rng = systemRng } = facts;
    super({
      link,
      name,
      greeting: "",
      psks,
      rejoinKey: null,
      now,
      rng,
      makePackage: (at) => facts.makePackage(at, rng(16), ANY_HOST),
    });
    this.#standing = facts.standing;
    this.#keys = facts.rejoinKeys;
    this.final = facts.final ?? false;
    this.#packageFor = facts.makePackage;
    const old = facts.standing();
    const helpers = old.helpers.slice(0, ATTENDANTS_MAX);
    this.#helpers = [
      ...helpers.filter((leaf) => leaf === first),
      ...helpers.filter((leaf) => leaf !== first),
    ];
    this.#key = recovery.recoveryKey(old.fields.doorSeed);
    this.#first = old.others.some(({ key }) => old.isHost(key)) ? HOST_FIRST : 0;
    this.#askAt = now + this.#first;
  }

  protected override get every(): number {
    return ASK_EVERY;
  }

  /** One nonce for hosts and members: it admits us once, so that a late answer cannot remove us again. */
  protected override async makePackage(now: number): Promise<mls.KeyPackageBundle> {
    if (this.#made === null || now - this.#made.at > TICKET_FOR) {
      this.#nonce = this.rng(16);
      this.#made = { at: now, bundle: await this.#packageFor(now, this.#nonce, ANY_HOST) };
      this.#earlier = [...this.#earlier, ...this.#asked].slice(-EARLIER_MAX);
      this.#asked = [];
    }
    return this.#made.bundle;
  }

  override async tick(now: number): Promise<void> {
    if (this.#refusedAt !== null && now - this.#refusedAt < REFUSED_WAIT) return;
    await super.tick(now);
    const today = invite.dayOf(now);
    const due = now >= this.#askAt && this.#helpers.length > 0;
    if (!this.connections.entered.has(today) || this.entry !== null || !due) return;
    this.#askAt = now + ASK_EVERY;
    await this.makePackage(now);
    let last = this.#asked.at(-1);
    if (last === undefined || now - last.at >= HELPER_WAIT) last = await this.#askNext(now);
    await this.connections.post(today, await recovery.seal(this.#key, last.asked, this.rng));
  }

  /** Ask one member after the other: a member that does not help could use up its ticket. */
  async #askNext(now: number): Promise<Again> {
    const count = this.#helpers.length;
    if (this.#asked.length > 0 && this.#turn % count === 0) {
      this.#made = null; // all were asked, and one may have used up the nonce
      await this.makePackage(now);
    }
    // Each round begins with another member.
    const turn = (this.#turn % count) + Math.floor(this.#turn / count);
    const leaf = this.#helpers[turn % count] ?? ANY_HOST;
    this.#turn++;
    const privateKey = await X25519Key.generate(this.rng);
    const bundle = await this.#packageFor(now, this.#nonce, leaf);
    const asked = { type: "RejoinRequest", replyPublic: privateKey.public, keyPackage: bundle.encoded } as const;
    const again = { asked, privateKey, bundle, leaf, at: now };
    this.#asked.push(again);
    return again;
  }

  override async messagePosted(day: number, posted: PostedMessage, now: number): Promise<void> {
    if (posted.message.type === "RecoveryMessage" && this.entry === null) {
      await this.#memberMessagePosted(posted.message, now);
      return;
    }
    await super.messagePosted(day, posted, now);
    if (this.refusal === null || (this.final && FINAL.includes(this.refusal.key))) return;
    // No person has refused, because nobody is asked: the obstacle may be temporary.
    this.tell(sentences.status("not_yet", { why: withoutAdvice(this.refusal) }));
    this.refusal = null;
    this.#refusedAt = now;
    this.sent = [];
    this.#made = null;
  }

  async #memberMessagePosted(posted: lobby.RecoveryMessage, now: number): Promise<void> {
    try {
      const said = await recovery.open(this.#key, posted);
      if (said.type === "RejoinRequest") {
        await this.#waitsToo(said, now);
        this.connections.heardRequest(recovery.requestId(said), now);
      }
      if (said.type !== "RecoveryReply") return;
      const ours = [...this.#earlier, ...this.#asked].find(({ asked }) => same(recovery.requestId(asked), said.id));
      if (ours === undefined) return;
      const answer = await recovery.openReply(said, ours.asked, ours.privateKey);
      await this.#fromMembers.take(answer, ours.bundle, (whole, tree) => this.#letIn(whole, tree, ours));
    } catch (error) {
      if (!(error instanceof SnugError)) throw error; // else from a former member: another may still answer
    }
  }

  protected override async piece(piece: lobby.Piece, now: number): Promise<void> {
    await super.piece(piece, now);
    if (this.entry === null) await pieceOfMember(this.#fromMembers, piece);
  }

  async #letIn(answer: Answer, tree: Bytes | undefined, ours: Again): Promise<void> {
    if (this.entry !== null) return;
    const group = await mls.Group.join(answer.welcome, ours.bundle, { psks: this.psks, tree, rng: this.rng });
    const rejoinKey = this.keyOf(group);
    if (rejoinKey === null || !this.fits(answer, group)) return;
    this.entry = { answer, group, rejoinKey };
    this.helpedBy = ours.leaf;
  }

  protected override keyOf(group: mls.Group): SigningKey | null {
    const leaf = group.member(group.ownLeaf);
    return leaf === null ? null : this.#keys.requested(leafView(leaf).rejoinKey);
  }

  /** Begin another stay: new tickets ask for its rejoin key, and late answers to earlier ones count. */
  beginAgain(now: number): void {
    this.#made = null;
    this.#refusedAt = null;
    this.#askAt = now + this.#first;
  }

  /** Return whether these requests are for that membership. */
  isFor(room: Room): boolean {
    return this.#keys === room.membership.rejoinKeys;
  }

  /**
   * Return whether all hosts and more than half of all members wait out here, at our slot and chain.
   *
   * The members have signed that in their tickets. Then no commit that we lack leads on, and the membership goes on as
   * it is.
   */
  nobodyIsAhead({ membership: m }: Room, now: number): boolean {
    if (this.#asked.length === 0) return false; // the others have not heard of us yet
    const members = m.members();
    const level = members.filter(({ leaf }) => leaf === m.ownLeaf || now - (this.#level.get(leaf) ?? 0) <= LEVEL_FOR);
    return 2 * level.length > members.length && members.every((member) => !member.host || level.includes(member));
  }

  /** Post our request again before we stop asking: the others draw the same conclusion from it. */
  async askOnceMore(now: number): Promise<void> {
    const last = this.#asked.at(-1);
    if (last !== undefined)
      await this.connections.post(invite.dayOf(now), await recovery.seal(this.#key, last.asked, this.rng));
  }

  /** Note a member that asks to be let in again, if its ticket is of our slot and chain. */
  async #waitsToo(said: recovery.RejoinRequest, now: number): Promise<void> {
    const { groupId, slot, chain, members } = this.#standing().fields;
    try {
      const made = await mls.KeyPackageIn.decode(said.keyPackage).verify(SUITE, Math.floor(now));
      const ticket = RejoinTicket.decode(ticketOf(made) ?? new Uint8Array());
      if (!same(ticket.groupId, groupId) || ticket.slot !== slot || !same(ticket.chain, chain)) return;
      for (const { leaf, key } of members) if (same(key, made.leafNode.signatureKey)) this.#level.set(leaf, now);
    } catch (error) {
      if (!(error instanceof SnugError)) throw error;
    }
  }

  /**
   * Return whether the answer continues the meeting that we were in.
   *
   * A removed member can answer too, from an epoch before its removal; who was removed for absence may be back.
   */
  override fits(answer: Answer, group: mls.Group): boolean {
    const old = this.#standing().fields;
    const before = old.ledger;
    let after: Ledger;
    try {
      if (!same(policyOf(group).hostPublic, old.policy.hostPublic)) return false;
      after = Ledger.decode(answer.ledger);
    } catch (error) {
      if (error instanceof SnugError) return false;
      throw error;
    }
    const here = group.members().map(({ leafNode }) => leafNode.signatureKey);
    const known = [...old.members.map(({ key }) => key), ...before.away.map(({ signatureKey }) => signatureKey)];
    return (
      same(group.groupId, old.groupId) &&
      same(answer.doorSeed, old.doorSeed) &&
      same(answer.number, old.number) &&
      answer.slot > old.slot &&
      group.epoch > old.epoch &&
      within(before.keys, after.keys) &&
      within(before.revoked, after.revoked) &&
      within(before.used, after.used) &&
      here.every((key) => !before.keys.has(hex(key)) || among(key, known))
    );
  }
}

/** Take a piece of a member's answer, which can be a former member's, and wrong. */
async function pieceOfMember(assemblies: Assemblies, piece: lobby.Piece): Promise<void> {
  try {
    await assemblies.piece(piece);
  } catch (error) {
    if (!(error instanceof SnugError)) throw error;
  }
}

function within<T>(some: ReadonlySet<T>, all: ReadonlySet<T>): boolean {
  for (const each of some) if (!all.has(each)) return false;
  return true;
}

const withoutAdvice = (refusal: Sentence): Sentence =>
  refusal.key === "refusal.not_added" ? sentence("refusal.not_added.yet", refusal.args) : refusal;

export interface HostReturnFacts {
  readonly kept: recovery.HostRecoveryData;
  readonly makePackage: (now: number) => Promise<mls.KeyPackageBundle>;
  readonly psks: mls.Psks;
  /** That of the leaves in the KeyPackages. */
  readonly rejoinKey: SigningKey;
  readonly now: number;
  readonly rng?: Rng;
}

interface Sent {
  readonly asked: recovery.HostReturnRequest;
  readonly privateKey: X25519Key;
  readonly bundle: mls.KeyPackageBundle;
  readonly at: number;
}

/** A crashed host in the lobby: seeks members, and asks to be added. */
export class HostReturnLobby {
  readonly effects: Effect[] = [];
  entry: Entry | null = null;
  readonly refusal: Sentence | null = null;
  readonly #kept: recovery.HostRecoveryData;
  readonly #makePackage: (now: number) => Promise<mls.KeyPackageBundle>;
  readonly #psks: mls.Psks;
  readonly #rejoinKey: SigningKey;
  readonly #rng: Rng;
  readonly #key: Bytes;
  readonly #connections: LobbyConnections;
  #nonce: Bytes = new Uint8Array();
  #soughtAt = 0;
  #sent: Sent | null = null;
  #toldStale = false;
  readonly #assemblies = new Assemblies();

  static async open(facts: HostReturnFacts): Promise<HostReturnLobby> {
    const lobby = new HostReturnLobby(facts);
    await lobby.tick(facts.now);
    return lobby;
  }

  private constructor({ kept, makePackage, psks, rejoinKey, rng = systemRng }: HostReturnFacts) {
    this.#kept = kept;
    this.#makePackage = makePackage;
    this.#psks = psks;
    this.#rejoinKey = rejoinKey;
    this.#rng = rng;
    this.#key = recovery.recoveryKey(kept.doorSeed);
    this.#connections = new LobbyConnections(kept.secret, [kept.origin, ...led(kept.origin, kept.servers)], this.effects, rng);
    this.effects.push({ type: "Tell", event: sentences.status("returning") });
  }

  /** Stay in today's lobby and seek until a member answers; begin anew after PATIENCE seconds. */
  async tick(now: number): Promise<void> {
    const today = invite.dayOf(now);
    if (this.entry === null) await this.#connections.seek(now);
    await this.#connections.stayIn(new Set([today]), now);
    if (!this.#connections.entered.has(today) || this.entry !== null) return;
    if (this.#sent !== null && now - this.#sent.at > PATIENCE) this.#sent = null;
    if (this.#sent !== null || now - this.#soughtAt < SEEK_EVERY) return;
    this.#soughtAt = now;
    this.#nonce = this.#rng(16);
    await this.#post(today, { type: "HelperQuery", nonce: this.#nonce });
  }

  async #post(day: number, message: recovery.InsideMessage): Promise<void> {
    await this.#connections.post(day, await recovery.seal(this.#key, message, this.#rng));
  }

  /** Handle a lost connection to the lobby. */
  lost(day: number, _why: Sentence, now: number): void {
    this.#connections.lost(day, now);
  }

  /** Connect at once where we are about to. */
  hurry(now: number): void {
    this.#connections.hurry(now);
  }

  /** Process a message from the server in the lobby. */
  async received(day: number, message: ServerMessage, now: number): Promise<void> {
    const posted = await this.#connections.received(day, message);
    if (posted === true) {
      this.#soughtAt = 0;
      await this.tick(now);
    }
    if (typeof posted === "boolean") return;
    const inside = posted.message;
    if (inside.type === "Piece" && this.entry === null) await pieceOfMember(this.#assemblies, inside);
    if (inside.type !== "RecoveryMessage") return;
    let said: recovery.InsideMessage;
    try {
      said = await recovery.open(this.#key, inside);
    } catch (error) {
      if (error instanceof SnugError) return;
      throw error;
    }
    if (said.type === "HelperOffer" && same(said.nonce, this.#nonce) && this.#sent === null) {
      this.#connections.heard(now);
      await this.#ask(day, said, now);
    } else if (said.type === "RecoveryReply" && this.#sent !== null && same(said.id, recovery.requestId(this.#sent.asked)))
      await this.#answered(said, this.#sent);
  }

  async #ask(day: number, here: recovery.HelperOffer, now: number): Promise<void> {
    const { groupId, hostKeys } = this.#kept;
    const { current } = hostKeys;
    if (!same(here.returnPublic, current.returnPublic)) {
      // The word of somebody who was admitted once: another may still help.
      if (!this.#toldStale) this.effects.push({ type: "Tell", event: sentences.status("return_stale") });
      this.#toldStale = true;
      return;
    }
    const bundle = await this.#makePackage(now);
    const { request: asked, privateKey } = await recovery.makeHostReturnRequest(
      current,
      groupId,
      here.slot,
      bundle.encoded,
      this.#rng,
    );
    this.#sent = { asked, privateKey, bundle, at: now };
    await this.#post(day, asked);
  }

  async #letIn(answer: Answer, tree: Bytes | undefined, bundle: mls.KeyPackageBundle): Promise<void> {
    const group = await mls.Group.join(answer.welcome, bundle, { psks: this.#psks, tree, rng: this.#rng });
    const policy = policyOf(group);
    const { hostKeys: { current }, groupId, doorSeed } = this.#kept;
    const ours =
      same(group.groupId, groupId) &&
      same(answer.doorSeed, doorSeed) &&
      same(policy.returnPublic, current.returnPublic) &&
      among(current.hostPublic, policy.linkKeys.slice(-1)) &&
      (await this.#isNumber(answer.number, policy));
    const own = group.member(group.ownLeaf);
    if (!ours || own === null || !among(own.signatureKey, policy.hosts)) return;
    this.entry = { answer, group, rejoinKey: this.#rejoinKey };
    this.effects.push({ type: "Tell", event: sentences.alarm("missed.away") }); // another program read until now
  }

  async #answered(back: recovery.RecoveryReply, { asked, privateKey, bundle }: Sent): Promise<void> {
    try {
      const answer = await recovery.openReply(back, asked, privateKey);
      await this.#assemblies.take(answer, bundle, (whole, tree) => this.#letIn(whole, tree, bundle));
    } catch (error) {
      if (!(error instanceof SnugError)) throw error;
      // From a former member: another may still answer.
    }
  }

  /** Return whether it is the meeting's first number, as far as our keys tell. */
  async #isNumber(number: Bytes, policy: Policy): Promise<boolean> {
    const { first } = this.#kept.hostKeys;
    if (!same(first.hostPublic, policy.hostPublic)) return true; // we were sent no key of the beginning
    const [door, admin] = [await this.#kept.doorKey(), await first.roomAdminKey(this.#kept.groupId)];
    return same(number, invite.roomNumber(door.public, admin.public));
  }

  /** The server of the lobby: the meeting is there, if anybody has answered. */
  get origin(): string {
    return this.#connections.at;
  }

  /** Leave the lobby. */
  close(): void {
    this.#connections.close();
  }
}
