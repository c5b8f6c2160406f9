/**
 * Card, knock and answer: how a newcomer with a link joins (docs/reference/protocol.md, section 4).
 *
 * Every lobby message is sealed under the lobby's envelope key, and every blob has one of a few sizes:
 *
 *     CardRequest  a newcomer asks the hosts for a card
 *     Card         a host's short-lived X25519 key, signed by the key that is in the link
 *     Knock        HPKE to that key: the newcomer's data, with a proof of the invite; only a host can read it
 *     Reply        the contents of `answers`, under the knock's HPKE export: its author has opened the knock
 *     Piece        a part of what a large room's answer lists (`pieces`)
 *
 * Without the link, none of this is readable. A link holder sees that somebody knocks. The link holder does
 * not see the name, the invite, or the answer, except as far as the blob's size reveals it.
 */

import { sentence } from "../../words/sentence";
import { type Bytes, concat, type Rng, systemRng, utf8 } from "../bytes";
import { AuthenticationError, MalformedError, UnsupportedError, ValidationError } from "../errors";
import { padded, prefixed, Reader, uint, unpadded } from "../fields";
import * as hpke from "../hpke";
import { type IdentityKey, KNOCK_PROOF_SIZE } from "../proof/identity";
import { readAnswer, type ReplyBody } from "./answers";
import { GENERATIONS_MAX, type Invite, originField } from "./invite";
import { H, mac, SEAL_OVERHEAD, same, seal, unseal, verify } from "../kdf";
import { checkName, checkText } from "../agreed/names";

/** Allowed blob sizes (bytes); the largest is the maximum of a lobby. */
export const BUCKETS: readonly number[] = [512, 1024, 2048, 4096, 8192, 16384, 32768, 65536, 131072];
/** Minimum size of a knock, so that the size does not reveal the length of a name. */
export const KNOCK_BUCKET = 2048;
/** Lifetime of a card and of its secret, in seconds. */
export const CARD_LIFETIME = 600;
/** Tolerated error of a newcomer's clock, in seconds. */
export const CLOCK_SKEW = 300;
export const GREETING_MAX = 280;
/** Maximum size of a KeyPackage in a knock. */
export const KEY_PACKAGE_MAX = 8192;

const AAD = utf8("snug 1 posted");
export const NOTHING = new Uint8Array(0);
const [CARD_REQUEST, CARD, KNOCK, REPLY, RECOVERY, CLOCK_REPORT, PIECE] = [1, 2, 3, 4, 5, 6, 7];
/** Placeholder for an absent identity; no identity key starts with these bytes. */
export const NO_IDENTITY = new Uint8Array(KNOCK_PROOF_SIZE);
const REPLY_ID = 8;
/** Bytes that the envelope adds to a message: seal, length, kind. */
export const ENVELOPE_OVERHEAD = SEAL_OVERHEAD + 4 + 1;
const KNOCK_OVERHEAD = ENVELOPE_OVERHEAD + hpke.KEY_SIZE + hpke.TAG_SIZE;
export const REPLY_OVERHEAD = ENVELOPE_OVERHEAD + REPLY_ID + SEAL_OVERHEAD;

// -- in the envelope ---------------------------------------------------------------------------

/** A newcomer's request for a card. Hosts answer with a card. */
export class CardRequest {
  readonly type = "CardRequest";
}

/**
 * A host's key for knocks. Decoding does not verify it: call `verify` before use.
 *
 * Each generation of host keys has signed it, because a newcomer knows only the key of its link's generation.
 */
export class Card {
  readonly type = "Card";

  /**
   * Sizes: `ephPublic` 32, `nonce` 16, each of the 1 to 16 `signatures` 64. `expiry`: Unix seconds. `day`: the
   * UTC day of the card's lobby.
   */
  constructor(
    readonly ephPublic: Bytes,
    readonly nonce: Bytes,
    readonly expiry: number,
    readonly day: number,
    readonly signatures: readonly Bytes[],
  ) {}

  /** Encode the card: 61 bytes, and 64 for each signature. */
  encode(): Bytes {
    const fixed = concat(this.ephPublic, this.nonce, uint(this.expiry, 8), uint(this.day, 4));
    return concat(fixed, uint(this.signatures.length, 1), ...this.signatures);
  }

  /** H(Card); every knock is bound to it. */
  get hash(): Bytes {
    return H(this.encode());
  }

