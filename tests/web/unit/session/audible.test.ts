import assert from "node:assert/strict";
import { test } from "node:test";
import { unhex } from "../../../../client/web/src/crypto/bytes";
import type { Event } from "../../../../client/web/src/session/events";
import { Audible, audible } from "../../../../client/web/src/session/features/audible";
import { Subscriptions } from "../../../../client/web/src/session/features/subscriptions";
import { load } from "../../../../client/web/src/session/kernel/load";
import type { Room as Ports } from "../../../../client/web/src/session/kernel/ports";
import type { ClientMessage, HandleStream } from "../../../../client/web/src/wire/messages";
import { given } from "../crypto/given";

interface Room {
  readonly members: readonly (readonly [leaf: number, host: boolean])[];
  readonly tick: number;
  readonly microphones: readonly (readonly [leaf: number, mic: boolean, since: number])[];
  readonly chosen: readonly number[];
  readonly waiting: readonly number[];
}

test("the page receives the same microphones as the headless client, and the same members wait", () => {
  const { key, rooms } = given<{ readonly key: string; readonly rooms: readonly Room[] }>("audible");
  assert.ok(rooms.some(({ waiting }) => waiting.length > 0));
  for (const { members, tick, microphones, chosen, waiting } of rooms) {
    const shown = microphones.map(([leaf, mic, since]) => [leaf, { mic, since }] as const);
    const present = members.map(([leaf, host]) => ({ leaf, host }));
    const [found, others] = audible(shown, present, unhex(key), tick);
    assert.deepEqual([...found].sort((a, b) => a - b), chosen);
    assert.deepEqual([...others].sort((a, b) => a - b), waiting);
  }
});

// -- in a room ---------------------------------------------------------------------------------------------

/** A room of 30 members, each with sound (its SSRC is 100 plus its leaf) and video (200 plus it). We are leaf 2. */
class Fake {
  members = 30;
  sixteen = true;
  mics = new Map<number, { readonly mic: boolean; readonly since: number }>();
  readonly told: string[] = [];
  readonly sent: (readonly number[] | null)[] = [];
  readonly listed: readonly HandleStream[];

  constructor() {
    const all = Array.from({ length: 30 }, (_, leaf) => leaf).filter((leaf) => leaf !== 2);
    const stream = (ssrc: number, kind: "audio" | "video"): HandleStream => ({ handle: new Uint8Array(8), ssrc, kind, layers: 0, rtx: null });
    this.listed = all.flatMap((leaf) => [stream(100 + leaf, "audio"), stream(200 + leaf, "video")]);
  }

  get room(): Ports {
    const fake = this;
    return {
      hasMedia: true,
      membership: {
        ownLeaf: 2,
        heartbeatKey: new Uint8Array(32),
        get policy() { return { sixteen: fake.sixteen }; },
        members: () => Array.from({ length: fake.members }, (_, leaf) => ({ leaf, host: leaf === 0 })),
      },
      announcements: {
        announcers: (ssrc: number) => new Map([[ssrc % 100, 0]]),
        streams: (leaf: number) => new Map([[100 + leaf, 0], [200 + leaf, 1]]),
      },
      feature: () => ({
        heard: new Map([...fake.mics].filter(([leaf]) => leaf !== 2)),
        own: fake.mics.get(2) ?? null,
      }),
      tell: (event: Event) => event.type === "Status" && fake.told.push(event.text.key),
      send: (message: ClientMessage) => message.type === "subscribe" && fake.sent.push(message.ssrcs),
    } as unknown as Ports;
  }

  open(...leaves: readonly number[]): void {
    for (const leaf of leaves) this.mics.set(leaf, { mic: true, since: 100 + leaf });
  }
}

const sound = (ssrcs: readonly number[] | null | undefined): number[] => (ssrcs ?? []).filter((ssrc) => ssrc < 200);
const TEN = Array.from({ length: 16 }, (_, i) => 10 + i);

test("in a large room, sound is asked for of the chosen members alone, and all videos", async () => {
  await load();
  const fake = new Fake();
  const subscriptions = new Subscriptions(fake.room);
  subscriptions.published(1000);
  subscriptions.streams(fake.listed, 1000);
  assert.equal(fake.sent.length, 0);
  assert.equal(subscriptions.subscribesToAll, true);
  fake.open(...TEN);
  subscriptions.tick(1001);
  assert.deepEqual(sound(fake.sent.at(-1)), TEN.map((leaf) => 100 + leaf));
  assert.equal(fake.sent.at(-1)?.length, 16 + 29);
  assert.equal(subscriptions.subscribesToAll, false);
  assert.deepEqual([subscriptions.subscribed(10), subscriptions.subscribed(3)], [new Set([0, 1]), new Set([1])]);
  // a person's choice of videos stays
  subscriptions.subscribe([103, 110, 211], [], 1002);
  assert.deepEqual(fake.sent.at(-1), [...TEN.map((leaf) => 100 + leaf), 211]);
  subscriptions.subscribe(null, [], 1003);
  fake.members = 20;
  subscriptions.tick(1004);
  assert.equal(fake.sent.at(-1), null);
  assert.deepEqual(fake.told, ["status.audible", "status.audible.all"]);
  fake.members = 30;
  fake.sixteen = false;
  subscriptions.tick(1006);
  assert.equal(fake.sent.at(-1), null, "the host has not chosen it");
});

test("who waits is told why, and when it is over", () => {
  const fake = new Fake();
  const chooser = new Audible(fake.room);
  fake.open(2);
  chooser.choose(998);
  assert.deepEqual(fake.told, ["status.audible"], "who does not wait is told nothing more");
  fake.open(...TEN);
  fake.mics.set(2, { mic: true, since: 900 });
  let now = 1000;
  for (; chooser.chosen?.has(2) !== false; now += 2) chooser.choose(now);
  chooser.choose(now - 1.5);
  assert.deepEqual(fake.told, ["status.audible", "status.audible.waits"]);
  fake.mics.set(12, { mic: false, since: now });
  assert.equal(chooser.choose(now - 0.1), false, "the set changes at ticks");
  assert.equal(chooser.choose(now), true);
  assert.equal(chooser.chosen?.has(2), true, "sixteen are open");
  assert.deepEqual(fake.told.slice(2), ["status.audible.heard"]);
});
