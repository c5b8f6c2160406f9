/**
 * Both sides of a lobby: a host with its cards and knocks, and a newcomer with its knock.
 *
 * Protocol section 4. A lobby is a room's waiting place of one UTC day; near midnight a host is in two.
 */
import { type Bytes, hex, type Rng, same, systemRng, utf8 } from "../../crypto/bytes";
import { SnugCryptoError } from "../../crypto/errors";
import type { IdentityKey } from "../../crypto/proof/identity";
import { dayOf, doorMessage, type HostSeed, type Invite, lobbyEnvelopeKey, lobbyKey } from "../../crypto/entry/invite";
import { H, type SigningKey } from "../../crypto/kdf";
import * as lobby from "../../crypto/entry/lobby";
import { Knocks } from "../../crypto/entry/knocks";
import { lookAlike } from "../../crypto/agreed/names";
import { ANY_HOST, Identity, Mode, REJOIN_EXTENSION, RejoinTicket, SINGLE_USE } from "../../crypto/agreed/roomState";
import * as mls from "../../mls";
import type { ServerMessage } from "../../wire/messages";
import { CommandError, type Sentence, sentence, verbatim } from "../../words/sentence";
import type { Contacts } from "./contacts";
import type { Endpoint, Effect, EventOf, Knocked } from "../events";
import type { AddIntent, RejoinIntent } from "../kernel/intents";
import { inviteName, type InviteBook } from "./invites";
import { among, type Membership, policyOf } from "../kernel/membership";
import { checkIdentity } from "./identityCheck";
import * as sentences from "../catalogue/sentences";

/** Seconds around midnight in which a host is in both days' lobbies. */
export const MIDNIGHT = 600;
/** Remaining seconds of a card below which it is replaced. */
export const CARD_RENEW = 120;
/** Maximum waiting knocks on one open invite: people who share a link must not block each other. */
export const KNOCKS_EACH = 16;
/** Posts a second, and in a burst: below a server's default limits, so that none is refused and lost. */
export const POST_RATE = 8;
export const POST_BURST = 60;
/** Minimum seconds between two posts of the same card: one post serves all callers. */
export const CARD_EVERY = 0.5;
/** Waiting posts from which unsolicited posts (refusals without a host's decision) are not added. */
export const CROWDED = 32;
/** Maximum waiting posts: somebody who floods the lobby makes us answer, and the oldest is dropped. */
export const WAITING_MAX = 256;
/** Replies that are kept for newcomers who lost their connection before the reply arrived. */
export const REPLIES_KEPT = 64;
/** Minimum seconds between two rejoin requests of one member that count. */
export const REJOIN_EVERY = 5;
export const CALL_EVERY = 3;
export const KNOCK_EVERY = 5;
/** Seconds without an answer before another host's newer card is tried. */
export const KNOCK_PATIENCE = 12;

// Refusal reasons, sent in English. A program that knows a reason shows it in the reader's language.
export const IS_LOCKED = "The room is locked: nobody new is let in now.";
export const IS_FULL = "So many people have been in this meeting that nobody new can be told all of it.";
export const IS_OVER = "This invite has been used or taken back. Ask for another one.";
export const NOT_LET_IN = "The host did not let you in.";
const NOT_ADDED = ["You could not be let in: ", ". Knock again with another name, or ask the host."] as const;

const KNOWN: Readonly<Record<string, string>> = {
  [IS_LOCKED]: "refusal.locked",
  [IS_FULL]: "refusal.full",
  [IS_OVER]: "refusal.over",
  [NOT_LET_IN]: "refusal.no",
};

/** Return the sentence for the reason in a host's refusal. */
export function reasonOf(text: string): Sentence {
  const key = Object.hasOwn(KNOWN, text) ? KNOWN[text] : undefined;
  if (key !== undefined) return sentence(key);
  const [before, after] = NOT_ADDED;
  if (text.startsWith(before) && text.endsWith(after))
    return sentence("refusal.not_added", { why: text.slice(before.length, -after.length) });
  return text === "" ? sentence("refusal.no") : verbatim(text);
}

const endpointOf = (day: number): Endpoint => ({ day, probe: false });

/** Return the days whose lobbies a host with waiting knocks must be in: two near midnight. */
export const daysAround = (now: number): Set<number> =>
  new Set([dayOf(now - MIDNIGHT), dayOf(now), dayOf(now + MIDNIGHT)]);

