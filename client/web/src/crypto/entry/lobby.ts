/**
 * Card, knock and answer: how a newcomer with a link joins (docs/reference/protocol.md, section 4).
 *
 * Every lobby message is sealed under the lobby's envelope key, and every blob has one of a few sizes:
 *
 *     CardRequest  a newcomer asks the hosts for a card, by a nonce
 *     Card         a host's short-lived X25519 key, and the requests that it answers, signed by the link's key
 *     Knock        HPKE to that key: the newcomer's data, with a proof of the invite; only a host can read it
 *     Reply        the contents of `answers`, under the knock's HPKE export: its author has opened the knock
 *     Piece        a part of what a large room's answer lists (`pieces`)
 *
 * Without the link, none of this is readable. A link holder sees that somebody knocks. The link holder does
 * not see the name, the invite, or the answer, except as far as the blob's size reveals it.
 */

import { decodeOneOf, encode, encodeOneOf } from "../../wire/layout";
import {
  CARD_MESSAGE,
  type Card,
  KNOCK_CONTENTS,
  KNOCK_INSIDE,
  type Knock,
  LOBBY_MESSAGE,
  type LobbyMessage,
  type Reply,
} from "../../wire/layouts/lobby";
import { among, type Bytes, type Rng, systemRng, utf8 } from "../bytes";
import { AuthenticationError, MalformedError } from "../errors";
import { padded, uint, unpadded } from "../fields";
import * as hpke from "../hpke";
import { type IdentityKey, KNOCK_PROOF_SIZE } from "../proof/identity";
import { readAnswer, type ReplyBody } from "./answers";
import { checkedOrigin, type Invite } from "./invite";
import { H, mac, SEAL_OVERHEAD, same, seal, unseal, verify } from "../kdf";
import { checkName, checkText } from "../agreed/names";

export type { Card, Knock, LobbyMessage, Piece, RecoveryMessage, Reply } from "../../wire/layouts/lobby";

/** Allowed blob sizes (bytes); the largest is the maximum of a lobby. */
export const BUCKETS: readonly number[] = [512, 1024, 2048, 4096, 8192, 16384, 32768, 65536, 131072];
/** Minimum size of a knock, so that the size does not reveal the length of a name. */
export const KNOCK_BUCKET = 2048;
/** Seconds for which a host keeps the private half of a card. */
export const CARD_LIFETIME = 600;
/** Maximum requests that one card answers. */
export const CARD_ANSWERS_MAX = 16;
export const GREETING_MAX = 280;
/** Maximum size of a KeyPackage in a knock. */
export const KEY_PACKAGE_MAX = 8192;

const AAD = utf8("snug 1 posted");
export const KNOCK_INFO = utf8("snug 1 knock");
export const NOTHING = new Uint8Array(0);
/** Placeholder for an absent identity; no identity key starts with these bytes. */
export const NO_IDENTITY = new Uint8Array(KNOCK_PROOF_SIZE);
const REPLY_ID = 8;
/** Bytes that the envelope adds to a message: seal, length, kind. */
export const ENVELOPE_OVERHEAD = SEAL_OVERHEAD + 4 + 1;
const KNOCK_OVERHEAD = ENVELOPE_OVERHEAD + hpke.KEY_SIZE + hpke.TAG_SIZE;
export const REPLY_OVERHEAD = ENVELOPE_OVERHEAD + REPLY_ID + SEAL_OVERHEAD;

// -- in the envelope ---------------------------------------------------------------------------

/**
 * Verify a card against the link, and against the nonces `asked` of our own requests.
 *
 * AuthenticationError if it answers none of them (the server repeats an old card, or it is another newcomer's), or if the
 * link's host did not sign it.
 */
export async function verifyCard(card: Card, hostPublic: Bytes, origin: string, asked: readonly Bytes[]): Promise<void> {
  if (!card.answers.some((nonce) => among(nonce, asked)))
    throw new AuthenticationError("the card answers none of our requests");
  const message = cardMessage(origin, card.ephPublic, card.answers);
  const signed = await Promise.all(card.signatures.map((signature) => isSigned(hostPublic, message, signature)));
  if (!signed.includes(true)) throw new AuthenticationError("the card is not signed by the host key in the link");
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

/** Return the byte string that the host keys sign. */
export const cardMessage = (origin: string, ephPublic: Bytes, answers: readonly Bytes[]): Bytes =>
  encode(CARD_MESSAGE, { origin: checkedOrigin(origin), ephPublic, answers });

/**
 * Seal a message under the envelope key (32 bytes) in a blob of the smallest fitting size in `BUCKETS`.
 *
 * MalformedError if the message is too large for a lobby.
 */
export async function post(envelopeKey: Bytes, message: LobbyMessage, rng: Rng = systemRng): Promise<Bytes> {
  const inner = encodeOneOf(LOBBY_MESSAGE, message);
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
  return decodeOneOf(LOBBY_MESSAGE, unpadded(await unseal(envelopeKey, blob, AAD)));
}

export function bucket(size: number, least = 0): number {
  const found = BUCKETS.find((each) => each >= size && each >= least);
  if (found === undefined)
    throw new MalformedError(`${size} bytes are too many for a lobby (at most ${BUCKETS.at(-1)})`);
  return found;
}

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
  const { ephPublic } = card;
  const sender = await hpke.Sender.setup(ephPublic, KNOCK_INFO, rng);
  const shown = identity ? await identity.knockProof(ephPublic, sender.enc, keyPackage) : NO_IDENTITY;
  const contents = encode(KNOCK_CONTENTS, { keyPackage, name, greeting, identity: shown });
  const { index, token } = invite;
  const inner = encode(KNOCK_INSIDE, { use: use(token, ephPublic, sender.enc, index, contents), index, contents });
  const room = bucket(inner.length + 4 + KNOCK_OVERHEAD, KNOCK_BUCKET) - KNOCK_OVERHEAD;
  const ciphertext = await sender.seal(NOTHING, padded(inner, room));
  return { knock: { type: "Knock", enc: sender.enc, ciphertext }, pending: new PendingKnock(sender.exporter) };
}

export function checkKeyPackage(keyPackage: Bytes): void {
  if (!(keyPackage.length > 0 && keyPackage.length <= KEY_PACKAGE_MAX))
    throw new MalformedError(`a KeyPackage has 1 to ${KEY_PACKAGE_MAX} bytes, not ${keyPackage.length}`);
}

/** Return the proof (32 bytes) that the author of a knock has the invite. */
export const use = (token: Bytes, ephPublic: Bytes, enc: Bytes, index: number, contents: Bytes): Bytes =>
  mac(token, utf8("snug 1 use"), ephPublic, enc, H(uint(index, 2), contents));

// -- replies ----------------------------------------------------------------------------------

export const replyKey = (exporter: hpke.Exporter): Bytes => exporter.export(utf8("snug 1 answer"), 32);

export const replyId = (exporter: hpke.Exporter): Bytes => exporter.export(utf8("snug 1 answer id"), REPLY_ID);
