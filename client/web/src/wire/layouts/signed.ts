// Written by `python -m snugroom.client.tools.typescript`, from wire/signed.py: change it there.

import type { Bytes } from "../../crypto/bytes";
import type { Layout } from "../layout";
/** A client signs this to enter a room. */
export interface RoomDoor {
  readonly origin: string;
  /** 16 bytes. */
  readonly number: Bytes;
  /** 32 bytes. */
  readonly serverNonce: Bytes;
  /** 32 bytes. */
  readonly clientNonce: Bytes;
}

export const ROOM_DOOR: Layout<RoomDoor> = {
  name: "room's door",
  start: "snug 1 door",
  fields: [
    ["origin", ["t", 2, 65535]],
    ["number", -16],
    ["serverNonce", -32],
    ["clientNonce", -32],
  ],
};

/** A client signs this to enter a lobby. */
export interface LobbyDoor {
  readonly origin: string;
  /** 32 bytes. */
  readonly lobbyKey: Bytes;
  /** 32 bytes. */
  readonly serverNonce: Bytes;
  /** 32 bytes. */
  readonly clientNonce: Bytes;
}

export const LOBBY_DOOR: Layout<LobbyDoor> = {
  name: "lobby's door",
  start: "snug 1 door",
  fields: [
    ["origin", ["t", 2, 65535]],
    ["lobbyKey", -32],
    ["serverNonce", -32],
    ["clientNonce", -32],
  ],
};

/** The room admin signs this to open a slot's gate alone (G1, G3). */
export interface Opening {
  /** 16 bytes. */
  readonly number: Bytes;
  readonly slot: number;
  /** 32 bytes. */
  readonly gate: Bytes;
  /** 32 bytes. */
  readonly chain: Bytes;
}

export const OPENING: Layout<Opening> = {
  name: "opening",
  start: "snug 1 open",
  fields: [
    ["number", -16],
    ["slot", 8],
    ["gate", -32],
    ["chain", -32],
  ],
};

/** The room admin signs this to hand the room to its successor (G8). */
export interface Rekey {
  /** 16 bytes. */
  readonly number: Bytes;
  /** 32 bytes. */
  readonly serverNonce: Bytes;
}

export const REKEY: Layout<Rekey> = {
  name: "rekey",
  start: "snug 1 rekey",
  fields: [
    ["number", -16],
    ["serverNonce", -32],
  ],
};

/** The server signs this when a room is opened, and when it reports at which slot a room is. */
export interface RoomOpened {
  /** 16 bytes. */
  readonly number: Bytes;
  /** 8 bytes. */
  readonly openingId: Bytes;
  readonly slot: number;
  /** 32 bytes. */
  readonly chain: Bytes;
}

export const ROOM_OPENED: Layout<RoomOpened> = {
  name: "room opened",
  start: "snug 1 opened",
  fields: [
    ["number", -16],
    ["openingId", -8],
    ["slot", 8],
    ["chain", -32],
  ],
};

/** The server signs this when a blob takes a slot. */
export interface SlotTaken {
  /** 16 bytes. */
  readonly number: Bytes;
  /** 8 bytes. */
  readonly openingId: Bytes;
  readonly slot: number;
  /** 32 bytes. */
  readonly before: Bytes;
  /** 32 bytes. */
  readonly blob: Bytes;
}

export const SLOT_TAKEN: Layout<SlotTaken> = {
  name: "slot taken",
  start: "snug 1 taken",
  fields: [
    ["number", -16],
    ["openingId", -8],
    ["slot", 8],
    ["before", -32],
    ["blob", -32],
  ],
};

/** The public halves of the keys that enter and open a room: its number commits to them. */
export interface RoomKeys {
  /** 32 bytes. */
  readonly doorKey: Bytes;
  /** 32 bytes. */
  readonly roomAdminKey: Bytes;
}

export const ROOM_KEYS: Layout<RoomKeys> = {
  name: "room's keys",
  start: "snug 1 room",
  fields: [
    ["doorKey", -32],
    ["roomAdminKey", -32],
  ],
};

/** A chain value is the hash of this. */
export interface ChainLink {
  /** 32 bytes. */
  readonly chain: Bytes;
  readonly slot: number;
  /** 32 bytes. */
  readonly blob: Bytes;
}

export const CHAIN_LINK: Layout<ChainLink> = {
  name: "chain",
  start: "",
  fields: [
    ["chain", -32],
    ["slot", 8],
    ["blob", -32],
  ],
};
