/** Several newcomers in one commit. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Bytes } from "../../../../client/web/src/crypto/bytes";
import { ValidationError } from "../../../../client/web/src/crypto/errors";
import { Ledger } from "../../../../client/web/src/crypto/agreed/ledger";
import { decodeMessage } from "../../../../client/web/src/mls/read";
import { welcomeFor } from "../../../../client/web/src/mls/makeWelcome";
import * as mls from "../../../../client/web/src/mls";
import { ADDS_EVERY, Batches, firstNewcomers, firstRefused } from "../../../../client/web/src/session/kernel/batches";
import { CommitQueue } from "../../../../client/web/src/session/kernel/commitQueue";
import type { AddIntent } from "../../../../client/web/src/session/kernel/intents";
import { Membership } from "../../../../client/web/src/session/kernel/membership";
import type { Owner, Room } from "../../../../client/web/src/session/kernel/ports";
import { sentence } from "../../../../client/web/src/words/sentence";
import { agreed, enter, hosted, lets, NOW, PSK, psks, ROOM, three } from "./memberships";
import { seeded } from "./rooms";

type Entering = Awaited<ReturnType<typeof enter>> & AddIntent;

const entering = async (name: string, invite = 0, seed = name): Promise<Entering> =>
  (await enter(name, invite, seed)) as Entering;

async function join(by: Membership, welcome: Bytes, intent: Entering): Promise<Membership> {
  const own = welcomeFor(welcome, intent.keyPackage);
  const decoded = decodeMessage(own);
  assert.ok(decoded.kind === "welcome");
  assert.equal(decoded.message.secrets.length, 1, "no other newcomer's");
  const group = await mls.Group.join(own, intent.bundle, { psks, rng: seeded(`${intent.name} joins`) });
  return Membership.create(group, {
    room: ROOM,
    slot: by.journal.slot,
    chain: by.journal.chain,
    linkPsk: PSK,
    rejoinKey: intent.rejoinKey,
    now: NOW,
    rng: seeded(intent.name),
    ledger: Ledger.decode(by.ledger.encode()),
    handed: by.handKeys(),
  });
}

test("one commit adds several, all agree, and each has its own invite", async () => {
  const [ada, bo, cem] = await three();
  const intents = [await entering("Dana"), await entering("Eve", 0x8005), await entering("Finn", 7)];
  const staged = await ada.stage(...intents);
  assert.ok(staged?.stage.welcome);
  assert.deepEqual(staged.intents, intents);
  await ada.adopt(staged, staged.blob, NOW);
  for (const other of [bo, cem]) {
    const verdict = await other.judge(staged.blob);
    assert.ok(verdict.type === "Valid");
    const change = await other.adopt(verdict, staged.blob, NOW);
    assert.deepEqual(change.added, [
      { leaf: 3, name: "Dana", invite: 0 },
      { leaf: 4, name: "Eve", invite: 0x8005 },
      { leaf: 5, name: "Finn", invite: 7 },
    ]);
  }
  const { welcome } = staged.stage;
  const newcomers = await Promise.all(intents.map((intent) => join(ada, welcome, intent)));
  agreed(ada, bo, cem, ...newcomers);
  const outsider = await entering("Gil");
  assert.throws(
    () => welcomeFor(welcome, outsider.keyPackage),
    (error) => error instanceof ValidationError && error.rule === "MLS-12.4.3.1-1",
  );
});

test("members are left out of a batch, and a batch of members is nothing to do", async () => {
  const ada = await hosted();
  const bo = await entering("Bo");
  const staged = await ada.stage(bo);
  assert.ok(staged);
  await ada.adopt(staged, staged.blob, NOW);
  const cem = await entering("Cem");
  assert.deepEqual((await ada.stage(bo, cem))?.intents, [cem]);
  assert.equal(await ada.stage(bo), null);
});

test("the newcomer that a rule keeps out is found wherever it is", async () => {
  const ada = await hosted();
  await lets(ada, "Bo", 0, []);
  const names = Array.from({ length: 9 }, (_, n) => `Guest ${n}`);
  const good = await Promise.all(names.map((name) => entering(name)));
  assert.equal(await firstRefused(ada, good), null);
  assert.equal(await firstRefused(ada, []), null);
  const again = await entering("guest 0");
  const impostor = await entering("B0");
  for (const at of [1, 4, 9]) {
    for (const bad of [again, impostor]) {
      const batch = good.toSpliced(at, 0, bad);
      const [newcomer, why] = (await firstRefused(ada, batch)) ?? assert.fail("nobody was found");
      assert.equal(newcomer, bad);
      assert.ok(why instanceof ValidationError && why.rule === "SNUG-11");
      await assert.rejects(ada.stage(...batch), ValidationError);
    }
  }
  const once = await Promise.all([entering("Once", 0x8009), entering("Twice", 0x8009)]);
  assert.equal((await firstRefused(ada, [...good, ...once]))?.[0], once[1]);
});

test("newcomers behind another intent wait for it, and a batch has a limit", async () => {
  const [dana, eve, finn] = [await entering("Dana"), await entering("Eve"), await entering("Finn")];
  const heal = { type: "HealIntent", epoch: 1 } as const;
  assert.deepEqual(firstNewcomers([dana, eve, heal, finn], 64), [dana, eve]);
  assert.deepEqual(firstNewcomers([dana, eve, finn], 2), [dana, eve]);
  assert.deepEqual(firstNewcomers([heal, dana], 64), []);
  assert.deepEqual(firstNewcomers([], 64), []);
});

// -- the queue -----------------------------------------------------------------------------------------------

interface Desk {
  readonly queue: CommitQueue;
  /** Who came in, and who did not. */
  readonly admitted: string[];
  readonly refused: string[];
  /** Sends the next commit, if one is due. */
  send(now: number): Promise<void>;
  /** The names that each sent commit adds. */
  readonly sent: string[][];
  /** The server gives the slot to our last commit. */
  taken(): Promise<void>;
}

