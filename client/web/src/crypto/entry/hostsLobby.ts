/** The host's side of the lobby: cards with their private halves, knocks that it opens, and replies. */
import { checkName, checkText } from "../agreed/names";
import { type Bytes, concat, type Rng, systemRng, utf8 } from "../bytes";
import { AuthenticationError, StateError } from "../errors";
import { exactly, padded, prefixed, Reader, uint, unpadded } from "../fields";
import * as hpke from "../hpke";
import { seal, same } from "../kdf";
import { X25519Key } from "../primitives";
import { KNOCK_PROOF_SIZE, verifyKnockProof } from "../proof/identity";
import { ALREADY_MEMBER, ANSWER, checkAdmission, REASON_MAX, RECEIVED, REFUSAL, type ReplyBody } from "./answers";
import type { HostKeys } from "./invite";
import {
  bucket, Card, CARD_LIFETIME, cardMessage, checkKeyPackage, GREETING_MAX, type Knock, knockInfo, NO_IDENTITY, NOTHING,
  Reply, REPLY_OVERHEAD, replyId, replyKey, use,
} from "./lobby";

/**
 * A card with its private half, to be erased after ten minutes.
 *
 * A device seized later then cannot reveal the names in the knocks.
 */
export class CardSecret {
  #private: X25519Key | null;

  constructor(readonly card: Card, privateHalf: X25519Key) {
    this.#private = privateHalf;
  }

  /** The key pair; StateError once erased. */
  get private(): X25519Key {
    if (this.#private === null) throw new StateError("this card's secret has been erased");
    return this.#private;
  }

  /** Return whether the card has expired at `now` (Unix seconds); if so, call `erase`. */
  expired(now: number): boolean {
    return now >= this.card.expiry;
  }

  /** Delete the private half. Knocks sealed to this card then cannot be opened by anyone. */
  erase(): void {
    this.#private = null;
  }
}

/** Create a card for the links of all generations, valid for ten minutes from `now` (Unix seconds). */
export async function makeCard(
  keys: HostKeys,
  origin: string,
  day: number,
  now: number,
  rng: Rng = systemRng,
): Promise<CardSecret> {
  const pair = await X25519Key.generate(rng);
  const [nonce, expiry] = [rng(16), Math.trunc(now) + CARD_LIFETIME];
  const message = cardMessage(new Card(pair.public, nonce, expiry, day, []), origin);
  const signatures = await Promise.all(keys.seeds.map(({ hostKey }) => hostKey.sign(message)));
  return new CardSecret(new Card(pair.public, nonce, expiry, day, signatures), pair);
}

/** A knock after decryption, with a proven invite. The KeyPackage is still unverified. */
export interface OpenedKnock {
  readonly index: number;
  /** The host key (32 bytes) of the generation in which the invite was made. */
  readonly hostPublic: Bytes;
  readonly keyPackage: Bytes;
  readonly name: string;
  readonly greeting: string;
  /** Unix seconds at which the knock's card expires. */
  readonly expiry: number;
  readonly exporter: hpke.Exporter;
  /** The identity (32 bytes, X25519) that the newcomer shows and has proven to hold; null if absent. */
  readonly identity: Bytes | null;
}

/**
 * Open a knock; `tokens` returns the tokens of an invite by generation (`HostKeys.tokens`).
 *
 * StateError once the card is erased. AuthenticationError if the knock is not sealed to this card, or if its
 * author does not hold the named invite and the shown identity: such a knock is not shown to the host.
 * MalformedError and ValidationError("SNUG-11") if its contents are not allowed.
 */
export async function openKnock(
  secret: CardSecret,
  knock: Knock,
  tokens: (index: number) => readonly (readonly [Bytes, Bytes])[],
): Promise<OpenedKnock> {
  const [cardHash, pair] = [secret.card.hash, secret.private];
  const opened = await hpke.open(pair, knock.enc, knockInfo(cardHash), NOTHING, knock.ciphertext);
  const inner = new Reader(unpadded(opened.plaintext));
  const [proof, rest] = [inner.take(32), inner.rest()];
  const reader = new Reader(rest);
  const index = reader.uint(2);
  const made = tokens(index).find(([, token]) => same(proof, use(token, cardHash, knock.enc, rest)));
  if (made === undefined)
    throw new AuthenticationError(`a knock that names invite ${index} and wasn't made with it`);
  const [keyPackage, name, greeting] = [reader.prefixed(2), reader.text(1), reader.text(2)];
  const knockProof = reader.take(KNOCK_PROOF_SIZE);
  reader.end();
  checkKeyPackage(keyPackage);
  checkName(name);
  checkText(greeting, GREETING_MAX);
  const identity = same(knockProof, NO_IDENTITY)
    ? null
    : await verifyKnockProof(knockProof, pair, cardHash, knock.enc, keyPackage);
  const { expiry } = secret.card;
  return { index, hostPublic: made[0], keyPackage, name, greeting, expiry, exporter: opened.exporter, identity };
}

/** Seal a reply to the newcomer. MalformedError if a part has a wrong size. */
export async function reply(
  opened: OpenedKnock,
  answer: ReplyBody,
  rng: Rng = systemRng,
): Promise<Reply> {
  const body = encodeAnswer(answer);
  const size = bucket(body.length + 4 + REPLY_OVERHEAD) - REPLY_OVERHEAD;
  const id = replyId(opened.exporter);
  return new Reply(id, await seal(replyKey(opened.exporter), padded(body, size), id, rng));
}

/** Encode the plaintext of a reply. MalformedError if a part has a wrong size. */
export function encodeAnswer(answer: ReplyBody): Bytes {
  if (answer.type === "Answer")
    return concat(
      Uint8Array.of(ANSWER),
      prefixed(answer.welcome, 4),
      exactly(answer.number, 16, "a room's number"),
      exactly(answer.doorSeed, 32, "a door seed"),
      exactly(answer.roomAdminPublic, 32, "a room admin's public key"),
      exactly(answer.handedKeys, 64, "the keys of beats and moves"),
      uint(answer.slot, 8),
      exactly(answer.chain, 32, "a chain value"),
      uint(answer.at, 8),
      prefixed(answer.ledger, 4),
      prefixed(answer.before, 2),
      prefixed(checkAdmission(answer.admission), 1),
      prefixed(answer.places, 1),
      prefixed(answer.pieces, 2),
    );
  if (answer.type === "Received") return Uint8Array.of(RECEIVED);
  if (answer.type === "AlreadyMember") {
    const place = concat(uint(answer.slot, 8), exactly(answer.chain, 32, "a chain value"));
    return concat(Uint8Array.of(ALREADY_MEMBER), prefixed(answer.groupId, 1), place);
  }
  checkText(answer.reason, REASON_MAX);
  return concat(Uint8Array.of(REFUSAL), prefixed(utf8(answer.reason), 2));
}
