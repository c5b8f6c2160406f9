import assert from "node:assert/strict";
import { test } from "node:test";
import type { File } from "../../../../client/web/src/session/catalogue/content";
import type { OwnState } from "../../../../client/web/src/session/events";
import { Files, isName, piecesOf } from "../../../../client/web/src/session/features/filesharing";
import { Pages } from "../../../../client/web/src/session/features/pages";
import type { Room } from "../../../../client/web/src/session/kernel/ports";
import { Reactions, States } from "../../../../client/web/src/session/features/states";
import type { Bytes } from "../../../../client/web/src/crypto/bytes";
import { CommandError } from "../../../../client/web/src/words/sentence";
import { seeded, worded, World } from "./rooms";

const THREE = [{ name: "Ada", host: true }, { name: "Bo" }, { name: "Cem" }];
const three = (): Promise<World> =>
  World.of(THREE, (room: Room) => [
    new States(room),
    new Reactions(room),
    new Pages(room),
    new Files(room),
  ]);
const OFF: Required<OwnState> = { mic: false, camera: false, screen: false, hand: false, recording: false, away: false, since: 0 };

const refused = async (act: () => Promise<void>): Promise<string> => {
  try {
    await act();
  } catch (error) {
    assert.ok(error instanceof CommandError);
    return worded(error.sentence);
  }
  throw new assert.AssertionError({ message: "it was done" });
};

test("a state is told to all, at most one a second, and the last one wins", async () => {
  const world = await three();
  const [ada, bo] = [world.room(0), world.room(1)];
  await world.run(5);
  assert.deepEqual(world.opened, []); // nobody has set one
  for (const hand of [true, false, true]) await ada.act(ada.feature(States).set({ ...OFF, hand }, world.now));
  assert.deepEqual(
    bo.events("StateTold").map(({ state }) => state.hand),
    [true],
  );
  assert.equal(ada.events("StateTold").length, 3); // our own are told at once
  await world.run(1.2);
  assert.deepEqual(
    bo.events("StateTold").map(({ state }) => state.hand),
    [true],
  ); // the same again is no news
  assert.equal(world.opened.filter(({ type }) => type === "state").length, 2);
  await ada.act(ada.feature(States).set({ ...OFF, hand: true }, world.now));
  await world.run(2);
  assert.equal(world.opened.length, 2); // nothing has changed
});

test("whoever comes in is told all states, and an older word than the last is nothing", async () => {
  const world = await three();
  const [ada, bo, cem] = [world.room(0), world.room(1), world.room(2)];
  await ada.act(ada.feature(States).set({ ...OFF, mic: true }, world.now));
  await world.run(2);
  const before = world.opened.length;
  await world.commit(0, { added: [{ leaf: 2, name: "Cem", invite: 0 }] });
  await world.run(1);
  assert.equal(world.opened.length, before + 1); // Bo has set none, and says none
  await cem.hear(ada, { type: "state", ...OFF, camera: true }, 0);
  assert.equal(cem.events("StateTold").at(-1)?.state.mic, true);
  assert.equal(bo.events("StateTold").length, 1);
  await world.commit(0, { removed: [ada.gone] }, [bo, cem]);
  await bo.hear(ada, { type: "state", ...OFF, mic: true }, 50);
  assert.equal(bo.events("StateTold").length, 2); // who was forgotten is news again
});

test("reactions are shown once to who is there, and not too many of them", async () => {
  const world = await three();
  const [ada, bo, cem] = [world.room(0), world.room(1), world.room(2)];
  cem.catchingUp = true;
  await ada.act(ada.feature(Reactions).react("heart", world.now));
  assert.equal(
    await refused(() => ada.feature(Reactions).react("yes", world.now)),
    "one at a time: try again in a moment",
  );
  assert.deepEqual(
    [ada, bo, cem].map((room) => room.events("Reacted").length),
    [1, 1, 0],
  );
  for (let i = 0; i < 40; i++) await bo.hear(ada, { type: "reaction", reaction: "laugh" });
  assert.equal(bo.events("Reacted").length, 20);
  ada.isInSync = false;
  assert.match(await refused(() => ada.feature(Reactions).react("yes", world.now + 1)), /nobody would see it/);
});