function desk(m: Membership): Desk {
  const [admitted, refused, sent]: [string[], string[], string[][]] = [[], [], []];
  let blob: Bytes = new Uint8Array();
  const room = {
    membership: m,
    hostKeys: null,
    here: { signed: async (message: unknown) => message, adminKey: async () => null },
    send: (message: { readonly blob: Bytes }) => ({ blob } = message),
  } as unknown as Room;
  const owner: Owner = {
    admitted: ({ name }) => void admitted.push(name),
    notAdmitted: ({ name }) => void refused.push(name),
  };
  const queue = new CommitQueue(room, [], owner);
  const stage = m.stage.bind(m);
  m.stage = async (...intents) => {
    const staged = await stage(...intents);
    if (staged !== null) sent.push(staged.intents.flatMap((each) => (each.type === "AddIntent" ? [each.name] : [])));
    return staged;
  };
  const taken = async (): Promise<void> => {
    const staged = queue.slotTaken(blob);
    assert.ok(staged);
    await m.adopt(staged, blob, NOW);
    queue.adopted(staged);
  };
  return { queue, admitted, refused, sent, taken, send: (now) => queue.sendNext(now) };
}

const guests = (count: number): Promise<Entering[]> =>
  Promise.all(Array.from({ length: count }, (_, n) => entering(`Guest ${n}`)));

test("the first newcomer goes at once, the others together after a while", async () => {
  const at = desk(await hosted());
  const [first, ...others] = await guests(4);
  at.queue.add(first!);
  await at.send(NOW);
  for (const other of others) at.queue.add(other);
  await at.taken();
  await at.send(NOW + ADDS_EVERY - 0.01);
  assert.deepEqual(at.sent, [["Guest 0"]]);
  await at.send(NOW + ADDS_EVERY);
  await at.taken();
  assert.deepEqual(at.sent, [["Guest 0"], ["Guest 1", "Guest 2", "Guest 3"]]);
  assert.deepEqual(at.admitted, ["Guest 0", "Guest 1", "Guest 2", "Guest 3"]);
  assert.ok(at.queue.idle);
});

