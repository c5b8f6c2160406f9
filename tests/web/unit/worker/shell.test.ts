import type { MemberRecord } from "../../../../client/web/src/crypto/entry/memberRecovery";
import type { KeptMeetings } from "../../../../client/web/src/kept";
import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";
import type { Bytes } from "../../../../client/web/src/crypto/bytes";
import { type Endpoint, ROOM } from "../../../../client/web/src/session/events";
import type { ClientMessage, ServerMessage, Transport } from "../../../../client/web/src/wire/messages";
import type { Connections } from "../../../../client/web/src/worker/doors";
import type { FromWorker, ToWorker } from "../../../../client/web/src/worker/messages";
import { Session } from "../../../../client/web/src/session/kernel/session";
import { CONTACT_TIME } from "../../../../client/web/src/session/kernel/firstContact";
import { type Around, Shell, TICK } from "../../../../client/web/src/worker/shell";
import type { EncodedFrame, Transformer } from "../../../../client/web/src/worker/transforms";

const ORIGIN = "https://meet.example";
const HOST: ToWorker = {
  type: "host", own: true, origin: ORIGIN, servers: [], name: "Ada", title: "Plans", admission: "ask", reports: false, mirror: false, sixteen: false, strict: false, password: null, tokens: [],
};
const PUBLISH: ToWorker = {
  type: "publish",
  media: {
    type: "Publish", ufrag: "abcd", password: "secretsecret", fingerprint: new Uint8Array(32),
    streams: [{ ssrc: 11, kind: "audio", stream: 0 }, { ssrc: 12, kind: "video", stream: 1 }],
  },
};

/** A shell whose server is this test. */
class Rig {
  readonly posted: FromWorker[] = [];
  readonly done: string[] = [];
  now = 1_800_000_000;
  /** The chain value at which the session opens its room. */
  chain: Bytes = new Uint8Array(32);
  events: Parameters<Around["connections"]>[2] | null = null;
  device: unknown = null;
  readonly shell = new Shell({
    post: (message) => this.posted.push(message),
    kept: () => Promise.resolve(this.device as KeptMeetings | null),
    now: () => this.now,
    connections: (origin, own, events) => {
      assert.deepEqual([origin, own], [ORIGIN, true]);
      this.events = events;
      return {
        connect: (endpoint: Endpoint) => this.done.push(`connect ${name(endpoint)}`),
        disconnect: (endpoint: Endpoint) => this.done.push(`disconnect ${name(endpoint)}`),
        transmit: (endpoint: Endpoint, message: ClientMessage) => {
          if (message.type === "open") this.chain = message.chain;
          this.done.push(`${message.type}${message.type === "media" ? ` ${message.ufrag}` : ""} to ${name(endpoint)}`);
        },
        close: () => this.done.push("close"),
      } as unknown as Connections;
    },
  });

  of<T extends FromWorker["type"]>(type: T): Extract<FromWorker, { type: T }>[] {
    return this.posted.filter((message): message is Extract<FromWorker, { type: T }> => message.type === type);
  }

  told(): string[] {
    return this.of("events").flatMap(({ events }) => events.map(({ type }) => type));
  }

  /** The server says something, and all that comes of it has come. */
  async says(message: ServerMessage, endpoint: Endpoint = ROOM): Promise<void> {
    this.events?.received(endpoint, message);
    await this.settles();
  }

  async settles(): Promise<void> {
    await this.shell.hear({ type: "command", ask: 99, command: { type: "ListInvites" } });
    await new Promise((done) => setImmediate(done));
  }

  /** The room's connection is opened, and the room. */
  async enters(): Promise<void> {
    const fixed = { nonce: new Uint8Array(32), server_key: new Uint8Array(32), permission: null };
    await this.says({ type: "challenge", version: 1, origin: ORIGIN, ...fixed });
    await this.says({ type: "entered", handle: new Uint8Array(8), incarnation: new Uint8Array(8), slot: null, chain: null, handles: [], node: null });
    await this.says({ type: "opened", slot: 0, chain: this.chain, opening_id: new Uint8Array(8), signature: new Uint8Array(64) });
    await this.says({ type: "shown", slot: 0 });
  }
}

const name = (endpoint: Endpoint): string => (endpoint.further !== null ? "probe" : endpoint.day === null ? "room" : "lobby");

