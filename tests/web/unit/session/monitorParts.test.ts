/**
 * What the session reckons with, alone: order, reach, turns, announcements (as
 * tests/session/test_monitor_parts.py).
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { NO_HEARTBEAT } from "../../../../client/web/src/crypto/agreed/heartbeat";
import { type Bytes, type Rng, utf8 } from "../../../../client/web/src/crypto/bytes";
import { HostKeys, HostSeed } from "../../../../client/web/src/crypto/entry/invite";
import { H, SigningKey } from "../../../../client/web/src/crypto/kdf";
import { labeled } from "../../../../client/web/src/crypto/labels";
import { X25519Key } from "../../../../client/web/src/crypto/primitives";
import {
  Announcements,
  announcementText,
  LABEL,
  openGrant,
  sealGrant,
} from "../../../../client/web/src/session/kernel/announcements";
import { introduction } from "../../../../client/web/src/session/kernel/introduction";
import {
  type Announcement,
  ANNOUNCEMENTS_MAX,
  decode,
  encode,
  type OwnStream,
} from "../../../../client/web/src/session/catalogue/content";
import type { Room } from "../../../../client/web/src/session/kernel/ports";
import { MemberTable } from "../../../../client/web/src/session/monitor/memberTable";
import { KEPT, Ordering } from "../../../../client/web/src/session/monitor/ordering";
import { Delivery, type Stream } from "../../../../client/web/src/session/monitor/delivery";
import { CommitRota } from "../../../../client/web/src/session/features/commitRota";

const filled = (byte: number): Bytes => new Uint8Array(32).fill(byte);
const LIFE = utf8("server 1");
const OTHER = filled(119);

function seeded(name: string): Rng {
  let count = 0;
  return (size) => {
    assert.ok(size <= 32);
    return H(utf8(`${name} ${count++}`)).slice(0, size);
  };
}

// -- who beats at once --------------------------------------------------------------------------------------

test("in a room of many, only who let a newcomer in answers at once", () => {
  const first = (count: number, own: number, hosts: readonly number[], committer?: number) => {
    const members = () => Array.from({ length: count }, (_, leaf) => ({ leaf, name: "", host: hosts.includes(leaf) }));
    const table = new MemberTable({ membership: { members, ownLeaf: own } } as unknown as Room, 0);
    table.update(0);
    return table.firstToBeat(committer);
  };
  assert.deepEqual(first(17, 3, [0, 9], 9), [9]);
  assert.deepEqual(first(17, 9, [9], 4), [4]);
  assert.deepEqual(first(17, 3, [0, 9]), []);
  assert.equal(first(16, 3, [0], 0).length, 16);
  assert.equal(first(17, 3, [], 3).length, 17);
});

// -- delivery ---------------------------------------------------------------------------------------------

/** Leaf 1 on leaf 0's stream 0: (sent, got) every 5 s. */
function reports(delivery: Delivery, rounds: readonly (readonly [number, number])[], start = 0) {
  return rounds.map(([sent, got], at) => {
    delivery.recordSent(0, [[0, sent]]);
    return delivery.recordReceived(1, new Map([[0, new Map([[0, got]])]]), [0, 1], 5 * (start + at));
  });
}

test("three heartbeats without delivery are told once, and so is the end", () => {
  const delivery = new Delivery();
  const told = reports(delivery, [
    [0, 0],
    [250, 250],
    [500, 250],
    [750, 250],
    [1000, 250],
    [1250, 250],
    [1500, 600],
  ]);
  const none: Stream[] = [];
  assert.deepEqual(
    told.map(({ lost }) => lost),
    [none, none, none, none, [[0, 0]], none, none],
  );
  assert.deepEqual(
    told.map(({ back }) => back),
    [none, none, none, none, none, none, [[0, 0]]],
  );
  assert.deepEqual(delivery.notReached([0, 0]), []);
});

test("a stream that is not sent is not missed, and heartbeats in quick succession count as one", () => {
  const still = Array.from({ length: 10 }, () => [252, 200] as const);
  assert.ok(reports(new Delivery(), [[0, 0], [250, 200], ...still]).every(({ lost }) => lost.length === 0));
  const delivery = new Delivery();
  for (let n = 0; n < 18; n++) {
    delivery.recordSent(0, [[0, 50 * n]]);
    assert.deepEqual(delivery.recordReceived(1, new Map(), [0, 1], 0.5 * n).lost, []);
  }
});

