import assert from "node:assert/strict";
import { type Bytes, type Rng, same, utf8 } from "../../../../client/web/src/crypto/bytes";
import { padded } from "../../../../client/web/src/crypto/fields";
import { HostSeed } from "../../../../client/web/src/crypto/entry/invite";
import { seal } from "../../../../client/web/src/crypto/kdf";
import type { Answer } from "../../../../client/web/src/crypto/entry/answers";
import { X25519Key } from "../../../../client/web/src/crypto/primitives";
import * as recovery from "../../../../client/web/src/crypto/entry/recovery";
import { HostRecoveryData, type HostReturnRequest, type RejoinRequest } from "../../../../client/web/src/crypto/entry/recovery";
import { compareWithPython } from "./cases";
import { seeded } from "./given";

type Asked = HostReturnRequest | RejoinRequest;

const reply = X25519Key.fromPrivate(seeded("reply")(32));

compareWithPython("recovery", {
  inside_key: recovery.recoveryKey,
  inside: async (doorSeed: Bytes, message: recovery.InsideMessage, rng: Rng) => {
    const key = recovery.recoveryKey(doorSeed);
    const inside = await recovery.seal(key, message, rng);
    assert.deepEqual(await recovery.open(key, inside), message);
    return inside.sealed;
  },
  uncovered: async (raw: Bytes) => {
    const key = recovery.recoveryKey(new Uint8Array(32));
    const sealed = await seal(key, padded(raw, 4 + raw.length), utf8("snug 1 inside"), seeded("inside"));
    return recovery.open(key, { type: "RecoveryMessage", sealed });
  },
  make_return: async (seed: Bytes, groupId: Bytes, slot: number, keyPackage: Bytes, rng: Rng) => {
    const { request: asked, privateKey } = await recovery.makeHostReturnRequest(await HostSeed.from(seed), groupId, slot, keyPackage, rng);
    assert.ok(same(privateKey.public, asked.replyPublic));
    return asked;
  },
  id: recovery.requestId,
  back: async (asked: Asked, answer: Answer, rng: Rng) => {
    const back = await recovery.makeRecoveryReply(asked, answer, rng);
    return [back, await recovery.openReply(back, asked, await reply)];
  },
  open_back: async (back: recovery.RecoveryReply, asked: Asked, key: Bytes) =>
    recovery.openReply(back, asked, await X25519Key.fromPrivate(key)),
  kept: async (data: Bytes) => {
    const kept = await HostRecoveryData.decode(data);
    assert.ok(same(kept.encode(), data));
    const door = await kept.doorKey();
    assert.ok(same(door.seed, kept.doorSeed));
    const seeds = kept.hostKeys.seeds.map(({ seed }) => seed);
    return [seeds, kept.doorSeed, kept.secret, kept.groupId, kept.origin, kept.name, door.public];
  },
});
