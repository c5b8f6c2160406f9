import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type HeartbeatFields,
  type Counters,
  type Got,
  Heartbeat,
  NO_HEARTBEAT,
  type PendingAct,
  serverMark,
  window,
} from "../../../../client/web/src/crypto/agreed/heartbeat";
import { hex, unhex } from "../../../../client/web/src/crypto/bytes";
import { AuthenticationError, MalformedError } from "../../../../client/web/src/crypto/errors";
import { SigningKey } from "../../../../client/web/src/crypto/kdf";
import { labeled } from "../../../../client/web/src/crypto/labels";
import { given, type Outcome, outcomeOf, refused } from "./given";

type Written = Readonly<
  Record<"handle" | "prev" | "chain" | "authenticator" | "incarnation" | "server" | "window" | "signature", string> &
    Record<"leaf" | "since" | "seq" | "at" | "epoch" | "slot" | "relay" | "words", number>
> & { readonly sent: Counters; readonly want: boolean; readonly got: readonly Got[]; readonly pending: readonly PendingAct[] };

interface Shared {
  readonly seed: string;
  readonly number: string;
  readonly beats: readonly { readonly fields: Written; readonly encoded: string; readonly digest: string }[];
  readonly read: readonly { readonly data: string; readonly outcome: Outcome }[];
  readonly marks: readonly (readonly [string, string, string])[];
  readonly windows: readonly (readonly [string, number, readonly string[], string])[];
}
const shared = given<Shared>("heartbeats");
const number = unhex(shared.number);
const key = await SigningKey.fromSeed(unhex(shared.seed));
const sign = (label: string, data: Parameters<typeof labeled>[1]) => key.sign(labeled(label, data));

function fieldsOf({ signature: _, ...w }: Written): HeartbeatFields {
  const [handle, prev, chain] = [unhex(w.handle), unhex(w.prev), unhex(w.chain)];
  const [authenticator, incarnation] = [unhex(w.authenticator), unhex(w.incarnation)];
  return { ...w, handle, prev, chain, authenticator, incarnation, server: unhex(w.server), window: unhex(w.window) };
}

test("heartbeats are Python's, in both directions", async () => {
  for (const { fields, encoded, digest } of shared.beats) {
    const beat = await new Heartbeat(fieldsOf(fields)).signed(number, sign);
    assert.equal(hex(beat.signature), fields.signature);
    assert.equal(hex(beat.encode()), encoded);
    assert.equal(hex(beat.digest), digest);
    const heard = Heartbeat.decode(unhex(encoded));
    assert.deepEqual({ ...heard }, { ...beat });
    await heard.verify(number, key.public);
  }
});

test("the page refuses what Python refuses, for the same reason", async () => {
  const kinds = new Set<string>();
  for (const { data, outcome } of shared.read) {
    const attempt = async (): Promise<boolean> => {
      await Heartbeat.decode(unhex(data)).verify(number, key.public);
      return true;
    };
    const here = await outcomeOf(attempt);
    assert.deepEqual(here, outcome, data.slice(0, 60));
    kinds.add(JSON.stringify(here));
  }
  assert.equal(kinds.size, 2);
});

test("a heartbeat is for one room and by one key", async () => {
  const beat = Heartbeat.decode(unhex(shared.beats[0]?.encoded ?? ""));
  await beat.verify(number, key.public);
  await refused(() => beat.verify(new Uint8Array(16), key.public), AuthenticationError);
  const other = await SigningKey.fromSeed(new Uint8Array(32));
  await refused(() => beat.verify(number, other.public), AuthenticationError);
  await refused(() => beat.verify(new Uint8Array(15), key.public), MalformedError);
});

test("a heartbeat without an encoding is refused, and an unsigned one is not sent", async () => {
  const fields = fieldsOf(shared.beats[0]?.fields ?? assert.fail());
  const wrong: Partial<HeartbeatFields>[] = [
    { leaf: 2 ** 32 },
    { handle: new Uint8Array(0) },
    { prev: new Uint8Array(0) },
    { chain: new Uint8Array(31) },
    { window: new Uint8Array(0) },
    { at: -1 },
    { at: 1.5 },
    { epoch: 2 ** 53 },
    { sent: [[0, 2 ** 48]] },
  ];
  for (const change of wrong)
    await refused(() => new Heartbeat({ ...fields, ...change }).signed(number, sign), MalformedError);
  await refused(() => new Heartbeat(fields).encode(), MalformedError);
  assert.equal(NO_HEARTBEAT.length, 32);
});

test("marks of server keys are Python's", () => {
  for (const [prev, key, made] of shared.marks) assert.equal(hex(serverMark(unhex(prev), unhex(key))), made);
});

test("windows are Python's", () => {
  for (const [incarnation, relay, digests, made] of shared.windows)
    assert.equal(hex(window(unhex(incarnation), relay, digests.map(unhex))), made);
});
