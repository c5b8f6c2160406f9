// Written by `python -m snugroom.client.tools.typescript`, from wire/messages.py: change it there.

import type { Bytes } from "../crypto/bytes";
import type { Schemas } from "./codec";

/** Client: enter a lobby. `lobby_key` is the lobby's number. */
export interface LobbyDoor {
  readonly type: "lobby_door";
  readonly lobby_key: Bytes;
  readonly nonce: Bytes;
  readonly signature: Bytes;
}

/** An anonymous token at a door: its input, and a MAC by its output. The output is sent to nobody. */
export interface TokenSpent {
  readonly week: number;
  readonly input: Bytes;
  readonly proof: Bytes;
}

/** Client: enter a room. The room's number is ``H("snug 1 room" | door_key | room_admin_key)[:16]``. */
export interface RoomDoor {
  readonly type: "room_door";
  readonly door_key: Bytes;
  readonly room_admin_key: Bytes;
  readonly nonce: Bytes;
  readonly signature: Bytes;
  readonly password: Bytes | null;
  readonly token: TokenSpent | null;
  readonly permit: Bytes | null;
  readonly probe: Bytes | null;
}

/** Client, instead of a door: exchange a voucher for tokens. `blinded` are RFC 9497 blinded elements. */
export interface Exchange {
  readonly type: "exchange";
  readonly voucher: Bytes;
  readonly blinded: Bytes[];
}

/** Client, inside: the server answers at once. Pages cannot send the pings of WebSocket itself. */
export interface Ping {
  readonly type: "ping";
}

/** Client: a blob for the connections `to` that are in the lobby, or (None) for all others there. */
export interface Post {
  readonly type: "post";
  readonly to: Bytes[] | null;
  readonly blob: Bytes;
}

/** Client (G1, G5): open the room, or reopen it after the server's restart. */
export interface Open {
  readonly type: "open";
  readonly slot: number;
  readonly gate: Bytes;
  readonly chain: Bytes;
  readonly signature: Bytes | null;
}

/** Client, the room admin only (G8): hand the room to another room admin key, which renames the room. */
export interface Rekey {
  readonly type: "rekey";
  readonly door_key: Bytes;
  readonly room_admin_key: Bytes;
  readonly signature: Bytes;
}

/** Client: passes of the last slots, to prove that this connection belongs to a member. */
export interface Show {
  readonly type: "show";
  readonly room_passes: Bytes[];
}

/** Client (G2): take slot `slot`, the slot after the current one. */
export interface Commit {
  readonly type: "commit";
  readonly slot: number;
  readonly blob: Bytes;
  readonly opening: Bytes | null;
}

/** Client (G4): send all held commits after slot `slot`, and all held relays after number `relay`. */
export interface CatchUp {
  readonly type: "catch_up";
  readonly slot: number;
  readonly relay: number;
}

/** Client: a blob for all connections in the room that may receive. */
export interface Relay {
  readonly type: "relay";
  readonly blob: Bytes;
}

/** Client: a blob for all other connections that may receive now. Catching up does not deliver it. */
export interface Broadcast {
  readonly type: "broadcast";
  readonly blob: Bytes;
  readonly ssrc: number | null;
}

/** One RTP stream. Members announce its owner to each other in sealed messages. */
export interface Stream {
  readonly ssrc: number;
  readonly kind: "audio" | "video";
  readonly layers: number[];
  readonly rtx: number[];
}

/** Client: its transport parameters and the streams that it sends. With no streams it only receives. */
export interface Media {
  readonly type: "media";
  readonly ufrag: string;
  readonly password: string;
  readonly fingerprint: Bytes;
  readonly streams: Stream[];
  readonly feedback: boolean;
  readonly rtx: boolean;
}

/** Client: the streams that the server is to forward. None means all streams, which is the initial state. */
export interface Subscribe {
  readonly type: "subscribe";
  readonly ssrcs: number[] | null;
  readonly max_layers: number[];
}

/** A public key of anonymous tokens (RFC 9497, ristretto255-SHA512), and the week that it is for. */
export interface TokenKey {
  readonly week: number;
  readonly key: Bytes;
}

/** What the server wants of a client that opens a room. */
export interface PermissionPolicy {
  readonly kind: "password" | "tokens";
  readonly salt: Bytes | null;
  readonly cost: number | null;
  readonly keys: TokenKey[];
}

/** Server, first frame: the values that the client signs to open a door. */
export interface Challenge {
  readonly type: "challenge";
  readonly version: number;
  readonly origin: string;
  readonly nonce: Bytes;
  readonly server_key: Bytes;
  readonly permission: PermissionPolicy | null;
}

/** Server: the evaluated elements in the order of `blinded`, each with its proof. */
export interface Exchanged {
  readonly type: "exchanged";
  readonly evaluated: Bytes[];
}

