import assert from "node:assert/strict";
import { test } from "node:test";
import type { RemoteStream } from "../../../../client/web/src/app/mediaSide";
import type { Person } from "../../../../client/web/src/app/model";
import { LIVE, People, stateOf, tilesOf } from "../../../../client/web/src/app/people";
import type { StreamCount } from "../../../../client/web/src/worker/messages";

const NOW = 1_000_000;
const count = (ssrc: number, lastOpened: number, more: Partial<StreamCount> = {}): StreamCount => ({
  ssrc, leaf: 1, stream: 1, layer: 0, opened: 9, failed: 0, lastOpened, lastFailed: 0, ...more,
});
const BO = { leaf: 1, name: "Bo", self: false, mic: true, camera: true, sharing: false, hand: null, recording: false } as Person;
const PICTURE = { ssrc: 22, leaf: 1, stream: 1, media: {} as MediaStream, weak: false } satisfies RemoteStream;

test("a stream is live, stalled, undecryptable, off, or not there yet", () => {
  assert.equal(stateOf(undefined, false, NOW), "off");
  assert.equal(stateOf(undefined, true, NOW), "connecting");
  assert.equal(stateOf(count(1, NOW - LIVE + 1), true, NOW), "live");
  assert.equal(stateOf(count(1, NOW - LIVE), true, NOW), "stalled");
  assert.equal(stateOf(count(1, 0, { lastFailed: NOW - 1 }), true, NOW), "not_decrypting");
  assert.equal(stateOf(count(1, 0, { opened: 0 }), true, NOW), "connecting");
});

test("a tile goes by the stream that there is, not by one of a link that is no more", () => {
  const counts = [count(11, NOW - 60_000), count(22, NOW - 10)];
  const [tile] = tilesOf([BO], { camera: null, screen: null }, [PICTURE], counts, null, NOW);
  assert.equal(tile?.pictureState, "live");
});

test("a tile says that video is spared without a subscription, and not when video has stopped", () => {
  const state = (asked: ReadonlySet<number> | null): string | undefined =>
    tilesOf([BO], { camera: null, screen: null }, [PICTURE], [count(22, NOW - 60_000)], asked, NOW)[0]?.pictureState;
  assert.equal(state(new Set([21])), "spared");
  assert.equal(state(new Set([22])), "stalled");
  assert.equal(state(null), "stalled");
});

test("those are ticked with whom we have compared, and a newcomer at the same leaf is not", () => {
  const people = new People();
  const member = (leaf: number, name: string) => ({ leaf, name, host: leaf === 0 });
  const roster = { type: "Roster", epoch: 1, removed: [], by: 0, rejoined: false, left: [] } as const;
  const own = { mic: true, camera: true, screen: false, hand: false, recording: false };
  const ticks = (): unknown => people.list(0, own, new Map()).map(({ name, compared }) => [name, compared]);
  people.roster({ ...roster, members: [member(0, "Ada"), member(1, "Bo")], added: [] }, 1);
  const answered = { leaf: 1, name: "Bo", same: true, both: true };
  people.told({ type: "CodeAnswers", epoch: 1, by: 0, members: [answered], text: { key: "verbatim" } });
  assert.deepEqual(ticks(), [["Ada", false], ["Bo", true]]);
  people.roster({ ...roster, members: [member(0, "Ada"), member(1, "Bo")], added: [{ ...member(1, "Bo"), invite: 0, label: "" }] }, 2);
  assert.deepEqual(ticks(), [["Ada", false], ["Bo", false]]);
});
