import assert from "node:assert/strict";
import { test } from "node:test";
import type { Bytes } from "../../../../client/web/src/crypto/bytes";
import { MalformedError, ValidationError } from "../../../../client/web/src/crypto/errors";
import { Invite } from "../../../../client/web/src/crypto/entry/invite";
import type { Answer } from "../../../../client/web/src/crypto/entry/answers";
import { SigningKey } from "../../../../client/web/src/crypto/kdf";
import {
  Identity,
  POLICY_EXTENSION,
  REJOIN_EXTENSION,
  REJOIN_KEY_EXTENSION,
  RejoinTicket,
} from "../../../../client/web/src/crypto/agreed/roomState";
import * as mls from "../../../../client/web/src/mls";
import type { Intent } from "../../../../client/web/src/session/kernel/intents";
import { SUITE } from "../../../../client/web/src/session/kernel/membership";
import { rejoinKeyExtension, ticketOf } from "../../../../client/web/src/session/kernel/views";
import { Contacts } from "../../../../client/web/src/session/entry/contacts";
import type { Participant } from "./hub";
import { Hub, ORIGIN } from "./hub";
import { OPTIONS, type Options } from "../../../../client/web/src/session/options";
import { RejoinLobby } from "../../../../client/web/src/session/entry/recovery";
import { standing } from "../../../../client/web/src/session/kernel/entering";
import { Session } from "../../../../client/web/src/session/kernel/session";
import type { HostFacts } from "../../../../client/web/src/session/kernel/sessionFacts";
import { seeded } from "./rooms";

async function hosted(more: Partial<HostFacts> = {}): Promise<{ hub: Hub; ada: Participant; link: string }> {
  const hub = await Hub.start();
  const ada = await hub.add(
    "ada",
    await Session.host({
      origin: ORIGIN,
      name: "Ada",
      title: "Tea",
      now: hub.now,
      rng: seeded("ada"),
      ...more,
    }),
  );
  await hub.run(1);
  return { hub, ada, link: ada.events("InviteMade")[0]!.link };
}

async function knocks(
  hub: Hub,
  link: string,
  name: string,
  options: Options = OPTIONS,
): Promise<Participant> {
  const who = await hub.add(
    name,
    await Session.join({ link, name, greeting: "hello", options, now: hub.now, rng: seeded(name) }),
  );
  await hub.run(1);
  return who;
}

async function comes(
  hub: Hub,
  ada: Participant,
  link: string,
  name: string,
  options: Options = OPTIONS,
): Promise<Participant> {
  const who = await knocks(hub, link, name, options);
  const { knock } = ada.events("Knocked").at(-1)!;
  await hub.feed(ada, { type: "Admit", knock });
  await hub.until(() => who.session.inside);
  await hub.run(1.5);
  return who;
}

const texts = (who: Participant): string[] => who.events("Said").map(({ name, text }) => `${name}: ${text}`);

test("a guest knocks, is let in, and all talk", async () => {
  const { hub, ada, link } = await hosted();
  const bo = await knocks(hub, link, "Bo");
  const [knocked] = ada.events("Knocked");
  assert.deepEqual(
    [knocked?.name, knocked?.greeting, knocked?.invite, knocked?.label, knocked?.standing],
    ["Bo", "hello", 0, "", "none"],
  );
  assert.deepEqual(bo.statuses(), [
    "Waiting for a host to open the door...",
    "You knocked. Waiting for the host's answer...",
  ]);
  assert.equal(await hub.refusal(bo, { type: "Say", text: "?" }), "you are not in the room yet");
  assert.equal(await hub.refusal(bo, { type: "Admit", knock: 1 }), "only a host can do that");
  assert.equal(await hub.refusal(ada, { type: "Admit", knock: 77 }), "nobody waits under the number 77");
  await hub.feed(ada, { type: "Admit", knock: knocked!.knock });
  await hub.until(() => bo.session.inside);
  await hub.run(1);
  const cem = await comes(hub, ada, link, "Cem");
  for (const who of [ada, bo, cem]) assert.deepEqual(who.names, ["Ada", "Bo", "Cem"]);
  assert.equal(new Set([ada, bo, cem].map((who) => who.events("Code").at(-1)?.digits)).size, 1);
  await hub.feed(ada, { type: "Say", text: "one" });
  await hub.feed(bo, { type: "Say", text: "two" });
  await hub.run(1);
  assert.deepEqual(texts(cem), ["Ada: one", "Bo: two"]);
  await hub.run(60);
  for (const who of [ada, bo, cem]) assert.deepEqual(who.alarms(), []);
});

