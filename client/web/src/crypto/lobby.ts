/**
 * Card, knock and answer: how somebody with a link gets in (docs/protocol.md, section 4).
 *
 * Everything in a lobby is sealed under its veil, and every blob has one of a few sizes. Under the veil:
 *
 *     Call    a newcomer asks the hosts for a card
 *     Card    a host's short-lived X25519 key, signed by the key that stands in the link
 *     Knock   HPKE to that key: who I am, proven by the invite; nobody but a host can read it
 *     Reply   an Answer or a Refusal under the knock's HPKE export: nobody but who opened the knock can make it
 *
 * Whoever lacks the link sees none of it. Whoever has it sees that somebody knocks, and not who, by which
 * invite, or what the answer is, except by the blob's size.
 */

import { sentence } from "../words/sentence";
import { type Bytes, concat, hex, type Rng, systemRng, utf8 } from "./bytes";
import { AuthenticationError, MalformedError, StateError, UnsupportedError, ValidationError } from "./errors";
import { exactly, padded, prefixed, Reader, uint, unpadded } from "./fields";
import * as hpke from "./hpke";
import { checkShown, type IdentityKey, SHOWN_SIZE } from "./identity";
import { type Invite, originField } from "./invite";
import { H, mac, SEAL_OVERHEAD, type SigningKey, same, seal, unseal, verify } from "./kdf";
import { checkName, normalized } from "./names";
import { X25519Key } from "./primitives";

/** Every blob has one of these sizes (bytes); the largest is what a lobby carries. */
export const BUCKETS: readonly number[] = [512, 1024, 2048, 4096, 8192, 16384, 32768, 65536, 131072];
/** A knock is at least this large, so that its size doesn't tell the length of a name. */
export const KNOCK_BUCKET = 2048;
/** How long a card is good, and its secret kept, in seconds. */
export const CARD_LIFETIME = 600;
/** How far a newcomer's clock may be off, in seconds. */
export const CLOCK_SKEW = 300;
export const GREETING_MAX = 280;
export const REASON_MAX = 280;
/** Largest KeyPackage that a knock carries. */
export const KEY_PACKAGE_MAX = 8192;

const AAD = utf8("snug 1 posted");
const NOTHING = new Uint8Array(0);
const [CALL, CARD, KNOCK, REPLY, INSIDE] = [1, 2, 3, 4, 5];
const [ANSWER, REFUSAL] = [1, 2];
/** Overrides and isolates, with which a text can pretend to be another, and what isn't shown as text. */
const CONTROL = /[\u202a-\u202e\u2066-\u2069\p{Cc}\p{Cs}\p{Zl}\p{Zp}]/u;
/** In the place of an identity, where none is shown: no key of an identity begins like that. */
const NO_IDENTITY = new Uint8Array(SHOWN_SIZE);
const REPLY_ID = 8;
/** What the veil adds to a message: its seal, its kind, its length. */
const VEIL = SEAL_OVERHEAD + 4 + 1;
const KNOCK_OVERHEAD = VEIL + hpke.KEY_SIZE + hpke.TAG_SIZE;
const REPLY_OVERHEAD = VEIL + REPLY_ID + SEAL_OVERHEAD;

// -- under the veil ---------------------------------------------------------------------------

/** A newcomer asks: is a host there? Hosts answer with a card. */
export class Call {
  readonly type = "Call";
}

/** A host's key for knocks. As read it is unverified: `verify` it before use. */
export class Card {
  readonly type = "Card";
  /** 32 bytes. */
  readonly ephPublic: Bytes;
  /** 16 bytes. */
  readonly nonce: Bytes;
  /** Unix seconds. */
  readonly expiry: number;
  /** The UTC day of the lobby that it was posted in. */
  readonly day: number;
  /** 64 bytes. */
  readonly signature: Bytes;

  constructor(ephPublic: Bytes, nonce: Bytes, expiry: number, day: number, signature: Bytes) {
    this.ephPublic = ephPublic;
    this.nonce = nonce;
    this.expiry = expiry;
    this.day = day;
    this.signature = signature;
  }

