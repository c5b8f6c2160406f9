import { strict as assert } from "node:assert";
import { once } from "node:events";
import { signal } from "@preact/signals";
import { describe, it } from "node:test";
import { Worker } from "node:worker_threads";
import { Comebacks, type ComebackPlace } from "../../../../client/web/src/app/comebacks";
import { leaveTo } from "../../../../client/web/src/app/commands";
import type { Model, Place } from "../../../../client/web/src/app/model";
import { PreJoin } from "../../../../client/web/src/app/preJoin";
import { HostSeed } from "../../../../client/web/src/crypto/entry/invite";
import { type KeptMeeting, type KeptMeetings, keptId } from "../../../../client/web/src/kept";
import type { Command } from "../../../../client/web/src/session/events";

Object.assign(globalThis, { navigator: { languages: ["en"] } }); // without locks
const ORIGIN = "https://meet.example";
const seed = await HostSeed.from(new Uint8Array(32).fill(7));

function meeting(fill: number, over: Partial<KeptMeeting> = {}): KeptMeeting {
  const secret = new Uint8Array(16).fill(fill);
  const founded = over.founded ?? false;
  return {
    id: keptId(secret, founded), at: fill, name: "Bo", title: "Plans", link: seed.invite(ORIGIN, secret, 0).link(), origin: ORIGIN, host: founded,
    founded, alone: false, mic: false, camera: true, ...over,
  };
}

/** A page whose device keeps these; what it does. */
function page(...kept: KeptMeeting[]) {
  const did: unknown[] = [];
  const place = signal<Place>("start");
  const waiting = signal<Model["waiting"]["value"]>(null);
  const preJoin = new PreJoin();
  const at: ComebackPlace = {
    preJoin, place, waiting,
    own: () => false,
    begin: ({ mic, camera }, wish) => did.push({ mic, camera, ...wish }),
    post: (message) => {
      did.push(message.type === "farewell" ? `away: ${message.away}` : message.type);
      if (message.type === "farewell" && message.sent !== null) Atomics.store(message.sent, 0, 1);
    },
    toast: ({ key }) => did.push(key),
    again: () => did.push("again"),
    follow: (link) => did.push(link),
  };
  const device = { list: async () => kept, forget: async (id: string) => void did.push(`forget ${id}`) };
  return { comebacks: new Comebacks(device as unknown as KeptMeetings, at), at, did, place, waiting, preJoin };
}

describe("a page whose device keeps meetings", () => {
  const one = meeting(1);
  const other = meeting(2);

  it("returns to the one of the link, as the person was there", async () => {
    const { comebacks, did, place, waiting, preJoin } = page(other, one);
    assert.equal(await comebacks.returns(one.link, false), true);
    assert.deepEqual(did, [{ mic: false, camera: true, type: "comeBack", own: false, id: one.id, again: false }]);
    assert.deepEqual([place.value, waiting.value?.back?.id, preJoin.name.value, preJoin.last], ["waiting", one.id, "Bo", one.link]);
  });

  it("returns to the last one after a reload, and to none by itself", async () => {
    const { comebacks, did } = page(other, one);
    assert.equal(await comebacks.returns(null, false), false);
    assert.deepEqual(comebacks.meetings.value, [other, one], "but it offers them");
    assert.equal(await comebacks.returns(null, true), true);
    assert.equal((did[0] as { id: string }).id, other.id);
    assert.equal(await page().comebacks.returns(one.link, true), false);
    assert.equal(await page(one).comebacks.returns("https://meet.example/#nonsense", true), false);
  });

  it("opens again what its host was alone in", async () => {
    const { comebacks, did } = page(meeting(3, { founded: true, alone: true }));
    await comebacks.returns(null, true);
    assert.equal((did[0] as { again: boolean }).again, true);
  });

  it("forgets a meeting, and knocks anew", async () => {
    const { comebacks, did, place, preJoin } = page(one);
    await comebacks.returns(one.link, false);
    did.length = 0;
    comebacks.knock();
    assert.deepEqual(did, ["forget", "again", one.link]);
    await comebacks.forget(one.id);
    assert.deepEqual([did.at(-1), comebacks.meetings.value], [`forget ${one.id}`, []]);
    place.value = "room";
    comebacks.hides();
    assert.equal(did.at(-1), "away: true");
    preJoin.entered.value = "Bo";
    await comebacks.forget(null);
    assert.deepEqual(did.slice(-2), ["forget", "note.forgotten"]);
    assert.equal(preJoin.entered.value, "", "the next visit begins without a name");
    comebacks.hides();
    assert.equal(did.at(-1), "away: false", "it does not come back, so it leaves");
  });
});

