/** A host's cards: few for many newcomers, and no more than it may post, whoever asks. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Bytes } from "../../../../client/web/src/crypto/bytes";
import { dayOf, HostKeys, HostSeed, lobbyEnvelopeKey } from "../../../../client/web/src/crypto/entry/invite";
import * as lobby from "../../../../client/web/src/crypto/entry/lobby";
import { CARD_EVERY, CARD_RENEW, Cards, REQUESTS_MAX } from "../../../../client/web/src/session/entry/cards";
import { BROADCAST_BURST, BROADCAST_RATE, LobbyConnections } from "../../../../client/web/src/session/entry/lobbyConnections";
import type { Effect } from "../../../../client/web/src/session/events";
import { ORIGIN } from "./hub";
import { seeded, START } from "./rooms";

const DAY = dayOf(START);
const SECRET: Bytes = new Uint8Array(16);
const ENVELOPE_KEY = lobbyEnvelopeKey(SECRET, ORIGIN, DAY);

const bytesOf = (size: number, value: number): Bytes => {
  const made = new Uint8Array(size);
  new DataView(made.buffer).setUint32(size - 4, value);
  return made;
};
const nonce = (value: number): Bytes => bytesOf(16, value);

/** A host's cards in one lobby, and what it posts there. */
class Desk {
  readonly effects: Effect[] = [];
  readonly connections = new LobbyConnections(SECRET, [ORIGIN], this.effects, seeded("doors"));
  readonly cards = new Cards(ORIGIN, this.connections, seeded("cards"));
  now = START;

  private constructor(readonly keys: HostKeys) {}

  static async open(): Promise<Desk> {
    const desk = new Desk(new HostKeys([await HostSeed.fromRandom(seeded("host"))]));
    await desk.connections.stayIn(new Set([DAY]), START);
    const ids = { handle: new Uint8Array(8), incarnation: new Uint8Array(8) };
    await desk.connections.received(DAY, { type: "entered", ...ids, slot: null, chain: null, handles: [], node: null });
    desk.effects.length = 0;
    return desk;
  }

  /** Requests with the numbers from `first` on, each on a connection of its own, or all on connection `at`. */
  async ask(first: number, count = 1, at: number | null = null): Promise<void> {
    for (let number = first; number < first + count; number++) {
      this.cards.ask(DAY, bytesOf(8, at ?? number), nonce(number));
      await this.cards.answer(this.keys, this.now);
    }
  }

  async run(seconds: number): Promise<void> {
    for (let i = 0; i < Math.round(seconds * 10); i++) {
      this.now += 0.1;
      await this.connections.stayIn(new Set([DAY]), this.now);
      await this.cards.answer(this.keys, this.now);
    }
  }

  async posted(): Promise<lobby.Card[]> {
    const found: lobby.Card[] = [];
    for (const effect of this.effects.splice(0)) {
      if (effect.type !== "Transmit" || effect.message.type !== "post") continue;
      const message = await lobby.read(ENVELOPE_KEY, effect.message.blob);
      if (message.type === "Card") found.push(message);
    }
    return found;
  }
}

test("one card answers all who ask within a quarter of a second, and sixteen at most", async () => {
  const desk = await Desk.open();
  await desk.ask(0, 41);
  assert.deepEqual((await desk.posted()).map(({ answers }) => answers), [[nonce(0)]], "nobody waits for others");
  await desk.run(CARD_EVERY + 0.1);
  const cards = await desk.posted();
  assert.deepEqual(cards.map(({ answers }) => answers.length), [16, 16, 8]);
  assert.equal(new Set(cards.map(({ ephPublic }) => String(ephPublic))).size, 1);
  await desk.run(10);
  assert.deepEqual(await desk.posted(), [], "nobody has asked");
});

test("a flood of requests makes a host sign no more than it may post", async () => {
  for (const at of [7, null]) {
    const desk = await Desk.open();
    for (let turn = 0; turn < 200; turn++) {
      await desk.ask(10 * turn, 10, at);
      await desk.run(0.1);
    }
    const cards = await desk.posted();
    assert.ok(cards.length <= BROADCAST_BURST + 20 * BROADCAST_RATE, `${cards.length}`);
    assert.ok(desk.connections.waiting <= 1);
    if (at === null) await desk.ask(10_000, 2 * REQUESTS_MAX);
    await desk.run(20);
    assert.ok((await desk.posted()).length <= REQUESTS_MAX / 16 + 1);
  }
});

test("a key goes after ten minutes, and no card has one that is about to go", async () => {
  const desk = await Desk.open();
  await desk.ask(0);
  const [secret] = desk.cards.secrets;
  assert.ok(secret);
  desk.now += lobby.CARD_LIFETIME - CARD_RENEW + 1;
  await desk.ask(1);
  const cards = await desk.posted();
  assert.deepEqual(cards.map(({ ephPublic }) => String(ephPublic) === String(secret.public)), [true, false]);
  assert.ok(desk.cards.secrets.includes(secret), "it still opens knocks");
  desk.now += CARD_RENEW;
  await desk.cards.answer(desk.keys, desk.now);
  assert.ok(!desk.cards.secrets.includes(secret));
  assert.throws(() => secret.private, /erased/);
});
