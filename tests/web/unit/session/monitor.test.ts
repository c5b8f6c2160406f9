import { States } from "../../../../client/web/src/session/features/states";
import assert from "node:assert/strict";
import { test } from "node:test";
import { CommandError } from "../../../../client/web/src/words/sentence";
import { Heartbeats, BeatHistory, Record } from "../../../../client/web/src/session/monitor/heartbeats";
import { Subscriptions } from "../../../../client/web/src/session/features/subscriptions";
import { Freshness } from "../../../../client/web/src/session/monitor/freshness";
import { Monitor } from "../../../../client/web/src/session/monitor/monitor";
import { Heartbeat } from "../../../../client/web/src/crypto/agreed/heartbeat";
import { ValidationError } from "../../../../client/web/src/crypto/errors";
import { H } from "../../../../client/web/src/crypto/kdf";
import { utf8 } from "../../../../client/web/src/crypto/bytes";
import { type Room, worded, World } from "./rooms";

const THREE = [{ name: "Ada", host: true }, { name: "Bo" }, { name: "Cem" }];
const three = (): Promise<World> =>
  World.of(THREE, (room, now) => [new Subscriptions(room), new States(room), new Monitor(room, now)]);

const why = (room: Room): string | null => {
  const reason = room.feature(Monitor).holdReason(room.world.now);
  return reason === null ? null : worded(reason);
};

test("in a healthy meeting no alarm is raised, and media may flow", async () => {
  const world = await three();
  await world.run(120);
  for (const room of world.rooms) {
    assert.deepEqual(room.told, []);
    assert.equal(why(room), null);
    assert.ok(room.feature(Monitor).heardRecently(0, world.now));
  }
  assert.ok(world.room(1).feature(Monitor).record.beats.length >= 60);
});

test("a silent member is told once, and so is the end", async () => {
  const world = await three();
  const [ada, bo] = [world.room(0), world.room(1)];
  await world.run(20);
  world.room(2).asleep = true;
  await world.run(40);
  assert.deepEqual(bo.alarms("silent"), [
    "Nothing has come from “Cem” for 15 s. The connection may be lost, or the server keeps it from you.",
  ]);
  assert.deepEqual(bo.alarms("gone"), []);
  await world.run(30);
  assert.match(
    ada.alarms("gone")[0] ?? "",
    /^“Cem” has been silent for 60 s and still has the meeting's keys\. You can remove them under People/,
  );
  assert.equal(why(bo), null); // of three two are enough
  world.room(2).asleep = false;
  await world.run(6);
  assert.deepEqual(bo.statuses("cleared"), ["“Cem” can be heard again."]);
});

