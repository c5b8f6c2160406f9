/** Connections that carry nothing any more are noticed by this client's own clock (tests/session/test_liveness.py). */
import assert from "node:assert/strict";
import { test } from "node:test";
import { delay } from "../../../../client/web/src/session/kernel/backoff";
import { FirstContact } from "../../../../client/web/src/session/kernel/firstContact";
import { Liveness, PING_EVERY, PING_WAIT } from "../../../../client/web/src/session/kernel/liveness";
import { ServerLink } from "../../../../client/web/src/session/kernel/serverLink";
import { type Endpoint, ROOM } from "../../../../client/web/src/session/events";
import type { ServerMessage } from "../../../../client/web/src/wire/messages";
import { sentence } from "../../../../client/web/src/words/sentence";

const TICK = 0.1;
const ORIGIN = "https://meet.example";
const entered: ServerMessage = { type: "entered", handle: new Uint8Array(8), incarnation: new Uint8Array(8), slot: null, chain: null, handles: [], node: null };
const challenge = (origin: string): ServerMessage => ({
  type: "challenge",
  version: 1,
  origin,
  nonce: new Uint8Array(32),
  server_key: new Uint8Array(32),
  permission: null,
});

/** One connection of a client, whose clock the test turns. */
class Line {
  now = 100;
  readonly liveness = new Liveness(100);

  constructor() {
    this.liveness.performed([{ type: "Connect", endpoint: ROOM }]);
  }

  /** Tick for so long; return the numbers of pings, and of times that it was given up. */
  after(seconds: number): [number, number] {
    let [pings, cuts] = [0, 0];
    for (let i = 0; i < Math.round(seconds / TICK); i++) {
      this.now += TICK;
      const { asked, dead } = this.liveness.tick(this.now);
      pings += asked.length;
      cuts += dead.length;
      if (dead.length > 0) this.liveness.lost(ROOM);
    }
    return [pings, cuts];
  }

  hears(message: ServerMessage = { type: "pong" }): this {
    this.liveness.heard(ROOM, message);
    return this;
  }
}

test("an answered ping keeps a connection, and comes again and again", () => {
  const line = new Line().hears(entered);
  for (let i = 0; i < 15; i++) {
    assert.deepEqual(line.after(PING_EVERY + TICK), [1, 0]);
    line.hears();
  }
});

test("other messages need no ping", () => {
  const line = new Line().hears(entered);
  for (let i = 0; i < 15; i++) {
    assert.deepEqual(line.after(PING_EVERY - TICK), [0, 0]);
    line.hears({ type: "left", handle: new Uint8Array(8) });
  }
});

test("a dead connection is given up within some five seconds, and one that lets nobody in within ten", () => {
  const line = new Line().hears(entered);
  assert.deepEqual(line.after(PING_EVERY + PING_WAIT - TICK), [1, 0]);
  assert.deepEqual(line.after(4 * TICK), [0, 1]);
  const shut = new Line().hears(challenge(ORIGIN));
  assert.deepEqual(shut.after(9.5), [0, 0]);
  assert.deepEqual(shut.after(1), [0, 1]);
});

test("a page that slept waits for the answer as long as it runs, and what it sends gives the answer time", () => {
  const line = new Line().hears(entered);
  assert.deepEqual(line.after(PING_EVERY + TICK), [1, 0]);
  line.now += 3600; // of which a second counts
  assert.deepEqual(line.after(PING_WAIT - 1 - 3 * TICK), [0, 0]);
  assert.deepEqual(line.after(0.9), [0, 1]);
  const busy = new Line().hears(entered);
  busy.liveness.performed([{ type: "Transmit", endpoint: ROOM, message: { type: "relay", blob: new Uint8Array(131_072) } }]);
  assert.deepEqual(busy.after(12.5), [1, 0]);
  assert.deepEqual(busy.after(1), [0, 1]);
});

test("another network ends connections if that is certain, and else asks for an answer soon", () => {
  assert.deepEqual(new Line().hears(entered).liveness.networkChanged(true), { asked: [], dead: [ROOM] });
  const line = new Line().hears(entered);
  assert.deepEqual(line.liveness.networkChanged(false), { asked: [ROOM], dead: [] });
  assert.deepEqual(line.after(1.4), [0, 0]);
  assert.deepEqual(line.after(0.3), [0, 1]);
});

test("a crowd does not return at once: the whole span is random, and grows up to a limit", () => {
  for (const [failures, span] of [[0, 0.5], [1, 1], [2, 2], [3, 4], [60, 4]] as const) {
    const tenths = new Array<number>(10).fill(0);
    for (let i = 0; i < 1000; i++) {
      const first = Math.floor((i * 256) / 1000);
      const drawn = delay(failures, () => new Uint8Array([first, (i * 7) % 256, i % 256, 0]));
      assert.ok(drawn >= 0 && drawn < span);
      tenths[Math.floor((10 * drawn) / span)]!++;
    }
    assert.ok(tenths.every((count) => count > 50 && count < 150), String(tenths));
  }
});

const lost = (endpoint: Endpoint = ROOM) => ({ type: "Lost", endpoint, why: sentence("shell.no_connection"), answered: false }) as const;

test("without any contact a session ends and says why", () => {
  const contact = new FirstContact(ORIGIN, 0);
  contact.lost(lost().why);
  assert.equal(contact.overdue(9.9), null);
  const ended = contact.overdue(10.1);
  assert.equal(ended?.reason, "failed");
  assert.deepEqual(ended?.text, sentence("contact.none", { origin: ORIGIN, why: lost().why }));
  contact.refused({ type: "refused", code: "full", text: "no place", about: "", fatal: true });
  assert.equal(contact.overdue(10.1)?.reason, "unserved");
  assert.equal(contact.overdue(10.1)?.text.key, "contact.full");
});

test("another name of the server ends a session before the first contact, and is a lost connection later", () => {
  const received = { type: "Received", endpoint: ROOM, message: challenge("https://other.example") } as const;
  const names = { theirs: "https://other.example", ours: ORIGIN };
  const { ended } = new ServerLink(ORIGIN, 0, true).check(received, 0);
  assert.deepEqual(ended, { type: "Ended", reason: "unserved", text: sentence("contact.misnamed", names) });
  const link = new ServerLink(ORIGIN, 0, false);
  link.check({ type: "Received", endpoint: { day: 1, further: null }, message: entered }, 0);
  assert.equal(link.contacted, true);
  const { inputs, effects } = link.check(received, 1);
  assert.deepEqual(inputs, [{ type: "Lost", endpoint: ROOM, why: sentence("away.misnamed", names), answered: true }]);
  assert.deepEqual(effects, [{ type: "Disconnect", endpoint: ROOM }]);
});

test("a founder has contact once the room is open, a guest once a lobby lets it in", () => {
  const founder = new ServerLink(ORIGIN, 0, true);
  founder.check({ type: "Received", endpoint: ROOM, message: entered }, 0);
  assert.equal(founder.contacted, false);
  const opened = { type: "opened", slot: 0, chain: new Uint8Array(32), opening_id: new Uint8Array(8), signature: new Uint8Array(64) } as const;
  founder.check({ type: "Received", endpoint: ROOM, message: opened }, 0);
  assert.equal(founder.contacted, true);
});