/** Connections to the lobbies of some days: connect, sign, post. */
export class LobbyConnections {
  readonly #secret: Bytes;
  readonly #origin: string;
  readonly #effects: Effect[];
  readonly #rng: Rng;
  readonly #keys = new Map<number, { readonly key: SigningKey; readonly envelopeKey: Bytes }>();
  readonly #entered = new Set<number>();
  readonly #retry = new Map<number, number>();
  #failures = 0;
  #refusal = "";
  readonly #waiting: (readonly [number, lobby.LobbyMessage])[] = [];
  #allowance = POST_BURST;
  #flushedAt: number | null = null;

  constructor(secret: Bytes, origin: string, effects: Effect[], rng: Rng) {
    this.#secret = secret;
    this.#origin = origin;
    this.#effects = effects;
    this.#rng = rng;
  }

  /** The days whose lobbies we have entered. */
  get entered(): ReadonlySet<number> {
    return this.#entered;
  }

  /** Be in the lobbies of these days only. Call it regularly: it also sends waiting posts. */
  async stayIn(days: ReadonlySet<number>, now: number): Promise<void> {
    const since = this.#flushedAt === null ? 0 : now - this.#flushedAt;
    this.#flushedAt = now;
    this.#allowance = Math.min(POST_BURST, this.#allowance + POST_RATE * since);
    await this.#flush();
    for (const day of days) {
      if (this.#keys.has(day)) continue;
      const key = await lobbyKey(this.#secret, this.#origin, day);
      this.#keys.set(day, { key, envelopeKey: lobbyEnvelopeKey(this.#secret, this.#origin, day) });
      this.#effects.push({ type: "Connect", endpoint: endpointOf(day) });
    }
    for (const day of [...this.#keys.keys()]) if (!days.has(day)) this.#leave(day);
    for (const [day, at] of [...this.#retry]) {
      if (now < at) continue;
      this.#retry.delete(day);
      this.#effects.push({ type: "Connect", endpoint: endpointOf(day) });
    }
  }

  #leave(day: number): void {
    this.#keys.delete(day);
    this.#entered.delete(day);
    this.#retry.delete(day);
    this.#effects.push({ type: "Disconnect", endpoint: endpointOf(day) });
  }

  /** Handle a lost connection: reconnect after 0.2 s, later after up to 1.5 s. */
  lost(day: number, now: number): void {
    this.#entered.delete(day);
    if (!this.#keys.has(day)) return;
    this.#retry.set(day, now + Math.min(0.2 * 2 ** this.#failures, 1.5));
    this.#failures++;
  }

  /** Return a posted lobby message; true if we have just entered; false for anything else. */
  async received(day: number, message: ServerMessage): Promise<lobby.LobbyMessage | boolean> {
    const held = this.#keys.get(day);
    if (held === undefined) return false;
    switch (message.type) {
      case "challenge": {
        const nonce = this.#rng(32);
        const lobby_key = held.key.public;
        const signature = await held.key.sign(doorMessage(this.#origin, lobby_key, message.nonce, nonce));
        const door = { type: "lobby_door", lobby_key, nonce, signature } as const;
        this.#effects.push({ type: "Transmit", endpoint: endpointOf(day), message: door });
        return false;
      }
      case "entered":
        this.#entered.add(day);
        this.#failures = 0;
        return true;
      case "refused":
        if (message.text === this.#refusal) return false;
        this.#refusal = message.text; // reported once, however often it recurs
        this.#effects.push({ type: "Tell", event: sentences.alarm("refused.lobby", { why: message.text }) });
        return false;
      case "posted":
        try {
          return await lobby.read(held.envelopeKey, message.blob);
        } catch (error) {
          if (error instanceof SnugCryptoError) return false; // not from a holder of the link
          throw error;
        }
      default:
        return false;
    }
  }

  /**
   * Seal and post if we are in that lobby, at once or as soon as the server's limits allow.
   *
   * A message that already waits is not added: repeated equal knocks would displace other replies.
   */
  async post(day: number, message: lobby.LobbyMessage): Promise<void> {
    if (!this.#entered.has(day) || this.#waiting.some(([, waiting]) => waiting === message)) return;
    this.#waiting.push([day, message]);
    await this.#flush();
    if (this.#waiting.length > WAITING_MAX) this.#waiting.shift();
  }

  /** Whether so many posts wait that only messages with a host's decision should be added. */
  get crowded(): boolean {
    return this.#waiting.length >= CROWDED;
  }

  async #flush(): Promise<void> {
    while (this.#allowance >= 1) {
      const next = this.#waiting.shift();
      if (next === undefined) return;
      const [day, message] = next;
      const held = this.#keys.get(day);
      if (held === undefined || !this.#entered.has(day)) continue;
      this.#allowance--;
      try {
        const blob = await lobby.post(held.envelopeKey, message, this.#rng);
        this.#effects.push({ type: "Transmit", endpoint: endpointOf(day), message: { type: "post", blob } });
      } catch (error) {
        if (!(error instanceof SnugCryptoError)) throw error; // larger than a lobby allows
      }
    }
  }

  /** Leave all lobbies. */
  close(): void {
    for (const day of [...this.#keys.keys()]) this.#leave(day);
  }
}

interface Asked {
  readonly knock: lobby.OpenedKnock;
  readonly day: number;
  readonly keyPackage: mls.KeyPackage;
  readonly ticket: Bytes | null;
  /** hex(H) of the knock. */
  readonly mark: string;
  /** The signature key (hex), which is the same in all knocks of one person, at every host's card. */
  readonly who: string;
}

export interface HostLobbyFacts {
  readonly seed: HostSeed;
  readonly secret: Bytes;
  readonly origin: string;
  readonly book: InviteBook;
  /** Revokes a single-use invite everywhere: it leaked while a knock waited on it. */
  readonly takeBack: (index: number) => void;
  readonly contacts: Contacts | null;
  readonly now: number;
  readonly rng?: Rng;
}

/** A host in its lobby: posts cards, reads knocks, and answers when the commit has come back. */
export class HostLobby {
  readonly effects: Effect[] = [];
  readonly #takeBack: (index: number) => void;
  readonly #contacts: Contacts | null;
  readonly #seed: HostSeed;
  readonly #origin: string;
  readonly #rng: Rng;
  readonly #connections: LobbyConnections;
  readonly #cards = new Map<number, lobby.CardSecret[]>();
  readonly #cardPosted = new Map<number, number>();
  readonly #cardWanted = new Set<number>();
  readonly #knocks = new Knocks(KNOCKS_EACH);
  readonly #book: InviteBook;
  readonly #known = new Set<number>();
  readonly #shut = new Set<number>();
  /** Knocks whose Add is under way. */
  readonly #admitted = new Set<number>();
  #asked = new Map<number, Asked>();
  #rejoining = -1;
  /** leaf -> when we accepted its last request */
  readonly #rejoinedAt = new Map<number, number>();
  /** Keys whose rejoin failed: reported once. */
  readonly #notLetIn = new Set<string>();
  /** Replies by the hash of their knock: after a lost connection the same knock comes again. */
  readonly #replied = new Map<string, lobby.Reply>();

  static async open(facts: HostLobbyFacts): Promise<HostLobby> {
    const host = new HostLobby(facts);
    await host.tick(facts.now);
    return host;
  }

  private constructor({ seed, secret, origin, book, takeBack, contacts, rng = systemRng }: HostLobbyFacts) {
    this.#takeBack = takeBack;
    this.#contacts = contacts;
    this.#seed = seed;
    this.#origin = origin;
    this.#rng = rng;
    this.#connections = new LobbyConnections(secret, origin, this.effects, rng);
    this.#book = book;
  }

  /** Stay in today's lobby, near midnight in two; renew cards; erase old secrets. */
  async tick(now: number): Promise<void> {
    await this.#connections.stayIn(daysAround(now), now);
    for (const [day, secrets] of this.#cards) {
      for (const secret of secrets) if (secret.expired(now)) secret.erase();
      this.#cards.set(
        day,
        secrets.filter((secret) => !secret.expired(now)),
      );
    }
    const patient = new Set([...this.#knocks.waiting(now).map(({ id }) => id), ...this.#admitted]);
    this.#asked = new Map([...this.#asked].filter(([number]) => number < 0 || patient.has(number)));
    for (const day of [...this.#connections.entered]) {
      const newest = this.#cards.get(day)?.at(-1);
      if (this.#cardWanted.has(day) || (newest !== undefined && newest.card.expiry - now < CARD_RENEW))
        await this.#postCard(day, now);
    }
  }

  /** Handle a lost connection to a lobby. */
  lost(day: number, now: number): void {
    this.#connections.lost(day, now);
  }

  /** Close an invite, and refuse the knocks that wait on it. */
  async revoke(index: number): Promise<void> {
    if (this.#shut.has(index)) return;
    this.#shut.add(index);
    this.#issued(index);
    for (const [number, asked] of [...this.#asked])
      if (number > 0 && asked.knock.index === index && !this.#admitted.has(number))
        await this.fail(number, IS_OVER);
    this.#knocks.revoke(index);
  }

  /** Refuse all waiting knocks: the room is locked. */
  async lock(now: number): Promise<void> {
    for (const { id } of this.#knocks.waiting(now)) {
      this.#knocks.take(id, now);
      await this.fail(id, IS_LOCKED);
    }
  }

  /** Record that a newcomer was admitted by that invite. */
  used(index: number): void {
    this.#issued(index);
    this.#knocks.use([index]);
  }

  /** Return whether a knock has used that invite. */
  knows(index: number): boolean {
    return this.#known.has(index);
  }

  #issued(index: number): void {
    if (this.#known.has(index)) return;
    this.#known.add(index);
    this.#knocks.issue(index, (index & SINGLE_USE) !== 0);
  }

  /**
   * Process a message from the server, and return the work that is left for the session.
   *
   * That is a knock that the host is to be asked about, a member's new leaf that the room is to commit, or a message
   * under the key that members have (for `recovery.RejoinHelper`).
   */
  async received(
    day: number,
    message: ServerMessage,
    m: Membership,
    now: number,
  ): Promise<Knocked | RejoinIntent | lobby.RecoveryMessage | null> {
    const posted = await this.#connections.received(day, message);
    if (posted === true) await this.#postCard(day, now);
    else if (posted === false) return null;
    else if (posted.type === "CardRequest") await this.#postCard(day, now);
    else if (posted.type === "RecoveryMessage") return posted;
    else if (posted.type === "Knock") return await this.#knocked(day, posted, m, now);
    return null;
  }

  /** Post a message in that day's lobby. */
  async post(day: number, message: lobby.LobbyMessage): Promise<void> {
    await this.#connections.post(day, message);
  }

  async #postCard(day: number, now: number): Promise<void> {
    const cards = this.#cards.get(day) ?? [];
    this.#cards.set(day, cards);
    let newest = cards.at(-1);
    if (newest !== undefined && newest.card.expiry - now < CARD_RENEW) newest = undefined;
    if (newest !== undefined && now - (this.#cardPosted.get(day) ?? 0) < CARD_EVERY) {
      this.#cardWanted.add(day);
      return;
    }
    this.#cardWanted.delete(day);
    this.#cardPosted.set(day, now);
    if (newest === undefined) {
      newest = await lobby.makeCard(this.#seed.hostKey, this.#origin, day, now, this.#rng);
      cards.push(newest);
    }
    await this.#connections.post(day, newest.card);
  }

  async #knocked(
    day: number,
    knock: lobby.Knock,
    m: Membership,
    now: number,
  ): Promise<Knocked | RejoinIntent | null> {
    const mark = hex(H(knock.enc, knock.ciphertext));
    const replied = this.#replied.get(mark);
    if (replied !== undefined) {
      await this.#connections.post(day, replied);
      return null;
    }
    const opened = await this.#open(day, knock, m, now);
    if (opened === null) return null;
    const { keyPackage, identity } = opened;
    const ticket = keyPackage.extensions.find((e) => e.extensionType === REJOIN_EXTENSION)?.data ?? null;
    const who = hex(keyPackage.leafNode.signatureKey);
    const asked: Asked = { knock: opened.knock, day, keyPackage, ticket, mark, who };
    if (ticket !== null) return this.#rejoin(asked, ticket, m, now);
    const { name, greeting, index } = opened.knock;
    if (identity.name !== name || identity.flags !== 0) return null;
    this.#issued(index);
    if (await this.#turnedAway(asked, m)) return null;
    const outcome = this.#knocks.consider(opened.knock, now);
    if (outcome.type === "Ignored") return null;
    const others = this.#knocks.waiting(now).filter(({ id }) => id !== outcome.id);
    const seen = checkIdentity(
      name,
      opened.knock.identity,
      this.#contacts,
      others.map((waiting) => [waiting.id, waiting.knock.name] as const),
    );
    this.#asked.set(outcome.id, asked);
    return {
      type: "Knocked",
      knock: outcome.id,
      name,
      greeting,
      invite: index,
      looksLike: m.members().find((member) => lookAlike(member.name, name))?.name ?? null,
      label: null,
      ...seen,
    };
  }

  /** Open a knock with the card that it was sealed to, and check its KeyPackage; null: it is never shown. */
  async #open(
    day: number,
    knock: lobby.Knock,
    m: Membership,
    now: number,
  ): Promise<{ knock: lobby.OpenedKnock; keyPackage: mls.KeyPackage; identity: Identity } | null> {
    for (const secret of this.#cards.get(day) ?? []) {
      try {
        const opened = await lobby.openKnock(secret, knock, (index) => this.#seed.inviteToken(index));
        const keyPackage = await mls.KeyPackageIn.decode(opened.keyPackage).verify(
          m.group.suite,
          Math.floor(now),
        );
        return {
          knock: opened,
          keyPackage,
          identity: Identity.decode(keyPackage.leafNode.credential.identity),
        };
      } catch (error) {
        if (!(error instanceof SnugCryptoError)) throw error;
        // Otherwise it is for another host's card, or without that invite.
      }
    }
    return null;
  }

  /**
   * Refuse a knock without asking a host if its invite is over or the room locked; return whether.
   *
   * Nothing is kept for it: the same knock gets the same answer again.
   */
  async #turnedAway(asked: Asked, m: Membership): Promise<boolean> {
    let reason: string;
    if (this.#opensNothing(asked, m)) reason = IS_OVER;
    else if (m.policy.mode === Mode.LOCKED) reason = IS_LOCKED;
    else return false;
    if (!this.#connections.crowded)
      await this.#connections.post(
        asked.day,
        await lobby.reply(asked.knock, { type: "Refusal", reason }, this.#rng),
      );
    return true;
  }

  /** Return whether that knock's invite is over; alarm the host, once an invite, if it has leaked. */
  #opensNothing(asked: Asked, m: Membership): boolean {
    const { index, name } = asked.knock;
    const single = (index & SINGLE_USE) !== 0;
    const removed = this.#book.removedWith(index);
    // A current or former member: no second use.
    const known = m.ledger.keys.has(asked.who);
    if (m.ledger.revoked.has(index) || (single && m.ledger.used.has(index))) {
      if (removed !== null && !known)
        this.#alarm(index, sentences.alarm("removed_knocks", { invite: this.#inviteName(index), removed, name }));
      else if (single && !known) this.#leaks(asked, this.#book.cameIn(index), true);
      return true;
    }
    if (this.#shut.has(index)) return true;
    const others = [...this.#asked.values()].filter((a) => a.knock.index === index && a.ticket === null);
    const other = others.find((a) => a.who !== asked.who);
    if (!single || other === undefined) return false;
    this.#leaks(asked, other.knock.name, false);
    this.#takeBack(index); // for all hosts; the other knock is refused before we go on
    return true;
  }

  #leaks(asked: Asked, earlier: string | null, cameIn: boolean): void {
    const { index, name } = asked.knock;
    const which = cameIn ? (earlier === null ? "somebody_in" : "came_in") : "both_wait";
    this.#alarm(index, sentences.alarm(`invite_leaked.${which}`, { invite: this.#inviteName(index), earlier, name }));
  }

  #alarm(index: number, alarm: EventOf<"Alarm">): void {
    if (this.#book.firstAlarm(index)) this.effects.push({ type: "Tell", event: alarm });
  }

  #inviteName(index: number): Sentence {
    return inviteName(index, this.#book.label(index));
  }

  #rejoin(asked: Asked, encoded: Bytes, m: Membership, now: number): RejoinIntent | null {
    const { keyPackage } = asked;
    if ([...this.#asked.values()].some((a) => same(a.keyPackage.encoded, keyPackage.encoded))) return null;
    const leaf = m.leafOf(keyPackage.leafNode.signatureKey);
    // Not a member, or it asked just now.
    if (leaf === null || now - (this.#rejoinedAt.get(leaf) ?? 0) < REJOIN_EVERY) return null;
    try {
      const ticket = RejoinTicket.decode(encoded);
      if (!same(ticket.groupId, m.group.groupId)) return null;
      if (ticket.by !== ANY_HOST && ticket.by !== m.ownLeaf) return null;
    } catch (error) {
      if (error instanceof SnugCryptoError) return null;
      throw error;
    }
    this.#rejoinedAt.set(leaf, now);
    this.#asked = new Map([...this.#asked].filter(([number, a]) => number > 0 || a.who !== asked.who));
    const knock = this.#rejoining--;
    this.#asked.set(knock, asked);
    return { type: "RejoinIntent", knock, keyPackage, ticket: encoded, name: m.name(leaf) };
  }

  /** Return the numbers of the knocks that wait for our answer, except those that another host has admitted. */
  waiting(m: Membership, now: number): number[] {
    return this.#knocks
      .waiting(now)
      .map(({ id }) => id)
      .filter((id) => !m.ledger.keys.has(this.#asked.get(id)?.who ?? ""));
  }

  #waits(number: number, now: number): boolean {
    return this.#knocks.waiting(now).some(({ id }) => id === number);
  }

  /** Accept a knock as the host, for the room to commit; CommandError if none waits under that number. */
  admit(number: number, now: number): AddIntent {
    const asked = this.#asked.get(number);
    if (asked === undefined || !this.#waits(number, now))
      throw new CommandError(sentence("cant.nobody_waits", { number }));
    this.#knocks.take(number, now);
    this.#admitted.add(number);
    const { index: invite, name } = asked.knock;
    return { type: "AddIntent", knock: number, keyPackage: asked.keyPackage, invite, name };
  }

  /** Refuse a knock as the host; CommandError if none waits under that number. */
  async refuse(number: number, reason: string, now: number): Promise<void> {
    if (!this.#waits(number, now)) throw new CommandError(sentence("cant.nobody_waits", { number }));
    this.#knocks.take(number, now);
    await this.fail(number, reason);
  }

  /** Inform both sides that a rule prevented an admission. */
  async notAdded(intent: AddIntent | RejoinIntent, why: Sentence, m: Membership): Promise<void> {
    const asked = this.#asked.get(intent.knock);
    let text = NOT_ADDED.join(sentences.plain(why));
    if (intent.type === "AddIntent" && asked !== undefined) {
      if (this.#opensNothing(asked, m)) text = IS_OVER;
      else if (m.policy.mode === Mode.LOCKED) text = IS_LOCKED;
    }
    await this.fail(intent.knock, text);
    if (intent.type === "RejoinIntent") {
      const key = hex(intent.keyPackage.leafNode.signatureKey);
      if (this.#notLetIn.has(key)) return;
      this.#notLetIn.add(key);
    }
    this.effects.push({ type: "Tell", event: sentences.alarm("not_admitted", { name: intent.name, why }) });
  }

  /** Refuse a knock, with the reason (cut to 280 bytes). */
  async fail(number: number, reason: string): Promise<void> {
    this.#admitted.delete(number);
    const asked = this.#asked.get(number);
    this.#asked.delete(number);
    if (asked === undefined) return;
    // A character that is cut in two at the end is left out.
    const short = new TextDecoder().decode(utf8(reason).subarray(0, lobby.REASON_MAX), { stream: true });
    await this.#reply(asked, { type: "Refusal", reason: short });
  }

  /**
   * Answer a knock whose commit has come back, with the Welcome and what belongs to it.
   *
   * Returns the identity (32 bytes) that the newcomer showed; null without one.
   */
  async answer(number: number, answer: lobby.Answer): Promise<Bytes | null> {
    this.#admitted.delete(number);
    const asked = this.#asked.get(number);
    this.#asked.delete(number);
    if (asked === undefined) return null;
    await this.#reply(asked, answer);
    return asked.knock.identity;
  }

  async #reply(asked: Asked, answer: lobby.Answer | lobby.Refusal): Promise<void> {
    let reply: lobby.Reply;
    try {
      reply = await lobby.reply(asked.knock, answer, this.#rng);
    } catch (error) {
      if (!(error instanceof SnugCryptoError)) throw error;
      reply = await lobby.reply(asked.knock, { type: "Refusal", reason: IS_FULL }, this.#rng);
    }
    this.#replied.set(asked.mark, reply);
    const [first] = this.#replied.keys();
    if (this.#replied.size > REPLIES_KEPT && first !== undefined) this.#replied.delete(first);
    await this.#connections.post(asked.day, reply);
  }

  /** Leave the lobby, and erase the cards. */
  close(): void {
    for (const secrets of this.#cards.values()) for (const secret of secrets) secret.erase();
    this.#cards.clear();
    this.#connections.close();
  }
}

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
}

export interface GuestLobbyFacts {
  readonly link: Invite;
  readonly name: string;
  readonly greeting: string;
  readonly makePackage: (now: number) => Promise<mls.KeyPackageBundle>;
  readonly psks: mls.Psks;
  readonly identity?: IdentityKey | null;
  readonly now: number;
  readonly rng?: Rng;
}

/** A newcomer, or a member that has to rejoin, in the lobby. */
export class GuestLobby {
  readonly effects: Effect[] = [];
  entry: Entry | null = null;
  refusal: Sentence | null = null;
  protected readonly connections: LobbyConnections;
  protected readonly psks: mls.Psks;
  protected readonly rng: Rng;
  protected sent: Sent[] = [];
  readonly #link: Invite;
  readonly #name: string;
  readonly #greeting: string;
  readonly #makePackage: (now: number) => Promise<mls.KeyPackageBundle>;
  readonly #identity: IdentityKey | null;
  #calledAt = 0;
  #told = "";

  static async open(facts: GuestLobbyFacts): Promise<GuestLobby> {
    const guest = new GuestLobby(facts);
    await guest.tick(facts.now);
    return guest;
  }

  /** Return a fresh KeyPackage, to knock with. */
  protected makePackage(now: number): Promise<mls.KeyPackageBundle> {
    return this.#makePackage(now);
  }

  /** The caller must call `tick` next. */
  protected constructor(facts: GuestLobbyFacts) {
    this.#link = facts.link;
    this.#name = facts.name;
    this.#greeting = facts.greeting;
    this.#makePackage = facts.makePackage;
    this.psks = facts.psks;
    this.#identity = facts.identity ?? null;
    this.rng = facts.rng ?? systemRng;
    this.connections = new LobbyConnections(facts.link.secret, facts.link.origin, this.effects, this.rng);
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
    await this.connections.stayIn(new Set([today]), now);
    if (!this.connections.entered.has(today) || this.entry !== null) return;
    const newest = this.sent.at(-1);
    if (newest !== undefined && newest.day === today && now - newest.postedAt >= KNOCK_EVERY) {
      newest.postedAt = now;
      await this.connections.post(today, newest.knock);
    }
    const impatient = newest === undefined || now - newest.at >= KNOCK_PATIENCE;
    if (impatient && now - this.#calledAt >= CALL_EVERY) {
      this.#calledAt = now;
      await this.connections.post(today, new lobby.CardRequest());
    }
  }

  /** Handle a lost connection to the lobby. */
  lost(day: number, why: Sentence, now: number): void {
    this.connections.lost(day, now);
    this.tell(sentences.status("away", { why }));
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
    if (newest !== undefined && (same(newest.nonce, card.nonce) || now - newest.at < KNOCK_PATIENCE)) return;
    try {
      await card.verify(this.#link.hostPublic, this.#link.origin, day, now);
    } catch (error) {
      // Anybody with the link can post a card, but only a host can sign it.
      if (error instanceof SnugCryptoError) return;
      throw error;
    }
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
        same(policy.hostPublic, this.#link.hostPublic) &&
        among(signer.signatureKey, policy.hosts);
    } catch (error) {
      if (!(error instanceof SnugCryptoError)) throw error;
      this.refusal = sentence("refusal.unusable", { why: sentences.inFull(error) });
      return;
    }
    if (!byHost) this.refusal = sentence("refusal.not_by_host");
    else if (this.fits(opened, group)) this.entry = { answer: opened, group };
  }

  /** Return whether the answer leads to the expected meeting. */
  fits(_answer: lobby.Answer, _group: mls.Group): boolean {
    return true;
  }

  /** Leave the lobby. */
  close(): void {
    this.connections.close();
  }
}
