import assert from "node:assert/strict";
import { test } from "node:test";
import { type Bytes, utf8 } from "../../../../client/web/src/crypto/bytes";
import { dayOf, HostKeys, HostSeed, lobbyEnvelopeKey } from "../../../../client/web/src/crypto/entry/invite";
import { H, SigningKey } from "../../../../client/web/src/crypto/kdf";
import type { Answer } from "../../../../client/web/src/crypto/entry/answers";
import * as hostsLobby from "../../../../client/web/src/crypto/entry/hostsLobby";
import * as lobby from "../../../../client/web/src/crypto/entry/lobby";
import { SealedPieces } from "../../../../client/web/src/crypto/entry/pieces";
import * as recovery from "../../../../client/web/src/crypto/entry/recovery";
import {
  Identity,
  Policy,
  POLICY_EXTENSION,
  REJOIN_EXTENSION, REJOIN_KEY_EXTENSION,
} from "../../../../client/web/src/crypto/agreed/roomState";
import * as mls from "../../../../client/web/src/mls";
import { makeWelcome } from "../../../../client/web/src/mls/makeWelcome";
import { Contacts } from "../../../../client/web/src/session/entry/contacts";
import type { Announcement } from "../../../../client/web/src/session/catalogue/content";
import type { Effect } from "../../../../client/web/src/session/events";
import { Vouching } from "../../../../client/web/src/session/features/identity";
import { GuestLobby, WAIT_EVERY } from "../../../../client/web/src/session/entry/guest";
import { BROADCAST_BURST, BYTE_BURST, CROWDED, LobbyConnections, POST_BURST, POST_RATE } from "../../../../client/web/src/session/entry/lobbyConnections";
import { FINAL, IS_OVER, NAME_TAKEN, NO_MEMBER, reasonOf } from "../../../../client/web/src/session/entry/refusals";
import { SUITE } from "../../../../client/web/src/session/kernel/membership";
import { Feature } from "../../../../client/web/src/session/kernel/feature";
import { RejoinHelper } from "../../../../client/web/src/session/entry/helper";
import type { Room } from "../../../../client/web/src/session/kernel/ports";
import * as envelope from "../../../../client/web/src/crypto/agreed/envelope";
import { BUCKETS } from "../../../../client/web/src/wire/limits";
import type { ServerMessage } from "../../../../client/web/src/wire/messages";
import { ORIGIN } from "./hub";
import { seeded, START, worded, World } from "./rooms";

const DAY = dayOf(START);
const ENTERED: ServerMessage = {
  type: "entered",
  handle: new Uint8Array(8),
  incarnation: new Uint8Array(8),
  slot: null,
  chain: null,
  handles: [],
  node: null,
};
const SECRET: Bytes = new Uint8Array(16).fill(3);
const ENVELOPE_KEY = lobbyEnvelopeKey(SECRET, ORIGIN, DAY);

const packageOf = async (name: string, key: mls.SignatureKey): Promise<mls.KeyPackageBundle> =>
  mls.createKeyPackage(SUITE, {
    signatureKey: key,
    identity: new Identity(name).encode(),
    supports: [POLICY_EXTENSION, REJOIN_EXTENSION, REJOIN_KEY_EXTENSION],
    leafExtensions: [{ extensionType: REJOIN_KEY_EXTENSION, data: seeded(`${name} rejoins`)(32) }],
    lifetime: { notBefore: START - 10, notAfter: START + 1000 },
    rng: seeded(name),
  });

async function guest(seed: HostSeed): Promise<GuestLobby> {
  const key = await mls.generateSignatureKey(SUITE);
  const facts = {
    link: seed.invite(ORIGIN, SECRET, 0),
    name: "Bo",
    greeting: "",
    makePackage: () => packageOf("Bo", key),
    rejoinKey: await SigningKey.fresh(),
  };
  const made = await GuestLobby.open({ ...facts, psks: new Map(), now: START, rng: seeded("guest") });
  await made.received(DAY, ENTERED, START);
  return made;
}

