import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { type Endpoint, PROBE, ROOM } from "../../../../client/web/src/session/events";
import { FRAME_MAX } from "../../../../client/web/src/wire/limits";
import type { Show } from "../../../../client/web/src/wire/messages";
import { CONNECT_TIME, Connections, type Socket } from "../../../../client/web/src/worker/doors";
import { SPARE_TIME } from "../../../../client/web/src/worker/spare";

class FakeSocket implements Socket {
  onopen: ((event: Event) => unknown) | null = null;
  onmessage: ((event: MessageEvent) => unknown) | null = null;
  onclose: ((event: CloseEvent) => unknown) | null = null;
  readonly sent: string[] = [];
  closed = false;
  send(text: string): void {
    assert.ok(!this.closed);
    this.sent.push(text);
  }
  close(): void {
    this.closed = true;
  }
  opens(): void {
    this.onopen?.(new Event("open"));
  }
  says(data: unknown): void {
    this.onmessage?.({ data } as MessageEvent);
  }
  ends(wasClean = false): void {
    this.onclose?.({ wasClean } as CloseEvent);
  }
}

let sockets: FakeSocket[] = [];
let told: unknown[] = [];
let urls: string[] = [];
let listens = false;

const connections = (): Connections =>
  new Connections(
    "https://meet.example",
    false,
    {
      received: (endpoint: Endpoint, message) => told.push(["received", endpoint, message.type]),
      lost: (endpoint: Endpoint, why, answered) => told.push(["lost", endpoint, why.key, answered]),
    },
    (url) => {
      urls.push(url);
      const socket = new FakeSocket();
      sockets.push(socket);
      return socket;
    },
    async () => listens,
  );

beforeEach(() => {
  [sockets, told, urls, listens] = [[], [], [], false];
});

const show: Show = { type: "show", room_passes: [new Uint8Array(32)] };
const shown = JSON.stringify({ type: "shown", slot: 3 });
const settled = (): Promise<void> => new Promise((done) => setImmediate(done));

test("messages during a connection attempt are sent afterwards, in order", () => {
  const all = connections();
  all.connect(ROOM);
  assert.deepEqual(urls, ["wss://meet.example/ws"]);
  all.transmit(ROOM, show);
  all.transmit(ROOM, { ...show, room_passes: [new Uint8Array(32).fill(1)] });
  sockets[0]?.opens();
  assert.equal(sockets[0]?.sent.length, 2);
  all.transmit(ROOM, show);
  assert.deepEqual(sockets[0]?.sent.map((text) => (JSON.parse(text) as { room_passes: string[] }).room_passes[0]?.slice(0, 2)), ["AA", "AQ", "AA"]);
  sockets[0]?.says(shown);
  assert.deepEqual(told, [["received", ROOM, "shown"]]);
  all.transmit(PROBE, show); // no such connection: nothing
});

for (const [name, frame] of [
  ["no JSON", "{"],
  ["an unknown message", JSON.stringify({ type: "sudo" })],
  ["bytes", new ArrayBuffer(3)],
  ["more than a frame may have", `${shown}${" ".repeat(FRAME_MAX)}`],
] as const)
  test(`${name} ends the connection`, async () => {
    const all = connections();
    all.connect(ROOM);
    sockets[0]?.opens();
    sockets[0]?.says(frame);
    await settled();
    assert.deepEqual(told, [["lost", ROOM, "shell.alien", true]]);
    assert.equal(sockets[0]?.closed, true);
    sockets[0]?.says(shown);
    assert.equal(told.length, 1);
  });

test("a further server is connected to and asked by its own origin", async () => {
  const all = connections();
  all.connect(ROOM, "", "https://b.example");
  all.connect(PROBE, "/n/2");
  assert.deepEqual(urls, ["wss://b.example/ws", "wss://meet.example/n/2/ws"]);
});

test("a connection that ends was answered, one that was never made only if somebody listens", async () => {
  const all = connections();
  all.connect(ROOM);
  sockets[0]?.opens();
  sockets[0]?.ends();
  all.connect(PROBE);
  sockets[1]?.ends();
  await settled();
  listens = true;
  all.connect(PROBE);
  sockets[2]?.ends();
  await settled();
  assert.deepEqual(told, [
    ["lost", ROOM, "shell.ended", true],
    ["lost", PROBE, "shell.no_connection", false],
    ["lost", PROBE, "shell.no_connection", true],
  ]);
});

test("a connection without a timely answer is lost", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  try {
    const all = connections();
    all.connect(ROOM);
    t.mock.timers.tick(CONNECT_TIME * 1000 - 1);
    assert.deepEqual(told, []);
    t.mock.timers.tick(1);
  } finally {
    t.mock.timers.reset();
  }
  await settled();
  assert.deepEqual(told, [["lost", ROOM, "shell.no_answer", false]]);
  assert.equal(sockets[0]?.closed, true);
});

test("a connection in another's place hears nothing of it, and an old one is not told of", async () => {
  const all = connections();
  all.connect(ROOM);
  sockets[0]?.opens();
  all.connect(ROOM);
  assert.equal(sockets[0]?.closed, true);
  sockets[0]?.says(shown);
  sockets[0]?.ends();
  sockets[1]?.opens();
  sockets[1]?.says(shown);
  await settled();
  assert.deepEqual(told, [["received", ROOM, "shown"]]);
});

