/** The store: what worker and devices tell becomes what views show, and nothing of a meeting outlives it. */
import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import { signal } from "@preact/signals";
import type { Around, MediaSide, RemoteStream } from "../../../../client/web/src/app/mediaSide";
import { Store } from "../../../../client/web/src/app/store";
import type { Command, Event, EventOf } from "../../../../client/web/src/session/events";
import type { Counts, FromWorker, ToWorker } from "../../../../client/web/src/worker/messages";
import { type Sentence, sentence, verbatim } from "../../../../client/web/src/words/sentence";
import { linkTo, ORIGIN } from "./links";

const SECRET = "A".repeat(21) + "A".repeat(40);
// Node 20 has none
if (!("navigator" in globalThis)) Object.defineProperty(globalThis, "navigator", { value: { languages: ["en"] } });

/** Stands in for the page's worker: it keeps the page's messages, and tests answer them. */
class FakeWorker extends EventTarget {
  readonly said: ToWorker[] = [];
  terminated = false;

  postMessage(message: ToWorker): void {
    this.said.push(message);
  }

  terminate(): void {
    this.terminated = true;
  }

  tell(message: FromWorker): void {
    this.dispatchEvent(new MessageEvent("message", { data: message }));
  }

  events(...events: Event[]): void {
    this.tell({ type: "events", events });
  }

  commands(): Command[] {
    return this.said.flatMap((message) => (message.type === "command" ? [message.command] : []));
  }

  /** The answer to the last command of that type. */
  answer(type: Command["type"], why: Sentence | null = null): void {
    const asked = this.said.findLast((message) => message.type === "command" && message.command.type === type);
    assert.ok(asked?.type === "command", `nobody asked for ${type}`);
    this.tell(why === null ? { type: "done", ask: asked.ask } : { type: "refused", ask: asked.ask, why });
  }
}

function fakeMedia() {
  const did: string[] = [];
  const done = async (): Promise<void> => undefined;
  const alarm = signal<{ readonly kind: string; readonly text: Sentence } | null>(null);
  const none = { cameras: [], microphones: [], speakers: [], camera: null, microphone: null, speaker: null } as const;
  const busy = signal(false);
  const remote = signal<readonly RemoteStream[]>([]);
  const speaker = signal<number | null>(null);
  const media: MediaSide = {
    devices: signal({ ...none, facing: null, cameraTrouble: null, microphoneTrouble: null }),
    preview: signal(null), screen: signal(null), ownLevel: signal(0), mic: signal(true), camera: signal(true),
    remote, levels: signal(new Map()), speaker, recording: signal(false),
    trouble: signal(null), alarm, busy, can: { share: true, pip: true, record: true, scan: false },
    begin: async () => void did.push("begin"), end: () => void did.push("end"),
    chooseCamera: done, flipCamera: done, chooseMicrophone: done, chooseSpeaker: done, setVolumes: () => undefined, noticeMuted: () => undefined, speaksMuted: signal(false), blurCamera: () => undefined, blurred: signal("note"), rates: signal([]), testSpeaker: done, toggleMic: () => undefined, toggleCamera: done,
    toggleShare: done, enter: () => void did.push("enter"), hear: () => undefined, startRecording: done,
    stopRecording: async () => null, pictureInPicture: done, chime: (kind) => void did.push(`chime ${kind}`),
  };
  return { media, alarm, busy, did, remote, speaker };
}

const ADA = { leaf: 0, name: "Ada", host: true };
const BO = { leaf: 1, name: "Bo", host: false };

const roster = (over: Partial<EventOf<"Roster">> = {}): EventOf<"Roster"> => ({
  type: "Roster", epoch: 1, members: [ADA], added: [], removed: [], by: null, rejoined: false,
  left: [], ...over,
});
const knocked = (knock: number, name: string): EventOf<"Knocked"> => ({
  type: "Knocked", knock, name, greeting: "", invite: 0, looksLike: null, silent: false, proof: null, label: null, standing: "none", contact: null,
  fingerprint: null, warnings: [], older: false, returning: false,
});
const counts = (waiting: readonly number[] | null): FromWorker => ({
  type: "counts", counts: { sealed: {}, silent: null, streams: [], waiting } satisfies Counts,
});
const turn = (): Promise<void> => new Promise((done) => setTimeout(done, 0));