test("without a host's heartbeat media pauses, until an override", async () => {
  const world = await three();
  const [bo, cem] = [world.room(1), world.room(2)];
  await world.run(10);
  world.room(0).asleep = true;
  await world.run(65);
  for (const room of [bo, cem]) {
    assert.match(
      room.alarms("stale")[0] ?? "",
      /^Your program hears no host: “Ada” hasn't answered for a while\./,
    );
    assert.match(why(room) ?? "", /no host's program has answered lately/);
  }
  bo.feature(Monitor).override(world.now);
  assert.equal(why(bo), null);
  assert.throws(() => bo.feature(Monitor).override(world.now), CommandError);
  world.room(0).asleep = false;
  await world.run(12);
  assert.ok(
    bo
      .statuses("cleared")
      .includes("The others confirm again who is in the room. Sound, video and messages no longer wait."),
  );
  assert.equal(why(bo), null);
});

test("a withheld change stops our media, and is told", async () => {
  const world = await three();
  const [ada, bo, cem] = [world.room(0), world.room(1), world.room(2)];
  await world.run(8);
  await world.commit(0, { removed: [cem.gone] }, [ada, bo]);
  await world.run(5);
  assert.match(
    cem.alarms("withheld")[0] ?? "",
    /^“Ada” and “Bo” have signed that they have change 4 of this meeting, and \S+ does not deliver it to you/,
  );
  assert.match(why(cem) ?? "", /“Ada” reports a change of the meeting that has not arrived here/);
  assert.equal(why(bo), null);
  const reach = ada.statuses("removal_reach");
  await world.run(10);
  assert.match(
    [...reach, ...ada.statuses("removal_reach")].at(-1) ?? "",
    /^The removal of “Cem” has reached everybody \(1 of 1\)\.$/,
  );
});

test("a host reads for how long at most a removal can be kept from somebody", async () => {
  const world = await three();
  const [ada, cem] = [world.room(0), world.room(2)];
  await world.run(8);
  await world.commit(0, { removed: [cem.gone] }, [ada]);
  await world.run(12);
  assert.match(ada.statuses("removal_reach")[0] ?? "", /0 of 1 members, but not “Bo”.* for 55 s at most/);
});

test("the word of who stands in an epoch that is long over is worth nothing", async () => {
  const world = await three();
  const [ada, bo] = [world.room(0), world.room(1)];
  await world.run(20);
  bo.asleep = true;
  await world.commit(0, {}, [ada, bo]); // Cem is not told, and goes on beating where it stands
  await world.run(13);
  assert.equal(why(ada), null);
  await world.run(6);
  assert.match(why(ada) ?? "", /too few of the others/);
});

test("two members with different changes find that out", async () => {
  const world = await three();
  const [ada, bo, cem] = [world.room(0), world.room(1), world.room(2)];
  await world.run(8);
  world.chains.set(4, H(utf8("one story")));
  for (const room of [ada, bo]) await room.adopt(0, {}, 4, 4);
  world.chains.set(4, H(utf8("another")));
  await cem.adopt(0, {}, 4, 4);
  await world.run(8);
  assert.match(
    cem.alarms("two_stories")[0] ?? "",
    /^“(Ada|Bo)” reports another history of this meeting than yours \(at slot 4\)/,
  );
  assert.match(bo.alarms("two_stories")[0] ?? "", /^“Cem” reports another history/);
});

test("a member who is not heard by others is told so", async () => {
  const world = await three();
  const cem = world.room(2);
  await world.run(20);
  world.withheld = (_, from) => from === cem; // nobody has Cem's beats, and Cem has theirs
  await world.run(60);
  assert.match(
    cem.alarms("unheard")[0] ?? "",
    /^(The others do|“Ada” and “Bo” do|“Ada” does|“Bo” does) not hear you/,
  );
  world.withheld = () => false;
  await world.run(12);
  assert.match(cem.statuses("cleared").join(), /Your messages reach (“Ada” and “Bo”|“Ada”|“Bo”) again\./);
});

test("other messages in another order are told, and one number for two messages is", async () => {
  const world = await three();
  const [ada, bo] = [world.room(0), world.room(1)];
  const one = H(utf8("one"));
  for (let number = 1; number <= 9; number++) {
    for (const room of [ada, world.room(2)])
      await room.feature(Monitor).relayed(number, H(utf8(`${number}`)), world.now);
    await bo.feature(Monitor).relayed(number, H(utf8(`other ${number}`)), world.now);
  }
  await world.run(20);
  assert.match(
    bo.alarms("reordered").at(-1) ?? "",
    /^“Ada” and “Cem” have signed that they were given other messages than you, or another order of them/,
  );
  assert.match(ada.alarms("reordered")[0] ?? "", /^“Bo” reports other messages than you have/);
  await ada.feature(Monitor).relayed(20, one, world.now);
  await ada.feature(Monitor).relayed(20, H(utf8("two")), world.now);
  assert.match(ada.alarms("reordered").at(-1) ?? "", /two different messages under one number/);
});

test("a heartbeat forged in another's name, or by a stranger, is ignored", async () => {
  const world = await three();
  const [ada, bo] = [world.room(0), world.room(1)];
  const beats = new Heartbeats(ada.asPorts, world.now);
  const lie = new Heartbeats(bo.asPorts, world.now);
  const sent: Uint8Array<ArrayBuffer>[] = [];
  const honest = await lie.send(world.now, orderOf(), { members: 3, want: false, pending: [] });
  sent.push(honest.encode());
  assert.equal((await beats.receive(honest.encode()))?.leaf, 1);
  assert.equal(await beats.receive(honest.encode()), null); // heard before
  const forged = await new Heartbeat({ ...honest, leaf: 2, seq: 9 }).signed(ada.number, (label, data) =>
    bo.membership.sign(label, data),
  );
  assert.equal(await beats.receive(forged.encode()), null);
  assert.equal(await beats.receive(utf8("garbage")), null);
  // but two that contradict each other under one key are told
  const other = await new Heartbeat({ ...honest, relay: 99 }).signed(ada.number, (label, data) =>
    bo.membership.sign(label, data),
  );
  const double = await beats.receive(other.encode());
  assert.equal(double?.constructor.name, "DoubleBeat");
});

const orderOf = (): Parameters<Heartbeats["send"]>[1] =>
  ({ newest: () => [0, new Uint8Array(32)], incarnation: new Uint8Array(8) }) as unknown as Parameters<
    Heartbeats["send"]
  >[1];

test("a history compares each heartbeat with those before it", () => {
  const history = new BeatHistory(0);
  const beat = (seq: number, slot: number, prev = "0"): Heartbeat =>
    new Heartbeat({
      leaf: 1,
      handle: new Uint8Array(8),
      since: 0,
      seq,
      prev: seq === 1 ? new Uint8Array(32) : H(utf8(prev)),
      at: 0,
      epoch: slot,
      slot,
      chain: new Uint8Array(32),
      authenticator: new Uint8Array(32),
      incarnation: new Uint8Array(8),
      server: new Uint8Array(8),
      relay: 0,
      window: new Uint8Array(32),
      words: 0,
      sent: [],
      want: false,
      got: [],
      pending: [],
    });
  assert.ok(history.accept(beat(1, 5), H(utf8("a"))));
  assert.ok(history.accept(beat(4, 6, "x"), H(utf8("d"))));
  assert.equal(history.gaps, 2);
  assert.ok(!history.accept(beat(3, 6, "y"), H(utf8("x")))); // late, and as its follower says
  assert.throws(() => history.accept(beat(4, 6, "x"), H(utf8("another"))), ValidationError);
  assert.throws(() => history.accept(beat(6, 5, "z"), H(utf8("back"))), ValidationError);
});

test("evidence is bounded, and too frequent heartbeats displace only their own", () => {
  const record = new Record();
  const [much, little] = [utf8("much"), utf8("little")];
  record.add(utf8("first"), little);
  for (let i = 0; i < 100; i++) record.add(utf8(`${i}`), much);
  assert.equal(record.beats.length, 64);
  assert.deepEqual(record.beats[0], { beat: utf8("first"), key: little });
  assert.deepEqual(record.beats.at(-1)?.beat, utf8("99"));
});

test("freshness asks for a host and for more than half", () => {
  const fresh = new Freshness();
  const others = new Map([
    [0, true],
    [1, false],
    [2, false],
    [3, false],
  ]);
  assert.equal(fresh.until(new Map(), false), Infinity);
  assert.equal(fresh.until(others, false), 0);
  fresh.confirm(1, 10, 10);
  fresh.confirm(2, 20, 20);
  assert.equal(fresh.until(others, false), 0); // no host
  assert.equal(fresh.until(others, true), 10); // with ourselves three of five
  fresh.confirm(0, 15, 15);
  assert.equal(fresh.until(others, false), 15);
  fresh.confirm(0, 5, 5); // what held longer goes on to
  assert.equal(fresh.confirmedUntil(0), 15);
  assert.deepEqual(fresh.missing(others, 15), [0, 1, 3]);
  fresh.forget(2);
  assert.equal(fresh.until(others, false), 10);
});
