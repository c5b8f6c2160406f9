import assert from "node:assert/strict";
import { test } from "node:test";
import { type Bytes, hex, systemRng, utf8 } from "../../../../client/web/src/crypto/bytes";
import { StateError, UnsupportedError, ValidationError } from "../../../../client/web/src/crypto/errors";
import * as mls from "../../../../client/web/src/mls";
import { makeWelcome } from "../../../../client/web/src/mls/makeWelcome";

const SUITE = mls.CipherSuite.X25519_AES128GCM_SHA256_ED25519;
const OTHER = mls.CipherSuite.X25519_CHACHA20POLY1305_SHA256_ED25519;
const LINK = utf8("snug 1 link");
const PSKS: mls.Psks = new Map([[hex(LINK), systemRng(32)]]);
const POLICY = 0xf001;

async function bundle(name: string, signatureKey?: mls.SignatureKey): Promise<mls.KeyPackageBundle> {
  return mls.createKeyPackage(SUITE, {
    signatureKey: signatureKey ?? (await mls.generateSignatureKey(SUITE)),
    identity: utf8(name),
    supports: [POLICY],
    lifetime: { notBefore: 0, notAfter: 1000 },
    rng: systemRng,
  });
}

const admit = async (package_: mls.KeyPackageBundle): Promise<mls.Proposal[]> => [
  mls.externalPsk(LINK, systemRng),
  mls.add(await mls.KeyPackageIn.decode(package_.encoded).verify(SUITE, 500)),
];

async function create(name = "Ada"): Promise<mls.Group> {
  const extensions = [mls.requiredCapabilities([POLICY]), { extensionType: POLICY, data: utf8("policy") }];
  return mls.Group.create(await bundle(name), utf8("group"), extensions, systemRng);
}

/** `host` lets somebody in; `others` are there and adopt that. */
async function enter(host: mls.Group, name: string, ...others: readonly mls.Group[]): Promise<mls.Group> {
  const own = await bundle(name);
  const stage = await host.stage(await admit(own), { psks: PSKS, makeWelcome });
  for (const group of others) group.adopt(await candidate(group, stage.message));
  host.adopt(stage);
  assert.ok(stage.welcome);
  return mls.Group.join(stage.welcome, own, { psks: PSKS, rng: systemRng });
}

async function candidate(group: mls.Group, message: Bytes): Promise<mls.CandidateCommit> {
  const got = await group.process(message, PSKS);
  assert.equal(got.type, "CandidateCommit");
  assert.ok(got.type === "CandidateCommit");
  return got;
}

const agree = (one: mls.GroupView, other: mls.GroupView): void => {
  assert.equal(one.epoch, other.epoch);
  assert.equal(hex(one.epochAuthenticator), hex(other.epochAuthenticator));
  assert.equal(hex(one.export("x", utf8("y"), 40)), hex(other.export("x", utf8("y"), 40)));
};

test("a newcomer agrees with its inviter, and knows it", async () => {
  const ada = await create();
  const bo = await enter(ada, "Bo");
  agree(ada, bo);
  assert.equal(bo.welcomedBy, 0);
  assert.equal(ada.welcomedBy, null);
  const got = await ada.process(await bo.protect(utf8("hello"), utf8("clear")));
  assert.ok(got.type === "ApplicationMessage");
  assert.deepEqual(
    [hex(got.data), hex(got.authenticatedData), got.sender],
    [hex(utf8("hello")), hex(utf8("clear")), 1],
  );
});

test("a candidate is read before it is adopted, and used for nothing", async () => {
  const ada = await create();
  const bo = await enter(ada, "Bo");
  const before = hex(ada.epochAuthenticator);
  const stage = await ada.stage([]);
  assert.equal(stage.group.epoch, 2);
  assert.ok(stage.group instanceof mls.Group);
  await assert.rejects(stage.group.protect(utf8("early")), StateError);
  await assert.rejects(stage.group.stage([]), StateError);
  const theirs = await candidate(bo, stage.message);
  assert.ok(theirs.group);
  agree(stage.group, theirs.group);
  assert.equal(hex(ada.epochAuthenticator), before);
  ada.adopt(stage);
  bo.adopt(theirs);
  agree(ada, bo);
  assert.throws(() => stage.group, StateError);
  assert.throws(() => ada.adopt(stage), StateError);
});

test("adopting one candidate drops the others of its epoch", async () => {
  const ada = await create();
  const bo = await enter(ada, "Bo");
  const [mine, other] = [await ada.stage([]), await ada.stage([])];
  const theirs = await candidate(ada, (await bo.stage([])).message);
  ada.adopt(other);
  for (const late of [mine, theirs]) {
    assert.equal(late.dropped, true);
    assert.throws(() => ada.adopt(late), StateError);
  }
});

test("a candidate of another epoch, or another's group, is not adopted", async () => {
  const [ada, cem] = [await create("Ada"), await create("Cem")];
  const stage = await ada.stage([]);
  assert.throws(() => cem.adopt(stage), StateError);
  assert.equal(stage.dropped, false);
  ada.adopt(stage);
});

