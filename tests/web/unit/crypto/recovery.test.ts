import assert from "node:assert/strict";
import { type Bytes, type Rng, same, utf8 } from "../../../../client/web/src/crypto/bytes";
import { padded } from "../../../../client/web/src/crypto/fields";
import { HostSeed } from "../../../../client/web/src/crypto/entry/invite";
import { seal } from "../../../../client/web/src/crypto/kdf";
import type { Answer } from "../../../../client/web/src/crypto/entry/answers";
import { RecoveryMessage } from "../../../../client/web/src/crypto/entry/lobby";
import { X25519Key } from "../../../../client/web/src/crypto/primitives";
import * as recovery from "../../../../client/web/src/crypto/entry/recovery";
import { HelperOffer, HelperQuery, HostRecoveryData, HostReturnRequest, RecoveryReply, RejoinRequest } from "../../../../client/web/src/crypto/entry/recovery";
import { compareWithPython } from "./cases";
import { seeded } from "./given";

/** All that the messages' fields are called. */
interface Fields {
  readonly type: string;
  readonly nonce: Bytes;
  readonly slot: number;
  readonly chain: Bytes;
  readonly gate: Bytes;
  readonly returnPublic: Bytes;
  readonly roomAdminPublic: Bytes;
  readonly replyPublic: Bytes;
  readonly signature: Bytes;
  readonly keyPackage: Bytes;
  readonly id: Bytes;
  readonly enc: Bytes;
  readonly sealed: Bytes;
}

const askedOf = (fields: Fields): HostReturnRequest | RejoinRequest =>
  fields.type === "HostReturnRequest"
    ? new HostReturnRequest(fields.replyPublic, fields.slot, fields.signature, fields.keyPackage)
    : new RejoinRequest(fields.replyPublic, fields.keyPackage);

function messageOf(fields: Fields): recovery.Message {
  if (fields.type === "HelperQuery") return new HelperQuery(fields.nonce);
  if (fields.type === "HelperOffer") {
    const { nonce, slot, returnPublic } = fields;
    return new HelperOffer(nonce, slot, returnPublic);
  }
  if (fields.type === "RecoveryReply") return new RecoveryReply(fields.id, fields.enc, fields.sealed);
  return askedOf(fields);
}

const reply = X25519Key.fromPrivate(seeded("reply")(32));

compareWithPython("recovery", {
  inside_key: recovery.recoveryKey,
  inside: async (doorSeed: Bytes, fields: Fields, rng: Rng) => {
    const [key, message] = [recovery.recoveryKey(doorSeed), messageOf(fields)];
    const inside = await recovery.seal(key, message, rng);
    assert.deepEqual(await recovery.open(key, inside), message);
    return inside.sealed;
  },
  uncovered: async (raw: Bytes) => {
    const key = recovery.recoveryKey(new Uint8Array(32));
    const sealed = await seal(key, padded(raw, 4 + raw.length), utf8("snug 1 inside"), seeded("inside"));
    return recovery.open(key, new RecoveryMessage(sealed));
  },
  make_return: async (seed: Bytes, groupId: Bytes, slot: number, keyPackage: Bytes, rng: Rng) => {
    const { request: asked, privateKey } = await recovery.makeHostReturnRequest(await HostSeed.from(seed), groupId, slot, keyPackage, rng);
    assert.ok(same(privateKey.public, asked.replyPublic));
    assert.deepEqual(asked.proof, { slot, signature: asked.signature });
    return asked;
  },
  id: (fields: Fields) => askedOf(fields).id,
  back: async (fields: Fields, answer: Answer, rng: Rng) => {
    const back = await recovery.makeRecoveryReply(askedOf(fields), answer, rng);
    return [back, await back.open(askedOf(fields), await reply)];
  },
  open_back: async (back: Fields, asked: Fields, key: Bytes) =>
    new RecoveryReply(back.id, back.enc, back.sealed).open(askedOf(asked), await X25519Key.fromPrivate(key)),
  kept: async (data: Bytes) => {
    const kept = await HostRecoveryData.decode(data);
    assert.ok(same(kept.encode(), data));
    const door = await kept.doorKey();
    assert.ok(same(door.seed, kept.doorSeed));
    const seeds = kept.hostKeys.seeds.map(({ seed }) => seed);
    return [seeds, kept.doorSeed, kept.secret, kept.groupId, kept.origin, kept.name, door.public];
  },
});
