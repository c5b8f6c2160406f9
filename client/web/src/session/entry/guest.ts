/** A newcomer in the lobby, with its knock (protocol section 4). */
import { led, strange } from "../addresses";
import { type Bytes, among, type Rng, same, systemRng } from "../../crypto/bytes";
import { SnugError } from "../../crypto/errors";
import type { IdentityKey } from "../../crypto/proof/identity";
import { dayOf, type Invite } from "../../crypto/entry/invite";
import type { AlreadyMember, Answer, ReplyBody } from "../../crypto/entry/answers";
import * as lobby from "../../crypto/entry/lobby";
import type { Assemblies, Done } from "../../crypto/entry/pieces";
import type { SigningKey } from "../../crypto/kdf";
import * as mls from "../../mls";
import type { ServerMessage } from "../../wire/messages";
import { type Sentence, sentence } from "../../words/sentence";
import type { Effect, EventOf } from "../events";
import { load } from "../kernel/load";
import { policyOf } from "../kernel/membership";
import * as reasons from "../catalogue/reasons";
import * as sentences from "../catalogue/sentences";
import { LobbyConnections, type PostedMessage } from "./lobbyConnections";
import { reasonOf } from "./refusals";

export const CALL_EVERY = 3;
export const KNOCK_EVERY = 5;
/** The same while a host's program says that it has the knock. */
export const WAIT_EVERY = 10;
/** Seconds without a word from the host before its knock goes to all in the lobby, and another card is tried. */
export const KNOCK_PATIENCE = 15;
/**
 * Seconds for which a newcomer asks for a card by the same nonce. Cards count that name this nonce, or the one before it:
 * a server can have kept others back, for when the host is gone.
 */
export const NONCE_FOR = 30;
/**
 * Seconds for which replies to one knock keep a newcomer at a server of several, before it knocks anew: the server can
 * have kept some of them back, for when the host is gone.
 */
export const KNOCK_HOLDS = 60;
/**
 * A newcomer that could knock within so many seconds opens the room's connection ahead of the answer. One that has
 * waited for longer would not notice what that saves, and its server may have too much to do.
 */
export const SOON = 2;
/** Seconds without any card before a newcomer is told its date: lobbies are of one day. */
export const NO_CARD = 30;
/** Knocks whose replies count: the newest, and some to other cards. */
export const KNOCKS_KEPT = 4;

interface Sent {
  readonly knock: lobby.Knock;
  readonly pending: lobby.PendingKnock;
  readonly bundle: mls.KeyPackageBundle;
  readonly day: number;
  readonly card: lobby.Card;
  /** The handle of the host's connection. */
  to: Bytes;
  postedAt: number;
  /** When the host last said that it has the knock; at first, when we knocked. */
  heardAt: number;
  readonly madeAt: number;
  /** The server in whose lobby we knocked. */
  readonly origin: string;
  received: boolean;
  /** Whether a later knock has taken its place. Its replies still count. */
  replaced: boolean;
}

/** Return whether the host has said lately that it has the knock. */
const isHeard = ({ received, heardAt }: Sent, now: number): boolean => received && now - heardAt < KNOCK_PATIENCE;

/** A newcomer's way in: the host's verified answer, and the group that it leads to. */
export interface Entry {
  readonly answer: Answer;
  readonly group: mls.Group;
  /** The rejoin key of our new leaf. */
  readonly rejoinKey: SigningKey;
}

export interface GuestLobbyFacts {
  readonly link: Invite;
  readonly name: string;
  readonly greeting: string;
  readonly makePackage: (now: number) => Promise<mls.KeyPackageBundle>;
  readonly psks: mls.Psks;
  /** That of the leaves in the KeyPackages; null: `keyOf` finds it. */
  readonly rejoinKey: SigningKey | null;
  /** Makes a KeyPackage with a ticket, if our answer is lost. */
  readonly rejoinPackage?: (now: number, known: AlreadyMember) => Promise<mls.KeyPackageBundle>;
  readonly identity?: IdentityKey | null;
  readonly now: number;
  readonly rng?: Rng;
}

