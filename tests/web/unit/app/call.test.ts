/** The call on this device: whom it plays how loud. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { signal } from "@preact/signals";
import { OwnCall } from "../../../../client/web/src/app/call";
import type { MediaSide } from "../../../../client/web/src/app/mediaSide";
import type { Person, Place } from "../../../../client/web/src/app/model";
import type { Counts } from "../../../../client/web/src/worker/messages";

const person = (leaf: number, name: string): Person => ({ leaf, name, self: leaf === 0 }) as Person;
const ADA = person(0, "Ada");
const BO = person(1, "Bo");

/** A browser's storage. */
class Kept {
  readonly items = new Map<string, string>();
  getItem = (name: string): string | null => this.items.get(name) ?? null;
  setItem = (name: string, value: string): void => void this.items.set(name, value);
}

/** A call of Ada's with Bo, and what its media side was told last. */
function call(kept = new Kept()) {
  const told: [number, number][][] = [];
  const noticed: boolean[] = [];
  const blurs: boolean[] = [];
  const people = signal<readonly Person[]>([ADA, BO]);
  const place = signal<Place>("room");
  const media = {
    setVolumes: (volumes) => void told.push([...volumes]),
    noticeMuted: (on) => void noticed.push(on),
    blurCamera: (on) => void blurs.push(on),
    blurred: signal("note"),
    speaksMuted: signal(false),
    rates: signal([]),
  } as Partial<MediaSide> as MediaSide;
  const own = new OwnCall({ media, kept: kept as unknown as Storage });
  const counts = signal<Counts>({ sealed: {}, silent: null, streams: [], waiting: null });
  own.follow({ people, place, tiles: signal([]), counts, useful: signal(new Map()) });
  return { own, people, place, noticed, blurs, kept: kept.items, last: () => told.at(-1) };
}

test("a member is played as loud as the person says, and not at all while muted", () => {
  const { own, last } = call();
  assert.deepEqual(last(), []);
  own.commands.setVolume(1, 0.4);
  assert.deepEqual(last(), [[1, 0.4]]);
  own.commands.muteForMe(1, true);
  assert.deepEqual(last(), [[1, 0]]);
  own.commands.muteForMe(1, false);
  assert.deepEqual(last(), [[1, 0.4]], "the volume from before");
  own.commands.muteForMe(1, true);
  own.commands.setVolume(1, 0.9);
  assert.deepEqual(last(), [[1, 0.9]], "a volume that is set is heard");
  own.commands.setVolume(1, 7);
  assert.deepEqual(last(), [[1, 1]], "no element takes more");
});

test("nobody else at the same place in the room is quiet for it", () => {
  const { own, people, last } = call();
  own.commands.muteForMe(1, true);
  people.value = [ADA, BO, person(2, "Cem")];
  assert.deepEqual(last(), [[1, 0]]);
  people.value = [ADA, person(1, "Dana")];
  assert.deepEqual([last(), own.volumes.value.size], [[], 0]);
  people.value = [ADA, BO];
  assert.deepEqual(last(), [], "and who comes again is heard");
  own.commands.muteForMe(0, true);
  own.commands.muteForMe(5, true);
  assert.deepEqual(last(), [], "neither ourselves nor nobody");
});

test("a muted microphone is listened to only in a room, and only while the person wants that", () => {
  const { own, place, noticed } = call();
  assert.equal(noticed.at(-1), true);
  own.mutedHint.value = false;
  assert.equal(noticed.at(-1), false);
  own.mutedHint.value = true;
  place.value = "ended";
  assert.equal(noticed.at(-1), false);
});

test("the browser keeps choices that were made, and nothing of anybody", () => {
  const kept = new Kept();
  const { own } = call(kept);
  own.commands.muteForMe(1, true);
  assert.equal(kept.items.size, 0, "nothing was chosen yet");
  own.mutedHint.value = false;
  assert.deepEqual([...kept.items], [["snug-call", '{"mutedHint":false}']]);
  assert.equal(call(kept).own.mutedHint.value, false, "in the next meeting as well");
  own.mutedHint.value = true;
  assert.deepEqual([...kept.items], [["snug-call", "{}"]]);
  kept.items.set("snug-call", '{"mutedHint":"yes"}');
  assert.equal(call(kept).own.mutedHint.value, true, "what is no choice is none");
  kept.items.set("snug-call", "[");
  assert.equal(call(kept).own.mutedHint.value, true);
});

test("blur is off at first, told to the media side at once, and kept when it was turned", () => {
  const one = call();
  assert.deepEqual(one.blurs, [false]);
  one.own.blur.value = true;
  assert.deepEqual(one.blurs, [false, true]);
  const [[name, value] = ["", ""]] = [...one.kept];
  const again = new Kept();
  again.setItem(name, value);
  assert.deepEqual(call(again).blurs, [true], "before any camera is asked for");
});
