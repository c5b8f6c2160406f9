/** Memberships with each other and no server: what is staged, judged, adopted, void, said and left. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { hex, same, utf8 } from "../../../../client/web/src/crypto/bytes";
import {
  MalformedError,
  MissingKeyError,
  ReplayError,
  ValidationError,
} from "../../../../client/web/src/crypto/errors";
import { openFrame, sealFrame } from "../../../../client/web/src/crypto/media/keys";
import { Ledger } from "../../../../client/web/src/crypto/agreed/ledger";
import { CommitContext, Policy, POLICY_EXTENSION } from "../../../../client/web/src/crypto/agreed/roomState";
import * as envelope from "../../../../client/web/src/crypto/agreed/envelope";
import * as mls from "../../../../client/web/src/mls";
import type { Intent } from "../../../../client/web/src/session/kernel/intents";
import { Membership } from "../../../../client/web/src/session/kernel/membership";
import { leafView } from "../../../../client/web/src/session/kernel/views";
import { BUCKETS } from "../../../../client/web/src/wire/limits";
import { seeded } from "./rooms";
import {
  NOW,
  ROOM,
  PSK,
  psks,
  person,
  hosted,
  enter,
  commits,
  lets,
  three,
  agreed,
  envelopeKey,
  freshLeaf,
  forged,
  cover,
} from "./memberships";

test("members agree on everything, commit after commit", async () => {
  const [ada, bo, cem] = await three();
  agreed(ada, bo, cem);
  assert.deepEqual(cem.members(), [
    { leaf: 0, name: "Ada", host: true },
    { leaf: 1, name: "Bo", host: false },
    { leaf: 2, name: "Cem", host: false },
  ]);
  assert.deepEqual([...ada.ledger.used].sort(), [0, 0x8001]);
  await commits(bo, { type: "HealIntent", epoch: bo.group.epoch }, [ada, cem]);
  agreed(ada, bo, cem);
  const before = hex(ada.heartbeatKey);
  const move = hex(ada.moveKey);
  const change = (p: Policy): Policy => p.withHost(bo.signatureKey(1) ?? new Uint8Array());
  await commits(ada, { type: "PolicyIntent", change }, [bo, cem]);
  agreed(ada, bo, cem);
  assert.ok(cem.isHost(1));
  assert.equal(hex(ada.heartbeatKey), before, "nobody has gone");
  assert.equal(hex(ada.moveKey), move);
  await commits(
    bo,
    { type: "RemoveIntent", leaf: 2, signatureKey: ada.signatureKey(2) ?? new Uint8Array() },
    [ada],
  );
  agreed(ada, bo);
  assert.notEqual(hex(ada.heartbeatKey), before);
  assert.notEqual(hex(ada.moveKey), move);
  assert.deepEqual([...ada.ledger.revoked], [0x8001], "the invite goes with whom it let in");
});

test("the changes of an adopted commit are told", async () => {
  const [ada, bo, cem] = await three();
  const staged = await ada.stage({
    type: "RemoveIntent",
    leaf: 1,
    signatureKey: ada.signatureKey(1) ?? new Uint8Array(),
  });
  assert.ok(staged);
  const verdict = await bo.judge(staged.blob);
  assert.ok(verdict.type === "Valid" && verdict.removesUs);
  await assert.rejects(bo.adopt(verdict, staged.blob, NOW), /no next epoch/);
  const seen = await cem.judge(staged.blob);
  assert.ok(seen.type === "Valid");
  const change = await cem.adopt(seen, staged.blob, NOW);
  assert.deepEqual(
    change.removed.map(({ leaf, name }) => [leaf, name]),
    [[1, "Bo"]],
  );
  assert.deepEqual(
    [change.by, change.rejoined, change.left.size, change.added],
    [0, false, 0, []],
  );
  assert.equal(cem.name(1), "somebody");
  assert.equal(cem.who(2), "Cem");
});

test("an intent is staged anew in each epoch, and not when it is done", async () => {
  const [ada, bo, cem] = await three();
  const key = ada.signatureKey(2) ?? new Uint8Array();
  const removal: Intent = { type: "RemoveIntent", leaf: 2, signatureKey: key };
  const first = await ada.stage(removal);
  assert.ok(first);
  first.stage.drop();
  await commits(bo, { type: "HealIntent", epoch: bo.group.epoch }, [ada, cem]);
  await commits(ada, removal, [bo]);
  assert.equal(await ada.stage(removal), null, "nobody sits there");
  assert.equal(await ada.stage({ type: "HealIntent", epoch: 1 }), null, "an epoch that is over");
  await assert.rejects(
    bo.stage(
      removal.type === "RemoveIntent"
        ? { ...removal, leaf: 0, signatureKey: bo.signatureKey(0) ?? key }
        : removal,
    ),
    (error) => error instanceof ValidationError && error.rule === "SNUG-7",
  );
});

test("a bad commit is void for all, its author named where that is known, and the room goes on", async () => {
  const [ada, bo, cem] = await three();
  const elsewhere = new Uint8Array(32).fill(1);
  const named = await forged(bo, [mls.remove(2)]);
  const moved = await forged(bo, [], { chain: elsewhere });
  const policy = mls.groupContextExtensions([
    ...ada.group.extensions.slice(0, 1),
    { extensionType: POLICY_EXTENSION, data: ada.policy.withHost(bo.signatureKey(1) ?? elsewhere).encode() },
  ]);
  const crowned = await forged(bo, [policy]);
  const garbage = seeded("garbage");
  for (const [blob, rule, author] of [
    [named, "SNUG-7", 1],
    [moved, "SNUG-1", 1],
    [crowned, "SNUG-7", 1],
    [garbage(512), "SNUG-2", null],
    [await cover(bo, "commit", [utf8("no message")]), "SNUG-16", 1],
    [await cover(bo, "commit", [await bo.group.protect(utf8("no commit"))]), "SNUG-2", 1],
  ] as const)
    for (const judge of [ada, cem]) {
      const verdict = await judge.judge(blob);
      assert.deepEqual(
        [verdict.type, verdict.type === "Void" && verdict.rule, verdict.type === "Void" && verdict.author],
        ["Void", rule, author],
        rule,
      );
    }
  for (const m of [ada, bo, cem]) m.void(garbage(512).fill(7));
  await commits(bo, { type: "HealIntent", epoch: bo.group.epoch }, [ada, cem]);
  agreed(ada, bo, cem);
});

test("a commit is of one slot, and of no other room", async () => {
  const [ada, bo, cem] = await three();
  const staged = await ada.stage({ type: "HealIntent", epoch: ada.group.epoch });
  assert.ok(staged);
  const stolen = await bo.judge(await cover(cem, "commit", [staged.stage.message]));
  assert.ok(stolen.type === "Void" && stolen.author === 2, "in a blob of somebody else, who is named");
  bo.void(new Uint8Array(512)); // the server has put something before it
  const late = await bo.judge(staged.blob);
  assert.ok(late.type === "Void" && late.rule === "SNUG-2" && late.author === null);
  const wrongRoom = new Uint8Array(16);
  const blob = await envelope.seal(
    envelopeKey(ada),
    "commit",
    wrongRoom,
    ada.epochSlot,
    envelope.pack([staged.stage.message]),
    BUCKETS,
    seeded("other"),
    new Uint8Array(32),
  );
  const verdict = await cem.judge(blob);
  assert.ok(verdict.type === "Void" && verdict.rule === "SNUG-2");
});

test("a message is read once, in this epoch and the last, by present members", async () => {
  const [ada, bo, cem] = await three();
  const now = await bo.protect(utf8("now"));
  const late = await bo.protect(utf8("late"));
  const never = await bo.protect(utf8("never"));
  const received = await ada.openRelay(now);
  assert.deepEqual([received.sender, received.data, received.epoch], [1, utf8("now"), bo.group.epoch]);
  await assert.rejects(
    ada.openRelay(now),
    (error) => error instanceof ReplayError || error instanceof MissingKeyError,
  );
  await commits(ada, { type: "HealIntent", epoch: ada.group.epoch }, [bo, cem]);
  assert.deepEqual((await ada.openRelay(late)).data, utf8("late"));
  assert.ok(cem.keepsEpoch(envelope.epochSlot(never)));
  await commits(ada, { type: "HealIntent", epoch: ada.group.epoch }, [bo, cem]);
  await assert.rejects(cem.openRelay(never), MissingKeyError);
  assert.equal(cem.keepsEpoch(envelope.epochSlot(never)), false);
  const ahead = await ada.stage({ type: "HealIntent", epoch: ada.group.epoch });
  assert.ok(ahead);
  await ada.adopt(ahead, ahead.blob, NOW);
  await assert.rejects(
    cem.openRelay(await ada.protect(utf8("early"))),
    MissingKeyError,
    "of an epoch to come",
  );
});

test("words of somebody who has been removed are nobody's", async () => {
  const [ada, bo, cem] = await three();
  const last = await bo.protect(utf8("last words"));
  await commits(
    ada,
    { type: "RemoveIntent", leaf: 1, signatureKey: ada.signatureKey(1) ?? new Uint8Array() },
    [cem],
  );
  await assert.rejects(
    cem.openRelay(last),
    (error) => error instanceof ValidationError && error.rule === "SNUG-17",
  );
});

test("a relay holds one application message, and nothing that a commit may need is used up", async () => {
  const [ada, bo, cem] = await three();
  const { slot, chain } = bo.priorState();
  const authenticatedData = new CommitContext({
    room: ROOM,
    slot,
    chain,
    ledger: bo.ledger.digest(),
  }).encode();
  const leafExtensions = await freshLeaf(bo);
  const stage = await bo.group.stage([], { authenticatedData, forcePath: true, psks, leafExtensions });
  await assert.rejects(cem.openRelay(await cover(bo, "relay", [stage.message])), MalformedError);
  await assert.rejects(
    cem.openRelay(
      await cover(bo, "relay", [await bo.group.protect(utf8("a")), await bo.group.protect(utf8("b"))]),
    ),
    MalformedError,
  );
  await assert.rejects(
    cem.openRelay(await cover(bo, "relay", [await bo.leaveProposals.propose()])),
    MalformedError,
  );
  await assert.rejects(
    cem.leaveProposals.store(await bo.group.propose(mls.remove(1), { private: true })),
    MalformedError,
  );
  for (const m of [ada, cem])
    assert.equal((await m.judge(await cover(bo, "commit", [stage.message]))).type, "Valid");
});

test("a farewell is committed by another, carried along, and revokes nothing", async () => {
  const [ada, bo, cem] = await three();
  const farewell = await cem.leaveProposals.propose();
  const stored = await ada.leaveProposals.store(farewell);
  assert.deepEqual([stored.sender, stored.proposal], [2, { type: "Remove", removed: 2 }]);
  const intent: Intent = { type: "SelfRemoveIntent", leaf: 2, reference: stored.reference, proposal: farewell };
  const staged = await ada.stage(intent);
  assert.ok(staged);
  const seen = await bo.judge(staged.blob); // who has not had it by the relay
  assert.ok(seen.type === "Valid");
  const change = await bo.adopt(seen, staged.blob, NOW);
  await ada.adopt(staged, staged.blob, NOW);
  agreed(ada, bo);
  assert.deepEqual([[...change.left], [...bo.ledger.revoked]], [[2], []]);
  assert.equal((await cem.judge(staged.blob)).type, "Valid", "the leaver reads it too");
  assert.equal(await ada.stage(intent), null, "proposals end with their epoch");
});

test("a commit that does not carry what it names is void, whoever has had it elsewhere", async () => {
  const [ada, bo, cem] = await three();
  const farewell = await cem.leaveProposals.propose();
  const { reference } = await bo.leaveProposals.store(farewell);
  await ada.leaveProposals.store(farewell); // and Cem has it too, being its author
  const { slot, chain } = bo.priorState();
  const authenticatedData = new CommitContext({
    room: ROOM,
    slot,
    chain,
    ledger: bo.ledger.digest(),
  }).encode();
  const stage = await bo.group.stage([], {
    includeStored: [reference],
    authenticatedData,
    forcePath: true,
    psks,
    leafExtensions: await freshLeaf(bo),
  });
  const blob = await cover(bo, "commit", [stage.message]);
  for (const m of [ada, cem]) {
    const verdict = await m.judge(blob);
    assert.ok(verdict.type === "Void" && verdict.rule === "SNUG-3", `leaf ${m.ownLeaf}`);
  }
});

test("only somebody's own leaving is kept, and of each member the last", async () => {
  const [ada, bo, cem] = await three();
  await assert.rejects(
    ada.leaveProposals.store(await bo.group.propose(mls.remove(2), { private: false })),
    MalformedError,
  );
  assert.equal(ada.group.storedProposals.size, 0);
  const first = await cem.leaveProposals.propose();
  const second = await cem.group.propose(mls.remove(2), { private: false, authenticatedData: utf8("again") });
  await ada.leaveProposals.store(first);
  await ada.leaveProposals.store(second);
  assert.equal(ada.group.storedProposals.size, 1);
});

test("media keys go with the epoch, the removed one's at once", async () => {
  const [ada, bo, cem] = await three();
  const frame = utf8("sound");
  const sealed = await sealFrame(bo.media, "audio", 0, frame, NOW + 1);
  assert.deepEqual((await openFrame(ada.media, "audio", sealed, NOW + 1)).leaf, 1);
  const before = await sealFrame(bo.media, "audio", 0, frame, NOW + 1);
  await commits(
    ada,
    { type: "RemoveIntent", leaf: 1, signatureKey: ada.signatureKey(1) ?? new Uint8Array() },
    [cem],
  );
  await assert.rejects(openFrame(cem.media, "audio", before, NOW + 1), MissingKeyError);
  const after = await sealFrame(ada.media, "audio", 0, frame, NOW + 1);
  assert.deepEqual((await openFrame(cem.media, "audio", after, NOW + 1)).leaf, 0);
  await assert.rejects(
    openFrame(bo.media, "audio", after, NOW + 1),
    MissingKeyError,
    "who is removed opens nothing more",
  );
});

test("a frame that is sealed while a commit is adopted is for those who are left", async () => {
  const [ada, bo, cem] = await three();
  const staged = await ada.stage({
    type: "RemoveIntent",
    leaf: 2,
    signatureKey: ada.signatureKey(2) ?? new Uint8Array(),
  });
  assert.ok(staged);
  const verdict = await bo.judge(staged.blob);
  assert.ok(verdict.type === "Valid");
  // the browser takes as long for the frame as for the commit
  const { subtle } = crypto;
  const encrypt = subtle.encrypt.bind(subtle);
  let adopted = (): void => undefined;
  const until = new Promise<void>((go) => (adopted = go));
  subtle.encrypt = async (how, key, data) => {
    if (data.byteLength > 4000) await until;
    return encrypt(how, key, data);
  };
  const adopting = bo.adopt(verdict, staged.blob, NOW + 1);
  const between = sealFrame(bo.media, "audio", 0, new Uint8Array(5000), NOW + 1);
  await adopting;
  adopted();
  await between.finally(() => (subtle.encrypt = encrypt));
  await ada.adopt(staged, staged.blob, NOW + 1);
  const opened = await openFrame(ada.media, "audio", await between, NOW + 1);
  assert.deepEqual([opened.leaf, opened.epoch], [1, bo.group.epoch], "sealed again for those who are left");
  await assert.rejects(openFrame(cem.media, "audio", await between, NOW + 1), MissingKeyError);
});

test("the keys of beats and moves are handed to the newcomer alone", async () => {
  const ada = await hosted();
  const intent = await enter("Bo", 0);
  const welcome = await commits(ada, intent, []);
  assert.ok(welcome);
  assert.notDeepEqual(ada.handKeys().slice(0, 32), ada.heartbeatKey);
  const group = await mls.Group.join(welcome, intent.bundle, { psks, rng: seeded("joins") });
  const facts = { room: ROOM, slot: 1, chain: ada.journal.chain, ledger: ada.ledger, linkPsk: PSK, now: NOW };
  const bo = await Membership.create(group, { ...facts, rejoinKey: intent.rejoinKey, handed: ada.handKeys() });
  assert.deepEqual(bo.heartbeatKey, ada.heartbeatKey);
  assert.deepEqual(bo.moveKey, ada.moveKey);
});

test("every commit of a leaf brings it another rejoin key, and its extensions stay", async () => {
  const ada = await hosted();
  const bo = await lets(ada, "Bo", 0, []);
  const seen = [leafView(bo.group.member(1)!)];
  const other = leafView(bo.group.member(0)!).rejoinKey;
  for (let round = 0; round < 3; round++) {
    await commits(bo, { type: "HealIntent", epoch: bo.group.epoch }, [ada]);
    const [mine, theirs] = [leafView(bo.group.member(1)!), leafView(ada.group.member(1)!)];
    assert.deepEqual(mine, theirs);
    assert.deepEqual(mine.rejoinKey, bo.rejoinKeys.all()[0]?.public);
    assert.ok(seen.every(({ rejoinKey }) => !same(rejoinKey, mine.rejoinKey)));
    assert.deepEqual(mine.extensions, seen[0]?.extensions);
    seen.push(mine);
  }
  assert.deepEqual(leafView(ada.group.member(0)!).rejoinKey, other, "nobody else's");
});

test("a commit that is out may have been taken: its rejoin key counts too", async () => {
  const ada = await hosted();
  const bo = await lets(ada, "Bo", 0, []);
  const [now] = bo.rejoinKeys.all();
  const staged = await bo.stage({ type: "HealIntent", epoch: bo.group.epoch });
  assert.ok(staged && now);
  const [, next] = bo.rejoinKeys.all();
  assert.ok(next);
  staged.stage.drop();
  assert.equal((await bo.stage({ type: "HealIntent", epoch: bo.group.epoch }))?.slot, staged.slot);
  assert.deepEqual(bo.rejoinKeys.all(), [now, next], "the same for every commit that is sent for a slot");
  await commits(ada, { type: "HealIntent", epoch: ada.group.epoch }, [bo]);
  assert.deepEqual(bo.rejoinKeys.all(), [now], "another has taken the slot");
});

test("a group that no commits could have brought about is none of ours", async () => {
  const ada = await person("Ada");
  const create = async (extensions: mls.Extension[], name = ada.bundle): Promise<Membership> =>
    Membership.create(await mls.Group.create(name, new Uint8Array(16), extensions, seeded("g")), {
      room: ROOM,
      slot: 0,
      chain: new Uint8Array(32),
      ledger: new Ledger(),
      linkPsk: PSK,
      rejoinKey: ada.rejoinKey,
      now: NOW,
    });
  await assert.rejects(
    create([mls.requiredCapabilities([POLICY_EXTENSION])]),
    (error) => error instanceof ValidationError && error.rule === "SNUG-13",
  );
});