const HANDLE = new Uint8Array(8).fill(7);

/** The messages posted since, decoded. */
async function posted(effects: Effect[]): Promise<lobby.LobbyMessage[]> {
  const found: lobby.LobbyMessage[] = [];
  for (const effect of effects.splice(0))
    if (effect.type === "Transmit" && effect.message.type === "post")
      found.push(await lobby.read(ENVELOPE_KEY, effect.message.blob));
  return found;
}

const post = async (message: lobby.LobbyMessage): Promise<ServerMessage> => ({
  type: "posted",
  handle: HANDLE,
  blob: await lobby.post(ENVELOPE_KEY, message),
});

const secretOf = (name: string): Promise<hostsLobby.CardSecret> => hostsLobby.makeCardSecret(START, seeded(name));

const cardOf = async (seed: HostSeed, nonce: Bytes): Promise<lobby.Card> =>
  hostsLobby.makeCard(new HostKeys([seed]), ORIGIN, await secretOf("card"), [nonce]);

test("a guest knocks at its host's card and at nobody else's", async () => {
  const [seed, mallory] = [
    await HostSeed.fromRandom(seeded("host")),
    await HostSeed.fromRandom(seeded("mallory")),
  ];
  const bo = await guest(seed);
  const [asked] = await posted(bo.effects);
  assert.ok(asked?.type === "CardRequest");
  const forged = await cardOf(mallory, asked.nonce);
  const another = await cardOf(seed, new Uint8Array(16));
  for (const card of [forged, another]) await bo.received(DAY, await post(card), START);
  await bo.received(DAY, { type: "posted", handle: HANDLE, blob: new Uint8Array(512) }, START);
  assert.deepEqual(await posted(bo.effects), []);
  await bo.received(DAY, await post(await cardOf(seed, asked.nonce)), START);
  assert.deepEqual(
    (await posted(bo.effects)).map(({ type }) => type),
    ["Knock"],
  );
});

/** A host lets a guest in: the guest, and an answer whose tree is in the Welcome or, changed by `forge`, in pieces. */
async function answered(
  honest: boolean,
  forge: ((tree: Bytes, other: Bytes) => Bytes) | null = null,
): Promise<{ readonly bo: GuestLobby; readonly reply: lobby.Reply; readonly pieces: readonly lobby.Piece[] }> {
  const seed = await HostSeed.fromRandom(seeded("host"));
  const bo = await guest(seed);
  const [asked] = await posted(bo.effects);
  assert.ok(asked?.type === "CardRequest");
  const secret = await secretOf("card");
  await bo.received(DAY, await post(await cardOf(seed, asked.nonce)), START);
  const knock = (await posted(bo.effects)).find((message) => message.type === "Knock");
  assert.ok(knock?.type === "Knock");
  const opened = await hostsLobby.openKnock(secret, knock, (index) => new HostKeys([seed]).tokens(index));
  const key = await mls.generateSignatureKey(SUITE);
  const hosts = [honest ? key.public : new Uint8Array(32).fill(1)];
  const policy = new Policy({ version: 1, hosts, hostPublic: seed.hostPublic });
  const extensions = [
    mls.requiredCapabilities([POLICY_EXTENSION]),
    { extensionType: POLICY_EXTENSION, data: policy.encode() },
  ];
  const group = await mls.Group.create(await packageOf("Ada", key), utf8("the group"), extensions, seeded("group"));
  const newcomer = await mls.KeyPackageIn.decode(opened.keyPackage).verify(SUITE, START);
  const limit = forge === null ? Infinity : 0;
  const cem = await packageOf("Cem", await mls.generateSignatureKey(SUITE));
  const add = mls.add(await mls.KeyPackageIn.decode(cem.encoded).verify(SUITE, START));
  const other = await group.stage([add], { makeWelcome: (staged, rng) => makeWelcome(staged, rng, 0) });
  const stage = await group.stage([mls.add(newcomer)], {
    forcePath: true,
    makeWelcome: (staged, rng) => makeWelcome(staged, rng, limit),
  });
  assert.ok(stage.welcome);
  assert.equal(stage.tree === null, forge === null);
  const some = new Uint8Array(32).fill(9);
  const sealed = forge && (await SealedPieces.make(forge(stage.tree ?? some, other.tree ?? some), some, seeded("pieces")));
  const answer: Answer = {
    type: "Answer",
    welcome: stage.welcome,
    number: some.slice(0, 16),
    doorSeed: some,
    roomAdminPublic: some,
    handedKeys: new Uint8Array(64),
    slot: 1,
    chain: some,
    at: START,
    ledger: sealed === null ? some : new Uint8Array(),
    before: new Uint8Array(),
    places: new Uint8Array(),
    admission: new Uint8Array(),
    pieces: (await sealed?.listFor(newcomer)) ?? new Uint8Array(),
  };
  return { bo, reply: await hostsLobby.reply(opened, answer), pieces: sealed?.pieces ?? [] };
}