  /** 124 bytes. */
  encode(): Bytes {
    return concat(this.ephPublic, this.nonce, uint(this.expiry, 8), uint(this.day, 4), this.signature);
  }

  /** H(Card), to which a knock is bound. */
  get hash(): Bytes {
    return H(this.encode());
  }

  /**
   * Check it against the link: `now` in Unix seconds, `day` that of the lobby it was found in.
   *
   * AuthenticationError when it is not by the link's host; ValidationError ("CARD-DAY", "CARD-EXPIRED",
   * "CARD-LIFETIME") when it is of another day, past, or claims to live longer than cards do.
   */
  async verify(hostPublic: Bytes, origin: string, day: number, now: number): Promise<void> {
    await verify(hostPublic, cardMessage(this, origin), this.signature);
    if (this.day !== day)
      throw new ValidationError("CARD-DAY", sentence("card.day", { day: this.day, today: day }));
    if (this.expiry + CLOCK_SKEW <= now) throw new ValidationError("CARD-EXPIRED", sentence("card.expired"));
    if (this.expiry > now + CARD_LIFETIME + CLOCK_SKEW)
      throw new ValidationError("CARD-LIFETIME", sentence("card.lifetime"));
  }
}

function cardMessage(card: Card, origin: string): Bytes {
  return concat(
    utf8("snug 1 card"),
    originField(origin),
    uint(card.day, 4),
    card.ephPublic,
    card.nonce,
    uint(card.expiry, 8),
  );
}

/** Sealed to a card: only hosts can read it. */
export class Knock {
  readonly type = "Knock";
  readonly enc: Bytes;
  readonly ciphertext: Bytes;

  constructor(enc: Bytes, ciphertext: Bytes) {
    this.enc = enc;
    this.ciphertext = ciphertext;
  }
}

/** An answer or a refusal, sealed; `id` lets the newcomer recognise it, and tells others nothing. */
export class Reply {
  readonly type = "Reply";
  readonly id: Bytes;
  readonly sealed: Bytes;

  constructor(id: Bytes, sealed: Bytes) {
    this.id = id;
    this.sealed = sealed;
  }
}

/** Said between members and a host that comes back (`crypto/returning`); sealed once more. */
export class Inside {
  readonly type = "Inside";
  readonly sealed: Bytes;

  constructor(sealed: Bytes) {
    this.sealed = sealed;
  }
}

export type LobbyMessage = Call | Card | Knock | Reply | Inside;

/**
 * The blob to post: sealed under the lobby's veil (32 bytes), of the smallest fitting size of `BUCKETS`.
 *
 * MalformedError when the message is too large for a lobby.
 */
export async function post(veil: Bytes, message: LobbyMessage, rng: Rng = systemRng): Promise<Bytes> {
  const inner = encode(message);
  return seal(veil, padded(inner, bucket(inner.length + SEAL_OVERHEAD + 4) - SEAL_OVERHEAD), AAD, rng);
}

/**
 * What somebody posted. Nothing in it is verified but that its author has the link.
 *
 * MalformedError when the blob has no right size or is no message, UnsupportedError when of an unknown kind,
 * AuthenticationError when not under this veil.
 */
export async function read(veil: Bytes, blob: Bytes): Promise<LobbyMessage> {
  if (!BUCKETS.includes(blob.length))
    throw new MalformedError(`a lobby's blob doesn't have ${blob.length} bytes`);
  const reader = new Reader(unpadded(await unseal(veil, blob, AAD)));
  const kind = reader.uint(1);
  let message: LobbyMessage;
  if (kind === CALL) message = new Call();
  else if (kind === CARD)
    message = new Card(reader.take(32), reader.take(16), reader.uint(8), reader.uint(4), reader.take(64));
  else if (kind === KNOCK) message = new Knock(reader.take(hpke.KEY_SIZE), reader.rest());
  else if (kind === REPLY) message = new Reply(reader.take(REPLY_ID), reader.rest());
  else if (kind === INSIDE) message = new Inside(reader.rest());
  else throw new UnsupportedError(`a lobby message of the unknown kind ${kind}`);
  reader.end();
  return message;
}