it("a browser that keeps nothing says so, each time that the person comes into a meeting", async () => {
  const { at, did, place } = page();
  const comebacks = new Comebacks(null, at);
  assert.equal(await comebacks.returns(null, true), false);
  assert.deepEqual([did, comebacks.meetings.value], [[], null]);
  for (const now of ["waiting", "room", "start", "room"] satisfies Place[]) place.value = now;
  assert.deepEqual(did, ["note.nothing_kept", "note.nothing_kept"]);
  comebacks.hides();
  assert.equal(did.at(-1), "away: false");
});

it("a page that is closed waits until its worker has sent the last message", async () => {
  const says = "(sent) => setTimeout(() => Atomics.store(sent, 0, 1), 50)";
  const worker = new Worker(`require("node:worker_threads").parentPort.on("message", ${says})`, { eval: true });
  await once(worker, "online");
  const { at, place } = page();
  const last: Int32Array[] = [];
  const post: ComebackPlace["post"] = (message) => {
    if (message.type !== "farewell") return;
    if (message.sent !== null) last.push(message.sent);
    worker.postMessage(message.sent);
  };
  const comebacks = new Comebacks(null, { ...at, post });
  place.value = "room";
  comebacks.hides();
  const sent = last.map((each) => Atomics.load(each, 0));
  await worker.terminate();
  assert.deepEqual(sent, [1]);
});

it("forgetting the meeting, or the last of several, removes the copy of the page and what serves it", async () => {
  let workers = 1;
  const caches = new Set(["snug-page-1"]);
  const unregister = async (): Promise<boolean> => workers-- > 0;
  const serviceWorker = { getRegistrations: async () => (workers > 0 ? [{ unregister }] : []) };
  Object.assign(globalThis, { caches: { keys: async () => [...caches], delete: async (name: string) => caches.delete(name) } });
  Object.assign(globalThis.navigator, { serviceWorker });
  try {
    const [one, other] = [meeting(1), meeting(2)];
    const { comebacks } = page(one, other);
    await comebacks.returns(null, false);
    await comebacks.forget(one.id);
    assert.deepEqual([workers, caches.size, comebacks.keeps], [1, 1, true], "it serves the other one still");
    await comebacks.forget(other.id);
    assert.deepEqual([workers, caches.size], [0, 0]);
    [workers] = [1];
    caches.add("snug-page-1");
    await comebacks.forget(null);
    assert.deepEqual([workers, caches.size, comebacks.keeps], [0, 0, false], "nor does it come again in this meeting");
  } finally {
    Reflect.deleteProperty(globalThis, "caches");
    Reflect.deleteProperty(globalThis.navigator, "serviceWorker");
  }
});

it("a host leaves when the one who was chosen hosts, and not before", async () => {
  const did: string[] = [];
  const amHost = signal(true);
  const ask = async ({ type }: Command): Promise<boolean> => did.push(type) > 0;
  await leaveTo(1, ask, amHost, () => did.push("left"));
  assert.deepEqual(did, ["HandOver"]);
  amHost.value = false;
  await new Promise((next) => setImmediate(next));
  assert.deepEqual(did, ["HandOver", "left"]);
  await leaveTo(1, async () => false, signal(false), () => did.push("left"));
  assert.equal(did.length, 2, "the handover was refused");
  await leaveTo(null, ask, amHost, () => did.push("left"));
  assert.equal(did.at(-1), "left");
});