test("one layer is enough, and none is the loss of one stream", () => {
  const delivery = new Delivery();
  const came = (small: number, larger: number) => new Map([[0, new Map([[1, small], [4, larger]])]]); // prettier-ignore
  for (let at = 0; at < 8; at++) {
    delivery.recordSent(0, [1, 4, 5].map((stream) => [stream, 100 * at] as const));
    const { lost } = delivery.recordReceived(1, came(100 * Math.min(at, 3), 100 * Math.max(0, at - 3)), [0, 1], 5 * at);
    assert.deepEqual(lost, []);
  }
  const told: Stream[] = [];
  for (let at = 8; at < 12; at++) {
    delivery.recordSent(0, [
      [1, 100 * at],
      [4, 700],
      [5, 700],
    ]);
    told.push(...delivery.recordReceived(1, came(300, 400), [0, 1], 5 * at).lost);
  }
  assert.deepEqual(told, [[0, 1]]);
  assert.deepEqual(delivery.notReached([0, 1]), [1]);
});

test("a new connection or another member begins again", () => {
  for (const again of ["reset", "forget"] as const)
    for (const leaf of [0, 1]) {
      const delivery = new Delivery();
      reports(delivery, [
        [0, 0],
        [250, 0],
        [500, 0],
      ]);
      delivery[again](leaf);
      const told = reports(
        delivery,
        [
          [750, 0],
          [1000, 0],
          [1250, 0],
          [1500, 0],
        ],
        3,
      );
      assert.deepEqual(
        told.map(({ lost }) => lost.length),
        [0, 0, 0, 1],
        `${again} ${leaf}`,
      );
      assert.deepEqual(delivery.notReached([0, 0]), [1]);
    }
});

test("leaf 1's streams are not leaf 10's", () => {
  const delivery = new Delivery();
  const beats = (n: number) => {
    delivery.recordSent(10, [[0, 100 * n]]);
    return delivery.recordReceived(2, new Map(), [10], 5 * n).lost;
  };
  for (let n = 0; n < 3; n++) beats(n);
  delivery.forget(1);
  assert.deepEqual(beats(3), [[10, 0]]);
});

// -- order ------------------------------------------------------------------------------------------------

const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);

function ordering(numbers: readonly number[], life = LIFE): Ordering {
  const made = new Ordering();
  made.setIncarnation(life);
  for (const number of numbers) assert.ok(made.record(number, filled(number)));
  return made;
}

test("members with the same relays have the same window", () => {
  const [ours, theirs] = [ordering(range(1, 20)), ordering(range(11, 20))]; // who came later has fewer
  assert.deepEqual(theirs.newest(), ours.newest());
  assert.equal(theirs.newest()[0], 19);
  assert.equal(ours.checkClaim(1, ...theirs.newest(), 0), false);
  assert.notDeepEqual(ours.windowAt(18), ours.windowAt(19));
});

test("nothing is vouched for without all that a window covers", () => {
  assert.deepEqual(new Ordering().newest(), [0, NO_HEARTBEAT]);
  assert.deepEqual(ordering([5, 6, 7]).newest(), [0, NO_HEARTBEAT]);
  assert.equal(ordering([1, 2, 4]).newest()[0], 2);
  assert.equal(ordering([...range(3, 11), 13]).newest()[0], 10);
});

test("a difference is told at the second time, and once", () => {
  let ours = ordering([1, 2, 3]);
  const claims = () => ours.checkClaim(1, 3, OTHER, 0);
  assert.deepEqual([claims(), claims(), claims(), claims()], [false, true, false, false]);
  const mine = ours.newest();
  ours = ordering([1, 2, 3]);
  assert.deepEqual(
    [claims(), ours.checkClaim(1, ...mine, 0), claims()],
    [false, false, false],
    "not twice on end",
  );
});

