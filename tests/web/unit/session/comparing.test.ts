import assert from "node:assert/strict";
import { test } from "node:test";
import { hex } from "../../../../client/web/src/crypto/bytes";
import { CommandError } from "../../../../client/web/src/words/sentence";
import type { Room } from "../../../../client/web/src/session/kernel/ports";
import { Answers, EVERY, TAKEN_BACK_MAX } from "../../../../client/web/src/session/features/answers";
import { Comparing, PHASE } from "../../../../client/web/src/session/features/comparing";
import { worded, World } from "./rooms";

const THREE = [{ name: "Ada", host: true }, { name: "Bo" }, { name: "Cem" }];
const features = (room: Room, now: number): (Comparing | Answers)[] => [new Comparing(room, now), new Answers(room)];
const three = (): Promise<World> => World.of(THREE, features);

const refused = async (act: () => Promise<void> | void): Promise<string> => {
  try {
    await act();
  } catch (error) {
    assert.ok(error instanceof CommandError);
    return worded(error.sentence);
  }
  throw new assert.AssertionError({ message: "it was done" });
};

test("all are shown the same code, and told what changes once they have compared it", async () => {
  const world = await three();
  const [ada, bo] = [world.room(0), world.room(1)];
  await ada.act(ada.feature(Comparing).compare(world.now));
  const codes = world.rooms.map((room) => room.events("ShortCode"));
  for (const shown of codes) assert.equal(shown.length, 1);
  assert.equal(
    new Set(codes.map(([code]) => JSON.stringify([code?.emoji, code?.words, code?.indices]))).size,
    1,
  );
  assert.deepEqual(
    codes[0]?.[0]?.members.map(({ name }) => name),
    ["Ada", "Bo", "Cem"],
  );
  await bo.act(bo.feature(Comparing).compared(true, null, world.now));
  assert.equal(
    worded(bo.events("Comparison").at(-1)!.text),
    "Since you compared codes, nobody has come in or left.",
  );
  await world.commit(0, { removed: [world.room(2).gone] }, [ada, bo]);
  const last = bo.events("Comparison").at(-1)!;
  assert.equal(worded(last.text), "Since you compared codes: “Cem” was removed by “Ada”.");
  assert.ok(last.news);
  assert.deepEqual(
    last.members.map(({ newSince }) => newSince),
    [false, false],
  );
  assert.deepEqual(ada.events("Comparison"), []); // who has said nothing is told nothing
});

test("two members who open at once get one code", async () => {
  const world = await three();
  const [bo, cem] = [world.room(1), world.room(2)];
  world.held = [];
  await cem.act(cem.feature(Comparing).compare(world.now));
  await bo.act(bo.feature(Comparing).compare(world.now));
  while (world.held.length > 0) for (const give of world.held.splice(0)) await give();
  assert.equal(
    new Set(world.rooms.map((room) => JSON.stringify(room.events("ShortCode")[0]?.words))).size,
    1,
  );
  for (const room of world.rooms) assert.equal(room.events("ShortCode").length, 1);
  const sids = (type: "code_open" | "code_reveal"): string[] =>
    world.opened.flatMap((what) => (what.type === type ? [hex(what.sid)] : []));
  assert.deepEqual(new Set(sids("code_reveal")), new Set(sids("code_open").slice(1))); // Bo's, who sits before Cem
});

test("a server that tells two stories of a commitment is found out, and there is no code", async () => {
  const world = await three();
  const [ada, bo, cem] = [world.room(0), world.room(1), world.room(2)];
  world.held = [];
  await ada.act(ada.feature(Comparing).compare(world.now));
  for (const give of world.held.splice(0)) await give();
  // everybody has committed; Bo is given another commitment in Cem's name
  const lie = { type: "code_commit", sid: sidOf(world), commitment: new Uint8Array(32) } as const;
  await bo.hear(cem, lie);
  while (world.held.length > 0) for (const give of world.held.splice(0)) await give();
  assert.deepEqual(
    world.rooms.flatMap((room) => room.events("ShortCode")),
    [],
  );
  assert.match(bo.alarms("code_fork")[0] ?? "", /received other data than you/);
  assert.match(ada.alarms("code_fork")[0] ?? "", /^“Bo” received other data than you/);
});

/** The run that is open, from what Ada has said. */
function sidOf(world: World): Uint8Array<ArrayBuffer> {
  const opened = world.opened.find((what) => what.type === "code_open");
  assert.ok(opened?.type === "code_open");
  return opened.sid;
}

test("a member whose part is missing is named, before and after the first reveal", async () => {
  const world = await three();
  const [ada, cem] = [world.room(0), world.room(2)];
  cem.isInSync = false; // commits to nothing
  await ada.act(ada.feature(Comparing).compare(world.now));
  await world.run(PHASE + 1);
  assert.match(ada.statuses("no_code")[0] ?? "", /There is no code this time: nothing came from “Cem”\./);
  assert.deepEqual(ada.alarms(), []);

  const again = await three();
  const [first, second, third] = [again.room(0), again.room(1), again.room(2)];
  again.withheld = (to, from) =>
    from === third && again.opened.some((w) => w.type === "code_reveal") && to !== third;
  await first.act(first.feature(Comparing).compare(again.now));
  await again.run(PHASE + 1);
  for (const room of [first, second])
    assert.match(
      room.alarms("code_aborted")[0] ?? "",
      /^There is no code: “Cem” did not show their part of it when the others had shown theirs \(nothing came for 8 seconds\)/,
    );
});