test("newcomers wait for no more when another intent waits, and a removal goes before them", async () => {
  const ada = await hosted();
  await lets(ada, "Bo", 0, []);
  const at = desk(ada);
  const [first, second, third] = await guests(3);
  at.queue.add(first!);
  await at.send(NOW);
  at.queue.add(second!);
  at.queue.add({ type: "RemoveIntent", leaf: 1, signatureKey: ada.signatureKey(1)!, absent: true });
  await at.taken();
  for (let n = 0; n < 3; n++) {
    await at.send(NOW);
    if (n === 0) {
      at.queue.add({ type: "PolicyIntent", change: (policy) => policy.with({ version: policy.version + 1, title: "Tea" }) });
      at.queue.add(third!);
    }
    await at.taken();
  }
  assert.deepEqual(at.sent, [["Guest 0"], [], ["Guest 1"], []], "in their order");
  await at.send(NOW);
  assert.equal(at.sent.length, 4, "and the last one waits again");
});

test("a batch whose slot is taken is staged again at once", async () => {
  const ada = await hosted();
  const at = desk(ada);
  for (const each of await guests(3)) at.queue.add(each);
  await at.send(NOW);
  assert.equal(at.queue.slotTaken(new Uint8Array(9)), null);
  const heal = await ada.stage({ type: "HealIntent", epoch: ada.group.epoch });
  await ada.adopt(heal!, heal!.blob, NOW);
  await at.send(NOW + 0.01);
  await at.taken();
  assert.deepEqual(at.admitted, ["Guest 0", "Guest 1", "Guest 2"]);
});

test("a removal goes before newcomers whose commit has lost its slot", async () => {
  const ada = await hosted();
  await lets(ada, "Bo", 0, []);
  const at = desk(ada);
  const [first, second] = await guests(2);
  at.queue.add(first!);
  await at.send(NOW);
  at.queue.add(second!);
  at.queue.add({ type: "RemoveIntent", leaf: 1, signatureKey: ada.signatureKey(1)!, absent: true });
  assert.equal(at.queue.slotTaken(new Uint8Array(9)), null);
  for (let n = 0; n < 2; n++) {
    await at.send(NOW);
    await at.taken();
  }
  assert.deepEqual(at.sent, [["Guest 0"], [], ["Guest 0", "Guest 1"]]);
});

test("after a commit that was too large, more newcomers are tried again", async () => {
  const batches = new Batches();
  const nine = await guests(9);
  const size = (): number => batches.next(nine, NOW).length;
  assert.equal(size(), 9);
  assert.ok(!batches.givesUp(nine));
  assert.equal(size(), 4);
  assert.ok(!batches.givesUp(nine.slice(0, 4)));
  assert.equal(size(), 2);
  batches.adopted();
  assert.equal(size(), 4);
  assert.ok(batches.givesUp(nine.slice(0, 1)), "the one that it was about");
  assert.equal(size(), 9);
});

test("a batch that the server never takes is tried in parts, down to the one that it refuses", async () => {
  const at = desk(await hosted());
  for (const each of await guests(5)) at.queue.add(each);
  for (let n = 0; n < 20 && !at.queue.idle; n++) {
    await at.send(NOW + n);
    if (at.sent.at(-1)?.includes("Guest 3")) at.queue.refused(sentence("verbatim", { text: "too large" }));
    else await at.taken();
  }
  assert.deepEqual(at.refused, ["Guest 3"]);
  assert.deepEqual(at.admitted, ["Guest 0", "Guest 1", "Guest 2", "Guest 4"]);
});

test("an invalid newcomer keeps nobody else out", async () => {
  const at = desk(await hosted());
  const [first, second, third] = await guests(3);
  for (const each of [first!, second!, await entering("Ada"), third!, await entering("guest 1")]) at.queue.add(each);
  await at.send(NOW);
  await at.taken();
  assert.deepEqual(at.refused, ["Ada", "guest 1"]);
  assert.deepEqual(at.admitted, ["Guest 0", "Guest 1", "Guest 2"]);
});

test("a KeyPackage that only MLS refuses keeps nobody else out", async () => {
  const at = desk(await hosted());
  const five = await guests(5);
  const bad = await entering("Copy", 0, "Guest 1"); // of the same HPKE keys
  for (const each of [...five.slice(0, 3), bad, ...five.slice(3)]) at.queue.add(each);
  for (let n = 0; n < 20 && !at.queue.idle; n++) {
    await at.send(NOW + n);
    if (!at.queue.idle) await at.taken();
  }
  assert.deepEqual(at.refused, ["Copy"]);
  assert.deepEqual(at.admitted, five.map(({ name }) => name));
});