test("a refusal, a lock, a used invite and one taken back each say so", async () => {
  const { hub, ada, link } = await hosted({ invites: [{ label: "Cem", once: true }] });
  const bo = await knocks(hub, link, "Bo");
  await hub.feed(ada, { type: "Refuse", knock: ada.events("Knocked")[0]!.knock });
  assert.equal(bo.ended, "The host did not let you in.");
  const once = ada.events("InviteMade")[1]!;
  await comes(hub, ada, once.link, "Cem");
  assert.equal(ada.events("Roster").at(-1)?.added[0]?.label, "Cem");
  const dana = await knocks(hub, once.link, "Dana");
  assert.equal(dana.ended, "This invite has been used or taken back. Ask for another one.");
  assert.match(
    ada.alarms()[0] ?? "",
    /^The invite for “Cem” \(no\. \d+\) was used twice: it has leaked\. “Cem” came in with it, and now somebody who says “Dana” knocks/,
  );
  await hub.feed(ada, { type: "Lock", on: true });
  assert.equal((await knocks(hub, link, "Eve")).ended, "The room is locked: nobody new is let in now.");
  await hub.feed(ada, { type: "Lock", on: false });
  await hub.run(1);
  await hub.feed(ada, { type: "Revoke", index: 0 });
  assert.equal(ada.statuses().at(-1), "The shared link opens nothing any more.");
  assert.match((await knocks(hub, link, "Eve")).ended, /^This invite has been used or taken back/);
  await hub.feed(ada, { type: "ListInvites" });
  assert.deepEqual(
    ada.events("Invites")[0]?.rows.map(({ usedBy, revoked }) => [[...usedBy], revoked]),
    [
      [[], true],
      [["Cem"], false],
    ],
  );
  assert.match(await hub.refusal(ada, { type: "Revoke", index: 0 }), /opens nothing any more/);
  assert.match(await hub.refusal(ada, { type: "Revoke", index: 999 }), /no invite 999 is known here/);
});

test("a wave-in needs no question; a removed member hears of it, and the link changes", async () => {
  const { hub, ada, link } = await hosted({ admission: "all" });
  const bo = await knocks(hub, link, "Bo");
  await hub.until(() => bo.session.inside);
  await hub.run(1);
  await hub.feed(ada, { type: "Remove", leaf: 1 });
  await hub.run(1);
  assert.equal(bo.ended, "You were removed by “Ada”.");
  assert.deepEqual(ada.names, ["Ada"]);
  const made = ada.events("InviteMade");
  assert.equal(made.at(-1)?.replaces, 0);
  const cem = await knocks(hub, made.at(-1)!.link, "Cem");
  await hub.until(() => cem.session.inside);
  assert.match((await knocks(hub, link, "Bo")).ended, /^This invite has been used or taken back/);
  assert.match(
    ada.alarms().at(-1) ?? "",
    /^Somebody who says “Bo” knocks with the shared link\. “Bo” came in with that invite, and was removed\./,
  );
});

test("hosts share and hand over their powers", async () => {
  const { hub, ada, link } = await hosted();
  const bo = await comes(hub, ada, link, "Bo");
  await hub.feed(ada, { type: "HandOver", leaf: 1 });
  await hub.run(8);
  assert.ok(bo.statuses().includes("You are a host of this meeting now."));
  assert.ok(ada.statuses().includes("You are no longer a host of this meeting."));
  const cem = await comes(hub, bo, link, "Cem");
  assert.deepEqual(cem.names, ["Ada", "Bo", "Cem"]);
  assert.equal(
    await hub.refusal(ada, { type: "NewInvite", label: "", once: false }),
    "only a host can do that",
  );
  await hub.feed(bo, { type: "EndMeeting" });
  await hub.run(1);
  for (const who of [ada, cem]) assert.equal(who.ended, "“Bo” ended the meeting.");
});

test("a guest leaves, and is seen to have left", async () => {
  const { hub, ada, link } = await hosted();
  const bo = await comes(hub, ada, link, "Bo");
  await hub.feed(bo, { type: "Leave" });
  await hub.run(4);
  assert.equal(bo.ended, "You left.");
  assert.deepEqual(ada.events("Roster").at(-1)?.left, [1]);
});