test("a removed member has no next epoch, and its late messages are not read", async () => {
  const ada = await create();
  const bo = await enter(ada, "Bo");
  const late = await bo.protect(utf8("late"));
  const stage = await ada.stage([mls.remove(1)]);
  const theirs = await candidate(bo, stage.message);
  assert.equal(theirs.removesUs, true);
  assert.equal(theirs.group, null);
  assert.throws(() => bo.adopt(theirs), StateError);
  ada.adopt(stage);
  await assert.rejects(
    ada.process(late),
    (error) => error instanceof ValidationError && error.rule === "SNUG-17",
  );
});

test("a client that is in a group refuses a Welcome to a group with the same id (RFC 9420 12.4.3.1)", async () => {
  const ada = await create();
  const own = await bundle("Bo");
  const { welcome } = await ada.stage(await admit(own), { psks: PSKS, makeWelcome });
  assert.ok(welcome);
  const join = (...ids: string[]): Promise<mls.Group> =>
    mls.Group.join(welcome, own, { psks: PSKS, knownGroups: ids.map(utf8), rng: systemRng });
  await assert.rejects(
    join("another", "group"),
    (error) => error instanceof ValidationError && error.rule === "MLS-12.4.3.1-6",
  );
  assert.equal((await join("another", "group of another id")).epoch, 1);
});

test("a member that one commit removes and adds again hears that it is removed", async () => {
  const ada = await create();
  const key = await mls.generateSignatureKey(SUITE);
  const first = await bundle("Bo", key);
  const admitted = await ada.stage(await admit(first), { psks: PSKS, makeWelcome });
  ada.adopt(admitted);
  assert.ok(admitted.welcome);
  const bo = await mls.Group.join(admitted.welcome, first, { psks: PSKS, rng: systemRng });
  const again = await bundle("Bo", key);
  const stage = await ada.stage([mls.remove(1), ...(await admit(again))], { psks: PSKS, makeWelcome });
  assert.equal((await candidate(bo, stage.message)).removesUs, true);
  assert.deepEqual([stage.added, stage.removed], [[1], [1]]);
  ada.adopt(stage);
  assert.ok(stage.welcome);
  agree(ada, await mls.Group.join(stage.welcome, again, { psks: PSKS, rng: systemRng }));
});

test("a farewell is stored, carried and committed by its reference", async () => {
  const ada = await create();
  const bo = await enter(ada, "Bo");
  const cem = await enter(ada, "Cem", bo);
  const message = await cem.propose(mls.remove(cem.ownLeaf), { private: false });
  assert.deepEqual(mls.kindOf(message), [mls.WireFormat.PUBLIC_MESSAGE, mls.ContentType.PROPOSAL]);
  const got = await ada.process(message);
  await bo.process(message);
  assert.ok(got.type === "ReceivedProposal");
  assert.deepEqual([...ada.storedProposals.keys()], [...cem.storedProposals.keys()]);
  const stage = await ada.stage([], { includeStored: [got.reference] });
  const theirs = await candidate(bo, stage.message);
  assert.deepEqual(
    theirs.proposals.map((p) => [
      p.proposal.type,
      p.sender,
      p.byReference,
      p.reference === null ? "" : hex(p.reference),
    ]),
    [["Remove", 2, true, hex(got.reference)]],
  );
  bo.discard(got.reference);
  assert.equal(bo.storedProposals.size, 0);
});

test("keys go with what they were for", async () => {
  const own = await bundle("Ada");
  const ada = await mls.Group.create(own, utf8("group"), [], systemRng);
  assert.equal(own.used, true);
  await assert.rejects(mls.Group.create(own, utf8("again"), [], systemRng), StateError);
  const kept = ada.epochAuthenticator;
  const before = hex(kept);
  ada.adopt(await ada.stage([]));
  assert.equal(hex(kept), before, "what was asked for is the asker's");
  ada.wipe();
  assert.equal(ada.wiped, true);
  assert.throws(() => ada.members(), StateError);
  await assert.rejects(ada.protect(utf8("x")), StateError);
});

test("another suite is refused in words", async () => {
  const signatureKey = await mls.generateSignatureKey(SUITE);
  await assert.rejects(mls.generateSignatureKey(OTHER), UnsupportedError);
  const options = {
    signatureKey,
    identity: utf8("Ada"),
    supports: [],
    lifetime: { notBefore: 0, notAfter: 1 },
  };
  await assert.rejects(mls.createKeyPackage(OTHER, { ...options, rng: systemRng }), UnsupportedError);
});

test("a lifetime counts where somebody asks for it", async () => {
  const read = mls.KeyPackageIn.decode((await bundle("Bo")).encoded);
  await read.verify(SUITE, null);
  await read.verify(null, 1000);
  await assert.rejects(
    read.verify(SUITE, 1001),
    (error) => error instanceof ValidationError && error.rule === "MLS-7.3-5",
  );
  await assert.rejects(
    read.verify(OTHER, null),
    (error) => error instanceof ValidationError && error.rule === "MLS-10.1-1",
  );
});

test("a key package says the same as its leaf, and lists what means nothing", async () => {
  const made = await bundle("Bo");
  const { leafNode } = made.keyPackage;
  assert.equal(hex(leafNode.credential.identity), hex(utf8("Bo")));
  assert.equal(leafNode.extensions.length, 1);
  assert.equal((leafNode.extensions[0]?.extensionType ?? 0) & 0x0f0f, 0x0a0a);
  assert.ok(hex(made.encoded).includes(hex(leafNode.encoded)));
  assert.ok(hex(leafNode.encoded).includes(hex(leafNode.encodedCapabilities)));
});
