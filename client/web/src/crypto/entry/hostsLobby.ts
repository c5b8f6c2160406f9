/** The host's side of the lobby: cards with their private halves, knocks that it opens, and replies. */
import { decode } from "../../wire/layout";
import { KNOCK_CONTENTS, KNOCK_INSIDE } from "../../wire/layouts/lobby";
import { checkName, checkText } from "../agreed/names";
import { type Bytes, type Rng, systemRng } from "../bytes";
import { AuthenticationError, StateError } from "../errors";
import { padded, unpadded } from "../fields";
import * as hpke from "../hpke";
import { seal, same } from "../kdf";
import { X25519Key } from "../primitives";
import { verifyKnockProof } from "../proof/identity";
import { encodeAnswer, type ReplyBody } from "./answers";
import type { HostKeys } from "./invite";
import {
  bucket, type Card, CARD_LIFETIME, cardMessage, checkKeyPackage, GREETING_MAX, type Knock, KNOCK_INFO,
  NO_IDENTITY, NOTHING, type Reply, REPLY_OVERHEAD, replyId, replyKey, use,
} from "./lobby";

/**
 * The key pair of a host's cards, whose private half is to be erased after ten minutes.
 *
 * A device seized later then cannot reveal the names in the knocks.
 */
export class CardSecret {
  #private: X25519Key | null;
  readonly public: Bytes;

  /** `expiry`: in Unix seconds, by the host's clock. */
  constructor(pair: X25519Key, readonly expiry: number) {
    this.#private = pair;
    this.public = pair.public;
  }

  /** The key pair; StateError once erased. */
  get private(): X25519Key {
    if (this.#private === null) throw new StateError("this card's secret has been erased");
    return this.#private;
  }

  /** Return whether the private half is due at `now` (Unix seconds); if so, call `erase`. */
  expired(now: number): boolean {
    return now >= this.expiry;
  }

  /** Delete the private half. Knocks sealed to this key then cannot be opened by anyone. */
  erase(): void {
    this.#private = null;
  }
}

/** Create a key pair for cards, for ten minutes from `now` (Unix seconds). */
export const makeCardSecret = async (now: number, rng: Rng = systemRng): Promise<CardSecret> =>
  new CardSecret(await X25519Key.generate(rng), Math.trunc(now) + CARD_LIFETIME);

/**
 * Create a card for the links of all generations: it answers 1 to 16 requests, by their nonces.
 *
 * StateError once the secret is erased.
 */
export async function makeCard(
  keys: HostKeys,
  origin: string,
  secret: CardSecret,
  answers: readonly Bytes[],
): Promise<Card> {
  const ephPublic = secret.private.public;
  const message = cardMessage(origin, ephPublic, answers);
  const signatures = await Promise.all(keys.seeds.map(({ hostKey }) => hostKey.sign(message)));
  return { type: "Card", ephPublic, answers, signatures };
}

/** A knock after decryption, with a proven invite. The KeyPackage is still unverified. */
export interface OpenedKnock {
  readonly index: number;
  /** The host key (32 bytes) of the generation in which the invite was made. */
  readonly hostPublic: Bytes;
  readonly keyPackage: Bytes;
  readonly name: string;
  readonly greeting: string;
  /** Unix seconds at which the secret of the knock's card is erased. */
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
  const pair = secret.private;
  const opened = await hpke.open(pair, knock.enc, KNOCK_INFO, NOTHING, knock.ciphertext);
  const { use: proof, index, contents } = decode(KNOCK_INSIDE, unpadded(opened.plaintext));
  const made = tokens(index).find(([, token]) => same(proof, use(token, pair.public, knock.enc, index, contents)));
  if (made === undefined)
    throw new AuthenticationError(`a knock that names invite ${index} and wasn't made with it`);
  const { keyPackage, name, greeting, identity: shown } = decode(KNOCK_CONTENTS, contents);
  checkKeyPackage(keyPackage);
  checkName(name);
  checkText(greeting, GREETING_MAX);
  const identity = same(shown, NO_IDENTITY) ? null : await verifyKnockProof(shown, pair, knock.enc, keyPackage);
  const { expiry } = secret;
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
  return { type: "Reply", id, sealed: await seal(replyKey(opened.exporter), padded(body, size), id, rng) };
}