/** A newcomer, or a member that has to rejoin, in the lobby. */
export class GuestLobby {
  /** Whether we are a member, and ask to be let in again. */
  readonly again: boolean = false;
  readonly effects: Effect[] = [];
  entry: Entry | null = null;
  refusal: Sentence | null = null;
  protected readonly connections: LobbyConnections;
  protected readonly psks: mls.Psks;
  readonly #rejoinKey: SigningKey | null;
  readonly #rejoinPackage: GuestLobbyFacts["rejoinPackage"];
  #rejoinedAt = -Infinity;
  /** Our answers whose pieces have not all come. */
  #assemblies: Assemblies | null = null;
  protected readonly rng: Rng;
  protected sent: Sent[] = [];
  readonly #link: Invite;
  readonly #name: string;
  readonly #greeting: string;
  readonly #makePackage: (now: number) => Promise<mls.KeyPackageBundle>;
  readonly #identity: IdentityKey | null;
  #calledAt = 0;
  /** The nonces of our requests on this connection that no card has answered, and when each was made: two at most. */
  #nonces: { readonly nonce: Bytes; readonly at: number }[] = [];
  #told = "";
  readonly #began: number;

  static async open(facts: GuestLobbyFacts): Promise<GuestLobby> {
    const guest = new GuestLobby(facts);
    await guest.tick(facts.now);
    return guest;
  }

  /** Seconds between two posts of the same knock. */
  protected get every(): number {
    return KNOCK_EVERY;
  }

  /** Return a fresh KeyPackage, to knock with. */
  protected makePackage(now: number): Promise<mls.KeyPackageBundle> {
    return this.#makePackage(now);
  }

  /** Return the rejoin key of our new leaf. */
  protected keyOf(_group: mls.Group): SigningKey | null {
    return this.#rejoinKey;
  }

  /** The caller must call `tick` next. */
  protected constructor(facts: GuestLobbyFacts) {
    this.#link = facts.link;
    this.#began = facts.now;
    this.#name = facts.name;
    this.#greeting = facts.greeting;
    this.#makePackage = facts.makePackage;
    this.psks = facts.psks;
    this.#rejoinKey = facts.rejoinKey;
    this.#rejoinPackage = facts.rejoinPackage;
    this.#identity = facts.identity ?? null;
    this.rng = facts.rng ?? systemRng;
    const { secret, origin, servers } = facts.link;
    this.connections = new LobbyConnections(secret, [origin, ...led(origin, servers)], this.effects, this.rng);
    this.tell(sentences.status("waiting"));
    for (const [each, why] of strange(origin, servers))
      this.effects.push({ type: "Tell", event: sentences.strangeServer(origin, each, why) });
  }

  /** Report a status, unless the last one was of the same kind. */
  protected tell(status: EventOf<"Status">): void {
    if (this.#told === status.kind) return;
    this.#told = status.kind;
    this.effects.push({ type: "Tell", event: status });
  }

  /** Stay in today's lobby; call until there is a card; knock again until there is an answer. */
  async tick(now: number): Promise<void> {
    const today = dayOf(now);
    if (this.entry === null) await this.connections.seek(now);
    await this.connections.stayIn(new Set([today]), now);
    if (!this.connections.entered.has(today) || this.entry !== null) return;
    let newest = this.sent.at(-1);
    if (newest !== undefined && this.#isWorn(newest, now)) {
      newest.replaced = true;
      await this.#knock({ day: today, card: newest.card, to: newest.to }, await this.makePackage(now), now);
      newest = this.sent.at(-1);
    }
    for (const sent of this.sent) await this.#repeat(sent, today, now);
    if (newest === undefined && now - this.#began >= NO_CARD && this.#told === "waiting") {
      const date = new Date(now * 1000).toISOString().slice(0, 10);
      this.tell(sentences.status("clock.date", { seconds: NO_CARD, date }));
    }
    if (this.#mayKnock(newest, now) && now - this.#calledAt >= CALL_EVERY) {
      this.#calledAt = now;
      await this.connections.post(today, { type: "CardRequest", nonce: this.#nonce(now) });
    }
  }

  /** Return the nonce of a request for a card. */
  #nonce(now: number): Bytes {
    let newest = this.#nonces.at(-1);
    if (newest === undefined || now - newest.at >= NONCE_FOR) {
      newest = { nonce: this.rng(16), at: now };
      this.#nonces = [...this.#nonces.slice(-1), newest];
    }
    return newest.nonce;
  }

  /** Return whether to knock at another card: nobody has answered lately, or not at the server before. */
  #mayKnock(newest: Sent | undefined, now: number): boolean {
    if (newest === undefined || now - newest.heardAt >= KNOCK_PATIENCE) return true;
    return !newest.received && newest.origin !== this.origin;
  }

  /** Return whether replies to our knock keep us here no longer: a host has to answer a new one. */
  #isWorn({ received, madeAt }: Sent, now: number): boolean {
    return this.connections.seeks && received && now - madeAt >= KNOCK_HOLDS;
  }