test("a member who runs another page is shown to all, once", async () => {
  const world = await three();
  const [ada, bo, cem] = [world.room(0), world.room(1), world.room(2)];
  const [ours, other] = [new Uint8Array(32).fill(1), new Uint8Array(32).fill(2)];
  for (const room of [ada, bo]) await room.act(room.feature(Pages).run(ours, world.now));
  assert.deepEqual(
    world.rooms.flatMap((room) => room.alarms()),
    [],
  );
  assert.deepEqual(
    cem
      .events("Pages")
      .at(-1)
      ?.pages.map(({ name }) => name),
    ["Ada", "Bo"],
  );
  await cem.act(cem.feature(Pages).run(other, world.now));
  assert.match(
    ada.alarms("page_differs")[0] ?? "",
    /^“Cem” runs another page than you: 2 of 3 people here run the same one\. The server of that page/,
  );
  assert.match(cem.alarms("page_differs")[0] ?? "", /^“Ada” and “Bo” run another page than you: 1 of 3/);
  await world.commit(0, { added: [{ leaf: 2, name: "Cem", invite: 0 }] });
  await world.run(2);
  assert.equal(ada.alarms("page_differs").length, 1); // said again, and no news
  await bo.hear(cem, { type: "page", hash: new Uint8Array(32).fill(3), keys: [] });
  assert.equal(bo.alarms("page_differs").length, 2);
  await world.commit(0, { removed: [bo.gone] }, [ada, cem]);
  assert.equal(ada.events("Pages").at(-1)?.pages.length, 2);
  assert.equal(ada.alarms("page_differs").length, 1);
});

test("a member without a page hears when two differ; among equals the first decides", async () => {
  const world = await three();
  const cem = world.room(2);
  await cem.hear(world.room(0), { type: "page", hash: new Uint8Array(32).fill(1), keys: [] });
  await cem.hear(world.room(1), { type: "page", hash: new Uint8Array(32).fill(2), keys: [] });
  assert.match(cem.alarms("page_differs")[0] ?? "", /^“Bo” runs another page than the others: 1 of 2/);
});

test("members whom the server shows other keys of tokens hear of each other, once", async () => {
  const world = await three();
  const [ada, bo, cem] = [world.room(0), world.room(1), world.room(2)];
  const key = (fill: number): Bytes => new Uint8Array(32).fill(fill);
  for (const [room, fill] of [[ada, 1], [bo, 2], [cem, 1]] as const) room.tokenKeys.set(2971, key(fill));
  ada.tokenKeys.set(2972, key(9)); // the next week's, which the others have not seen
  for (const room of [ada, bo, cem]) room.feature(Pages).synced(world.now);
  await world.run(1);
  assert.deepEqual([ada, bo, cem].map((room) => room.alarms("token_key").length), [1, 2, 1]);
  assert.match(ada.alarms("token_key")[0] ?? "", /^“Bo” reports another key for tokens than the server shows you/);
  for (const room of [ada, bo, cem]) room.feature(Pages).synced(world.now);
  await world.run(1);
  assert.deepEqual([ada, bo, cem].map((room) => room.alarms("token_key").length), [1, 2, 1]);
});

test("a file arrives as it was sent, piece by piece", async () => {
  const world = await three();
  const [ada, bo, cem] = [world.room(0), world.room(1), world.room(2)];
  const data = seeded("a file")(200_000);
  assert.equal(piecesOf(data.length), 4);
  await ada.act(ada.feature(Files).send("notes.pdf", "application/pdf", data, world.now));
  await world.run(2);
  for (const room of [bo, cem]) {
    const [offered] = room.events("FileOffered");
    assert.deepEqual([offered?.name, offered?.filename, offered?.size], ["Ada", "notes.pdf", 200_000]);
    assert.deepEqual(
      room.events("FileProgress").map(({ done }) => done),
      [61_440, 122_880, 184_320, 200_000],
    );
    assert.deepEqual(room.events("FileDone")[0]?.data, data);
  }
  assert.equal(ada.events("FileDone").length, 1);
});

