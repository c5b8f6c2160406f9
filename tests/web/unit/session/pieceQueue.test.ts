import assert from "node:assert/strict";
import { test } from "node:test";
import { type Bytes, hex } from "../../../../client/web/src/crypto/bytes";
import type { LobbyMessage, Piece, Reply } from "../../../../client/web/src/crypto/entry/lobby";
import { LOBBY_RECEIVERS_MAX } from "../../../../client/web/src/wire/limits";
import { AGAIN_AFTER, PieceQueue, RECEIVERS_EACH, WAITING_MAX } from "../../../../client/web/src/session/entry/pieceQueue";
import { BYTES_MAX, Replies } from "../../../../client/web/src/session/entry/replies";

const DAY = 20_000;
const piece = (sealed: Bytes): Piece => ({ type: "Piece", sealed });
const replyOf = (sealed: Bytes): Reply => ({ type: "Reply", id: new Uint8Array(8), sealed });
const PIECES = [0, 1, 2].map((n) => piece(Uint8Array.of(n)));

/** Notes what is posted, of which some waits. */
class Connections {
  entered: ReadonlySet<number> = new Set([DAY]);
  waiting = 0;
  readonly posted: [LobbyMessage, string][] = [];

  async post(day: number, message: LobbyMessage, ...to: Bytes[]): Promise<void> {
    assert.equal(day, DAY);
    this.posted.push([message, to.map(hex).join(" ")]);
  }
}

const to = (n: number): Bytes => Uint8Array.of(n);

test("pieces go to one newcomer after the other, and behind other posts", async () => {
  const line = new Connections();
  const queue = new PieceQueue(line);
  line.waiting = 4;
  for (const n of [1, 2]) queue.add(`mark ${n}`, DAY, to(n), [...PIECES], 0);
  await queue.tick(0);
  assert.deepEqual(line.posted, []);
  line.waiting = 3;
  await queue.tick(1);
  assert.deepEqual(line.posted, [1, 2].flatMap((n) => PIECES.map((piece) => [piece, hex(to(n))])));
  assert.equal(queue.length, 0);
});

test("one post brings a piece to all newcomers of a commit", async () => {
  const line = new Connections();
  const queue = new PieceQueue(line);
  const handles = Array.from({ length: LOBBY_RECEIVERS_MAX + 6 }, (_, n) => to(n));
  for (const [n, handle] of handles.entries()) queue.add(`mark ${n}`, DAY, handle, PIECES, 0);
  queue.add("another", DAY, to(200), [...PIECES], 0);
  queue.add("another answer", DAY, to(0), PIECES, 0); // of the same person
  await queue.tick(0);
  const names = handles.map(hex);
  const [first, rest] = [names.slice(0, LOBBY_RECEIVERS_MAX), [...names.slice(LOBBY_RECEIVERS_MAX), hex(to(0))]];
  const posts = [first, rest, [hex(to(200))]].flatMap((each) => PIECES.map((piece) => [piece, each.join(" ")]));
  assert.deepEqual(line.posted, posts);
  // one of them has lost some: that one alone gets them again, all of them
  queue.add("mark 5", DAY, to(5), PIECES, AGAIN_AFTER);
  await queue.tick(AGAIN_AFTER);
  assert.deepEqual(line.posted.slice(9), PIECES.map((piece) => [piece, hex(to(5))]));
});

test("a knock that is posted again and again is not answered as often", async () => {
  const line = new Connections();
  const queue = new PieceQueue(line);
  const add = async (mark: string, at: number): Promise<void> => {
    queue.add(mark, DAY, to(1), PIECES, at);
    await queue.tick(at);
  };
  for (let at = 0; at < AGAIN_AFTER; at++) await add("mark", at);
  assert.equal(line.posted.length, 3);
  await add("mark", AGAIN_AFTER);
  assert.equal(line.posted.length, 6);
  await add("another", AGAIN_AFTER);
  assert.equal(line.posted.length, 9);
});

test("pieces that are on their way are not sent again", async () => {
  const line = new Connections();
  line.waiting = 4;
  const queue = new PieceQueue(line);
  for (let n = 0; n < 5; n++) queue.add("mark", DAY, to(1), [...PIECES], 0);
  line.waiting = 0;
  await queue.tick(1);
  assert.equal(line.posted.length, 3);
});

test("connections that want an answer's pieces are bounded", async () => {
  const line = new Connections();
  line.waiting = 4;
  const queue = new PieceQueue(line);
  for (let n = 0; n < 2 * RECEIVERS_EACH; n++)
    for (let twice = 0; twice < 2; twice++) queue.add("mark", DAY, to(n), PIECES, 0);
  assert.equal(queue.length, RECEIVERS_EACH);
  for (let n = 0; n < 2 * WAITING_MAX; n++) queue.add(`mark ${n}`, DAY, to(1), PIECES, 0);
  assert.equal(queue.length, WAITING_MAX);
  queue.add("none", DAY, to(1), [], 0);
  line.entered = new Set();
  line.waiting = 0;
  await queue.tick(1);
  assert.equal(queue.length, 0, "nobody is there any more");
  assert.deepEqual(line.posted, []);
  line.entered = new Set([DAY]);
  queue.add("mark", DAY, to(0), PIECES, 1);
  await queue.tick(1);
  assert.equal(line.posted.length, 3, "they had not been sent");
});

test("a reply goes before its pieces", async () => {
  const line = new Connections();
  const reply = replyOf(to(9));
  const kept = new Replies().add("mark", reply, 0, PIECES);
  const queue = new PieceQueue(line);
  await queue.reply("mark", { day: DAY, handle: to(1) }, kept, 0);
  await queue.tick(0);
  assert.deepEqual(line.posted.map(([message]) => message), [reply, ...PIECES]);
});

test("kept pieces count once for all who share them", () => {
  const [replies, shared] = [new Replies(), [piece(new Uint8Array(BYTES_MAX / 2))]];
  for (let n = 0; n < 100; n++) replies.add(`${n}`, replyOf(new Uint8Array(6)), 0, shared);
  assert.equal(replies.size, BYTES_MAX / 2 + 600);
  replies.add("more", replyOf(new Uint8Array()), 0, [piece(new Uint8Array(BYTES_MAX / 2))]);
  assert.equal(replies.size, BYTES_MAX / 2, "with the last of those who shared them, the pieces go");
  assert.deepEqual([replies.get("99"), replies.get("more")?.at], [undefined, 0]);
  replies.add("more", replyOf(new Uint8Array()), 0);
  assert.equal(replies.size, 0);
});
