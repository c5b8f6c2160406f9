import assert from "node:assert/strict";
import { test } from "node:test";
import { BUSY_AFTER, BUSY_WELL, type Received, Weakness, WELL } from "../../../../client/web/src/media/network";

/** A stream of 50 packets and 25 frames a second, and what is otherwise in the next ones. */
class Stream {
  #now: Received = { ssrc: 7, packetsReceived: 0, packetsLost: 0, jitter: 0, freezes: 0, frames: 0, decoded: 0 };

  next({ lost = 0, jitter = 0, froze = 0, decoded = 25 } = {}): Received[] {
    const { ssrc, packetsReceived, packetsLost, freezes, frames, decoded: before } = this.#now;
    this.#now = {
      ssrc, jitter, packetsReceived: packetsReceived + 50 - lost, packetsLost: packetsLost + lost,
      freezes: freezes + froze, frames: frames + 25, decoded: before + decoded,
    };
    return [this.#now];
  }
}

const after = (...seconds: readonly Parameters<Stream["next"]>[0][]) => {
  const [stream, weakness] = [new Stream(), new Weakness()];
  weakness.judge(stream.next());
  let weak = new Set<number>();
  for (const second of seconds) weak = weakness.judge(stream.next(second));
  return { weak: weak.size > 0, busy: weakness.busy };
};
const times = (count: number, second: Parameters<Stream["next"]>[0] = {}) => Array.from({ length: count }, () => second);

const second = (ssrc: number, n: number, change: Partial<Received> = {}): Received => ({
  ssrc, packetsReceived: 50 * n, packetsLost: 0, jitter: 0.01, freezes: 0, frames: 25 * n, decoded: 25 * n, ...change,
});

test("a stream is weak while it loses much, and a little longer", () => {
  const weakness = new Weakness();
  assert.deepEqual([...weakness.judge([second(1, 1), second(2, 1)])], []);
  assert.deepEqual([...weakness.judge([second(1, 2, { packetsLost: 20 }), second(2, 2)])], [1]);
  for (let n = 3; n < 2 + WELL; n++) assert.deepEqual([...weakness.judge([second(1, n, { packetsLost: 20 }), second(2, n)])], [1]);
  assert.deepEqual([...weakness.judge([second(1, 9, { packetsLost: 20 }), second(2, 9)])], []);
  assert.deepEqual([...weakness.judge([second(1, 10, { packetsLost: 20, jitter: 0.3 }), second(2, 10, { freezes: 1 })])].sort(), [1, 2]);
  assert.deepEqual([...weakness.judge([])], []);
});

test("a stream that rests is not weak", () => {
  const weakness = new Weakness();
  for (let n = 0; n < 5; n++) assert.deepEqual([...weakness.judge([second(1, 1, { jitter: 0.3, packetsLost: 2 })])], []);
});

test("a computer that does not decode what came is busy, and the network is not blamed", () => {
  const slow = { decoded: 10, froze: 1 };
  assert.deepEqual(after(...times(BUSY_AFTER - 1, slow)), { weak: false, busy: false });
  assert.deepEqual(after(...times(BUSY_AFTER, slow)), { weak: false, busy: true });
  assert.deepEqual(after(...times(BUSY_AFTER, slow), ...times(BUSY_WELL - 1)), { weak: false, busy: true });
  assert.deepEqual(after(...times(BUSY_AFTER, slow), ...times(BUSY_WELL)), { weak: false, busy: false });
});

test("a picture that waits for a key frame, or for what was lost, is no sign of a busy computer", () => {
  assert.deepEqual(after(...times(6, { decoded: 0 })), { weak: false, busy: false });
  assert.deepEqual(after(...times(6, { decoded: 10, lost: 6 })), { weak: true, busy: false });
});