/** Server: the connection is inside. `handle` is random and valid for this connection only. */
export interface Entered {
  readonly type: "entered";
  readonly handle: Bytes;
  readonly incarnation: Bytes;
  readonly slot: number | null;
  readonly chain: Bytes | null;
  readonly handles: Bytes[];
  readonly node: number | null;
}

/** Server, after `entered` and `rekeyed`: reopens this room, under its current number, if it is lost. */
export interface Permit {
  readonly type: "permit";
  readonly permit: Bytes;
}

/** Server: one error. The connection stays open unless `fatal` is set. */
export interface Refused {
  readonly type: "refused";
  readonly code: string;
  readonly text: string;
  readonly about: string;
  readonly fatal: boolean;
}

/** Server, in place of `entered`: the node ``/n/1`` to ``/n/64`` of this origin has the room or lobby. */
export interface MovedTo {
  readonly type: "moved_to";
  readonly path: string;
}

/** Server: it closes this connection, or its process stops. `text` gives the reason. */
export interface Closing {
  readonly type: "closing";
  readonly code: string;
  readonly text: string;
}

/** Server: the answer to `ping`. */
export interface Pong {
  readonly type: "pong";
}

/** Server: a blob that another connection in the lobby, `handle`, has posted. */
export interface Posted {
  readonly type: "posted";
  readonly handle: Bytes;
  readonly blob: Bytes;
}

/** Server: a pass that the client has shown fits a gate. */
export interface Shown {
  readonly type: "shown";
  readonly slot: number;
}

/** Server: all connections that had shown the pass of the slot before have shown that of `slot`. */
export interface Ready {
  readonly type: "ready";
  readonly slot: number;
}

/** Server, to all connections in the room: the room is open at `slot`. */
export interface Opened {
  readonly type: "opened";
  readonly slot: number;
  readonly chain: Bytes;
  readonly opening_id: Bytes;
  readonly signature: Bytes;
}

/** Server, to all connections that may receive, the committer included: `blob` has taken slot `slot`. */
export interface Committed {
  readonly type: "committed";
  readonly slot: number;
  readonly blob: Bytes;
  readonly chain: Bytes;
  readonly before: Bytes;
  readonly opening_id: Bytes;
  readonly signature: Bytes;
  readonly opening: Bytes | null;
}

/** Server: the client's message named slot `asked`, which does not fit the current slot `slot`. */
export interface Stale {
  readonly type: "stale";
  readonly asked: number;
  readonly slot: number;
}

/** Server: the room's admin key is `room_admin_key`. */
export interface Rekeyed {
  readonly type: "rekeyed";
  readonly room_admin_key: Bytes;
}

/** Server, after the blobs that it holds. `missing` relays are no longer held. */
export interface CaughtUp {
  readonly type: "caught_up";
  readonly slot: number;
  readonly relay: number;
  readonly missing: number;
}

/** Server, to all connections that may receive, the sender included: blob number `relay`. */
export interface Relayed {
  readonly type: "relayed";
  readonly relay: number;
  readonly blob: Bytes;
}

/** Server, to all other connections that may receive: a blob that is neither numbered nor held. */
export interface Broadcasted {
  readonly type: "broadcasted";
  readonly blob: Bytes;
}

/** Server: another connection has entered the room. */
export interface Arrived {
  readonly type: "arrived";
  readonly handle: Bytes;
}

/** Server: a connection has left the room. */
export interface Left {
  readonly type: "left";
  readonly handle: Bytes;
}

/** A TURN server (RFC 8656) that the operator has configured, with credentials that expire. */
export interface Turn {
  readonly urls: string[];
  readonly username: string;
  readonly credential: string;
}

/** Server: its transport parameters for this connection. The server is ICE-lite and the DTLS server. */
export interface Transport {
  readonly type: "transport";
  readonly ufrag: string;
  readonly password: string;
  readonly fingerprint: Bytes;
  readonly address: string;
  readonly port: number;
  readonly others: string[];
  readonly tcp: boolean;
  readonly turn: Turn[];
}

/** A stream and the connection that sends it. */
export interface HandleStream {
  readonly handle: Bytes;
  readonly ssrc: number;
  readonly kind: "audio" | "video";
  readonly layers: number;
  readonly rtx: number | null;
}

/** Server, whenever the list changes: all streams of the other connections. */
export interface Streams {
  readonly type: "streams";
  readonly streams: HandleStream[];
}

export type ClientMessage = LobbyDoor | RoomDoor | Exchange | Ping | Post | Open | Rekey | Show | Commit | CatchUp | Relay | Broadcast | Media | Subscribe;

