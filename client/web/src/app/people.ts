/** The members of the room and their tiles, derived from events and frame counts. */
import type { Event, EventOf, Known, OwnState, Standing } from "../session/events";
import type { StreamCount } from "../worker/messages";
import type { RemoteStream } from "./mediaSide";
import type { Person, Tile, TileState } from "./model";

/** Milliseconds for which a stream is live after its last opened frame. */
export const LIVE = 3000;

interface Entry {
  readonly leaf: number;
  readonly name: string;
  host: boolean;
  since: number;
  admittedBy: string | null;
  invite: string | null;
  state: OwnState | null;
  hand: number | null;
  standing: Standing;
  contact: string | null;
  newSince: boolean | null;
  compared: boolean;
  unverified: boolean;
  page: string | null;
}

/** The facts about the members of the room. Plain state: the store makes signals of it. */
export class People {
  readonly #entries = new Map<number, Entry>();
  #hands = 0;

  /** Return the name of the member at a leaf; null if the leaf is not occupied. */
  name(leaf: number): string | null {
    return this.#entries.get(leaf)?.name ?? null;
  }

  /** Forget everything before another meeting. */
  clear(): void {
    this.#entries.clear();
    this.#hands = 0;
  }

  roster(event: EventOf<"Roster">, now: number): void {
    const by = event.by === null ? null : (event.members.find(({ leaf }) => leaf === event.by)?.name ?? null);
    const added = new Map(event.added.map((each) => [each.leaf, each]));
    const here = new Set(event.members.map(({ leaf }) => leaf));
    for (const leaf of [...this.#entries.keys()]) if (!here.has(leaf)) this.#entries.delete(leaf);
    for (const { leaf, name, host } of event.members) {
      const known = this.#entries.get(leaf);
      // a leaf with another name, or an added one, is a new member, even if the leaf was occupied before
      if (known !== undefined && known.name === name && (!added.has(leaf) || event.rejoined)) known.host = host;
      else {
        const newcomer = added.get(leaf);
        const invite = newcomer?.label ?? (newcomer?.invite === 0 ? "" : null);
        this.#entries.set(leaf, {
          leaf, name, host, since: now, admittedBy: newcomer ? by : null, invite, state: null, hand: null,
          standing: "none", contact: null, newSince: null, compared: false, unverified: false, page: null,
        });
      }
    }
  }

  told(event: Event): void {
    switch (event.type) {
      case "StateTold": {
        const entry = this.#entries.get(event.leaf);
        if (entry === undefined) return;
        entry.hand = event.state.hand ? (entry.hand ?? ++this.#hands) : null;
        entry.state = event.state;
        return;
      }
      case "Vouched": {
        const entry = this.#entries.get(event.leaf);
        if (entry !== undefined) ({ standing: entry.standing, contact: entry.contact } = event);
        return;
      }
      case "Alarm":
      case "Status": {
        const { key, args } = event.text;
        const entry = this.#entries.get(Number(args?.["leaf"]));
        if (entry === undefined || !key.endsWith(".replaced_silent")) return;
        entry.unverified = event.type === "Alarm";
        return;
      }
      case "Pages":
        for (const entry of this.#entries.values())
          entry.page = event.pages.find(({ leaf }) => leaf === entry.leaf)?.hash ?? null;
        return;
      case "Comparison":
        for (const entry of this.#entries.values())
          entry.newSince = event.members.find((member: Known) => member.leaf === entry.leaf)?.newSince ?? null;
        return;
      case "CodeAnswers":
        for (const entry of this.#entries.values())
          entry.compared = event.members.find(({ leaf }) => leaf === entry.leaf)?.both ?? false;
        return;
      default:
        return;
    }
  }

  list(ownLeaf: number, own: OwnState, streams: ReadonlyMap<number, ReadonlySet<number>>): Person[] {
    const up = [...this.#entries.values()].flatMap(({ hand }) => (hand === null ? [] : [hand])).sort((a, b) => a - b);
    return [...this.#entries.values()]
      .sort((a, b) => a.leaf - b.leaf)
      .map((entry) => {
        const self = entry.leaf === ownLeaf;
        const sends = streams.get(entry.leaf);
        // a member that reports no state (a script, for example) is judged by the streams that it sends
        const state = self ? own : entry.state;
        return {
          leaf: entry.leaf, name: entry.name, host: entry.host, self,
          mic: state?.mic ?? sends?.has(0) ?? false,
          camera: state?.camera ?? sends?.has(1) ?? false,
          sharing: (state?.screen ?? sends?.has(3) ?? false) && (self || (sends?.has(3) ?? false)),
          hand: entry.hand === null ? null : up.indexOf(entry.hand) + 1,
          recording: state?.recording ?? false,
          away: state?.away ?? false,
          since: entry.since, admittedBy: entry.admittedBy, invite: entry.invite, standing: entry.standing,
          contact: entry.contact, newSinceCompared: entry.newSince, compared: entry.compared,
          unverified: entry.unverified, page: entry.page,
        };
      });
  }
}

/** Return the state of a stream from the worker's counts. `now` in ms. */
export function stateOf(count: StreamCount | undefined, sends: boolean, now: number): TileState {
  if (!sends) return "off";
  if (count === undefined) return "connecting";
  if (now - count.lastOpened < LIVE) return "live";
  if (now - count.lastFailed < LIVE) return "not_decrypting";
  return count.opened > 0 ? "stalled" : "connecting";
}

/**
 * Return the tiles: one for each person, and one for each shared screen. In `counts`, ended streams come first;
 * `asked`: SSRCs subscribed to (null: all). `now` in ms.
 */
export function tilesOf(
  people: readonly Person[],
  own: { readonly camera: MediaStream | null; readonly screen: MediaStream | null },
  remote: readonly RemoteStream[],
  counts: readonly StreamCount[],
  asked: ReadonlySet<number> | null,
  now: number,
): Tile[] {
  const find = (leaf: number, stream: number): RemoteStream | undefined =>
    remote.find((each) => each.leaf === leaf && each.stream === stream);
  // the last one: counts of older links come before it
  const count = (leaf: number, stream: number): StreamCount | undefined =>
    counts.findLast((each) => each.leaf === leaf && each.stream === stream);
  const tile = (person: Person, kind: "camera" | "screen"): Tile => {
    const { leaf, name, self } = person;
    const [sound, picture] = kind === "camera" ? [0, 1] : [2, 3];
    const shows = kind === "camera" ? person.camera : person.sharing;
    const picked = find(leaf, picture);
    const spared = shows && !self && asked !== null && picked !== undefined && !asked.has(picked.ssrc);
    const media = self ? (kind === "camera" ? own.camera : own.screen) : (picked?.media ?? null);
    return {
      id: `${leaf} ${kind}`, leaf, kind, name, self,
      picture: shows ? media : null,
      pictureState: self ? (shows ? "live" : "off") : spared ? "spared" : stateOf(count(leaf, picture), shows, now),
      soundState: self ? "live" : stateOf(count(leaf, sound), kind === "camera" && person.mic, now),
      mic: person.mic, hand: person.hand, recording: person.recording, away: person.away,
      weakNetwork: (picked?.weak ?? false) || (find(leaf, sound)?.weak ?? false),
    };
  };
  return [
    ...people.filter(({ sharing }) => sharing).map((person) => tile(person, "screen")),
    ...people.map((person) => tile(person, "camera")),
  ];
}