test("a lost connection and a restarted server are survived, and nothing is said twice", async () => {
  const { hub, ada, link } = await hosted();
  const bo = await comes(hub, ada, link, "Bo");
  await hub.cut(bo);
  await hub.feed(ada, { type: "Say", text: "while you were away" });
  await hub.run(3);
  assert.deepEqual(texts(bo), ["Ada: while you were away"]);
  assert.ok(bo.statuses().includes("Connected to the server again."));
  await hub.restart();
  await hub.run(5);
  await hub.feed(bo, { type: "Say", text: "still here" });
  await hub.run(2);
  assert.deepEqual(texts(ada), ["Bo: still here"]);
  assert.deepEqual(texts(bo), ["Ada: while you were away"]);
  assert.deepEqual([...ada.alarms(), ...bo.alarms()], []);
});

test("a member out of step comes in anew, and keeps its place", async () => {
  const { hub, ada, link } = await hosted();
  const bo = await comes(hub, ada, link, "Bo");
  const cem = await comes(hub, ada, link, "Cem");
  bo.session.room!.needsRejoin = true;
  await hub.until(() => bo.alarms().some((text) => text.startsWith("Your program fell out of step")));
  await hub.until(() => bo.session.room?.needsRejoin === false);
  await hub.run(2);
  await hub.feed(bo, { type: "Say", text: "back" });
  await hub.run(1);
  assert.deepEqual(texts(cem), ["Bo: back"]);
  assert.ok(ada.events("Roster").some(({ rejoined }) => rejoined));
  assert.deepEqual(ada.names, ["Ada", "Bo", "Cem"]);
});

/** A rejoin in a member's place with all of its keys, for a host to commit. */
async function rejoinOf(who: Participant, rejoinKey: SigningKey, now: number): Promise<Intent> {
  const { membership: m } = who.session.room!;
  const { signatureKey } = (m.group as unknown as { live: { signatureKey: mls.SignatureKey } }).live;
  const { slot, chain } = m.journal;
  const ticket = new RejoinTicket({ groupId: m.group.groupId, slot, chain, nonce: seeded("nonce")(16) });
  const { keyPackage } = await mls.createKeyPackage(SUITE, {
    signatureKey,
    identity: new Identity("Bo").encode(),
    supports: [POLICY_EXTENSION, REJOIN_EXTENSION, REJOIN_KEY_EXTENSION],
    lifetime: { notBefore: Math.floor(now) - 10, notAfter: Math.floor(now) + 1000 },
    extensions: async (initKey, encryptionKey) => {
      const signed = await ticket.signed(m.rejoinKeys.all(), initKey, encryptionKey, rejoinKey.public);
      return [{ extensionType: REJOIN_EXTENSION, data: signed.encode() }];
    },
    leafExtensions: [rejoinKeyExtension(rejoinKey)],
    rng: seeded("rejoins"),
  });
  return { type: "RejoinIntent", knock: { type: "MemberKnock", number: 100 }, keyPackage, ticket: ticketOf(keyPackage)!, name: "Bo" };
}

test("a program whose place is taken is told so, and tells everybody", async () => {
  const { hub, ada, link } = await hosted();
  const bo = await comes(hub, ada, link, "Bo");
  const cem = await comes(hub, ada, link, "Cem");
  await hub.run(6);
  await ada.session.room!.queue(await rejoinOf(bo, await SigningKey.fresh(), hub.now), hub.now);
  await hub.until(() => bo.session.ended !== null, 2);
  assert.equal(bo.session.ended?.reason, "replaced");
  await hub.run(1);
  for (const who of [ada, cem])
    assert.deepEqual(
      who.events("Alarm").map(({ kind }) => kind),
      ["replaced"],
    );
});

test("a request of our own that comes late costs us seconds, and is nobody's theft", async () => {
  const { hub, ada, link } = await hosted();
  const bo = await comes(hub, ada, link, "Bo");
  const cem = await comes(hub, ada, link, "Cem");
  await hub.run(6);
  const [own] = bo.session.room!.membership.rejoinKeys.all();
  await ada.session.room!.queue(await rejoinOf(bo, own!, hub.now), hub.now);
  await hub.until(() => bo.events("Alarm").some(({ kind }) => kind === "rejoining"), 2);
  await hub.until(() => bo.session.room?.needsRejoin === false, 30);
  await hub.run(3);
  await hub.feed(bo, { type: "Say", text: "still here" });
  await hub.run(1);
  assert.deepEqual(texts(cem), ["Bo: still here"]);
  for (const who of [ada, bo, cem]) assert.ok(!who.events("Alarm").some(({ kind }) => kind === "replaced"));
});

