/** Our media parameters for the server; our streams for the members, and the members for newcomers. */
import { type Bytes, concat, same } from "../../crypto/bytes";
import type { Announce, Announcement } from "../catalogue/content";
import type { InputOf } from "../events";
import { announcementText, LABEL } from "./announcements";
import { type Feature, featuresWith } from "./feature";
import { loadedLater } from "./load";
import type { Room } from "./ports";
import type { RoomConnection } from "./roomConnection";

/** Seconds between two members' announcements, to spare a large room's server a burst. */
export const STEP = 0.01;
/** Seconds after an Add for which a member expects that its committer introduces all members to the newcomer. */
export const PATIENCE = 2;

/**
 * Publishes on every connection, and announces whenever a member may not know our streams.
 *
 * After an Add, its committer hands on the announcements of all members. A member announces itself only if it is
 * missing there, or if nothing comes.
 */
export class Announcer {
  readonly #room: Room;
  readonly #features: readonly Feature[];
  /** The media engine's parameters and streams; null without an engine. */
  media: InputOf<"Publish"> | null = null;
  #announceAt = Infinity;
  /** The newest announcement of ours, and how many there were. */
  #own: Announcement | null = null;
  #count = 0;
  /** The epoch of the last Add, and when we announce unless its committer introduces us before. */
  #addedIn = 0;
  #unlessIntroducedAt = Infinity;
  #introduces = false;

  constructor(room: Room, features: readonly Feature[]) {
    this.#room = room;
    this.#features = features;
  }

  /** Return the SSRC of that stream of ours; null if we have no such stream. */
  ownSsrc(stream: number): number | null {
    return this.media?.streams.find((each) => each.stream === stream)?.ssrc ?? null;
  }

  /** Send our parameters, unless this connection has them. */
  sendMedia(connection: RoomConnection): void {
    if (this.media === null || connection.published === this.media) return;
    connection.published = this.media;
    const { ufrag, password, fingerprint, feedback = false, takesRtx: rtx = false } = this.media;
    const streams = this.media.streams.map(({ ssrc, kind, layers = [], rtx: again = [] }) => ({
      ssrc, kind, layers: [...layers], rtx: [...again],
    }));
    this.#room.send({ type: "media", ufrag, password, fingerprint, streams, feedback, rtx });
  }

  /** Publish on a connection that has come in sync. */
  async publish(connection: RoomConnection, now: number): Promise<void> {
    if (this.media !== null) {
      this.sendMedia(connection);
      for (const feature of this.#features) await feature.published(now);
    }
    this.#announceAt = now;
  }

  /** Announce our streams anew at that time. */
  announceAt(at: number): void {
    this.#announceAt = at;
  }

  /** Announce our streams anew, as all members do now, one after the other. */
  announceInTurn(now: number): void {
    this.#announceAt = now + STEP * this.#room.memberIndex;
  }

  /** Have the members of a new epoch introduced: by us if the commit is ours, else by its committer. */
  membersAdded(now: number, byUs: boolean): void {
    this.#introduces ||= byUs;
    this.#addedIn = this.#room.membership.group.epoch;
    this.#unlessIntroducedAt = now + PATIENCE + STEP * this.#room.memberIndex;
  }

  /** Send announcements whose time has come; only while in sync. */
  async announceIfDue(now: number): Promise<void> {
    if (now >= Math.min(this.#announceAt, this.#unlessIntroducedAt)) await this.#announce();
    if (!this.#introduces) return;
    this.#introduces = false;
    const later = loadedLater(); // which has let the newcomer in
    if (this.#own === null || later === null) return; // all announce themselves
    for (const part of later.introduction([this.#own, ...this.#room.announcements.newest()])) await this.#room.relay(part);
    this.#unlessIntroducedAt = Infinity;
  }

  /**
   * Store the announcements that a member has sent in that epoch; find out whether ours is among them.
   *
   * We have to be introduced only once in an epoch: empty introductions cost no more than an Add.
   */
  async heard(epoch: number, { announcements, first, last }: Announce, now: number): Promise<void> {
    const room = this.#room;
    const { ownLeaf, group } = room.membership;
    for (const each of announcements)
      if (each.leaf !== ownLeaf && (await room.announcements.store(each, group.groupId, room.membership.signatureKey(each.leaf))))
        for (const feature of featuresWith(this.#features, "announced")) feature.announced(each);
    if (this.#unlessIntroducedAt === Infinity || epoch < this.#addedIn || ownLeaf < first || ownLeaf > last) return;
    const own = this.#own;
    const signed = (what: Announcement): Bytes => concat(announcementText(group.groupId, what), what.signature);
    const known = own !== null && announcements.some((each) => same(signed(each), signed(own)));
    this.#unlessIntroducedAt = known ? Infinity : Math.min(this.#unlessIntroducedAt, now + STEP * room.memberIndex);
  }

  async #announce(): Promise<void> {
    this.#announceAt = this.#unlessIntroducedAt = Infinity;
    const room = this.#room;
    const { ownLeaf: leaf, group } = room.membership;
    const streams = (this.media?.streams ?? []).map(({ ssrc, kind, stream }) => ({ ssrc, kind, stream }));
    const openers = await room.here.openers();
    const { handle, box } = room;
    const what = { leaf, epoch: group.epoch, count: ++this.#count, handle, box: box.public, streams, openers };
    const own = { ...what, signature: await room.membership.sign(LABEL, announcementText(group.groupId, what)) };
    this.#own = own;
    await room.relay({ type: "announce", first: leaf, last: leaf, announcements: [own] });
  }
}
