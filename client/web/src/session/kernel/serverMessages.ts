/** Messages of the server on the room's connection, each to the part that it concerns. */
import { H } from "../../crypto/kdf";
import type { Closing, Refused, Relayed, ServerMessage } from "../../wire/messages";
import { sentence, verbatim } from "../../words/sentence";
import { isConfined, publicMedia } from "../addresses";
import * as sentences from "../catalogue/sentences";
import type { Announcer } from "./announcer";
import type { CommitQueue } from "./commitQueue";
import { type Feature, featuresWith } from "./feature";
import type { MessageLog } from "./messageLog";
import type { Room } from "./ports";
import type { ReceivedCommits } from "./receivedCommits";
import { ServerAnswers } from "./serverAnswers";
import type { Sync } from "./sync";

/** The parts of a room that the server's messages concern. */
export interface Parts {
  readonly sync: Sync;
  readonly queue: CommitQueue;
  readonly messageLog: MessageLog;
  readonly announcer: Announcer;
  readonly receivedCommits: ReceivedCommits;
}

/** One membership's dispatcher. */
export class ServerMessages {
  readonly #room: Room;
  readonly #features: readonly Feature[];
  readonly #parts: Parts;
  readonly #answers: ServerAnswers;

  constructor(room: Room, features: readonly Feature[], parts: Parts) {
    this.#room = room;
    this.#features = features;
    this.#parts = parts;
    this.#answers = new ServerAnswers(room);
  }

  /** Process a message; return false, without any effect, if it answers nothing that we have sent. */
  async received(message: ServerMessage, now: number): Promise<boolean> {
    if (this.#answers.isUnasked(message, this.#parts.sync.connection)) return false;
    for (const feature of this.#features) feature.serverHeard(now);
    await this.#dispatch(message, now);
    return true;
  }

  async #dispatch(message: ServerMessage, now: number): Promise<void> {
    const { sync, messageLog, receivedCommits } = this.#parts;
    switch (message.type) {
      case "challenge": // once a connection: a new one excuses gaps
        if (sync.connection === null) {
          await sync.challenged(message, now);
          for (const feature of this.#features) feature.challenged(message);
        }
        break;
      case "entered":
        if (sync.connection !== null && !sync.isEntered) {
          const restarted = sync.entered(sync.connection, message, now);
          messageLog.markForResending(restarted); // it has lost its relays
        }
        break;
      case "permit":
        sync.door.given(message.permit);
        break;
      case "moved_to":
        if (!sync.isEntered) sync.lost(); // `Redirects` connects to another node
        break;
      case "opened":
        sync.opened(message.slot, message.chain, now);
        // Later, under a key that we don't know yet.
        if (message.slot <= this.#room.membership.journal.slot)
          await receivedCommits.checkOpened(message, now);
        break;
      case "shown":
        sync.shown(message.slot);
        break;
      case "ready": {
        const { epochSlot, media, group } = this.#room.membership;
        if (message.slot === epochSlot) media.ready(group.epoch, now);
        break;
      }
      case "committed":
        await this.#read(sync.relays.due(now, false), now); // it may take their keys away
        await receivedCommits.received(message, now);
        break;
      case "stale":
        sync.stale(message.slot, now);
        break;
      case "rekeyed":
        this.#room.roomAdminKeys.rekeyed(message.room_admin_key);
        break;
      case "caught_up":
        await this.#read(sync.relays.caughtUp(message.relay), now);
        sync.caughtUp(message.slot, now);
        messageLog.countMissing(message.missing);
        break;
      case "relayed":
        await this.#read(sync.relays.arrived(message, now, sync.catchingUp), now);
        break;
      case "broadcasted":
        for (const feature of featuresWith(this.#features, "broadcastReceived"))
          if (await feature.broadcastReceived(message.blob, now)) break;
        break;
      case "refused":
        await this.#refused(message, now);
        await this.#notify(message, now);
        break;
      case "closing":
        await this.#notify(message, now);
        this.#room.tell(sentences.status("closing", { text: message.text }));
        break;
      case "transport": {
        const { here, origin } = this.#room;
        const transport = here.isHome || !isConfined(origin) ? message : publicMedia(message);
        const why = sentence("shell.media_private", { address: message.address });
        if (transport === null) this.#room.tell(sentences.alarm("media_unreachable.private", { why }));
        else this.#room.perform({ type: "MediaTransport", transport });
        break;
      }
      case "streams":
        this.#room.perform({ type: "RemoteStreams", streams: message.streams });
        for (const feature of this.#features) await feature.streams(message.streams, now);
        break;
      case "left":
        this.#room.leftAt = now;
        break;
      default: // no member has signed arrivals of handles
    }
  }

  /** Read relays that no older ones will precede. */
  async tick(now: number): Promise<void> {
    const { sync } = this.#parts;
    await this.#read(sync.relays.due(now, sync.catchingUp), now);
  }

  async #read(relays: readonly Relayed[], now: number): Promise<void> {
    for (const { relay, blob } of relays) {
      const digest = H(blob);
      for (const feature of featuresWith(this.#features, "relayed")) await feature.relayed(relay, digest, now);
      await this.#parts.messageLog.relayed(blob, now);
    }
  }

  async #notify(notice: Refused | Closing, now: number): Promise<void> {
    for (const feature of this.#features) await feature.serverNotice(notice, now);
  }

  async #refused(refused: Refused, now: number): Promise<void> {
    const { sync, queue, messageLog, announcer } = this.#parts;
    if (sync.connection === null) return;
    const { about, code } = refused;
    sync.connection.early = false;
    await sync.refused(sync.connection, refused, now);
    if (about === "commit" && code === "size") queue.refused(verbatim(refused.text));
    else if (about === "relay" && code === "pass") {
      messageLog.markForResending();
      announcer.announceAt(now);
    }
    this.#answers.report(refused);
  }
}