test("where no host is heard members let each other back in, and the host that has crashed", async () => {
  const { hub, ada, link } = await hosted();
  const bo = await comes(hub, ada, link, "Bo");
  const cem = await comes(hub, ada, link, "Cem");
  const kept = ada.session.kept()!;
  ada.alive = false;
  await hub.cut(ada);
  await hub.run(25);
  bo.session.room!.needsRejoin = true;
  await hub.until(() => bo.session.room?.needsRejoin === false, 60);
  assert.ok(cem.events("Roster").some(({ rejoined }) => rejoined));
  const back = await hub.add(
    "ada again",
    await Session.rejoinAsHost(kept, { now: hub.now, rng: seeded("again") }),
  );
  await hub.until(() => back.session.inside, 60);
  await hub.run(3);
  assert.ok(back.statuses().includes("You are a host of this meeting now."));
  assert.deepEqual(cem.names.toSorted(), ["Ada", "Bo", "Cem"]);
  await hub.feed(back, { type: "Say", text: "here I am" });
  await hub.run(1);
  assert.deepEqual(texts(cem), ["Ada: here I am"]);
});

test("frames are sealed for the others alone, and opened once their sender has announced them", async () => {
  const { hub, ada, link } = await hosted();
  const bo = await comes(hub, ada, link, "Bo");
  const streams = [{ ssrc: 7, kind: "audio", stream: 0 }] as const;
  await hub.feed(ada, {
    type: "Publish",
    ufrag: "uuuu",
    password: "pppp",
    fingerprint: new Uint8Array(32),
    streams,
  });
  await hub.run(1);
  const frame: Bytes = seeded("frame")(120);
  const heard: Bytes[] = [];
  for (let i = 0; i < 200; i++) {
    const sealed = await ada.session.frames!.seal("audio", 0, frame, hub.now);
    assert.ok(sealed);
    const sent = sealed.slice();
    sealed.fill(0); // from here on the bytes are the browser's: who signs them later has to have kept its own
    heard.push((await bo.session.frames!.open(7, "audio", sent, hub.now)).frame);
    await hub.run(0.1);
  }
  assert.ok(heard.every((each) => Buffer.compare(each, frame) === 0));
  assert.deepEqual([...ada.alarms(), ...bo.alarms()], []); // the lists of frames came, and fit
  const late = (await ada.session.frames!.seal("audio", 0, frame, hub.now))!;
  late[late.length - 1]! ^= 1;
  await assert.rejects(bo.session.frames!.open(7, "audio", late, hub.now));
});

test("somebody vouches, and is in the other's book", async () => {
  const [mine, theirs] = [
    await Contacts.make(seeded("book of Ada")),
    await Contacts.make(seeded("book of Bo")),
  ];
  const { hub, ada, link } = await hosted({ options: { ...OPTIONS, contacts: mine } });
  const bo = await comes(hub, ada, link, "Bo", { ...OPTIONS, contacts: theirs, showIdentity: true });
  assert.equal(ada.events("Knocked")[0]?.standing, "new");
  assert.equal(ada.events("Vouched")[0]?.name, "Bo");
  assert.match(
    await hub.refusal(bo, { type: "Know", leaf: 0, name: null }),
    /^Ada has shown you no identity/,
  );
  await hub.feed(ada, { type: "Vouch", leaf: 1 });
  await hub.run(2);
  assert.equal(bo.events("Vouched")[0]?.fingerprint.length, 40);
  await hub.feed(bo, { type: "Verified", leaf: 0 });
  assert.equal(theirs.standing(mine.own.public), "verified");
  assert.deepEqual(
    bo.events("BookChanged").map(({ name, verified }) => [name, verified]),
    [["Ada", true]],
  );
});

/** No excuse: the server's own act. */
const REFUSED = { type: "refused", code: "signature", text: "", about: "room_door", fatal: true } as const;

test("a server that drops the room and serves others is shown to have done that", async () => {
  const { hub, ada, link } = await hosted();
  const bo = await comes(hub, ada, link, "Bo");
  await hub.run(6);
  const number = ada.session.room!.number;
  hub.tells = (to, message, endpoint) =>
    to === bo && message.type === "entered" && endpoint.further === null ? REFUSED : message;
  await hub.cut(bo);
  await hub.run(8);
  assert.match(
    bo.alarms().at(-1) ?? "",
    /^The server dropped you; nobody in the room did\. It still serves others, and has signed that\./,
  );
  await hub.feed(bo, { type: "SaveEvidence", names: true });
  const saved = bo.effects.find((effect) => effect.type === "Save");
  assert.ok(saved?.type === "Save");
  const file = JSON.parse(new TextDecoder().decode(saved.data)) as {
    exhibits: { number: string; probe: { receipt: unknown }; beats: unknown[] }[];
  };
  assert.equal(file.exhibits[0]?.number, Buffer.from(number).toString("base64"));
  assert.ok(file.exhibits[0]?.probe.receipt);
  assert.ok((file.exhibits[0]?.beats.length ?? 0) > 0);
});

