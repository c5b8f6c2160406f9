/** What the quality panel says of a tile: numbers of the last second, and the one reason why it is no sharper. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { StreamRate } from "../../../../client/web/src/app/mediaSide";
import type { Tile } from "../../../../client/web/src/app/model";
import { type Measured, qualityOf } from "../../../../client/web/src/app/quality";
import { Rates } from "../../../../client/web/src/media/network";
import type { StreamCount } from "../../../../client/web/src/worker/messages";

const BO = { id: "1 camera", leaf: 1, kind: "camera", self: false, pictureState: "live" } as Tile;
const OWN = { ...BO, id: "0 camera", leaf: 0, self: true };
const rate = (over: Partial<StreamRate> = {}): StreamRate => ({
  ssrc: 11, leaf: 1, stream: 1, layers: 3, bits: 400_000, loss: 0, width: 640, height: 360, frames: 24, limit: null, ...over,
});
const count = (layer: number): StreamCount => ({ ssrc: 11, leaf: 1, stream: 1, layer, opened: 9, failed: 0, lastOpened: 0, lastFailed: 0 });
const measured = (layer: number, over: Partial<Measured> = {}): Measured => ({
  rates: [rate()], counts: [count(layer)], useful: new Map([[11, 2]]), dataSaver: false, ...over,
});

test("sound and video of a tile are counted together, and their worse loss", () => {
  const sound = rate({ ssrc: 10, stream: 0, layers: 1, bits: 50_000, loss: 0.02, width: 0, height: 0 });
  const other = rate({ ssrc: 21, leaf: 2, bits: 9e6, loss: 1 });
  const quality = qualityOf(BO, measured(1, { rates: [sound, rate({ loss: 0.01 }), other] }));
  assert.deepEqual([quality.bits, quality.loss, quality.layer, quality.layers], [450_000, 0.02, 1, 3]);
  assert.deepEqual([quality.video?.width, quality.video?.height], [640, 360]);
  const nothing = qualityOf(BO, measured(1, { rates: [] }));
  assert.deepEqual([nothing.bits, nothing.loss, nothing.video], [null, null, null]);
});

test("a video is no sharper for one reason", () => {
  const why = (layer: number, over: Partial<Measured> = {}) => qualityOf(BO, measured(layer, over)).why;
  assert.equal(why(2), "sharpest");
  assert.equal(why(1), "network", "the largest was asked for");
  assert.equal(why(1, { useful: new Map([[11, 1]]) }), "tile");
  assert.equal(why(0, { useful: new Map([[11, 1]]) }), "network");
  assert.equal(why(1, { dataSaver: true }), "saver");
  assert.equal(why(0, { dataSaver: true }), "network", "even less than a data saver asks for");
  assert.equal(why(0, { dataSaver: true, useful: new Map([[11, 0]]) }), "tile", "the data saver changes nothing there");
  assert.equal(why(0, { rates: [rate({ layers: 1 })] }), "sharpest", "a sender of one size");
  assert.equal(why(1, { useful: new Map() }), "network", "before tiles are measured all is asked for");
  assert.equal(qualityOf({ ...BO, pictureState: "stalled" }, measured(0)).why, null, "the tile itself says that");
});

test("our own video says what our computer and connection allow", () => {
  const own = (...limits: StreamRate["limit"][]) =>
    qualityOf(OWN, measured(0, {
      rates: limits.map((limit, layer) => rate({ ssrc: layer, leaf: 0, limit, width: 320 * 2 ** layer, height: 180 * 2 ** layer })),
    }));
  assert.deepEqual([own(null, null).why, own(null, "bandwidth").why, own("cpu", "bandwidth").why], ["own", "uplink", "cpu"]);
  assert.deepEqual([own(null, null).video?.height, own(null).layer, own(null, null).bits], [360, null, 800_000]);
});

test("rates are differences of reports, by SSRC", () => {
  const rates = new Rates();
  const report = (at: number, received: number, packets: number, lost: number, sent: number) => [
    { type: "inbound-rtp", ssrc: 11, timestamp: at, bytesReceived: received, packetsReceived: packets, packetsLost: lost, frameWidth: 640, frameHeight: 360, framesPerSecond: 24 },
    { type: "outbound-rtp", ssrc: 1, timestamp: at, bytesSent: sent, qualityLimitationReason: "cpu" },
    { type: "remote-inbound-rtp", ssrc: 1, timestamp: at, fractionLost: 0.25 },
    { type: "candidate-pair", timestamp: at },
  ];
  assert.equal(rates.judge(report(1000, 5000, 100, 0, 900)).size, 0, "one report is no difference");
  const now = rates.judge(report(3000, 55_000, 190, 10, 1900));
  assert.deepEqual(now.get(11), { bits: 200_000, loss: 0.1, width: 640, height: 360, frames: 24, limit: null });
  assert.deepEqual([now.get(1)?.bits, now.get(1)?.loss, now.get(1)?.limit], [4000, 0.25, "cpu"]);
  assert.equal(rates.judge(report(4000, 55_000, 190, 10, 1900)).get(11)?.loss, 0, "nothing came, nothing was lost");
  assert.equal(rates.judge([]).size, 0);
});
