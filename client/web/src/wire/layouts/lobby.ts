// Written by `python -m snugroom.client.tools.typescript`, from crypto/entry/lobby.py: change it there.

import type { Bytes } from "../../crypto/bytes";
import type { Layout, OneOf } from "../layout";
/** A newcomer's request for a card. Hosts answer with a card that names its nonce. */
export interface CardRequest {
  readonly type: "CardRequest";
  /** 16 bytes. */
  readonly nonce: Bytes;
}

export const CARD_REQUEST: Layout<CardRequest> = {
  name: "card request",
  start: "",
  fields: [
    ["nonce", -16],
  ],
};

/** A host's key for knocks. Decoding does not verify it: call `verify` before use. */
export interface Card {
  readonly type: "Card";
  /** 32 bytes. */
  readonly ephPublic: Bytes;
  readonly answers: readonly Bytes[];
  readonly signatures: readonly Bytes[];
}

export const CARD: Layout<Card> = {
  name: "card",
  start: "",
  fields: [
    ["ephPublic", -32],
    ["answers", ["l", 1, 1, 16, -16, 0, false]],
    ["signatures", ["l", 1, 1, 16, -64, 0, false]],
  ],
};

/** The byte string that the host keys sign. */
export interface CardMessage {
  readonly origin: string;
  /** 32 bytes. */
  readonly ephPublic: Bytes;
  readonly answers: readonly Bytes[];
}

export const CARD_MESSAGE: Layout<CardMessage> = {
  name: "card message",
  start: "snug 1 card",
  fields: [
    ["origin", ["t", 2, 65535]],
    ["ephPublic", -32],
    ["answers", ["l", 1, 1, 16, -16, 0, false]],
  ],
};

/** A knock, sealed to a card: only hosts can read it. */
export interface Knock {
  readonly type: "Knock";
  /** 32 bytes. */
  readonly enc: Bytes;
  readonly ciphertext: Bytes;
}

export const KNOCK: Layout<Knock> = {
  name: "knock",
  start: "",
  fields: [
    ["enc", -32],
    ["ciphertext", ["r", false]],
  ],
};

/** A sealed answer or refusal; the newcomer recognises it by `id`, which means nothing to others. */
export interface Reply {
  readonly type: "Reply";
  /** 8 bytes. */
  readonly id: Bytes;
  readonly sealed: Bytes;
}

export const REPLY: Layout<Reply> = {
  name: "sealed reply",
  start: "",
  fields: [
    ["id", -8],
    ["sealed", ["r", false]],
  ],
};

/** A message between members and a returning host (`crypto.entry.recovery`), sealed a second time. */
export interface RecoveryMessage {
  readonly type: "RecoveryMessage";
  readonly sealed: Bytes;
}

export const RECOVERY_MESSAGE: Layout<RecoveryMessage> = {
  name: "recovery message",
  start: "",
  fields: [
    ["sealed", ["r", false]],
  ],
};

/** A part of a room's tree and ledger, sealed under a key in the answer that lists its hash (`pieces`). */
export interface Piece {
  readonly type: "Piece";
  readonly sealed: Bytes;
}

export const PIECE: Layout<Piece> = {
  name: "piece",
  start: "",
  fields: [
    ["sealed", ["r", false]],
  ],
};

/** The newcomer's data. `identity` is public key and proof (`proof.identity`), or zeros. */
export interface KnockContents {
  readonly keyPackage: Bytes;
  readonly name: string;
  readonly greeting: string;
  /** 64 bytes. */
  readonly identity: Bytes;
}

export const KNOCK_CONTENTS: Layout<KnockContents> = {
  name: "knock contents",
  start: "",
  fields: [
    ["keyPackage", ["b", 2, 65535]],
    ["name", ["t", 1, 255]],
    ["greeting", ["t", 2, 65535]],
    ["identity", -64],
  ],
};

/** The plaintext of a knock. `use` proves that its author has the invite. */
export interface KnockInside {
  /** 32 bytes. */
  readonly use: Bytes;
  readonly index: number;
  readonly contents: Bytes;
}

export const KNOCK_INSIDE: Layout<KnockInside> = {
  name: "knock inside",
  start: "",
  fields: [
    ["use", -32],
    ["index", 2],
    ["contents", ["r", false]],
  ],
};

export type LobbyMessage = CardRequest | Card | Knock | Reply | RecoveryMessage | Piece;
export const LOBBY_MESSAGE: OneOf<LobbyMessage> = {
  name: "lobby message",
  kinds: {
    CardRequest: [1, CARD_REQUEST],
    Card: [2, CARD],
    Knock: [3, KNOCK],
    Reply: [4, REPLY],
    RecoveryMessage: [5, RECOVERY_MESSAGE],
    Piece: [6, PIECE],
  },
};