test("a probe that the server has not signed proves nothing", async () => {
  const { hub, ada, link } = await hosted();
  const bo = await comes(hub, ada, link, "Bo");
  hub.tells = (to, message, endpoint) => {
    if (to !== bo) return message;
    if (message.type === "opened" && endpoint.further === "probe") return { ...message, signature: new Uint8Array(64) };
    return message.type === "entered" && endpoint.further === null ? REFUSED : message;
  };
  await hub.cut(bo);
  await hub.run(8);
  assert.match(
    bo.alarms().at(-1) ?? "",
    /It answers, but opens no new room either: it may be refusing everybody\./,
  );
});

test("inputs are handled in their order, however fast they come", async () => {
  const { hub, ada, link } = await hosted();
  const bo = await comes(hub, ada, link, "Bo");
  const said = [...Array(12).keys()].map(String);
  await hub.feedAll(
    ada,
    said.map((text) => ({ type: "Say", text })),
  );
  await hub.run(1);
  assert.deepEqual(
    texts(bo),
    said.map((text) => `Ada: ${text}`),
  );
  const off = { mic: false, camera: false, screen: false, recording: false };
  await hub.feedAll(
    ada,
    [true, false].map((hand) => ({ type: "SetState", state: { ...off, hand } })),
  );
  assert.deepEqual(
    ada.events("StateTold").map(({ state }) => state.hand),
    [true, false],
  );
});

test("a member out of step continues only from what it knows", async () => {
  const { hub, ada, link } = await hosted();
  const bo = await comes(hub, ada, link, "Bo");
  const cem = await comes(hub, ada, link, "Cem");
  bo.alive = false;
  await hub.cut(bo);
  await hub.feed(ada, { type: "Lock", on: true });
  await hub.run(2);
  const [old, now, others] = [bo.session.room!, ada.session.room!, cem.session.room!];
  assert.equal(others.membership.journal.slot, old.membership.journal.slot + 1);
  const lobby = await RejoinLobby.begin({
    link: Invite.parse(link),
    name: "Bo",
    standing: () => standing(old),
    rejoinKeys: old.membership.rejoinKeys,
    makePackage: () => Promise.reject(new Error("not asked")),
    psks: new Map(),
    first: null,
    now: hub.now,
  });
  const answer: Answer = {
    type: "Answer",
    welcome: new Uint8Array(),
    number: now.number,
    doorSeed: now.doorKey.seed,
    roomAdminPublic: now.roomAdminKeys.current,
    handedKeys: new Uint8Array(64),
    slot: now.membership.journal.slot,
    chain: now.membership.journal.chain,
    at: hub.now,
    ledger: now.membership.ledger.encode(),
    before: new Uint8Array(),
    places: new Uint8Array(),
    admission: new Uint8Array(),
    pieces: new Uint8Array(),
  };
  const group = now.membership.group;
  assert.ok(lobby.fits(answer, group));
  assert.ok(!lobby.fits({ ...answer, slot: old.membership.journal.slot }, group));
  assert.ok(!lobby.fits({ ...answer, doorSeed: new Uint8Array(32) }, group));
  assert.ok(!lobby.fits({ ...answer, number: new Uint8Array(16) }, group));
  assert.ok(!lobby.fits({ ...answer, ledger: new Uint8Array(3) }, group));
  assert.ok(!lobby.fits({ ...answer, ledger: now.membership.ledger.with({ keys: new Set() }).encode() }, group));
  assert.ok(!lobby.fits(answer, old.membership.group));
});

test("links and names that are none are refused before anything is sent", async () => {
  const facts = { now: 0, rng: seeded("x") };
  await assert.rejects(Session.join({ ...facts, link: "https://meet.example/", name: "Bo" }), MalformedError);
  const { link } = await hosted();
  await assert.rejects(Session.join({ ...facts, link, name: "Ada (host)" }), ValidationError);
  await assert.rejects(Session.host({ ...facts, origin: ORIGIN, name: "" }), ValidationError);
});