export type ServerMessage = Challenge | Exchanged | Entered | Permit | Refused | MovedTo | Closing | Pong | Posted | Shown | Ready | Opened | Committed | Stale | Rekeyed | CaughtUp | Relayed | Broadcasted | Arrived | Left | Transport | Streams;

export const schemas: Schemas = {
  LobbyDoor: {"tag": "lobby_door", "fields": {"lobby_key": [["bytes", 32, 32]], "nonce": [["bytes", 32, 32]], "signature": [["bytes", 64, 64]]}},
  TokenSpent: {"tag": null, "fields": {"week": [["int", 0, 4294967295]], "input": [["bytes", 32, 32]], "proof": [["bytes", 32, 32]]}},
  RoomDoor: {"tag": "room_door", "fields": {"door_key": [["bytes", 32, 32]], "room_admin_key": [["bytes", 32, 32]], "nonce": [["bytes", 32, 32]], "signature": [["bytes", 64, 64]], "password": [["or null", ["bytes", 32, 32]], null], "token": [["or null", ["struct", "TokenSpent"]], null], "permit": [["or null", ["bytes", 40, 40]], null], "probe": [["or null", ["bytes", 16, 16]], null]}},
  Exchange: {"tag": "exchange", "fields": {"voucher": [["bytes", 36, 36]], "blinded": [["list", ["bytes", 32, 32], 8, 8]]}},
  Ping: {"tag": "ping", "fields": {}},
  Post: {"tag": "post", "fields": {"to": [["or null", ["list", ["bytes", 8, 8], 1, 64]]], "blob": [["bytes", 512, 262144]]}},
  Open: {"tag": "open", "fields": {"slot": [["int", 0, 9007199254740991]], "gate": [["bytes", 32, 32]], "chain": [["bytes", 32, 32]], "signature": [["or null", ["bytes", 64, 64]], null]}},
  Rekey: {"tag": "rekey", "fields": {"door_key": [["bytes", 32, 32]], "room_admin_key": [["bytes", 32, 32]], "signature": [["bytes", 64, 64]]}},
  Show: {"tag": "show", "fields": {"room_passes": [["list", ["bytes", 32, 32], 1, 16]]}},
  Commit: {"tag": "commit", "fields": {"slot": [["int", 0, 9007199254740991]], "blob": [["bytes", 512, 262144]], "opening": [["or null", ["bytes", 64, 64]], null]}},
  CatchUp: {"tag": "catch_up", "fields": {"slot": [["int", 0, 9007199254740991]], "relay": [["int", 0, 9007199254740991]]}},
  Relay: {"tag": "relay", "fields": {"blob": [["bytes", 512, 262144]]}},
  Broadcast: {"tag": "broadcast", "fields": {"blob": [["bytes", 512, 262144]], "ssrc": [["or null", ["int", 1, 4294967295]], null]}},
  Stream: {"tag": null, "fields": {"ssrc": [["int", 1, 4294967295]], "kind": [["one of", ["audio", "video"]]], "layers": [["list", ["int", 1, 4294967295], 0, 2], []], "rtx": [["list", ["int", 1, 4294967295], 0, 3], []]}},
  Media: {"tag": "media", "fields": {"ufrag": [["str", 0, null, "^[A-Za-z0-9+/]{4,64}$"]], "password": [["str", 0, null, "^[A-Za-z0-9+/]{4,64}$"]], "fingerprint": [["bytes", 32, 32]], "streams": [["list", ["struct", "Stream"], 0, 8]], "feedback": [["bool"], false], "rtx": [["bool"], false]}},
  Subscribe: {"tag": "subscribe", "fields": {"ssrcs": [["or null", ["list", ["int", 1, 4294967295], 0, 1024]]], "max_layers": [["list", ["int", 0, 2], 0, 1024], []]}},
  TokenKey: {"tag": null, "fields": {"week": [["int", 0, 4294967295]], "key": [["bytes", 32, 32]]}},
  PermissionPolicy: {"tag": null, "fields": {"kind": [["one of", ["password", "tokens"]]], "salt": [["or null", ["bytes", 16, 16]], null], "cost": [["or null", ["int", 15, 18]], null], "keys": [["list", ["struct", "TokenKey"], 0, 2], []]}},
  Challenge: {"tag": "challenge", "fields": {"version": [["int", null, null]], "origin": [["str", 0, null, null]], "nonce": [["bytes", 32, 32]], "server_key": [["bytes", 32, 32]], "permission": [["or null", ["struct", "PermissionPolicy"]], null]}},
  Exchanged: {"tag": "exchanged", "fields": {"evaluated": [["list", ["bytes", 96, 96], 8, 8]]}},
  Entered: {"tag": "entered", "fields": {"handle": [["bytes", 8, 8]], "incarnation": [["bytes", 8, 8]], "slot": [["or null", ["int", 0, 9007199254740991]], null], "chain": [["or null", ["bytes", 32, 32]], null], "handles": [["list", ["bytes", 8, 8], 0, null], []], "node": [["or null", ["int", 1, 64]], null]}},
  Permit: {"tag": "permit", "fields": {"permit": [["bytes", 40, 40]]}},
  Refused: {"tag": "refused", "fields": {"code": [["str", 0, null, null]], "text": [["str", 0, null, null]], "about": [["str", 0, null, null], ""], "fatal": [["bool"], false]}},
  MovedTo: {"tag": "moved_to", "fields": {"path": [["str", 0, 256, null]]}},
  Closing: {"tag": "closing", "fields": {"code": [["str", 0, null, null]], "text": [["str", 0, null, null]]}},
  Pong: {"tag": "pong", "fields": {}},
  Posted: {"tag": "posted", "fields": {"handle": [["bytes", 8, 8]], "blob": [["bytes", 512, 262144]]}},
  Shown: {"tag": "shown", "fields": {"slot": [["int", 0, 9007199254740991]]}},
  Ready: {"tag": "ready", "fields": {"slot": [["int", 0, 9007199254740991]]}},
  Opened: {"tag": "opened", "fields": {"slot": [["int", 0, 9007199254740991]], "chain": [["bytes", 32, 32]], "opening_id": [["bytes", 8, 8]], "signature": [["bytes", 64, 64]]}},
  Committed: {"tag": "committed", "fields": {"slot": [["int", 0, 9007199254740991]], "blob": [["bytes", 512, 262144]], "chain": [["bytes", 32, 32]], "before": [["bytes", 32, 32]], "opening_id": [["bytes", 8, 8]], "signature": [["bytes", 64, 64]], "opening": [["or null", ["bytes", 64, 64]], null]}},
  Stale: {"tag": "stale", "fields": {"asked": [["int", 0, 9007199254740991]], "slot": [["int", 0, 9007199254740991]]}},
  Rekeyed: {"tag": "rekeyed", "fields": {"room_admin_key": [["bytes", 32, 32]]}},
  CaughtUp: {"tag": "caught_up", "fields": {"slot": [["int", 0, 9007199254740991]], "relay": [["int", 0, 9007199254740991]], "missing": [["int", null, null]]}},
  Relayed: {"tag": "relayed", "fields": {"relay": [["int", 0, 9007199254740991]], "blob": [["bytes", 512, 262144]]}},
  Broadcasted: {"tag": "broadcasted", "fields": {"blob": [["bytes", 512, 262144]]}},
  Arrived: {"tag": "arrived", "fields": {"handle": [["bytes", 8, 8]]}},
  Left: {"tag": "left", "fields": {"handle": [["bytes", 8, 8]]}},
  Turn: {"tag": null, "fields": {"urls": [["list", ["str", 0, null, "^turns?:[A-Za-z0-9.:\\[\\]-]{1,255}(\\?transport=(udp|tcp))?$"], 1, 8]], "username": [["str", 0, null, "^[A-Za-z0-9+/=:.-]{1,256}$"]], "credential": [["str", 0, null, "^[A-Za-z0-9+/=:.-]{1,256}$"]]}},
  Transport: {"tag": "transport", "fields": {"ufrag": [["str", 0, null, "^[A-Za-z0-9+/]{4,64}$"]], "password": [["str", 0, null, "^[A-Za-z0-9+/]{4,64}$"]], "fingerprint": [["bytes", 32, 32]], "address": [["str", 0, null, null]], "port": [["int", 1, 65535]], "others": [["list", ["str", 0, null, null], 0, 8], []], "tcp": [["bool"], false], "turn": [["list", ["struct", "Turn"], 0, 4], []]}},
  HandleStream: {"tag": null, "fields": {"handle": [["bytes", 8, 8]], "ssrc": [["int", 1, 4294967295]], "kind": [["one of", ["audio", "video"]]], "layers": [["int", 0, 2], 0], "rtx": [["or null", ["int", 1, 4294967295]], null]}},
  Streams: {"tag": "streams", "fields": {"streams": [["list", ["struct", "HandleStream"], 0, null]]}},
};

export const ClientMessageNames = ["LobbyDoor", "RoomDoor", "Exchange", "Ping", "Post", "Open", "Rekey", "Show", "Commit", "CatchUp", "Relay", "Broadcast", "Media", "Subscribe"];

export const ServerMessageNames = ["Challenge", "Exchanged", "Entered", "Permit", "Refused", "MovedTo", "Closing", "Pong", "Posted", "Shown", "Ready", "Opened", "Committed", "Stale", "Rekeyed", "CaughtUp", "Relayed", "Broadcasted", "Arrived", "Left", "Transport", "Streams"];