test("relays that only others have are compared when they come", () => {
  let ours = ordering([1, 2]);
  assert.equal(ours.checkClaim(1, ...ordering([1, 2, 3]).newest(), 5), false);
  assert.equal(ours.checkClaim(1, 3, OTHER, 9), false, "the first claim stays");
  assert.deepEqual([ours.aheadSince(4.9), ours.aheadSince(5)], [[], [1]]);
  ours.record(3, filled(3));
  assert.deepEqual([ours.checkWaitingClaims(), ours.aheadSince(99)], [[], []]);
  ours = ordering([1, 2]);
  for (const claim of [3, 4]) {
    ours.checkClaim(1, claim, OTHER, 0);
    ours.record(claim, filled(0));
    assert.deepEqual(ours.checkWaitingClaims(), claim === 4 ? [1] : []);
  }
});

test("one number is one message on one connection", () => {
  const ours = ordering([1, 2]);
  assert.ok(ours.record(2, filled(2)));
  assert.equal(ours.record(2, filled(0)), false);
  ours.disconnected();
  assert.ok(ours.record(1, filled(0)), "the room was forgotten meanwhile, and counts anew");
  assert.equal(ours.newest()[0], 1);
  ours.setIncarnation(utf8("server 2"));
  assert.deepEqual(ours.newest(), [0, NO_HEARTBEAT]);
});

test("the memory of relays is bounded", () => {
  const ours = ordering([]);
  for (const number of range(1, 3 * KEPT)) ours.record(number, filled(0));
  assert.equal(ours.newest()[0], 3 * KEPT - 1);
  assert.notEqual(ours.windowAt(2 * KEPT + 8), null);
  assert.equal(ours.windowAt(2 * KEPT + 6), null, "of the oldest only what is kept is known");
});

// -- turns ------------------------------------------------------------------------------------------------

test("the longest unhealed heals, and the next in rank when that one does not", () => {
  const rota = new CommitRota([0, 1, 2], 0);
  const due = (now: number) => [0, 1, 2].filter((own) => rota.healDue([0, 1, 2], own, now));
  assert.deepEqual([due(99), due(100), due(105), due(110)], [[], [0], [0, 1], [0, 1, 2]]);
  rota.committed(0, [], [], 100);
  assert.deepEqual([due(199), due(200), due(205)], [[], [1], [1, 2]]);
  assert.equal(rota.healDue([1], 1, 1e6), false, "alone there is nobody to heal for");
  const many = range(0, 60);
  assert.equal(new CommitRota(many, 0).healDue(many, 0, 10), true, "not more often than every ten seconds");
});

test("hosts commit farewells first, each next in rank a second later", () => {
  const rota = new CommitRota([0, 1, 2, 3], 0);
  const farewell = { type: "SelfRemoveIntent", leaf: 0, reference: filled(1), proposal: filled(2) } as const;
  rota.addSelfRemove(farewell, 50);
  const members = [
    [0, true],
    [1, false],
    [2, true],
    [3, false],
  ] as const;
  const due = (own: number, now: number) => rota.selfRemovesDue(members, own, now).length;
  assert.deepEqual(
    [2, 1, 3].map((own) => [due(own, 50), due(own, 51), due(own, 52)]),
    [
      [1, 1, 1],
      [0, 1, 1],
      [0, 0, 1],
    ],
  );
  rota.committed(2, [], [], 51);
  assert.equal(due(2, 99), 0, "proposals end with their epoch");
});

// -- announcements ----------------------------------------------------------------------------------------

const GROUP = utf8("the group");

/** An announcement that this key has signed. */
async function announcement(key: SigningKey, of: Partial<Announcement> = {}, groupId = GROUP): Promise<Announcement> {
  const what: Omit<Announcement, "signature"> = {
    leaf: 1,
    epoch: 3,
    count: 5,
    handle: new Uint8Array(8),
    box: filled(1),
    streams: [],
    openers: [],
    ...of,
  };
  return { ...what, signature: await key.sign(labeled(LABEL, announcementText(groupId, what))) };
}

const audio = (ssrc: number, stream: number): OwnStream[] => [{ ssrc, kind: "audio", stream }];

