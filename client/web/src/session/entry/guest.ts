/** A newcomer in the lobby, with its knock (protocol section 4). */
import { type Bytes, among, type Rng, same, systemRng } from "../../crypto/bytes";
import { SnugCryptoError, ValidationError } from "../../crypto/errors";
import type { IdentityKey } from "../../crypto/proof/identity";
import { dayOf, type Invite } from "../../crypto/entry/invite";
import * as lobby from "../../crypto/entry/lobby";
import type { SigningKey } from "../../crypto/kdf";
import * as mls from "../../mls";
import type { ServerMessage } from "../../wire/messages";
import { type Sentence, sentence } from "../../words/sentence";
import type { Effect, EventOf } from "../events";
import { policyOf } from "../kernel/membership";
import * as reasons from "../catalogue/reasons";
import * as sentences from "../catalogue/sentences";
import * as clocks from "./clocks";
import { LobbyConnections } from "./lobbyConnections";
import { reasonOf } from "./refusals";

export const CALL_EVERY = 3;
export const KNOCK_EVERY = 5;
/** Seconds without an answer before another host's newer card is tried. */
export const KNOCK_PATIENCE = 12;

interface Sent {
  readonly knock: lobby.Knock;
  readonly pending: lobby.PendingKnock;
  readonly bundle: mls.KeyPackageBundle;
  readonly day: number;
  readonly nonce: Bytes;
  readonly at: number;
  postedAt: number;
}

/** A newcomer's way in: the host's verified answer, and the group that it leads to. */
export interface Entry {
  readonly answer: lobby.Answer;
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
  protected readonly rng: Rng;
  protected sent: Sent[] = [];
  readonly #link: Invite;
  readonly #name: string;
  readonly #greeting: string;
  readonly #makePackage: (now: number) => Promise<mls.KeyPackageBundle>;
  readonly #identity: IdentityKey | null;
  #calledAt = 0;
  #told = "";
  readonly #began: number;
  #reportedAt = -Infinity;

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
    this.#identity = facts.identity ?? null;
    this.rng = facts.rng ?? systemRng;
    const { secret, origin, servers } = facts.link;
    this.connections = new LobbyConnections(secret, [origin, ...servers], this.effects, this.rng);
    this.tell(sentences.status("waiting"));
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
    const newest = this.sent.at(-1);
    if (newest !== undefined && newest.day === today && now - newest.postedAt >= this.every) {
      newest.postedAt = now;
      await this.connections.post(today, newest.knock);
    }
    if (newest === undefined && now - this.#began >= clocks.NO_CARD && this.#told === "waiting")
      this.tell(clocks.noCard(now));
    const impatient = newest === undefined || now - newest.at >= KNOCK_PATIENCE;
    if (impatient && now - this.#calledAt >= CALL_EVERY) {
      this.#calledAt = now;
      await this.connections.post(today, new lobby.CardRequest());
    }
  }

  /** Handle a lost connection to the lobby. */
  lost(day: number, why: Sentence, now: number): void {
    this.connections.lost(day, now);
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
      await this.tick(now);
    } else if (posted !== false) await this.messagePosted(day, posted, now);
  }

  /** Process a message from another participant in the lobby. */
  async messagePosted(day: number, posted: lobby.LobbyMessage, now: number): Promise<void> {
    if (posted.type === "Card") await this.#card(day, posted, now);
    else if (posted.type === "Reply") await this.#replied(posted);
  }

  async #card(day: number, card: lobby.Card, now: number): Promise<void> {
    const newest = this.sent.at(-1);
    if (newest !== undefined && same(newest.nonce, card.nonce)) this.connections.heard(now);
    if (newest !== undefined && (same(newest.nonce, card.nonce) || now - newest.at < KNOCK_PATIENCE)) return;
    try {
      await card.verify(this.#link.hostPublic, this.#link.origin, day, now);
    } catch (error) {
      if (error instanceof ValidationError && error.rule !== "CARD-DAY" && newest === undefined)
        await this.#refuse(day, card, now);
      // Anybody with the link can post a card, but only a host can sign it.
      if (error instanceof SnugCryptoError) return;
      throw error;
    }
    this.connections.heard(now);
    const bundle = await this.makePackage(now);
    const { knock, pending } = await lobby.knock(
      this.#link,
      card,
      bundle.encoded,
      this.#name,
      this.#greeting,
      {
        identity: this.#identity,
        rng: this.rng,
      },
    );
    this.sent.push({ knock, pending, bundle, day, nonce: card.nonce, at: now, postedAt: now });
    this.sent = this.sent.slice(-4);
    await this.connections.post(day, knock);
    this.tell(sentences.status("knocking"));
  }

  /** Tell both sides that a host's card is of another time: one of the two clocks is wrong. */
  async #refuse(day: number, card: lobby.Card, now: number): Promise<void> {
    this.tell(clocks.refusedCard(card, now));
    if (now - this.#reportedAt < clocks.REPORT_EVERY) return;
    this.#reportedAt = now;
    await this.connections.post(day, new lobby.ClockReport(card.hash, Math.floor(now)));
  }

  async #replied(reply: lobby.Reply): Promise<void> {
    const sent = this.sent.find(({ pending }) => pending.owns(reply));
    if (sent === undefined || this.entry !== null) return;
    let opened: lobby.Answer | lobby.Refusal;
    try {
      opened = await sent.pending.open(reply);
    } catch (error) {
      if (error instanceof SnugCryptoError) return; // not from the host who opened our knock
      throw error;
    }
    if (opened.type === "Refusal") {
      this.refusal = reasonOf(opened.reason);
      return;
    }
    let group: mls.Group, byHost: boolean;
    try {
      group = await mls.Group.join(opened.welcome, sent.bundle, { psks: this.psks, rng: this.rng });
      const policy = policyOf(group);
      const signer = group.welcomedBy === null ? null : group.member(group.welcomedBy);
      byHost =
        signer !== null &&
        among(this.#link.hostPublic, policy.linkKeys) &&
        among(signer.signatureKey, policy.hosts);
    } catch (error) {
      if (!(error instanceof SnugCryptoError)) throw error;
      this.refusal = sentence("refusal.unusable", { why: reasons.inFull(error) });
      return;
    }
    if (!byHost) this.refusal = sentence("refusal.not_by_host");
    else {
      const rejoinKey = this.keyOf(group);
      if (rejoinKey !== null && this.fits(opened, group)) this.entry = { answer: opened, group, rejoinKey };
    }
  }

  /** Return whether the answer leads to the expected meeting. */
  fits(_answer: lobby.Answer, _group: mls.Group): boolean {
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
