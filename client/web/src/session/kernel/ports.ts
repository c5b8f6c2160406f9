/**
 * What a feature may ask of its room, as interfaces. `RoomSession` in `room.ts` implements them.
 *
 * Features, monitor and entry depend on this file and never on the room. All attributes are read-only here: a feature
 * changes the room through a method.
 */
import type { Bytes, Rng } from "../../crypto/bytes";
import type { HostKeys, SigningKey } from "../../crypto/entry/invite";
import type { X25519Key } from "../../crypto/primitives";
import type { ClientMessage, Commit, Open } from "../../wire/messages";
import type { Sentence } from "../../words/sentence";
import type { AnyContent, Posted } from "../catalogue/content";
import type { Effect, Ended, Event } from "../events";
import type { Options } from "../options";
import type { Announcements } from "./announcements";
import type { Place } from "./place";
import type { EntryIntent, Intent } from "./intents";
import type { KnownServers } from "./knownServers";
import type { Membership } from "./membership";
import type { RoomAdminKeys } from "./roomAdminKeys";

/** The session that runs a room, and answers in the lobby. */
export interface Owner {
  /** Answer the newcomer of `intent`, with this Welcome: our commit has come back. */
  admitted(intent: EntryIntent, welcome: Bytes, tree: Bytes | null): void;
  /** Refuse the newcomer of `intent`: a rule or the server prevents the commit. */
  notAdmitted(intent: EntryIntent, why: Sentence): void;
}

/** The members, and our place among them. */
export interface Members {
  readonly membership: Membership;
  readonly announcements: Announcements;
  /** Our index among the members, by leaf. */
  readonly memberIndex: number;
  /** Our index among the hosts if we are a host, else among the other members, by leaf. */
  readonly rank: number;
  /** Check that we are a host; CommandError if not. */
  hostOnly(): void;
  /** Return whether data signed by this leaf has arrived in the last seconds, and after `since`. */
  heardRecently(leaf: number, now: number, since?: number): boolean;
}

/** The server that has the room now, and the room's keys there (protocol section 12). */
export interface Here {
  /** Whether the room is where the meeting began. */
  readonly isHome: boolean;
  readonly origin: string;
  /** The same for a `Connect`: empty for the server of the link. */
  readonly elsewhere: string;
  readonly doorKey: SigningKey;
  /** The key under which that server holds the room, 32 bytes. */
  readonly roomAdminPublic: Bytes;
  /** Return the key that opens the room there; null unless we are a host that has it. */
  adminKey(): Promise<SigningKey | null>;
  /** Return how heartbeats name the room there, 8 bytes; `process`: the incarnation of the server. */
  incarnation(process: Bytes): Bytes;
  /** Its index in the policy's list, from 1; 0 where the meeting began, or if it is not listed now. */
  readonly server: number;
  /** 0 at the hosts' place; else the leaf of the member whose place it is, plus 1. */
  readonly attempt: number;
  /** Whether the policy's list has a server to which our page goes. */
  readonly leadsElsewhere: boolean;
  /** Return our keys for places of our own (32 bytes each), in the order of the policy's servers. */
  openers(): Promise<Bytes[]>;
  /** Return this place as it was under that move key (32 bytes); null where the meeting began. */
  under(moveKey: Bytes): Promise<Place | null>;
  /** Whether the meeting has another place at this server by now: somebody departed, or the keys changed. */
  readonly isOutdated: boolean;
  /** Return the room's number there under that room admin key (public, 32 bytes). */
  numberUnder(admin: Bytes): Bytes;
  /** Return what the server is sent in place of an opening or commit, signed if we have the key. */
  signed(message: Open | Commit): Promise<Open | Commit>;
  /** Return the numbers, and the chain value for that of ours, that a receipt may name. */
  signedByServer(slot: number, chain: Bytes): readonly [numbers: readonly Bytes[], chain: Bytes];
}

/** The room at the server, and our connection to it. */
export interface Server {
  readonly here: Here;
  /** The origin of the server where the meeting began. */
  readonly origin: string;
  /** The servers to which our page goes. */
  readonly servers: KnownServers;
  readonly number: Bytes;
  readonly doorKey: SigningKey;
  readonly roomAdminKeys: RoomAdminKeys;
  readonly handle: Bytes;
  readonly incarnation: Bytes | null;
  readonly serverKey: Bytes | null;
  /** The nonce of this connection's challenge, for what the room admin signs; null without one. */
  readonly serverNonce: Bytes | null;
  readonly serverSlot: number | null;
  /** What reopens the room at the server under its number there, 40 bytes; null without one. */
  readonly permit: Bytes | null;
  /** The hashes of the token keys that the server has shown us, by week. */
  readonly tokenKeys: ReadonlyMap<number, Bytes>;
  readonly catchingUp: boolean;
  /** Whether the room is open at our slot, and the server has not acknowledged our pass yet. */
  readonly awaitsEntry: boolean;
  /** Whether the server claims a later slot, and refuses to hand over the way to it. */
  readonly outOfReach: boolean;
  /** Whether the server has not answered our pass, or not taken the blob that we handed over. */
  readonly isUnanswered: boolean;
  /** Return whether no pass of ours has fit for long: the room is at another history, or out of reach. */
  isShutOut(now: number): boolean;
  /** Return whether we are in step with the server, so that messages reach the others now. */
  isSynced(now: number): boolean;
  /** Request the way to the others' slot anew. */
  askAgain(): void;
  /** Handle a lost or failed connection. */
  lost(why: Sentence, now: number, byServer?: boolean): Promise<void>;
  /** Whether the room at the next server of the list is open for us. */
  readonly nextIsReady: boolean;
  /** Whether the connection ends because we go on elsewhere by ourselves. */
  readonly leavesServer: boolean;
  /** Leave this server, and look for the room at that one of the policy's list, or at the next. */
  lookElsewhere(now: number, server?: number | null, attempt?: number, together?: boolean): Promise<void>;
  /** Connect at once, if we are about to. */
  hurry(now: number): void;
}

