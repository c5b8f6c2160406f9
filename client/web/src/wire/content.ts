// Written by `python -m snugroom.client.tools.typescript`, from client/session/catalogue/content.py: change it there.

import type { Bytes } from "../crypto/bytes";
import type { Schemas } from "./codec";

/** Chat. `id` is random: a message that is resent after a lost connection is shown once. */
export interface Say {
  readonly type: "say";
  readonly id: Bytes;
  readonly text: string;
  readonly number: number;
}

/** An image for the chat. `id` and `number` as in Say; receivers determine the real type from the data. */
export interface Image {
  readonly type: "image";
  readonly id: Bytes;
  readonly mime: "image/gif" | "image/jpeg" | "image/png" | "image/webp";
  readonly data: Bytes;
  readonly number: number;
}

/** In a meeting with reports: the host's signature that the sender's key came in by that invite. */
export interface Admitted {
  readonly type: "admitted";
  readonly invite: number;
  readonly admission: Bytes;
}

/** A stream of the sender: its SSRC at the server, and its stream number in key ids. */
export interface OwnStream {
  readonly ssrc: number;
  readonly kind: "audio" | "video";
  readonly stream: number;
}

/** A leaf's connection and media streams (SNUG-20), as it has signed them (`announcement_text`). */
export interface Announcement {
  readonly leaf: number;
  readonly epoch: number;
  readonly count: number;
  readonly handle: Bytes;
  readonly box: Bytes;
  readonly streams: OwnStream[];
  readonly signature: Bytes;
  readonly openers: Bytes[];
}

/** The sender's announcement, or all that it knows of these leaves: an introduction to newcomers. */
export interface Announce {
  readonly type: "announce";
  readonly first: number;
  readonly last: number;
  readonly announcements: Announcement[];
}

/** The sender leaves: `proposal` is its Remove of itself, as an MLSMessage, for any member to commit. */
export interface Leaving {
  readonly type: "leaving";
  readonly proposal: Bytes;
}

/** The host keys, sealed to a host's `box` by HPKE (info "snug 1 grant" | group id). */
export interface Grant {
  readonly type: "grant";
  readonly leaf: number;
  readonly enc: Bytes;
  readonly sealed: Bytes;
}

/** The return key's signature over `announcements.granted_message`: the sender has the host keys. */
export interface Granted {
  readonly type: "granted";
  readonly signature: Bytes;
}

/** A host has revoked these invites, or passes on hosts' revocations: no host shows knocks by them. */
export interface Revoked {
  readonly type: "revoked";
  readonly invites: number[];
}

/** A host ends the meeting for all (SNUG-18), as of `chain`. */
export interface End {
  readonly type: "end";
  readonly chain: Bytes;
}

/** A host has the meeting go on at that server of the policy's list (SNUG-18), as of `chain`. */
export interface Move {
  readonly type: "move";
  readonly chain: Bytes;
  readonly server: number;
}

/** The sender's signature that it lost the room at the server that the meeting has left (section 13). */
export interface ShortExhibit {
  readonly type: "exhibit";
  readonly at: number;
  readonly dropped_at: number;
  readonly signature: Bytes;
}

/** Secret halves of the sender's old media keys: from now on their signatures prove nothing. */
export interface MediaSecret {
  readonly type: "media_secret";
  readonly secrets: Bytes[];
}

/** Open a run for a short code (protocol section 8): for this epoch, this chain and all these leaves. */
export interface CodeOpen {
  readonly type: "code_open";
  readonly sid: Bytes;
  readonly epoch: number;
  readonly chain: Bytes;
  readonly leaves: number[];
}

/** The sender's commitment to a share in that run. */
export interface CodeCommit {
  readonly type: "code_commit";
  readonly sid: Bytes;
  readonly commitment: Bytes;
}

/** The sender's share, revealed for the digest V of all commitments. */
export interface CodeReveal {
  readonly type: "code_reveal";
  readonly sid: Bytes;
  readonly digest: Bytes;
  readonly share: Bytes;
}

/** The sender's person says whether the code of that run is the same; `digest` is the run's V. */
export interface CodeAnswer {
  readonly type: "code_answer";
  readonly sid: Bytes;
  readonly digest: Bytes;
  readonly same: boolean;
}

/** The state that the sender shows now: sent again at every change, and to newcomers. */
export interface State {
  readonly type: "state";
  readonly mic: boolean;
  readonly camera: boolean;
  readonly screen: boolean;
  readonly hand: boolean;
  readonly recording: boolean;
  readonly away: boolean;
  readonly since: number;
}

/** One of six reactions, shown for a moment. */
export interface Reaction {
  readonly type: "reaction";
  readonly reaction: "applause" | "heart" | "laugh" | "party" | "surprise" | "yes";
}

/** The token key that the server has shown the sender for a week, as a hash. */
export interface WeekKey {
  readonly week: number;
  readonly hash: Bytes;
}

/** What a server gave the sender, for comparison (protocol section 7). */
export interface Page {
  readonly type: "page";
  readonly hash: Bytes | null;
  readonly keys: WeekKey[];
}

/** A file for all present members: its pieces are broadcast, sealed under its key. `number` as in Say. */
export interface File {
  readonly type: "file";
  readonly id: Bytes;
  readonly name: string;
  readonly mime: string;
  readonly size: number;
  readonly digest: Bytes;
  readonly key: Bytes;
  readonly number: number;
}