  /**
   * Verify the card against the link: `now` in Unix seconds, `day` is its lobby's day.
   *
   * AuthenticationError if the link's host did not sign it; ValidationError ("CARD-DAY", "CARD-EXPIRED",
   * "CARD-LIFETIME") if it is of another day, has expired, or claims a longer lifetime than cards have.
   */
  async verify(hostPublic: Bytes, origin: string, day: number, now: number): Promise<void> {
    const message = cardMessage(this, origin);
    const signed = await Promise.all(this.signatures.map((signature) => isSigned(hostPublic, message, signature)));
    if (!signed.includes(true)) throw new AuthenticationError("the card is not signed by the host key in the link");
    if (this.day !== day)
      throw new ValidationError("CARD-DAY", sentence("card.day", { day: this.day, today: day }));
    if (this.expiry + CLOCK_SKEW <= now) throw new ValidationError("CARD-EXPIRED", sentence("card.expired"));
    if (this.expiry > now + CARD_LIFETIME + CLOCK_SKEW)
      throw new ValidationError("CARD-LIFETIME", sentence("card.lifetime"));
  }
}

async function isSigned(hostPublic: Bytes, message: Bytes, signature: Bytes): Promise<boolean> {
  try {
    await verify(hostPublic, message, signature);
    return true;
  } catch (error) {
    if (error instanceof AuthenticationError) return false;
    throw error;
  }
}

export function cardMessage(card: Card, origin: string): Bytes {
  return concat(
    utf8("snug 1 card"),
    originField(origin),
    uint(card.day, 4),
    card.ephPublic,
    card.nonce,
    uint(card.expiry, 8),
  );
}

/** A knock, sealed to a card: only hosts can read it. */
export class Knock {
  readonly type = "Knock";

  constructor(readonly enc: Bytes, readonly ciphertext: Bytes) {}
}

/** A sealed answer or refusal; the newcomer recognises it by `id`, which means nothing to others. */
export class Reply {
  readonly type = "Reply";

  constructor(readonly id: Bytes, readonly sealed: Bytes) {}
}

/** A message between members and a returning host (`crypto/entry/recovery`), sealed a second time. */
export class RecoveryMessage {
  readonly type = "RecoveryMessage";

  constructor(readonly sealed: Bytes) {}
}

/** A newcomer has refused a card, named by `Card.hash`, for its time: `at` is its clock, in Unix seconds. */
export class ClockReport {
  readonly type = "ClockReport";

  constructor(readonly card: Bytes, readonly at: number) {}
}

/** A part of a room's tree and ledger, sealed under a key in the answer that lists its hash (`pieces`). */
export class Piece {
  readonly type = "Piece";

  constructor(readonly sealed: Bytes) {}
}

export type LobbyMessage = CardRequest | Card | Knock | Reply | RecoveryMessage | ClockReport | Piece;

/**
 * Seal a message under the envelope key (32 bytes) in a blob of the smallest fitting size in `BUCKETS`.
 *
 * MalformedError if the message is too large for a lobby.
 */
export async function post(envelopeKey: Bytes, message: LobbyMessage, rng: Rng = systemRng): Promise<Bytes> {
  const inner = encode(message);
  return seal(envelopeKey, padded(inner, bucket(inner.length + SEAL_OVERHEAD + 4) - SEAL_OVERHEAD), AAD, rng);
}

/**
 * Open a lobby blob. The only verified fact about its author is possession of the link.
 *
 * MalformedError if the size is wrong or the contents are not a message, UnsupportedError on an unknown kind,
 * AuthenticationError if it is not sealed under this envelope key.
 */
export async function read(envelopeKey: Bytes, blob: Bytes): Promise<LobbyMessage> {
  if (!BUCKETS.includes(blob.length))
    throw new MalformedError(`a lobby's blob doesn't have ${blob.length} bytes`);
  const reader = new Reader(unpadded(await unseal(envelopeKey, blob, AAD)));
  const kind = reader.uint(1);
  let message: LobbyMessage;
  if (kind === CARD_REQUEST) message = new CardRequest();
  else if (kind === CARD) message = readCard(reader);
  else if (kind === KNOCK) message = new Knock(reader.take(hpke.KEY_SIZE), reader.rest());
  else if (kind === REPLY) message = new Reply(reader.take(REPLY_ID), reader.rest());
  else if (kind === RECOVERY) message = new RecoveryMessage(reader.rest());
  else if (kind === CLOCK_REPORT) message = new ClockReport(reader.take(32), reader.uint(8));
  else if (kind === PIECE) message = new Piece(reader.rest());
  else throw new UnsupportedError(`a lobby message of the unknown kind ${kind}`);
  reader.end();
  return message;
}