/** How many words members have said, as heartbeats sign it. */
export interface Counted {
  /** Return the number of the last word of ours that we will not resend. */
  said(now: number): number;
  /** The member at `leaf` has signed that number. */
  stated(leaf: number, number: number): void;
}

/** Messages to the members and to the server, and effects for the shell. */
export interface Sending {
  readonly messages: Counted;
  /** Return null if messages may be sealed for the room; else why they wait. */
  holdReason(now: number): Sentence | null;
  /** Return null if sound and video may be sealed; else why they wait. */
  pauseReason(now: number): Sentence | null;
  /** Return whether messages reach the others now, and may be sealed for the room. */
  speaks(now: number): boolean;
  /** Send to all members through the relay, and return the blob; only while in sync. */
  relay(what: AnyContent): Promise<Bytes>;
  /** Send a message to all members; resend it after a lost connection until all can have it. */
  post(what: Posted, now: number): Promise<void>;
  /**
   * Broadcast a blob to the present members: the server neither numbers nor stores it. `ssrc`: only to those who
   * receive that stream, now or within a few seconds.
   */
  broadcast(blob: Bytes, heartbeat?: boolean, ssrc?: number | null): void;
  /** Send a message on the room's connection. */
  send(message: ClientMessage): void;
  /** Show an event. */
  tell(event: Event): void;
  /** Have the shell perform an effect. */
  perform(effect: Effect): void;
}

/** Commits of ours. */
export interface Commits {
  /** Whether no intent is queued, no commit is under way and we are not stuck. */
  readonly idle: boolean;
  /** Our intents that have not been done yet, in order. */
  readonly waitingIntents: readonly Intent[];
  /** Return whether our commits, except removals, wait for something other than the server. */
  commitsWait(now: number): boolean;
  /** Queue an intent, and commit it as soon as possible. */
  queue(intent: Intent, now: number): Promise<void>;
  /** Queue an intent, unless an equal one is queued already. */
  queueOnce(intent: Intent, now: number): Promise<void>;
}

/** Whether this membership goes on, is out of step, or has ended. */
export interface Course {
  /** The slot whose commit we alone cannot read; null without one. */
  readonly stuckAt: number | null;
  /** Whether this membership cannot go on, as members have signed or we have found ourselves. */
  readonly needsRejoin: boolean;
  /** The name of the host that has removed us for absence, if one has: then we need a ticket. */
  readonly absentBy: string;
  /** When a connection last left the room, by the server's word. */
  leftAt: number;
  /** Whether we ask to be let in again: we need to, or the server keeps the others' slot from us. */
  readonly seeksReadmission: boolean;
  /** Leave then, whether our removal is committed or not, if no earlier time is set. */
  leaveBy(at: number): void;
  /** Whether we have proposed our own removal. */
  readonly leaving: boolean;
  readonly ended: Ended | null;
  /** Go on after the slot that we are stuck at: its commit, `blob`, is void. */
  passOver(blob: Bytes, now: number): Promise<void>;
  /** Stop here, and rejoin with a ticket; for good if a request of ours has `replaced` our leaf. */
  giveUp(why?: { replaced?: boolean; absentBy?: string }): void;
  /** Ask the members to let us in again, and keep this membership meanwhile; or stop asking. */
  seekReadmission(on: boolean): void;
  /** End this membership: erase the media keys, report the reason and disconnect. */
  finish(reason: Ended["reason"], text: Sentence): void;
}

/** A class of features, as `Room.feature` takes it. */
export type FeatureClass<A> = new (room: Room, now: number) => A;

/** One membership, for its features. */
export interface Room extends Members, Server, Sending, Commits, Course {
  readonly options: Options;
  readonly rng: Rng;
  /** The X25519 key that we announce, for messages to us alone. */
  readonly box: X25519Key;
  /** The host keys that we hold; null while we are no host. */
  readonly hostKeys: HostKeys | null;
  /** Whether a media engine has published its parameters. */
  readonly hasMedia: boolean;
  /** Return the SSRC under which we announce that stream of ours; null if we don't. */
  ownSsrc(stream: number): number | null;
  /** Host with these keys from now on: another host has sent them, or we have made the newest. */
  takeHostKeys(keys: HostKeys): void;
  /** Return the feature of that class; TypeError if this membership has none. */
  feature<A>(kind: FeatureClass<A>): A;
}