  /** Post a knock again: to its host, or to all in the lobby if the host doesn't say that it has it. */
  async #repeat(sent: Sent, today: number, now: number): Promise<void> {
    const heard = isHeard(sent, now);
    const every = sent === this.sent.at(-1) && !heard ? this.every : WAIT_EVERY;
    if (sent.day !== today || sent.replaced || now - sent.postedAt < every) return;
    sent.postedAt = now;
    await this.connections.post(today, sent.knock, ...(heard ? [sent.to] : []));
  }

  /** Handle a lost connection to the lobby. */
  lost(day: number, why: Sentence, now: number): void {
    this.connections.lost(day, now);
    this.#nonces = [];
    this.tell(sentences.status(this.connections.wasInside ? "away" : "away.first", { why }));
  }

  /** Connect at once where we are about to. */
  hurry(now: number): void {
    this.connections.hurry(now);
  }

  /** Process a message from the server in the lobby. */
  async received(day: number, message: ServerMessage, now: number): Promise<void> {
    const posted = await this.connections.received(day, message);
    if (posted === true) {
      this.#calledAt = 0;
      this.#nonces = []; // of another connection, perhaps to another server
      // Hosts answer the connection that has posted the knock last.
      for (const sent of this.sent) sent.postedAt = -Infinity;
      await this.tick(now);
    } else if (posted !== false) await this.messagePosted(day, posted, now);
  }

  /** Process a message from another participant in the lobby. */
  async messagePosted(day: number, { message, handle }: PostedMessage, now: number): Promise<void> {
    if (message.type === "Card") await this.#card(day, message, handle, now);
    else if (message.type === "Reply") await this.#replied(message, handle, now);
    else if (message.type === "Piece") await this.piece(message, now);
  }

  async #card(day: number, card: lobby.Card, handle: Bytes, now: number): Promise<void> {
    const newest = this.sent.at(-1);
    if (!this.#mayKnock(newest, now)) return;
    try {
      const asked = this.#nonces.map(({ nonce }) => nonce);
      await lobby.verifyCard(card, this.#link.hostPublic, this.#link.origin, asked);
    } catch (error) {
      // An answer to others, or an old one; or somebody with the link has made it, and no host.
      if (error instanceof SnugError) return;
      throw error;
    }
    this.#nonces = [];
    this.connections.heard(now);
    if (newest !== undefined && same(newest.card.ephPublic, card.ephPublic)) {
      newest.to = handle; // our knock opens by it: the host has another connection
      newest.postedAt = now;
      await this.connections.post(day, newest.knock, handle);
      return;
    }
    await this.#knock({ day, card, to: handle }, await this.makePackage(now), now);
    if (now - this.#began < SOON)
      this.effects.push({ type: "ConnectSoon", origin: this.origin });
    this.tell(sentences.status("knocking"));
  }

  /** Knock at a verified card, which the connection `to` has posted. */
  async #knock(
    at: { readonly day: number; readonly card: lobby.Card; readonly to: Bytes },
    bundle: mls.KeyPackageBundle,
    now: number,
  ): Promise<void> {
    const shown = { identity: this.#identity, rng: this.rng };
    const sealed = await lobby.knock(this.#link, at.card, bundle.encoded, this.#name, this.#greeting, shown);
    this.sent.push({ ...at, ...sealed, bundle, postedAt: now, heardAt: now, madeAt: now, origin: this.origin, received: false, replaced: false });
    this.sent = this.sent.slice(-KNOCKS_KEPT);
    await this.connections.post(at.day, sealed.knock, at.to);
  }

  async #replied(reply: lobby.Reply, handle: Bytes, now: number): Promise<void> {
    const sent = this.sent.find(({ pending }) => pending.owns(reply));
    if (sent === undefined || this.entry !== null) return;
    let opened: ReplyBody;
    try {
      opened = await sent.pending.open(reply);
    } catch (error) {
      if (error instanceof SnugError) return; // not from the host who opened our knock
      throw error;
    }
    sent.to = handle;
    sent.heardAt = now;
    sent.received = true;
    if (now - sent.madeAt < KNOCK_HOLDS) this.connections.heard(now);
    if (opened.type === "Refusal") this.refusal = reasonOf(opened.reason);
    else if (opened.type === "AlreadyMember") await this.#rejoin(opened, sent, now);
    else if (opened.type === "Answer") await this.#take(opened, sent.bundle);
  }

  /** Knock with a ticket: we were admitted, and the answer is lost. */
  async #rejoin(known: AlreadyMember, { day, card, to }: Sent, now: number): Promise<void> {
    if (this.#rejoinPackage === undefined || now - this.#rejoinedAt < KNOCK_EVERY) return;
    this.#rejoinedAt = now;
    await this.#knock({ day, card, to }, await this.#rejoinPackage(now, known), now);
  }

  /** Enter the room with an answer, or do so when its pieces are here. */
  async #take(answer: Answer, bundle: mls.KeyPackageBundle): Promise<void> {
    const enter: Done = (whole, tree) => this.#answered(whole, tree, bundle);
    await this.#unlessUnusable(async () => {
      if (answer.pieces.length === 0) await enter(answer, undefined);
      else {
        // without that file, the answer comes again with the knock
        this.#assemblies ??= await load().then(({ Assemblies }) => new Assemblies(), () => null);
        await this.#assemblies?.take(answer, bundle, enter);
      }
    });
  }

  /** Take a piece of an answer that waits for it. */
  protected async piece(piece: lobby.Piece, now: number): Promise<void> {
    await this.#unlessUnusable(async () => {
      if (this.entry !== null || !(await this.#assemblies?.piece(piece))) return;
      // Whoever posts it: its hash is in a host's answer.
      this.connections.heard(now);
      for (const sent of this.sent) sent.heardAt = sent.postedAt = now;
    });
  }

  async #unlessUnusable(act: () => Promise<void>): Promise<void> {
    try {
      await act();
    } catch (error) {
      if (!(error instanceof SnugError)) throw error;
      this.refusal = sentence("refusal.unusable", { why: reasons.inFull(error) });
    }
  }

  async #answered(answer: Answer, tree: Bytes | undefined, bundle: mls.KeyPackageBundle): Promise<void> {
    if (this.entry !== null) return;
    const group = await mls.Group.join(answer.welcome, bundle, { psks: this.psks, tree, rng: this.rng });
    const policy = policyOf(group);
    const signer = group.welcomedBy === null ? null : group.member(group.welcomedBy);
    if (signer === null || !among(this.#link.hostPublic, policy.linkKeys) || !among(signer.signatureKey, policy.hosts)) {
      this.refusal = sentence("refusal.not_by_host");
      return;
    }
    const rejoinKey = this.keyOf(group);
    if (rejoinKey !== null && this.fits(answer, group)) this.entry = { answer, group, rejoinKey };
  }

  /** Return whether the answer leads to the expected meeting. */
  fits(_answer: Answer, _group: mls.Group): boolean {
    return true;
  }

  /** The server of the lobby: the meeting is there, if anybody has answered. */
  get origin(): string {
    return this.connections.at;
  }

  /** Leave the lobby. */
  close(): void {
    this.connections.close();
  }
}
