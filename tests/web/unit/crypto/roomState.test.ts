import assert from "node:assert/strict";
import { test } from "node:test";
import { type Bytes, hex, same, unhex } from "../../../../client/web/src/crypto/bytes";
import { SigningKey } from "../../../../client/web/src/crypto/kdf";
import * as state from "../../../../client/web/src/crypto/agreed/roomState";
import { type Away, Ledger, type Rejoined } from "../../../../client/web/src/crypto/agreed/ledger";
import { CommitContext, Identity, Policy, RejoinTicket } from "../../../../client/web/src/crypto/agreed/roomState";
import { compareWithPython } from "./cases";

interface Codec<T> {
  decode(data: Bytes): T;
}

/** Decoded, encoded to the same again, and as Python shows it. */
const again =
  <T extends { encode(): Bytes }>(type: string, kind: Codec<T>) =>
  (data: Bytes): object => {
    const found = kind.decode(data);
    assert.ok(same(found.encode(), data));
    return { type, ...found };
  };

interface How {
  readonly removed: readonly (readonly [number, boolean])[];
  readonly added: readonly (readonly [number, Bytes, number | null])[];
  readonly rejoined: Rejoined | null;
  readonly hostReturned: boolean;
  readonly hostLost: boolean;
  readonly rotated: boolean;
  readonly byHost: boolean;
  readonly away: readonly Away[];
  readonly withdrawn: readonly Bytes[];
}

compareWithPython("room_state", {
  policy: (data: Bytes) => {
    const { servers, ...rest } = again("Policy", Policy)(data) as Policy;
    return { ...rest, servers: servers.map((server) => ({ type: "PolicyServer", ...server })) };
  },
  with_host: (data: Bytes, key: Bytes) => Policy.decode(data).withHost(key).encode(),
  with_servers: (data: Bytes, origin: string, roomAdminPublic: Bytes) =>
    Policy.decode(data).withServers([{ origin, roomAdminPublic }]).encode(),
  with_keys: (data: Bytes, hostPublic: Bytes, returnPublic: Bytes, roomAdmin: Bytes) =>
    Policy.decode(data).withKeys(hostPublic, returnPublic, roomAdmin).encode(),
  without_host: (data: Bytes, key: Bytes) => Policy.decode(data).withoutHost(key).encode(),
  identity: again("Identity", Identity),
  ticket: again("RejoinTicket", RejoinTicket),
  ticket_message: (data: Bytes, ...[init, encryption, rejoin]: [Bytes, Bytes, Bytes]) =>
    RejoinTicket.decode(data).message(init, encryption, rejoin),
  ticket_signed: async (data: Bytes, one: Bytes, other: Bytes, ...keys: [Bytes, Bytes, Bytes]) => {
    const signers = [await SigningKey.fromSeed(one), await SigningKey.fromSeed(other)];
    return (await RejoinTicket.decode(data).signed(signers, ...keys)).encode();
  },
  context: (data: Bytes) => {
    const { hostReturn, ...rest } = again("CommitContext", CommitContext)(data) as CommitContext;
    return { ...rest, hostReturn: hostReturn && { type: "HostReturn", ...hostReturn } };
  },
  ledger: (data: Bytes) => {
    const { used, revoked, keys, rejoins, away, ...rest } = again("Ledger", Ledger)(data) as Ledger;
    return {
      ...rest,
      used: [...used].sort((one, other) => one - other),
      revoked: [...revoked].sort((one, other) => one - other),
      keys: [...keys].sort().map(unhex),
      rejoins: rejoins.map((rejoined) => ({ type: "Rejoined", ...rejoined })),
      away: away.map((each) => ({ type: "Away", ...each })),
    };
  },
  after: (data: Bytes, slot: number, { removed, added, ...how }: How) => {
    const before = Ledger.decode(data);
    const after = before.after(slot, {
      removed: new Map(removed),
      added: new Map(added.map(([leaf, key, invite]) => [leaf, [key, invite]])),
      ...how,
    });
    assert.ok(same(before.encode(), data), "the one before stays as it was");
    return [after.encode(), after.digest(), Array.from({ length: 8 }, (_, leaf) => after.inviteOf(leaf))];
  },
  host_return: state.hostReturnMessage,
});

test("a ledger knows its keys in hex, lower case", () => {
  const key = new Uint8Array(32).fill(0xab);
  const none = { removed: new Map(), added: new Map([[1, [key, null] as const]]) };
  assert.ok(new Ledger().after(1, none).keys.has(hex(key)));
});

test("a policy's hosts are written in order, whoever was named first", () => {
  const [one, other, third] = [1, 2, 3].map((byte) => new Uint8Array(32).fill(byte));
  assert.ok(one && other && third);
  const policy = new Policy({ version: 1, hosts: [third], hostPublic: one }).withHost(other).withHost(one);
  assert.deepEqual(Policy.decode(policy.encode()).hosts, [one, other, third]);
  assert.equal(policy.version, 3);
  assert.ok(policy.isHost(other) && !policy.withoutHost(other).isHost(other));
});