/** A browser's storage. */
class Kept {
  readonly items = new Map<string, string>();
  getItem = (name: string): string | null => this.items.get(name) ?? null;
  setItem = (name: string, value: string): void => void this.items.set(name, value);
}

/** The server's challenge, as a WebSocket of the page hears it. */
function serves(permission: object | null): void {
  class FakeSocket {
    onmessage: ((event: { data: string }) => void) | null = null;
    onclose: (() => void) | null = null;
    constructor() {
      queueMicrotask(() => this.onmessage?.({ data: JSON.stringify({ type: "challenge", permission }) }));
    }
    close(): void {
      this.onclose?.();
    }
  }
  Object.assign(globalThis, { WebSocket: FakeSocket });
}

describe("the store", () => {
  let store: Store;
  let workers: FakeWorker[];
  let side: ReturnType<typeof fakeMedia>;
  let kept: Kept;
  const worker = (): FakeWorker => workers.at(-1) ?? assert.fail("no worker was made");

  beforeEach(() => {
    workers = [];
    side = fakeMedia();
    kept = new Kept();
    serves(null);
    store = new Store(
      { origin: ORIGIN, pageOrigin: ORIGIN, own: false, proven: false, hash: null, lecture: false, peers: [] },
      {
        media: side.media,
        meetings: { list: async () => [], book: async () => null } as unknown as Around["meetings"],
        createWorker: () => {
          workers.push(new FakeWorker());
          return worker() as unknown as Worker;
        },
        kept: kept as unknown as Storage,
      },
    );
  });
  afterEach(() => store.close());

  async function open(): Promise<FakeWorker> {
    store.do.openRoom();
    store.name.value = "Ada";
    store.do.enter();
    await turn();
    worker().tell({ type: "done", ask: 0 });
    worker().tell({ type: "inside", ownLeaf: 0, origin: ORIGIN, at: ORIGIN, title: "Garden", locked: false, servers: [], mirrored: false, reports: false });
    worker().events(roster());
    return worker();
  }
  const lines = (): string[] => store.incidents.value.map(({ text }) => text.key);
  const notes = (): string[] => store.chat.value.flatMap((line) => (line.kind === "note" ? [line.text.key] : []));

  it("opens one room, however often the button is pressed before it stands", async () => {
    store.do.openRoom();
    store.name.value = "Ada";
    store.do.enter();
    await turn();
    worker().tell({ type: "done", ask: 0 });
    store.do.enter();
    await turn();
    assert.equal(workers.length, 1);
    assert.equal(store.opening.value, true);
    worker().tell({ type: "inside", ownLeaf: 0, origin: ORIGIN, at: ORIGIN, title: "", locked: false, servers: [], mirrored: false, reports: false });
    assert.deepEqual([store.opening.value, store.place.value], [false, "room"]);
  });

  it("asks for the password that the server wants, and goes back to the form if it is wrong", async () => {
    serves({ kind: "password" });
    store.do.openRoom();
    await turn();
    assert.deepEqual(store.permissionForm.wanted.value, { kind: "password" });
    store.name.value = "Ada";
    store.do.enter();
    await turn();
    assert.deepEqual([workers.length, store.permissionForm.trouble.value?.key], [0, "unopened.no_password"]);
    store.permissionForm.password.value = "correct hors";
    store.sixteen.value = true;
    store.do.enter();
    await turn();
    const [wish] = worker().said;
    assert.ok(wish?.type === "host");
    assert.deepEqual([wish.password, wish.tokens, wish.sixteen, wish.reports], ["correct hors", [], true, false]);
    worker().tell({ type: "done", ask: 0 });
    worker().tell({ type: "inside", ownLeaf: 0, origin: ORIGIN, at: ORIGIN, title: "", locked: false, servers: [], mirrored: false, reports: false });
    worker().events({ type: "Ended", reason: "unopened", text: sentence("unopened.password") });
    assert.deepEqual(
      [store.place.value, store.opening.value, store.ended.value, store.permissionForm.trouble.value?.key, wish.password],
      ["prejoin", false, null, "unopened.password", store.permissionForm.password.value],
    );
    store.do.enter();
    await turn();
    assert.equal(workers.length, 2, "another try");
  });

  it("has the session spend tokens that the browser kept, and forgets each", async () => {
    const week = Math.floor((Math.floor(Date.now() / 86_400_000) + 3) / 7);
    const row = (fill: string, of = ORIGIN, at = week) => ({
      origin: of, week: at, key: "aa".repeat(32), input: fill.repeat(32), output: "cc".repeat(64),
    });
    const rows = [row("01"), row("02"), row("03", "https://other.example"), row("04", ORIGIN, week - 3)];
    kept.items.set("snug-tokens", JSON.stringify([...rows, { broken: true }, { ...row("05"), key: "zz" }]));
    serves({ kind: "tokens" });
    store.do.openRoom();
    await turn();
    assert.deepEqual(store.permissionForm.wanted.value, { kind: "tokens", left: 2 });
    store.name.value = "Ada";
    store.do.enter();
    await turn();
    const [wish] = worker().said;
    assert.ok(wish?.type === "host");
    assert.deepEqual(wish.tokens.map(({ input }) => input[0]), [1, 2]);
    worker().tell({ type: "spent", token: wish.tokens[0] ?? assert.fail() });
    assert.equal(kept.items.get("snug-tokens")?.includes("01".repeat(32)), false);
    assert.equal(kept.items.get("snug-tokens")?.includes("02".repeat(32)), true);
  });

  it("wants a voucher where no token is left, and nothing of a guest", async () => {
    serves({ kind: "tokens" });
    store.do.openRoom();
    await turn();
    store.name.value = "Ada";
    store.do.enter();
    await turn();
    assert.deepEqual([workers.length, store.permissionForm.trouble.value?.key], [0, "unopened.no_tokens"]);
    store.permissionForm.voucher.value = "https://meet.example/#2abc";
    store.do.exchange();
    while (store.permissionForm.exchanging.value) await turn();
    assert.equal(store.permissionForm.trouble.value?.key, "voucher.none");
    store.do.back();
    store.do.follow(linkTo(ORIGIN));
    await turn();
    assert.equal(store.permissionForm.wanted.value, null);
  });

  it("marks messages that wait, and removes those that the person discards", async () => {
    const tab = await open();
    for (const text of ["first", "second"]) {
      store.do.say(text);
      tab.answer("Say");
      await turn();
    }
    const lines = (): unknown[] =>
      store.chat.value.flatMap((line) => (line.kind === "text" ? [[line.text, line.waits ?? false]] : []));
    const why = sentence("watch.paused_stale");
    tab.events({ type: "Held", messages: [{ text: "second", why }] });
    assert.deepEqual(store.held.value.map(({ text }) => text), ["second"]);
    assert.deepEqual(lines(), [["first", false], ["second", true]]);
    store.do.discardHeld();
    tab.events({ type: "Held", messages: [] });
    assert.deepEqual(lines(), [["first", false]]);
    assert.deepEqual(store.held.value, []);
    assert.ok(tab.commands().some(({ type }) => type === "DiscardHeld"));
  });

  it("asks for the picture of who speaks alone only where that was chosen, and for all again", async () => {
    const tab = await open();
    const asked = (): unknown[] =>
      tab.commands().flatMap((each) => (each.type === "SelectStreams" ? [each.ssrcs] : []));
    const of = (ssrc: number, leaf: number, stream: number): RemoteStream =>
      ({ ssrc, leaf, stream, media: {} as MediaStream, weak: false });
    side.remote.value = [of(10, 1, 0), of(11, 1, 1), of(20, 2, 0), of(21, 2, 1)];
    side.speaker.value = 2;
    assert.ok(asked().every((ssrcs) => ssrcs === null), "who speaks is nothing that a server is told by itself");
    store.onlySpeaker.value = true;
    assert.deepEqual(asked().at(-1), [10, 20, 21]);
    side.speaker.value = 0; // oneself: nobody is shown to themselves
    assert.deepEqual(asked().at(-1), [10, 20, 21]);
    side.speaker.value = 1;
    assert.deepEqual(asked().at(-1), [10, 11, 20]);
    store.pinned.value = "2 camera";
    assert.deepEqual(asked().at(-1), [10, 20, 21], "who was chosen to be seen comes first");
    store.onlySpeaker.value = false;
    assert.equal(asked().at(-1), null);
    store.onlySpeaker.value = true;
    store.close();
    assert.equal(store.onlySpeaker.value, false, "the next meeting begins with all");
  });

  it("asks for a page of pictures in a large room, as large as they are shown, and for everybody's sound", async () => {
    const tab = await open();
    const asked = () => tab.commands().findLast((each) => each.type === "SelectStreams");
    const of = (ssrc: number, leaf: number, stream: number): RemoteStream =>
      ({ ssrc, leaf, stream, media: {} as MediaStream, weak: false });
    const others = Array.from({ length: 12 }, (_, at) => ({ leaf: at + 1, name: `Guest ${at}`, host: false }));
    side.remote.value = others.flatMap(({ leaf }) => [of(10 * leaf, leaf, 0), of(10 * leaf + 1, leaf, 1)]);
    tab.events(roster({ members: [ADA, ...others] }));
    assert.deepEqual([store.pages.value, store.page.value], [2, 0]);
    assert.equal(asked()?.ssrcs?.length, 12 + 9);
    store.do.turnPage(1);
    assert.deepEqual(asked()?.ssrcs?.filter((ssrc) => ssrc % 10 === 1), [101, 111, 121]);
    const states = store.tiles.value.filter(({ leaf }) => leaf > 0).map(({ pictureState }) => pictureState);
    assert.deepEqual(states, [...Array<string>(9).fill("spared"), ...Array<string>(3).fill("connecting")]);
    store.do.measured({ each: 160, large: null, voice: null });
    assert.deepEqual(asked()?.maxLayers, [[101, 1], [111, 1], [121, 1]]);
    // the next meeting begins at its first page, and unmeasured
    store.do.again();
    const next = await open();
    next.events(roster({ members: [ADA, ...others] }));
    assert.deepEqual([store.pages.value, store.page.value], [2, 0]);
    assert.deepEqual(next.commands().findLast((each) => each.type === "SelectStreams")?.maxLayers, []);
  });

  it("tells which page it runs, also where that is known only after we came in", async () => {
    const tab = await open();
    const told = (): Command[] => tab.commands().filter(({ type }) => type === "RunsPage");
    assert.deepEqual(told(), []);
    store.where.value = { ...store.where.value, hash: "05".repeat(32) };
    assert.deepEqual(told(), [{ type: "RunsPage", hash: new Uint8Array(32).fill(5) }]);
  });

  it("tells who came in and went, by whose word, and not who was there before us", async () => {
    const tab = await open();
    assert.deepEqual(notes(), []);
    tab.events(roster({ members: [ADA, BO], added: [{ ...BO, invite: 0, label: null }], by: 0 }));
    tab.events(roster({ removed: [BO], by: 0 }));
    tab.events(roster({ members: [ADA, BO], added: [{ ...BO, invite: 5, label: "Bo" }], by: 0 }));
    tab.events(roster({ removed: [BO], by: 0, left: [1] }));
    assert.deepEqual(notes(), ["note.came_by_open", "note.removed", "note.came_by_label", "note.left"]);
    assert.equal(store.unread.value, 0, "notes are not messages");
  });

  it("keeps another's knock when somebody of the same name comes in, and drops what waits no more", async () => {
    const tab = await open();
    tab.events(knocked(1, "Bo"), knocked(2, "Bo"), knocked(3, "Cem"));
    store.do.admit(1);
    tab.events(roster({ members: [ADA, BO], added: [{ ...BO, invite: 0, label: null }], by: 0 }));
    assert.deepEqual(store.knocks.value.map(({ knock }) => knock), [2, 3]);
    tab.tell(counts([2]));
    assert.deepEqual(store.knocks.value.map(({ knock }) => knock), [2]);
    tab.tell(counts(null));
    assert.deepEqual(store.knocks.value.map(({ knock }) => knock), [2], "while no lobby is ours, nothing is known of it");
  });

  it("shows a message of ours once it has gone out, and not one that was refused", async () => {
    const tab = await open();
    store.do.say("Hello");
    assert.equal(store.chat.value.length, 0);
    tab.answer("Say");
    await turn();
    store.do.say("x".repeat(9000));
    tab.answer("Say", sentence("room.text_size", { most: 4000 }));
    await turn();
    assert.deepEqual(store.chat.value.map((line) => line.kind === "text" && line.text), ["Hello"]);
    assert.deepEqual(store.toasts.value.map(({ text }) => text.key), ["room.text_size"]);
  });

  it("waits with a picture that comes too soon, and shows none that was refused", async () => {
    const tab = await open();
    const dot = Uint8Array.from("GIF89a\x01\0\x01\0\0\0\0", (letter) => letter.charCodeAt(0));
    const picture = (): File => new File([dot], "a.gif", { type: "image/gif" });
    const sent = (): number => tab.commands().filter(({ type }) => type === "SendImage").length;
    const until = async (count: number): Promise<void> => {
      for (let i = 0; i < 100 && sent() < count; i++) await new Promise((done) => setTimeout(done, 20));
      assert.equal(sent(), count);
    };
    store.do.sendFiles([picture(), picture()]);
    await until(1);
    tab.answer("SendImage");
    await until(2);
    tab.answer("SendImage", sentence("room.image_soon", { seconds: 3 }));
    await until(3);
    assert.equal(store.chat.value.length, 1);
    assert.equal(store.toasts.value.length, 0);
    tab.answer("SendImage", sentence("room.not_an_image"));
    await turn();
    assert.equal(store.chat.value.length, 1);
    assert.deepEqual(store.toasts.value.map(({ text }) => text.key), ["room.not_an_image"]);
  });

  it("counts what was not read, until the chat is open", async () => {
    const tab = await open();
    tab.events({ type: "Said", leaf: 1, name: "Bo", text: "Hi", id: "1" });
    tab.events({ type: "Said", leaf: 1, name: "Bo", text: "Hi", id: "2" });
    assert.equal(store.unread.value, 2);
    store.panel.value = "chat";
    assert.equal(store.unread.value, 0);
    tab.events({ type: "Said", leaf: 1, name: "Bo", text: "Hi", id: "3" });
    assert.equal(store.unread.value, 0);
  });

  it("says that the server is away for as long as it is", async () => {
    const tab = await open();
    tab.events({ type: "Status", kind: "away", text: sentence("status.away", { why: "gone" }) });
    assert.deepEqual(lines(), ["status.away"]);
    tab.events({ type: "Status", kind: "back", text: sentence("status.back") });
    assert.deepEqual(lines(), []);
  });

  it("tells of a lost media connection once, however often it is tried", async () => {
    await open();
    for (let i = 0; i < 5; i++)
      side.alarm.value = { kind: "media_unreachable", text: sentence("alarm.media_unreachable", { why: String(i) }) };
    assert.deepEqual(lines(), ["alarm.media_unreachable"]);
    side.alarm.value = null;
    assert.deepEqual(lines(), []);
    assert.deepEqual(store.pastIncidents.value.map(({ count }) => count), [1]);
  });

  it("says that the computer is busy for as long as it is", async () => {
    await open();
    side.busy.value = true;
    assert.deepEqual(store.incidents.value.map(({ severity, kind }) => [severity, kind]), [["calm", "busy"]]);
    side.busy.value = false;
    assert.deepEqual(lines(), []);
  });

  it("takes nothing of a meeting over into the next", async () => {
    const tab = await open();
    tab.events(
      roster({ members: [ADA, BO], added: [{ ...BO, invite: 0, label: null }], by: 0 }),
      knocked(1, "Cem"),
      { type: "Said", leaf: 1, name: "Bo", text: "A secret", id: "1" },
      { type: "Alarm", kind: "two_stories", text: sentence("alarm.two_stories", { slot: 1 }) },
      { type: "Code", epoch: 2, digits: "1".repeat(40) },
      { type: "InviteMade", link: "x", index: 0, label: "", once: false, replaces: null },
    );
    store.do.toggleHand();
    store.panel.value = "people";
    tab.events({ type: "Ended", reason: "removed", text: sentence("room.removed_by", { by: "Bo" }) });
    assert.equal(store.place.value, "ended");
    assert.equal(store.ended.value?.reason, "removed");
    assert.ok(side.did.includes("end"), "the camera is let go");
    store.do.again();
    assert.equal(store.place.value, "start");
    const next = await open();
    assert.notEqual(next, tab);
    assert.deepEqual(
      [store.chat, store.knocks, store.incidents, store.invites, store.reactions, store.tree].map(({ value }) => value.length),
      [0, 0, 0, 0, 0, 0],
    );
    assert.deepEqual(
      [store.unread.value, store.code.value, store.pastIncidents.value.length, store.hand.value, store.panel.value, store.ended.value],
      [0, null, 0, false, "none", null],
    );
    assert.deepEqual(store.people.value.map(({ name }) => name), ["Ada"]);
  });

  it("hears nothing more of a meeting that it has left", async () => {
    const tab = await open();
    store.do.giveUp();
    assert.deepEqual(tab.commands().at(-1), { type: "Leave" });
    store.do.again();
    tab.events({ type: "Ended", reason: "left", text: sentence("room.you_left") });
    assert.equal(store.place.value, "start");
  });

  it("keeps the worker of a dropped meeting for what it can show, until one goes on", async () => {
    const tab = await open();
    tab.events({ type: "Ended", reason: "dropped", text: verbatim("dropped") });
    assert.equal(store.ended.value?.canSaveEvidence, true);
    store.do.saveEvidence(true);
    assert.deepEqual(tab.commands().at(-1), { type: "SaveEvidence", names: true });
    store.do.again();
    const before = tab.said.length;
    store.do.saveEvidence(true);
    assert.equal(tab.said.length, before);
  });

  it("follows no link out of a meeting, and says so", async () => {
    await open();
    store.opened(`${ORIGIN}/#2${SECRET}`);
    assert.equal(store.place.value, "room");
    assert.deepEqual(store.toasts.value.map(({ text }) => text.key), ["note.in_meeting"]);
  });

  it("says what is wrong with a link, and leads to no other server", () => {
    store.do.follow("not a link");
    assert.equal(store.place.value, "start");
    assert.notEqual(store.linkTrouble.value, null);
  });

  it("tells a worker that never ran from one that has stopped", async () => {
    const real = globalThis.fetch;
    try {
      for (const [answer, why] of [
        [async () => new Response("{}"), "page_changed"],
        [async () => Promise.reject(new TypeError("gone")), "server_gone"],
      ] as const) {
        globalThis.fetch = answer;
        store.do.openRoom();
        store.name.value = "Ada";
        store.do.enter();
        await turn();
        worker().dispatchEvent(new Event("error"));
        await turn();
        await turn();
        assert.deepEqual([store.place.value, store.unable.value, store.opening.value], ["unable", why, false]);
        store.do.again();
      }
    } finally {
      globalThis.fetch = real;
    }
    (await open()).dispatchEvent(new Event("error"));
    await turn();
    assert.deepEqual([store.place.value, store.unable.value], ["unable", "worker"]);
  });

  it("offers what is wrong with the name only after it was tried", () => {
    store.do.openRoom();
    assert.equal(store.nameTrouble.value, null);
    store.do.enter();
    assert.notEqual(store.nameTrouble.value, null);
    assert.equal(workers.length, 0);
  });
});