/** Missing pieces of a file, which its sender is to broadcast again. */
export interface FileAgain {
  readonly type: "file_again";
  readonly id: Bytes;
  readonly pieces: number[];
}

export type AnyContent = Say | Image | Admitted | Announce | Leaving | Grant | Granted | Revoked | End | Move | ShortExhibit | MediaSecret | CodeOpen | CodeCommit | CodeReveal | CodeAnswer | State | Reaction | Page | File | FileAgain;

export const schemas: Schemas = {
  Say: {"tag": "say", "fields": {"id": [["bytes", 16, 16]], "text": [["str", 1, 8000, null]], "number": [["int", 0, 9007199254740991], 0]}},
  Image: {"tag": "image", "fields": {"id": [["bytes", 16, 16]], "mime": [["one of", ["image/gif", "image/jpeg", "image/png", "image/webp"]]], "data": [["bytes", 1, 131072]], "number": [["int", 0, 9007199254740991], 0]}},
  Admitted: {"tag": "admitted", "fields": {"invite": [["int", 0, 65535]], "admission": [["bytes", 64, 64]]}},
  OwnStream: {"tag": null, "fields": {"ssrc": [["int", 1, 4294967295]], "kind": [["one of", ["audio", "video"]]], "stream": [["int", 0, 7]]}},
  Announcement: {"tag": null, "fields": {"leaf": [["int", 0, 4294967295]], "epoch": [["int", 0, 9007199254740991]], "count": [["int", 0, 4294967295]], "handle": [["bytes", 8, 8]], "box": [["bytes", 32, 32]], "streams": [["list", ["struct", "OwnStream"], 0, 8]], "signature": [["bytes", 64, 64]], "openers": [["list", ["bytes", 32, 32], 0, 8], []]}},
  Announce: {"tag": "announce", "fields": {"first": [["int", 0, 4294967295]], "last": [["int", 0, 4294967295]], "announcements": [["list", ["struct", "Announcement"], 0, 200]]}},
  Leaving: {"tag": "leaving", "fields": {"proposal": [["bytes", 0, null]]}},
  Grant: {"tag": "grant", "fields": {"leaf": [["int", 0, 4294967295]], "enc": [["bytes", 32, 32]], "sealed": [["bytes", 0, null]]}},
  Granted: {"tag": "granted", "fields": {"signature": [["bytes", 64, 64]]}},
  Revoked: {"tag": "revoked", "fields": {"invites": [["list", ["int", 0, 65535], 1, 1024]]}},
  End: {"tag": "end", "fields": {"chain": [["bytes", 32, 32]]}},
  Move: {"tag": "move", "fields": {"chain": [["bytes", 32, 32]], "server": [["int", 0, 8]]}},
  ShortExhibit: {"tag": "exhibit", "fields": {"at": [["int", 0, 9007199254740991]], "dropped_at": [["int", 0, 9007199254740991]], "signature": [["bytes", 64, 64]]}},
  MediaSecret: {"tag": "media_secret", "fields": {"secrets": [["list", ["bytes", 32, 32], 1, 64]]}},
  CodeOpen: {"tag": "code_open", "fields": {"sid": [["bytes", 16, 16]], "epoch": [["int", 0, 4294967295]], "chain": [["bytes", 32, 32]], "leaves": [["list", ["int", 0, 4294967295], 2, 100]]}},
  CodeCommit: {"tag": "code_commit", "fields": {"sid": [["bytes", 16, 16]], "commitment": [["bytes", 32, 32]]}},
  CodeReveal: {"tag": "code_reveal", "fields": {"sid": [["bytes", 16, 16]], "digest": [["bytes", 32, 32]], "share": [["bytes", 32, 32]]}},
  CodeAnswer: {"tag": "code_answer", "fields": {"sid": [["bytes", 16, 16]], "digest": [["bytes", 32, 32]], "same": [["bool"]]}},
  State: {"tag": "state", "fields": {"mic": [["bool"]], "camera": [["bool"]], "screen": [["bool"]], "hand": [["bool"]], "recording": [["bool"]], "away": [["bool"], false], "since": [["int", 0, 9007199254740991], 0]}},
  Reaction: {"tag": "reaction", "fields": {"reaction": [["one of", ["applause", "heart", "laugh", "party", "surprise", "yes"]]]}},
  WeekKey: {"tag": null, "fields": {"week": [["int", 0, 4294967295]], "hash": [["bytes", 32, 32]]}},
  Page: {"tag": "page", "fields": {"hash": [["or null", ["bytes", 32, 32]], null], "keys": [["list", ["struct", "WeekKey"], 0, 2], []]}},
  File: {"tag": "file", "fields": {"id": [["bytes", 16, 16]], "name": [["str", 1, 200, null]], "mime": [["str", 0, null, "^[a-z0-9.+-]{1,40}/[a-z0-9.+-]{1,60}$"]], "size": [["int", 1, 8388608]], "digest": [["bytes", 32, 32]], "key": [["bytes", 32, 32]], "number": [["int", 0, 9007199254740991], 0]}},
  FileAgain: {"tag": "file_again", "fields": {"id": [["bytes", 16, 16]], "pieces": [["list", ["int", 0, 255], 1, 256]]}},
};

export const AnyContentNames = ["Say", "Image", "Admitted", "Announce", "Leaving", "Grant", "Granted", "Revoked", "End", "Move", "ShortExhibit", "MediaSecret", "CodeOpen", "CodeCommit", "CodeReveal", "CodeAnswer", "State", "Reaction", "Page", "File", "FileAgain"];