function readCard(reader: Reader): Card {
  const [ephPublic, nonce, expiry, day] = [reader.take(32), reader.take(16), reader.uint(8), reader.uint(4)];
  const count = reader.uint(1);
  if (count === 0 || count > GENERATIONS_MAX)
    throw new MalformedError(`a card has 1 to ${GENERATIONS_MAX} signatures, not ${count}`);
  return new Card(ephPublic, nonce, expiry, day, Array.from({ length: count }, () => reader.take(64)));
}

function encode(message: LobbyMessage): Bytes {
  switch (message.type) {
    case "CardRequest":
      return Uint8Array.of(CARD_REQUEST);
    case "Card":
      return concat(Uint8Array.of(CARD), message.encode());
    case "Knock":
      return concat(Uint8Array.of(KNOCK), message.enc, message.ciphertext);
    case "Reply":
      return concat(Uint8Array.of(REPLY), message.id, message.sealed);
    case "RecoveryMessage":
      return concat(Uint8Array.of(RECOVERY), message.sealed);
    case "ClockReport":
      return concat(Uint8Array.of(CLOCK_REPORT), message.card, uint(message.at, 8));
    case "Piece":
      return concat(Uint8Array.of(PIECE), message.sealed);
  }
}

export function bucket(size: number, least = 0): number {
  const found = BUCKETS.find((each) => each >= size && each >= least);
  if (found === undefined)
    throw new MalformedError(`${size} bytes are too many for a lobby (at most ${BUCKETS.at(-1)})`);
  return found;
}

// -- cards ------------------------------------------------------------------------------------

// -- knocks -----------------------------------------------------------------------------------

/** State that the newcomer keeps to open the reply to its knock. */
export class PendingKnock {
  readonly #exporter: hpke.Exporter;

  constructor(exporter: hpke.Exporter) {
    this.#exporter = exporter;
  }

  /** Return whether the reply belongs to this knock. */
  owns(reply: Reply): boolean {
    return same(reply.id, replyId(this.#exporter));
  }

  /**
   * Open the host's reply.
   *
   * AuthenticationError if it belongs to another knock or was not made by a host that opened this one;
   * MalformedError if it does not contain an answer.
   */
  async open(reply: Reply): Promise<ReplyBody> {
    if (!this.owns(reply)) throw new AuthenticationError("the reply is to another knock");
    return readAnswer(unpadded(await unseal(replyKey(this.#exporter), reply.sealed, reply.id)));
  }
}

/**
 * Create a knock for a *verified* card; `name` must pass `checkName`, `greeting` has at most 280 bytes.
 *
 * `identity` is shown to the hosts, deniably; the size of the knock is the same without it.
 * ValidationError("SNUG-11") on the name, MalformedError on the other arguments.
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
  const knockProof = identity ? await identity.knockProof(card.ephPublic, cardHash, sender.enc, keyPackage) : NO_IDENTITY;
  const rest = concat(
    uint(invite.index, 2),
    prefixed(keyPackage, 2),
    prefixed(utf8(name), 1),
    prefixed(utf8(greeting), 2),
    knockProof,
  );
  const inner = concat(use(invite.token, cardHash, sender.enc, rest), rest);
  const room = bucket(inner.length + 4 + KNOCK_OVERHEAD, KNOCK_BUCKET) - KNOCK_OVERHEAD;
  const ciphertext = await sender.seal(NOTHING, padded(inner, room));
  return { knock: new Knock(sender.enc, ciphertext), pending: new PendingKnock(sender.exporter) };
}

export function checkKeyPackage(keyPackage: Bytes): void {
  if (!(keyPackage.length > 0 && keyPackage.length <= KEY_PACKAGE_MAX))
    throw new MalformedError(`a KeyPackage has 1 to ${KEY_PACKAGE_MAX} bytes, not ${keyPackage.length}`);
}

export const knockInfo = (cardHash: Bytes): Bytes => concat(utf8("snug 1 knock"), cardHash);

export const use = (token: Bytes, cardHash: Bytes, enc: Bytes, rest: Bytes): Bytes =>
  mac(token, utf8("snug 1 use"), cardHash, enc, H(rest));

// -- replies ----------------------------------------------------------------------------------

export const replyKey = (exporter: hpke.Exporter): Bytes => exporter.export(utf8("snug 1 answer"), 32);

export const replyId = (exporter: hpke.Exporter): Bytes => exporter.export(utf8("snug 1 answer id"), REPLY_ID);