test("the newest announcement of each leaf counts, and goes with it", async () => {
  const key = await SigningKey.generate(seeded("a leaf"));
  const announcements = new Announcements();
  const store = async (of: Partial<Announcement>): Promise<boolean> =>
    announcements.store(await announcement(key, of), GROUP, key.public);
  assert.ok(await store({ streams: audio(7, 0) }));
  assert.ok(await store({ leaf: 2, count: 1, streams: audio(7, 1) })); // the same SSRC in another's name
  assert.deepEqual([...announcements.announcers(7)], [[1, 0], [2, 1]]);
  for (const [epoch, count] of [[3, 4], [3, 5], [2, 9]] as const)
    assert.ok(!(await store({ epoch, count, streams: audio(8, 0) })), "older ones, and the same, are nothing");
  assert.deepEqual([...announcements.streams(1)], [[7, 0]]);
  assert.ok(await store({ epoch: 4, count: 0, streams: audio(8, 2), openers: [filled(9)] }));
  assert.deepEqual([...announcements.announcers(7)], [[2, 1]]);
  assert.deepEqual([...announcements.streams(1)], [[8, 2]]);
  assert.deepEqual([announcements.opener(1, 1), announcements.opener(1, 2)], [filled(9), null]);
  announcements.forget(1);
  assert.deepEqual([announcements.streams(1).size, announcements.boxes().map(([leaf]) => leaf)], [0, [2]]);
  assert.equal(announcements.opener(1, 1), null);
});

test("an announcement that the leaf has not signed, or of another group or leaf, is none", async () => {
  const key = await SigningKey.generate(seeded("a leaf"));
  const other = await SigningKey.generate(seeded("another"));
  const own = await announcement(key, { streams: audio(7, 0) });
  const announcements = new Announcements();
  const forged: Announcement[] = [
    await announcement(other),
    await announcement(key, {}, utf8("another group")),
    { ...(await announcement(key, { leaf: 2 })), leaf: 1 },
    { ...own, epoch: own.epoch + 1 },
    { ...own, count: own.count + 1 },
    { ...own, handle: filled(1).slice(0, 8) },
    { ...own, box: filled(2) },
    { ...own, streams: audio(7, 1) },
    { ...own, streams: audio(8, 0) },
    { ...own, streams: [{ ssrc: 7, kind: "video", stream: 0 }] },
    { ...own, openers: [filled(3)] },
    { ...own, signature: new Uint8Array(64) },
  ];
  for (const each of forged) assert.ok(!(await announcements.store(each, GROUP, key.public)));
  assert.ok(!(await announcements.store(own, GROUP, null)), "the leaf is empty");
  assert.ok(!(await announcements.store(own, GROUP, other.public)), "the leaf has another member");
  assert.deepEqual(announcements.newest(), []);
  assert.ok(await announcements.store(own, GROUP, key.public));
});

test("an introduction names all leaves, in messages that the codec takes", async () => {
  const key = await SigningKey.generate(seeded("a leaf"));
  const one = await announcement(key);
  const known = Array.from({ length: 2 * ANNOUNCEMENTS_MAX + 1 }, (_, i) => ({ ...one, leaf: 3 * i }));
  const parts = introduction(known.toReversed());
  const middle = 3 * ANNOUNCEMENTS_MAX;
  assert.deepEqual(
    parts.map(({ first, last }) => [first, last]),
    [[0, middle - 1], [middle, 2 * middle - 1], [2 * middle, 0xffff_ffff]],
  );
  assert.deepEqual(parts.flatMap(({ announcements }) => announcements), known);
  for (const part of parts) assert.deepEqual(decode(encode(part)), part);
  assert.deepEqual(introduction([]), []);
});

test("the host keys reach their new holder, and nobody with another key, box or group", async () => {
  const rng = seeded("grant");
  const keys = new HostKeys([await HostSeed.fromRandom(rng), await HostSeed.fromRandom(rng)]);
  const box = await X25519Key.generate(rng);
  const other = await X25519Key.generate(rng);
  const [key, group] = [filled(3), filled(4)];
  const grant = await sealGrant(keys, 2, key, box.public, group, rng);
  assert.deepEqual((await openGrant(grant, key, box, group))?.encode(), keys.encode());
  assert.equal(await openGrant(grant, filled(5), box, group), null);
  assert.equal(await openGrant(grant, key, other, group), null);
  assert.equal(await openGrant(grant, key, box, filled(5)), null);
  const changed = grant.sealed.slice();
  changed[0] = (changed[0] ?? 0) ^ 1;
  assert.equal(await openGrant({ ...grant, sealed: changed }, key, box, group), null);
  await assert.rejects(sealGrant(keys, 2, key, new Uint8Array(32), group, rng), /small order/);
});