test("an answer by who is no host of the meeting leads nowhere", async () => {
  for (const honest of [true, false])
    for (const forge of [null, (tree: Bytes) => tree]) {
      const { bo, reply, pieces } = await answered(honest, forge);
      await bo.received(DAY, await post(reply), START);
      for (const piece of pieces) await bo.received(DAY, await post(piece), START);
      if (honest) assert.equal(bo.entry?.group.members().length, 2);
      else
        assert.equal(
          bo.refusal && worded(bo.refusal),
          "The answer is not from a host of the meeting that the link names.",
        );
      assert.equal(bo.entry === null, !honest);
      if (honest) assert.deepEqual(bo.entry?.answer.ledger, new Uint8Array(32).fill(9));
    }
});

test("a guest waits for its pieces, and takes each once and no others", async () => {
  const { bo, reply, pieces } = await answered(true, (tree) => tree);
  const [piece] = pieces;
  assert.ok(piece);
  await bo.received(DAY, await post(piece), START);
  await bo.received(DAY, await post(reply), START);
  for (const other of (await answered(true, (tree) => tree)).pieces) await bo.received(DAY, await post(other), START);
  await bo.received(DAY, await post({ type: "Piece", sealed: new Uint8Array(100) }), START);
  assert.deepEqual([bo.entry, bo.refusal], [null, null]);
  // it hears nothing for a while, and knocks again: the same answer comes, and then the piece
  await posted(bo.effects);
  await bo.tick(START + WAIT_EVERY);
  assert.deepEqual((await posted(bo.effects)).map(({ type }) => type), ["Knock"]);
  for (const message of [reply, piece, piece]) await bo.received(DAY, await post(message), START + WAIT_EVERY);
  assert.equal(bo.entry?.group.members().length, 2);
});

test("a wrong tree is one clear refusal", async () => {
  for (const [forge, why] of [
    [(_: Bytes, other: Bytes) => other, "tree hash"],
    [(tree: Bytes) => tree.slice(0, -1), "announced"],
    [() => new Uint8Array(), "ratchet tree"],
  ] as const) {
    const { bo, reply, pieces } = await answered(true, forge);
    await bo.received(DAY, await post(reply), START);
    for (const piece of pieces) await bo.received(DAY, await post(piece), START);
    assert.equal(bo.entry, null);
    assert.match(bo.refusal === null ? "" : worded(bo.refusal), new RegExp(`can't be used.*${why}`));
  }
});