/** A transformer whose frames are put in by hand; what comes out is kept. */
function transformer(options: unknown): Transformer & { readonly out: EncodedFrame[]; put(frame: EncodedFrame): Promise<void> } {
  const out: EncodedFrame[] = [];
  const inner = new TransformStream<EncodedFrame, EncodedFrame>();
  const writer = inner.writable.getWriter();
  const writable = new WritableStream<EncodedFrame>({ write: (frame) => void out.push(frame) });
  return { readable: inner.readable, writable, options, out, put: (frame) => writer.write(frame) };
}

let rig: Rig;

beforeEach(() => {
  mock.timers.enable({ apis: ["setInterval"] });
  mock.method(console, "error", () => undefined);
  rig = new Rig();
});

afterEach(() => {
  mock.timers.reset();
  mock.restoreAll();
});

test("a host's wish opens a meeting, and is answered", async () => {
  await rig.shell.hear(HOST);
  assert.deepEqual(rig.of("done"), [{ type: "done", ask: 0 }]);
  assert.ok(rig.done.includes("connect room"));
  assert.deepEqual(rig.told().slice(0, 1), ["InviteMade"]);
  assert.deepEqual(rig.of("inside"), [], "not before the server has opened the room");
  await rig.enters();
  assert.deepEqual(rig.of("inside"), [{ type: "inside", ownLeaf: 0, origin: ORIGIN, at: ORIGIN, title: "Plans", locked: false, servers: [], mirrored: false, reports: false }]);
  await rig.shell.hear(HOST); // a second one is none
  assert.equal(rig.of("done").filter(({ ask }) => ask === 0).length, 1);
});

test("the page is told that a meeting keeps signatures for reports", async () => {
  await rig.shell.hear({ ...HOST, reports: true });
  await rig.enters();
  assert.equal(rig.of("inside")[0]?.reports, true);
});

/** What a device keeps, which takes until `done` is called. */
class Device {
  async book(): Promise<null> {
    return null;
  }

  readonly rows = new Map<string, [unknown, MemberRecord]>();
  readonly waits: (() => void)[] = [];
  async keep(id: string, view: unknown, record: MemberRecord): Promise<void> {
    await new Promise<void>((done) => this.waits.push(done));
    this.rows.set(id, [view, structuredClone(record)]);
  }
  async forget(id: string): Promise<void> {
    this.rows.delete(id);
  }
  async read(id: string): Promise<unknown> {
    return this.rows.get(id) ?? null;
  }
  async done(): Promise<void> {
    for (const done of this.waits.splice(0)) done();
    await new Promise((next) => setImmediate(next));
  }
}

test("nothing is sent before the device has kept what it makes necessary", async () => {
  const device = (rig.device = new Device());
  await rig.shell.hear(HOST);
  assert.equal(rig.done.length, 0, "not even a connection");
  await device.done();
  assert.ok(rig.done.includes("connect room"));
  const [[id, [view]]] = [...device.rows] as [[string, [Record<string, unknown>, MemberRecord]]];
  assert.deepEqual([view["name"], view["title"], view["host"], view["founded"], view["alone"]], ["Ada", "Plans", true, true, true]);
  await rig.shell.hear({ type: "forget" });
  assert.equal(device.rows.size, 0);
  await rig.shell.hear({ type: "command", ask: 3, command: { type: "Leave" } });
  assert.equal(device.waits.length, 0, "and nothing is kept from then on");
  assert.match(id, /^[0-9a-f]{32}$/);
});

test("a host that was alone opens its meeting again, under the same link", async () => {
  const device = (rig.device = new Device());
  await rig.shell.hear(HOST);
  await device.done();
  const [id, [view]] = [...device.rows][0] as [string, [Record<string, unknown>, MemberRecord]];
  rig = new Rig();
  rig.device = device;
  await rig.shell.hear({ type: "comeBack", own: true, id: "0".repeat(32), again: true });
  assert.equal(rig.of("refused")[0]?.why.key, "note.not_kept");
  await rig.shell.hear({ type: "comeBack", own: true, id, again: true });
  await device.done();
  const made = rig.of("events").flatMap(({ events }) => events).find((event) => event.type === "InviteMade");
  assert.ok(made?.type === "InviteMade" && made.link === view["link"]);
});

test("a wish that can't be granted is refused in a sentence, and another can be made", async () => {
  await rig.shell.hear({ ...HOST, name: "Ada: " } as ToWorker);
  assert.equal(rig.of("refused")[0]?.ask, 0);
  await rig.shell.hear({ type: "join", own: false, link: "https://meet.example/#nonsense", name: "Bo", greeting: "", showIdentity: false });
  assert.equal(rig.of("refused").length, 2);
  await rig.shell.hear(HOST);
  assert.equal(rig.of("done").length, 1);
  assert.equal(rig.of("broken").length, 0);
});