function encode(message: LobbyMessage): Bytes {
  switch (message.type) {
    case "Call":
      return Uint8Array.of(CALL);
    case "Card":
      return concat(Uint8Array.of(CARD), message.encode());
    case "Knock":
      return concat(Uint8Array.of(KNOCK), message.enc, message.ciphertext);
    case "Reply":
      return concat(Uint8Array.of(REPLY), message.id, message.sealed);
    case "Inside":
      return concat(Uint8Array.of(INSIDE), message.sealed);
  }
}

function bucket(size: number, least = 0): number {
  const found = BUCKETS.find((each) => each >= size && each >= least);
  if (found === undefined)
    throw new MalformedError(`${size} bytes are too many for a lobby (at most ${BUCKETS.at(-1)})`);
  return found;
}

// -- cards ------------------------------------------------------------------------------------

/**
 * A card and its private half, which is erased after ten minutes.
 *
 * A device seized later can't name who knocked.
 */
export class CardSecret {
  #private: X25519Key | null;
  readonly card: Card;

  constructor(card: Card, privateHalf: X25519Key) {
    this.card = card;
    this.#private = privateHalf;
  }

  /** The key pair; StateError once erased. */
  get private(): X25519Key {
    if (this.#private === null) throw new StateError("this card's secret has been erased");
    return this.#private;
  }

  /** Whether its time (Unix seconds) is over: then `erase` it. */
  expired(now: number): boolean {
    return now >= this.card.expiry;
  }

  /** Forget the private half. Knocks sealed to it can't be opened by anybody any more. */
  erase(): void {
    this.#private = null;
  }
}

/** A new card, good for ten minutes from `now` (Unix seconds). */
export async function makeCard(
  hostKey: SigningKey,
  origin: string,
  day: number,
  now: number,
  rng: Rng = systemRng,
): Promise<CardSecret> {
  const pair = await X25519Key.generate(rng);
  const [nonce, expiry] = [rng(16), Math.trunc(now) + CARD_LIFETIME];
  const message = cardMessage(new Card(pair.public, nonce, expiry, day, NOTHING), origin);
  return new CardSecret(new Card(pair.public, nonce, expiry, day, await hostKey.sign(message)), pair);
}

/**
 * The text itself, if people may send it: NFC, at most `most` bytes of UTF-8, no control characters.
 *
 * MalformedError if not.
 */
export function checkText(text: string, most: number): string {
  if (utf8(text).length > most) throw new MalformedError(`a text of at most ${most} bytes is allowed here`);
  if (normalized(text, "NFC") !== text) throw new MalformedError("the text is not in NFC");
  if (CONTROL.test(text)) throw new MalformedError("the text has a control character in it");
  return text;
}

// -- knocks -----------------------------------------------------------------------------------

/** A knock that a host has opened, its invite proven. The KeyPackage is still unverified. */
export interface OpenedKnock {
  readonly index: number;
  readonly keyPackage: Bytes;
  readonly name: string;
  readonly greeting: string;
  /** Unix seconds at which its card expires. */
  readonly expiry: number;
  readonly exporter: hpke.Exporter;
  /** The identity (32 bytes, X25519) that it shows and holds, if it shows one. */
  readonly identity: Bytes | null;
}

/** What the newcomer keeps of a knock, to open the reply. */
export class PendingKnock {
  readonly #exporter: hpke.Exporter;

  constructor(exporter: hpke.Exporter) {
    this.#exporter = exporter;
  }