test("commits wait for a run, removals aside, and not for one who leaves", async () => {
  const world = await three();
  const ada = world.room(0);
  world.room(2).isInSync = false;
  await ada.act(ada.feature(Comparing).compare(world.now));
  assert.ok(ada.feature(Comparing).holdsCommits(world.now));
  await ada.hear(world.room(1), { type: "leaving", proposal: new Uint8Array(3) });
  assert.ok(!ada.feature(Comparing).holdsCommits(world.now));
});

test("a change of keys after shares are out is somebody's choice, and is told", async () => {
  const world = await three();
  const [ada, bo, cem] = [world.room(0), world.room(1), world.room(2)];
  world.withheld = (_, from) => from === cem && world.opened.some((w) => w.type === "code_reveal");
  await ada.act(ada.feature(Comparing).compare(world.now));
  await world.commit(2, {}, [ada, bo]);
  assert.match(ada.alarms("code_aborted")[0] ?? "", /“Cem” changed the meeting's keys in the middle of it/);
});

test("a comparison that is not possible is refused with a sentence", async () => {
  const alone = await World.of([{ name: "Ada" }], features);
  const ada = alone.room(0);
  const comparing = ada.feature(Comparing);
  assert.equal(await refused(() => comparing.compare(alone.now)), "there is nobody here to compare with");
  assert.equal(
    await refused(() => comparing.compared(true, null, alone.now)),
    "there is no code to compare yet: begin under Code",
  );
  assert.match(await refused(() => comparing.compared(true, "12", alone.now)), /at least the first 10/);
  assert.match(
    await refused(() => comparing.compared(true, "99999 99999", alone.now)),
    /no recent code begins/,
  );
  await comparing.compared(true, "12345 67890", alone.now);
  assert.equal(ada.events("Comparison").at(-1)?.how, "digits");
  comparing.compared(false, "", alone.now);
  assert.equal(ada.alarms("code_different").length, 1);
  assert.match(worded(ada.events("Comparison").at(-1)!.text), /not the same\. Leave/);
});

test("digits of an epoch in which somebody has just come in must be named", async () => {
  const world = await three();
  const ada = world.room(0);
  await world.commit(0, { added: [{ leaf: 2, name: "Cem", invite: 0 }] }, [ada]);
  const comparing = ada.feature(Comparing);
  assert.match(await refused(() => comparing.compared(true, "", world.now)), /somebody has just come in/);
  await world.run(11);
  comparing.compared(true, "", world.now);
  assert.equal(ada.events("Comparison").at(-1)?.same, true);
});

test("answers are those of their senders to this code, and both have to say the same for a tick", async () => {
  const world = await three();
  const [ada, bo, cem] = [world.room(0), world.room(1), world.room(2)];
  await cem.act(cem.feature(Comparing).compare(world.now));
  assert.deepEqual(world.rooms.map((room) => room.events("ShortCode")[0]?.by), [2, 2, 2]);
  await ada.act(ada.feature(Comparing).compared(true, null, world.now));
  await bo.act(bo.feature(Comparing).compared(true, null, world.now));
  await world.run(EVERY + 0.5);
  const seen = (room: typeof ada): unknown[] =>
    room.events("CodeAnswers").at(-1)!.members.map(({ name, same, both }) => [name, same, both]);
  assert.deepEqual(seen(ada), [["Ada", true, false], ["Bo", true, true], ["Cem", null, false]]);
  assert.deepEqual(seen(cem), [["Ada", true, false], ["Bo", true, false], ["Cem", null, false]]);
  assert.equal(worded(cem.events("CodeAnswers").at(-1)!.text), "2 of 3 say that the code is the same.");

  const given = world.opened.find((what) => what.type === "code_answer");
  assert.ok(given?.type === "code_answer");
  for (const wrong of [{ sid: new Uint8Array(16) }, { digest: new Uint8Array(32) }])
    await ada.hear(cem, { ...given, ...wrong }, 100);
  await world.run(EVERY + 0.5);
  assert.deepEqual(seen(ada).at(-1), ["Cem", null, false]);

  // what is taken back again and again is not believed
  for (let at = 0; at < 20; at++) {
    await ada.hear(bo, { ...given, same: at % 2 === 1 }, 200 + at);
    await world.run(EVERY + 0.1);
  }
  assert.deepEqual(seen(ada)[1], ["Bo", false, false]);
  assert.equal(ada.alarms("code_disputed").length, TAKEN_BACK_MAX + 1);
  assert.match(ada.alarms("code_disputed")[0] ?? "", /^“Bo” says that the codes differ\./);
});