test("a command is answered by its number", async () => {
  await rig.shell.hear(HOST);
  await rig.shell.hear({ type: "command", ask: 7, command: { type: "Remove", leaf: 5 } });
  await rig.shell.hear({ type: "command", ask: 8, command: { type: "NewInvite", label: "Bo", once: true } });
  assert.equal(rig.of("refused")[0]?.ask, 7);
  assert.deepEqual(rig.of("done").map(({ ask }) => ask), [0, 8]);
});

test("the server's transport is told with the ufrag that it answers", async () => {
  await rig.shell.hear(HOST);
  await rig.shell.hear(PUBLISH);
  await rig.enters();
  assert.ok(rig.done.includes("media abcd to room"), rig.done.join(", "));
  const transport: Omit<Transport, "type"> = { ufrag: "srvr", password: "serverserver", fingerprint: new Uint8Array(32), address: "192.0.2.1", port: 9, others: [], tcp: false, turn: [] };
  await rig.shell.hear({ ...PUBLISH, media: { ...(PUBLISH as Extract<ToWorker, { type: "publish" }>).media, ufrag: "efgh" } } as ToWorker);
  assert.ok(rig.done.includes("media efgh to room"));
  await rig.says({ type: "transport", ...transport });
  await rig.says({ type: "transport", ...transport, port: 10 });
  assert.deepEqual(rig.of("transport").map(({ ufrag, transport: { port } }) => [ufrag, port]), [["abcd", 9], ["efgh", 10]]);
});

test("a refused publication is passed over", async () => {
  await rig.shell.hear(HOST);
  await rig.shell.hear(PUBLISH);
  await rig.enters();
  await rig.shell.hear({ ...PUBLISH, media: { ...(PUBLISH as Extract<ToWorker, { type: "publish" }>).media, ufrag: "efgh" } } as ToWorker);
  await rig.says({ type: "refused", code: "ssrc", text: "taken", about: "media", fatal: false });
  assert.equal(rig.of("mediaLost").length, 1, "another link has other SSRCs");
  await rig.says({ type: "transport", ufrag: "srvr", password: "serverserver", fingerprint: new Uint8Array(32), address: "192.0.2.1", port: 9, others: [], tcp: false, turn: [] });
  assert.deepEqual(rig.of("transport").map(({ ufrag }) => ufrag), ["efgh"]);
});

test("a lost room asks for other media, and streams are none", async () => {
  await rig.shell.hear(HOST);
  await rig.enters();
  await rig.says({ type: "streams", streams: [{ handle: new Uint8Array(8), ssrc: 21, kind: "audio", layers: 0, rtx: null }] });
  rig.events?.lost(ROOM, { key: "shell.ended" }, true, true);
  await rig.settles();
  assert.equal(rig.of("republish").length, 1);
  assert.deepEqual(rig.of("streams").map(({ streams }) => streams.length), [1, 0]);
  assert.ok(rig.told().includes("Status"));
});

test("the page is told when the room becomes large, and when it is large no more", async () => {
  await rig.shell.hear(HOST);
  await rig.enters();
  const streams = [{ handle: new Uint8Array(8), ssrc: 21, kind: "audio", layers: 0, rtx: null }] as const;
  const roster = (count: number) => {
    const members = Array.from({ length: count }, (_, leaf) => ({ leaf, name: `Member ${leaf}`, host: leaf === 0 }));
    return { type: "Tell", event: { type: "Roster", epoch: 1, members, added: [], removed: [], by: null, rejoined: false, left: [] } };
  };
  const effects: unknown[][] = [[roster(25)], [roster(26)], [{ type: "RemoteStreams", streams }], [roster(27)], [roster(20)]];
  mock.method(Session.prototype, "handle", () => Promise.resolve(effects.shift() ?? []));
  for (let i = 0; i < 5; i++) await rig.shell.hear({ type: "command", ask: i, command: { type: "ListInvites" } });
  assert.deepEqual(effects, []);
  assert.deepEqual(rig.of("streams").map(({ streams: told, large }) => [told.length, large]), [[0, true], [1, true], [1, false]]);
});

test("silent media make the worker ask the server, and another network makes it connect anew", async () => {
  await rig.shell.hear(HOST);
  await rig.enters();
  await rig.shell.hear({ type: "silence" });
  assert.ok(rig.done.includes("ping to room"), rig.done.join(", "));
  rig.done.length = 0;
  await rig.shell.networkChanged(true);
  assert.ok(rig.done.includes("disconnect room"));
  assert.equal(rig.of("republish").length, 1);
  mock.timers.tick(TICK * 1000);
  await rig.settles();
  assert.ok(rig.done.includes("connect room"), rig.done.join(", "));
});

