/** Our media parameters for the server, and our streams for the members. */
import type { InputOf } from "../events";
import type { Feature } from "./feature";
import type { Room } from "./ports";

/** Publishes on every connection, and announces whenever a member may not know our streams. */
export class Announcer {
  readonly #room: Room;
  readonly #features: readonly Feature[];
  /** The media engine's parameters and streams; null without an engine. */
  media: InputOf<"Publish"> | null = null;
  #announceAt: number | null = null;

  constructor(room: Room, features: readonly Feature[]) {
    this.#room = room;
    this.#features = features;
  }

  /** Publish on a connection that has come in sync. */
  async publish(now: number): Promise<void> {
    if (this.media !== null) {
      const { ufrag, password, fingerprint, feedback = false, takesRtx: rtx = false } = this.media;
      const streams = this.media.streams.map(({ ssrc, kind, layers = [], rtx: again = [] }) => ({
        ssrc, kind, layers: [...layers], rtx: [...again],
      }));
      this.#room.send({ type: "media", ufrag, password, fingerprint, streams, feedback, rtx });
      for (const feature of this.#features) await feature.published(now);
    }
    this.#announceAt = now;
  }

  /** Announce our streams anew at that time. */
  announceAt(at: number): void {
    this.#announceAt = at;
  }

  /** Send an announcement whose time has come; only while in sync. */
  async announceIfDue(now: number): Promise<void> {
    if (this.#announceAt === null || now < this.#announceAt) return;
    this.#announceAt = null;
    const room = this.#room;
    const streams = (this.media?.streams ?? []).map(({ ssrc, kind, stream }) => ({ ssrc, kind, stream }));
    const openers = await room.here.openers();
    await room.relay({ type: "announce", handle: room.handle, box: room.box.public, streams, openers });
  }
}