test("posts keep to the server's limits, and the same is not said twice while it waits", async () => {
  const effects: Effect[] = [];
  const connections = new LobbyConnections(SECRET, [ORIGIN], effects, seeded("doors"));
  await connections.stayIn(new Set([DAY]), START);
  await connections.received(DAY, ENTERED);
  effects.length = 0;
  const reply = (): lobby.Reply => ({ type: "Reply", id: new Uint8Array(8), sealed: new Uint8Array(64) });
  for (let i = 0; i < POST_BURST + 80; i++) await connections.post(DAY, reply(), HANDLE);
  assert.equal(effects.length, POST_BURST);
  assert.ok(connections.waiting >= CROWDED);
  const same = reply();
  for (let i = 0; i < 5; i++) await connections.post(DAY, same, HANDLE);
  await connections.stayIn(new Set([DAY]), START + 1);
  assert.equal(effects.length, POST_BURST + POST_RATE);
  await connections.stayIn(new Set([DAY]), START + 100);
  assert.equal(effects.length, POST_BURST + 81);
  connections.close();
  assert.equal(effects.at(-1)?.type, "Disconnect");
});

test("posts to all, and large ones, wait without holding up others", async () => {
  const effects: Effect[] = [];
  const connections = new LobbyConnections(SECRET, [ORIGIN], effects, seeded("doors"));
  await connections.stayIn(new Set([DAY]), START);
  await connections.received(DAY, ENTERED);
  effects.length = 0;
  for (let i = 0; i < BROADCAST_BURST + 5; i++) await connections.post(DAY, { type: "CardRequest", nonce: new Uint8Array(16) });
  assert.equal(effects.length, BROADCAST_BURST);
  await connections.post(DAY, { type: "Reply", id: new Uint8Array(8), sealed: new Uint8Array(64) }, HANDLE);
  assert.equal(effects.length, BROADCAST_BURST + 1, "a reply overtakes posts to all");
  await connections.stayIn(new Set([DAY]), START + 100);
  effects.length = 0;
  const large = BYTE_BURST / 131_072;
  for (let i = 0; i < large + 5; i++)
    await connections.post(DAY, { type: "Reply", id: new Uint8Array(8), sealed: new Uint8Array(131_000 - 64) }, HANDLE);
  assert.equal(effects.length, large);
});

test("refusals that end a member's asking are known by their sentences", () => {
  assert.deepEqual([NO_MEMBER, NAME_TAKEN].map((text) => reasonOf(text).key), FINAL);
});

test("known refusals are said in the reader's language, others as they came", () => {
  assert.equal(reasonOf(IS_OVER).key, "refusal.over");
  const why = "You could not be let in: the name is taken. Knock again with another name, or ask the host.";
  assert.deepEqual(reasonOf(why), { key: "refusal.not_added", args: { why: "the name is taken" } });
  assert.equal(reasonOf("").key, "refusal.no");
  for (const text of ["constructor", "Come tomorrow.", why]) assert.equal(worded(reasonOf(text)), text);
});