test("pieces that were lost are asked for again, of the sender alone; what never comes fails", async () => {
  const world = await three();
  const [ada, bo] = [world.room(0), world.room(1)];
  const data = seeded("a file")(200_000);
  let dropped = 0;
  const passed = bo.broadcastReceived.bind(bo);
  bo.broadcastReceived = async (blob) => (dropped++ < 2 ? false : passed(blob));
  await ada.act(ada.feature(Files).send("notes.pdf", "application/pdf", data, world.now));
  await world.run(6);
  assert.deepEqual(bo.events("FileDone")[0]?.data, data);
  const asked = world.opened.filter((what) => what.type === "file_again");
  assert.deepEqual(
    asked.map((what) => what.type === "file_again" && what.pieces),
    [[0, 1]],
  );

  bo.broadcastReceived = async () => false;
  await ada.act(ada.feature(Files).send("more.pdf", "application/pdf", data, world.now));
  await world.run(60);
  assert.match(worded(bo.events("FileFailed")[0]!.why), /^It stopped arriving/);
});

test("a file that differs from its offer is not delivered", async () => {
  const world = await three();
  const [ada, bo] = [world.room(0), world.room(1)];
  const wrong = world.keep.bind(world);
  world.keep = (from, what) =>
    wrong(from, what.type === "file" ? { ...what, digest: new Uint8Array(32) } : what);
  await ada.act(ada.feature(Files).send("notes.pdf", "application/pdf", seeded("a file")(1000), world.now));
  await world.run(2);
  assert.deepEqual(bo.events("FileDone"), []);
  assert.match(worded(bo.events("FileFailed")[0]!.why), /^It is not the file that was sent/);
});

test("a file whose sender goes fails, and names of files stay names", async () => {
  const world = await three();
  const [ada, bo, cem] = [world.room(0), world.room(1), world.room(2)];
  const offer: File = {
    type: "file",
    id: new Uint8Array(16),
    name: "x",
    mime: "a/b",
    size: 100,
    digest: new Uint8Array(32),
    key: new Uint8Array(32),
    number: 0,
  };
  await bo.hear(cem, offer);
  await bo.hear(cem, { ...offer, id: new Uint8Array(16).fill(1), name: "../x" });
  assert.equal(bo.events("FileOffered").length, 1);
  await world.commit(0, { removed: [cem.gone] }, [ada, bo]);
  assert.match(worded(bo.events("FileFailed")[0]!.why), /^The sender left/);
  for (const name of [
    "..",
    ".x",
    "a/b",
    "a\\b",
    "a:b",
    "a\u0000b",
    "a\u202eb",
    "a\u00a0b",
    "a\nb",
    'a"b',
    "a\u2028b",
  ])
    assert.ok(!isName(name), name);
  for (const name of ["a b.pdf", "über.txt", "會議.md", "a'b", "x..y"]) assert.ok(isName(name), name);
  const files = ada.feature(Files);
  assert.match(
    await refused(() => files.send("x", "a/b", new Uint8Array(), world.now)),
    /^a file has 1 to 8,388,608 bytes, and this one has 0$/,
  );
  assert.match(
    await refused(() => files.send("a/b", "a/b", new Uint8Array(1), world.now)),
    /can't have this name/,
  );
  for (let i = 0; i < 8; i++) await files.send("x", "a/b", new Uint8Array(1), world.now);
  assert.match(
    await refused(() => files.send("x", "a/b", new Uint8Array(1), world.now)),
    /^8 files are being sent/,
  );
});