  /** Whether the reply is to this knock. */
  owns(reply: Reply): boolean {
    return same(reply.id, replyId(this.#exporter));
  }

  /**
   * The host's word.
   *
   * AuthenticationError when it is not to this knock or not by who opened it, MalformedError when it is
   * no answer.
   */
  async open(reply: Reply): Promise<Answer | Refusal> {
    if (!this.owns(reply)) throw new AuthenticationError("a reply to another knock");
    return readAnswer(unpadded(await unseal(replyKey(this.#exporter), reply.sealed, reply.id)));
  }
}

/**
 * Knock with a *verified* card. `name` as `checkName` allows it, `greeting` at most 280 bytes.
 *
 * `identity` is shown to the hosts, who can prove it to nobody; the knock's size is the same without.
 * ValidationError("SNUG-11") on the name, MalformedError on the rest.
 */
export async function knock(
  invite: Invite,
  card: Card,
  keyPackage: Bytes,
  name: string,
  greeting: string,
  { identity = null, rng = systemRng }: { readonly identity?: IdentityKey | null; readonly rng?: Rng } = {},
): Promise<{ readonly knock: Knock; readonly pending: PendingKnock }> {
  checkName(name);
  checkText(greeting, GREETING_MAX);
  checkKeyPackage(keyPackage);
  const cardHash = card.hash;
  const sender = await hpke.Sender.setup(card.ephPublic, knockInfo(cardHash), rng);
  const shown = identity ? await identity.show(card.ephPublic, cardHash, sender.enc, keyPackage) : NO_IDENTITY;
  const rest = concat(
    uint(invite.index, 2),
    prefixed(keyPackage, 2),
    prefixed(utf8(name), 1),
    prefixed(utf8(greeting), 2),
    shown,
  );
  const inner = concat(use(invite.token, cardHash, sender.enc, rest), rest);
  const room = bucket(inner.length + 4 + KNOCK_OVERHEAD, KNOCK_BUCKET) - KNOCK_OVERHEAD;
  const ciphertext = await sender.seal(NOTHING, padded(inner, room));
  return { knock: new Knock(sender.enc, ciphertext), pending: new PendingKnock(sender.exporter) };
}

/**
 * Open a knock; `tokenOf` gives an invite's token (`HostSeed.inviteToken`).
 *
 * StateError once the card is erased; AuthenticationError when it isn't sealed to this card, or not made by
 * a holder of the invite that it names and the identity that it shows: then there is nothing to show.
 * MalformedError and ValidationError("SNUG-11") when what it says is not allowed.
 */
export async function openKnock(
  secret: CardSecret,
  knock: Knock,
  tokenOf: (index: number) => Bytes,
): Promise<OpenedKnock> {
  const [cardHash, pair] = [secret.card.hash, secret.private];
  const opened = await hpke.open(pair, knock.enc, knockInfo(cardHash), NOTHING, knock.ciphertext);
  const inner = new Reader(unpadded(opened.plaintext));
  const [proof, rest] = [inner.take(32), inner.rest()];
  const reader = new Reader(rest);
  const index = reader.uint(2);
  if (!same(proof, use(tokenOf(index), cardHash, knock.enc, rest)))
    throw new AuthenticationError(`a knock that names invite ${index} and wasn't made with it`);
  const [keyPackage, name, greeting] = [reader.prefixed(2), reader.text(1), reader.text(2)];
  const shown = reader.take(SHOWN_SIZE);
  reader.end();
  checkKeyPackage(keyPackage);
  checkName(name);
  checkText(greeting, GREETING_MAX);
  const identity = same(shown, NO_IDENTITY)
    ? null
    : await checkShown(shown, pair, cardHash, knock.enc, keyPackage);
  const { expiry } = secret.card;
  return { index, keyPackage, name, greeting, expiry, exporter: opened.exporter, identity };
}

function checkKeyPackage(keyPackage: Bytes): void {
  if (!(keyPackage.length > 0 && keyPackage.length <= KEY_PACKAGE_MAX))
    throw new MalformedError(`a KeyPackage has 1 to ${KEY_PACKAGE_MAX} bytes, not ${keyPackage.length}`);
}

const knockInfo = (cardHash: Bytes): Bytes => concat(utf8("snug 1 knock"), cardHash);

const use = (token: Bytes, cardHash: Bytes, enc: Bytes, rest: Bytes): Bytes =>
  mac(token, utf8("snug 1 use"), cardHash, enc, H(rest));

// -- replies ----------------------------------------------------------------------------------

/** Come in: all that a newcomer needs and only members know. */
export interface Answer {
  readonly type: "Answer";
  readonly welcome: Bytes;
  readonly doorSeed: Bytes;
  readonly stewardPublic: Bytes;
  /** XOR X("handed") of the epoch that the Welcome leads to: no use to who reads the answer and not that. */
  readonly beatKey: Bytes;
  readonly slot: number;
  readonly chain: Bytes;
  /** Opaque here: used invites, signature keys ever seen, recent rejoins. */
  readonly ledger: Bytes;
  /** The host's signature that it let this key in (`crypto/report`, 64 bytes); empty unless reports are on. */
  readonly admission: Bytes;
}

/** Not now; `reason` (at most 280 bytes, may be empty) is the host's word to the newcomer. */
export interface Refusal {
  readonly type: "Refusal";
  readonly reason: string;
}

/** Seal an answer or a refusal to who knocked. MalformedError when a part has a wrong size. */
export async function reply(
  opened: OpenedKnock,
  answer: Answer | Refusal,
  rng: Rng = systemRng,
): Promise<Reply> {
  const body = encodeAnswer(answer);
  const size = bucket(body.length + 4 + REPLY_OVERHEAD) - REPLY_OVERHEAD;
  const id = replyId(opened.exporter);
  return new Reply(id, await seal(replyKey(opened.exporter), padded(body, size), id, rng));
}

/** What is sealed in a reply. MalformedError when a part has a wrong size. */
export function encodeAnswer(answer: Answer | Refusal): Bytes {
  if (answer.type === "Answer")
    return concat(
      Uint8Array.of(ANSWER),
      prefixed(answer.welcome, 4),
      exactly(answer.doorSeed, 32, "a door seed"),
      exactly(answer.stewardPublic, 32, "a steward's public key"),
      exactly(answer.beatKey, 32, "a beat key"),
      uint(answer.slot, 8),
      exactly(answer.chain, 32, "a chain value"),
      prefixed(answer.ledger, 4),
      prefixed(checkAdmission(answer.admission), 1),
    );
  checkText(answer.reason, REASON_MAX);
  return concat(Uint8Array.of(REFUSAL), prefixed(utf8(answer.reason), 2));
}

const checkAdmission = (admission: Bytes): Bytes =>
  admission.length === 0 ? admission : exactly(admission, 64, "an admission");

/** What `encodeAnswer` made. MalformedError or UnsupportedError if it is none. */
export function readAnswer(body: Bytes): Answer | Refusal {
  const reader = new Reader(body);
  const kind = reader.uint(1);
  let answer: Answer | Refusal;
  if (kind === ANSWER)
    answer = {
      type: "Answer",
      welcome: reader.prefixed(4),
      doorSeed: reader.take(32),
      stewardPublic: reader.take(32),
      beatKey: reader.take(32),
      slot: reader.uint(8),
      chain: reader.take(32),
      ledger: reader.prefixed(4),
      admission: checkAdmission(reader.prefixed(1)),
    };
  else if (kind === REFUSAL) answer = { type: "Refusal", reason: checkText(reader.text(2), REASON_MAX) };
  else throw new UnsupportedError(`a reply of the unknown kind ${kind}`);
  reader.end();
  return answer;
}

const replyKey = (exporter: hpke.Exporter): Bytes => exporter.export(utf8("snug 1 answer"), 32);

const replyId = (exporter: hpke.Exporter): Bytes => exporter.export(utf8("snug 1 answer id"), REPLY_ID);

// -- a host's book of knocks --------------------------------------------------------------------

/** Knocks waiting for the host's word, all invites together. */
export const PENDING_MAX = 64;
/** How long the host may think, in seconds. Afterwards the newcomer knocks again. */
export const PENDING_LIFETIME = 600;
/** KeyPackages remembered. Older than that, their cards have expired long since. */
export const SEEN_MAX = 4096;

export type Reason = "unknown" | "revoked" | "used" | "expired" | "seen" | "pending" | "full";

/** To be shown to the host, under this id. */
export interface Accepted {
  readonly type: "Accepted";
  readonly id: number;
}

/** Not to be shown, and why. */
export interface Ignored {
  readonly type: "Ignored";
  readonly reason: Reason;
}

/** A knock that waits for the host's word since `since`. */
export interface Waiting {
  readonly id: number;
  readonly knock: OpenedKnock;
  readonly since: number;
}

/**
 * What a host knows of invites and knocks. Pure: `now` (Unix seconds) comes in.
 *
 * `each` is how many knocks may wait at once on one open invite (a single-use one has one); the protocol's
 * default is one.
 */
export class Knocks {
  readonly #each: number;
  readonly #single = new Map<number, boolean>();
  readonly #revoked = new Set<number>();
  readonly #used = new Set<number>();
  readonly #seen = new Set<string>();
  #waiting = new Map<number, Waiting>();
  #next = 1;

  constructor(each = 1) {
    this.#each = each;
  }

  /** An invite now exists. StateError if it does already. */
  issue(index: number, single: boolean): void {
    if (this.#single.has(index)) throw new StateError(`invite ${index} has been issued before`);
    this.#single.set(index, single);
  }

  /** The invite opens nothing from now on, and who waits on it waits no more. */
  revoke(index: number): void {
    this.#revoked.add(index);
    this.#keep((waiting) => waiting.knock.index !== index);
  }

  /** Invites with which somebody has come in, by whichever host; a single-use one is then over. */
  use(indices: Iterable<number>): void {
    for (const index of indices) {
      this.#used.add(index);
      if (this.#single.get(index)) this.#keep((waiting) => waiting.knock.index !== index);
    }
  }

  /** Whether the host is to be asked. An ignored knock changes nothing. */
  consider(opened: OpenedKnock, now: number): Accepted | Ignored {
    this.#expire(now);
    const mark = hex(H(opened.keyPackage));
    const reason = this.#objection(opened, mark, now);
    if (reason !== null) return { type: "Ignored", reason };
    const id = this.#next++;
    this.#waiting.set(id, { id, knock: opened, since: now });
    this.#seen.add(mark);
    const [oldest] = this.#seen;
    if (this.#seen.size > SEEN_MAX && oldest !== undefined) this.#seen.delete(oldest);
    return { type: "Accepted", id };
  }

  #objection(opened: OpenedKnock, mark: string, now: number): Reason | null {
    const { index } = opened;
    const single = this.#single.get(index);
    if (single === undefined) return "unknown";
    if (this.#revoked.has(index)) return "revoked";
    if (single && this.#used.has(index)) return "used";
    if (now >= opened.expiry) return "expired";
    if (this.#seen.has(mark)) return "seen";
    const waiting = [...this.#waiting.values()].filter(({ knock }) => knock.index === index).length;
    if (waiting >= (single ? 1 : this.#each)) return "pending";
    return this.#waiting.size >= PENDING_MAX ? "full" : null;
  }

  /** Who waits, longest first. */
  waiting(now: number): Waiting[] {
    this.#expire(now);
    return [...this.#waiting.values()];
  }

  /**
   * The host has decided about knock `id`, which waits no more.
   *
   * StateError when it doesn't wait (any more). Once its Add has been committed, tell `use`.
   */
  take(id: number, now: number): OpenedKnock {
    this.#expire(now);
    const waiting = this.#waiting.get(id);
    if (waiting === undefined) throw new StateError(`nobody waits under the number ${id}`);
    this.#waiting.delete(id);
    return waiting.knock;
  }

  #expire(now: number): void {
    this.#keep(({ since }) => now < since + PENDING_LIFETIME);
  }

  #keep(stays: (waiting: Waiting) => boolean): void {
    this.#waiting = new Map([...this.#waiting].filter(([, waiting]) => stays(waiting)));
  }
}