test("a helper lets nobody back in whom the return key has not signed for", async () => {
  const seed = await HostSeed.fromRandom(seeded("host"));
  const door = await SigningKey.generate(seeded("door"), true);
  const bundle = await packageOf("Ada", await mls.generateSignatureKey(SUITE));
  const groupId = utf8("the group");
  const m = {
    group: { suite: SUITE, groupId },
    policy: { returnPublic: seed.returnPublic },
    ledger: { rotationDue: false, hosted: 0 },
    ownLeaf: 1,
    isHost: () => false,
    journal: { slot: 5, chain: H(utf8("chain")), roomPass: H(utf8("token")) },
    members: () => [{ leaf: 0, name: "Ada", host: true }],
  };
  const some = new Uint8Array(32);
  const state = { heard: false };
  const room = {
    membership: m,
    rank: 0,
    roomAdminKeys: { current: some },
    idle: true,
    heardRecently: () => state.heard,
  } as unknown as Room;
  const said: lobby.LobbyMessage[] = [];
  const from = { day: DAY, handle: HANDLE };
  const place = { post: async (_: number, message: lobby.LobbyMessage) => void said.push(message) };
  const key = recovery.recoveryKey(door.seed);
  for (const [by, due, hosted, heard, expected] of [
    ["host", false, 5 - 16, false, "HostReturnIntent"],
    ["host", false, 5 - 15, false, "HealIntent"], // a host has committed lately
    ["host", false, 5 - 16, true, undefined],
    ["mallory", false, 5 - 16, false, undefined],
    ["host", true, 5 - 16, false, undefined],
  ] as const) {
    m.ledger = { rotationDue: due, hosted };
    state.heard = heard;
    const helper = new RejoinHelper(door.seed, () => 1, seeded("desk"));
    const signer = by === "host" ? seed : await HostSeed.fromRandom(seeded(by));
    const { request: asked } = await recovery.makeHostReturnRequest(signer, groupId, 5, bundle.encoded, seeded("return"));
    await helper.messagePosted(await recovery.seal(key, asked), from, room, START);
    await helper.messagePosted(await recovery.seal(key, asked), from, room, START); // said again
    const wanted = await helper.tick(room, place, START);
    assert.deepEqual(wanted.map(({ type }) => type), expected === undefined ? [] : [expected]);
  }
  const helper = new RejoinHelper(door.seed, () => 1, seeded("desk"));
  await helper.messagePosted(await recovery.seal(key, { type: "HelperQuery", nonce: new Uint8Array(16) }), from, room, START);
  await helper.messagePosted(
    await recovery.seal(new Uint8Array(32), { type: "HelperQuery", nonce: new Uint8Array(16).fill(1) }),
    from,
    room,
    START,
  );
  await helper.tick(room, place, START);
  assert.equal(said.length, 1); // by who was never admitted: nothing
  assert.ok(said[0]?.type === "RecoveryMessage");
  const here = await recovery.open(key, said[0]);
  assert.ok(here.type === "HelperOffer" && here.slot === 5);
});

test("a feature hears of each announcement that is newer, whoever hands it on", async () => {
  const heard: number[] = [];
  class Told extends Feature {
    override announced({ leaf }: Announcement): void {
      heard.push(leaf);
    }
  }
  const world = await World.of([{ name: "Ada" }, { name: "Bo" }, { name: "Cem" }], (room) => [new Told(room)]);
  const [ada, bo, cem] = [world.room(0), world.room(1), world.room(2)];
  const own = await cem.announcement();
  for (const from of [bo, cem]) await ada.hear(from, own);
  await ada.hear(bo, await ada.announcement());
  assert.deepEqual(heard, [2]);
});

test("nobody vouches for a leaf of somebody else", async () => {
  const book = await Contacts.make(seeded("book"));
  const world = await World.of(
    [{ name: "Ada" }, { name: "Bo" }, { name: "Cem" }],
    (room) => [new Vouching(room)],
    { contacts: book },
  );
  const [ada, bo, cem] = [world.room(0), world.room(1), world.room(2)];
  for (const to of world.rooms)
    for (const from of world.rooms)
      if (from !== to)
        await to.hear(from, await from.announcement());
  const mallory = (await Contacts.make(seeded("mallory"))).own;
  for (const leaf of [bo, cem]) {
    const ends = {
      groupId: ada.membership.group.groupId,
      leaf: leaf.leaf,
      signatureKey: leaf.key.public,
      box: leaf.box.public,
      toLeaf: 0,
      toSignatureKey: ada.key.public,
      toBox: ada.box.public,
    };
    const vouch = await mallory.vouch(ends, cem.box, seeded("vouch"));
    const blob = await envelope.seal(ada.membership.heartbeatKey, "vouch", ada.number, ada.membership.epochSlot, vouch, BUCKETS);
    assert.ok(await ada.broadcastReceived(blob));
    assert.ok(!(await bo.broadcastReceived(blob)) || bo.events("Vouched").length === 0);
  }
  assert.deepEqual(
    ada.events("Vouched").map(({ name }) => name),
    ["Cem"],
  ); // Cem's own leaf, and not Bo's
});