test("a lost media server is told, and answers nothing that was asked", async () => {
  await rig.shell.hear(HOST);
  await rig.shell.hear(PUBLISH);
  await rig.enters();
  await rig.says({ type: "refused", code: "lost", text: "send media again", about: "media", fatal: false });
  assert.equal(rig.of("mediaLost").length, 1);
  assert.equal(rig.of("republish").length, 0);
  // the server had our media only after that: its answer is still to come, and is known for what it is
  const transport: Omit<Transport, "type"> = { ufrag: "srvr", password: "serverserver", fingerprint: new Uint8Array(32), address: "192.0.2.1", port: 9, others: [], tcp: false, turn: [] };
  await rig.shell.hear({ ...PUBLISH, media: { ...(PUBLISH as Extract<ToWorker, { type: "publish" }>).media, ufrag: "efgh" } } as ToWorker);
  await rig.says({ type: "transport", ...transport });
  await rig.says({ type: "transport", ...transport });
  assert.deepEqual(rig.of("transport").map(({ ufrag }) => ufrag), ["abcd", "efgh"]);
  // it is no refusal of what we did, and nobody is told so
  assert.ok(!rig.of("events").some(({ events }) => events.some((event) => event.type === "Alarm" && event.kind === "refused")));
});

test("another version of the protocol is told", async () => {
  await rig.shell.hear(HOST);
  await rig.says({ type: "challenge", version: 9, origin: ORIGIN, nonce: new Uint8Array(32), server_key: new Uint8Array(32), permission: null });
  assert.ok(rig.of("events").some(({ events }) => events.some((event) => event.type === "Alarm" && event.kind === "version")));
});

test("a server that never answers is given up", async () => {
  await rig.shell.hear(HOST);
  for (let i = 0; i < 3; i++) {
    mock.timers.tick(TICK * 1000);
    await rig.settles();
  }
  assert.ok(!rig.told().includes("Ended"));
  rig.now += CONTACT_TIME + 1;
  mock.timers.tick(TICK * 1000);
  await rig.settles();
  assert.ok(rig.told().includes("Ended"));
  assert.equal(rig.done.at(-1), "close");
});

test("an internal error ends the worker's work, and nothing passes any more", async () => {
  await rig.shell.hear(HOST);
  await rig.enters();
  const own = transformer({ role: "seal", kind: "audio", stream: 0 });
  rig.shell.transform(own);
  const sound = (): EncodedFrame => ({ data: new Uint8Array(60).fill(0x78).buffer, getMetadata: () => ({}) });
  await own.put(sound());
  // WebCrypto takes its time
  for (let i = 0; i < 500 && own.out.length === 0; i++) await new Promise((done) => setTimeout(done, 2));
  await rig.shell.hear({ type: "count" });
  assert.equal(own.out.length, 1, JSON.stringify(rig.of("counts").at(-1)));
  assert.ok((own.out[0]?.data.byteLength ?? 0) > 120);
  void own.put(sound()); // this one is being sealed when it happens
  await new Promise((done) => queueMicrotask(() => done(null)));
  rig.shell.broken(new Error("on purpose"));
  assert.equal(rig.of("broken").length, 1);
  await own.put(sound());
  await new Promise((done) => setTimeout(done, 100));
  assert.equal(own.out.length, 1);
  assert.equal(rig.done.at(-1), "close");
  const before = rig.done.length;
  await rig.shell.hear({ type: "command", ask: 3, command: { type: "Say", text: "hello" } });
  assert.equal(rig.done.length, before);
});

test("a transform with options that are none of ours lets nothing pass", async () => {
  await rig.shell.hear(HOST);
  const odd = transformer({ role: "pass", kind: "audio" });
  rig.shell.transform(odd);
  void odd.put({ data: new ArrayBuffer(3), getMetadata: () => ({}) });
  await new Promise((done) => setImmediate(done));
  assert.equal(odd.out.length, 0);
});

test("the tree is shown to who watches it", async () => {
  await rig.shell.hear(HOST);
  assert.equal(rig.of("tree").length, 0);
  await rig.shell.hear({ type: "watchTree", on: true });
  const [{ view } = { view: null }] = rig.of("tree");
  assert.equal(view?.nodes.length, 1);
  assert.equal(view?.nodes[0]?.name, "Ada");
  assert.equal(view?.nodes[0]?.held, true);
  await rig.shell.hear({ type: "watchTree", on: false });
  assert.equal(rig.of("tree").length, 1);
});