test("the last message leaves before the connection is closed, and no loss is reported", async () => {
  const all = connections();
  all.connect(ROOM);
  all.transmit(ROOM, show);
  all.disconnect(ROOM);
  assert.equal(sockets[0]?.closed, false);
  sockets[0]?.opens();
  assert.equal(sockets[0]?.sent.length, 1);
  assert.equal(sockets[0]?.closed, true);
  all.connect({ day: 3, further: null });
  sockets[1]?.opens();
  all.transmit({ day: 3, further: null }, show);
  all.close();
  assert.equal(sockets[1]?.sent.length, 1);
  assert.equal(sockets[1]?.closed, true);
  sockets[1]?.ends();
  await settled();
  assert.deepEqual(told, []);
});

test("only a close frame is the server's own end of a connection", async () => {
  for (const wasClean of [true, false]) {
    const ends: unknown[] = [];
    const socket = new FakeSocket();
    const events = { received: () => undefined, lost: (...[, , , byServer]: unknown[]) => void ends.push(byServer) };
    new Connections("https://meet.example", false, events, () => socket, async () => true).connect(ROOM);
    socket.opens();
    socket.ends(wasClean);
    await settled();
    assert.deepEqual(ends, [wasClean]);
  }
});

test("a page of the participant's own machine has that machine ask whether the server answers", async (t) => {
  const asked: unknown[] = [];
  let answer: () => Promise<Response> = () => Promise.reject(new TypeError("blocked"));
  t.mock.method(globalThis, "fetch", (url: string, init: RequestInit) => {
    asked.push([url, init.method, init.body]);
    return answer();
  });
  const lost = async (own: boolean): Promise<unknown> => {
    const answered: boolean[] = [];
    const socket = new FakeSocket();
    const events = { received: () => undefined, lost: (_: Endpoint, __: unknown, there: boolean) => void answered.push(there) };
    new Connections("https://meet.example", own, events, () => socket).connect(ROOM);
    socket.ends();
    await settled();
    return answered[0];
  };
  assert.equal(await lost(true), false);
  for (const there of [true, false]) {
    answer = async () => new Response(JSON.stringify(there));
    assert.equal(await lost(true), there);
  }
  answer = async () => new Response(null, { status: 404 });
  assert.equal(await lost(true), false, "another answer is none");
  assert.equal(await lost(false), true);
  answer = async () => new Response(null, { status: 503 });
  assert.equal(await lost(false), false);
  assert.deepEqual(asked[0], ["answers", "POST", "https://meet.example"]);
  assert.deepEqual(asked.at(-1), ["https://meet.example/", "HEAD", undefined]);
});

const challenge = JSON.stringify({
  type: "challenge", version: 1, origin: "https://meet.example", nonce: "A".repeat(43) + "=",
  server_key: "A".repeat(43) + "=", permission: null,
});

test("the room's connection is the one that was opened ahead of time, with its challenge", async () => {
  const all = connections();
  await all.connectSoon("https://meet.example");
  sockets[0]?.opens();
  sockets[0]?.says(challenge);
  assert.deepEqual(told, []);
  all.connect({ day: 3, further: null }); // a lobby: another connection
  all.connect(ROOM);
  assert.deepEqual([urls.length, told], [2, []], "the session is not called while it acts");
  await settled();
  assert.deepEqual(told, [["received", ROOM, "challenge"]]);
  all.transmit(ROOM, show);
  assert.equal(sockets[0]?.sent.length, 1);
  all.connect(ROOM);
  assert.equal(urls.length, 3, "it is used once");
});

test("a connection that is still being made ahead of time is waited for", async () => {
  const all = connections();
  await all.connectSoon("https://b.example");
  all.connect(ROOM, "", "https://b.example");
  all.transmit(ROOM, show);
  await settled();
  sockets[0]?.opens();
  sockets[0]?.says(challenge);
  assert.equal(sockets[0]?.sent.length, 1);
  assert.deepEqual([urls, told], [["wss://b.example/ws"], [["received", ROOM, "challenge"]]]);
});

for (const [name, happens] of [
  ["has ended", (socket?: FakeSocket) => socket?.ends()],
  ["has said more than its challenge", (socket?: FakeSocket) => [socket?.says(challenge), socket?.says(challenge)]],
  ["leads elsewhere", () => null],
] as const)
  test(`a connection opened ahead of time that ${name} is closed, and another one made`, async () => {
    const all = connections();
    await all.connectSoon("https://meet.example");
    sockets[0]?.opens();
    happens(sockets[0]);
    all.connect(ROOM, name === "leads elsewhere" ? "/n/2" : "");
    await settled();
    assert.deepEqual([sockets[0]?.closed, urls.length, told], [true, 2, []]);
  });

test("a connection opened ahead of time is closed when it is not used in time, or the session has ended", async (t) => {
  const all = connections();
  await all.connectSoon("https://meet.example");
  t.mock.timers.enable({ apis: ["setTimeout"] });
  try {
    await all.connectSoon("https://meet.example");
    assert.equal(sockets[0]?.closed, true, "in place of an earlier one");
    t.mock.timers.tick(SPARE_TIME * 1000 - 1);
    assert.equal(sockets[1]?.closed, false);
    t.mock.timers.tick(1);
    assert.equal(sockets[1]?.closed, true);
  } finally {
    t.mock.timers.reset();
  }
  await all.connectSoon("https://meet.example");
  all.close();
  assert.equal(sockets[2]?.closed, true);
  const late = all.connectSoon("https://meet.example");
  all.connect(ROOM);
  await late;
  assert.equal(urls.length, 4, "none is opened that comes too late");
});
