/** Memberships with each other and no server, for tests. */
import assert from "node:assert/strict";
import { type Bytes, hex } from "../../../../client/web/src/crypto/bytes";
import { HostSeed } from "../../../../client/web/src/crypto/entry/invite";
import { LINK_PSK_ID } from "../../../../client/web/src/crypto/agreed/policy";
import { Ledger } from "../../../../client/web/src/crypto/agreed/ledger";
import {
  CommitContext,
  Identity,
  Mode,
  Policy,
  POLICY_EXTENSION,
  REJOIN_EXTENSION,
  REJOIN_KEY_EXTENSION,
} from "../../../../client/web/src/crypto/agreed/roomState";
import { SigningKey } from "../../../../client/web/src/crypto/kdf";
import * as envelope from "../../../../client/web/src/crypto/agreed/envelope";
import * as mls from "../../../../client/web/src/mls";
import type { Intent } from "../../../../client/web/src/session/kernel/intents";
import { load } from "../../../../client/web/src/session/kernel/load";
import { exported, Membership, SUITE } from "../../../../client/web/src/session/kernel/membership";
import { rejoinKeyExtension } from "../../../../client/web/src/session/kernel/views";
import { BUCKETS } from "../../../../client/web/src/wire/limits";
import { seeded } from "./rooms";

export const NOW = 1_790_000_000;
export const ROOM = new Uint8Array(16).fill(9);
export const PSK = new Uint8Array(32).fill(8);
export const psks: mls.Psks = new Map([[hex(LINK_PSK_ID), PSK]]);

export interface Person {
  readonly key: mls.SignatureKey;
  readonly rejoinKey: SigningKey;
  readonly bundle: mls.KeyPackageBundle;
}

/** `seed` decides the HPKE keys. */
export async function person(name: string, seed = name): Promise<Person> {
  const key = await mls.generateSignatureKey(SUITE);
  const rejoinKey = await SigningKey.fresh();
  const bundle = await mls.createKeyPackage(SUITE, {
    signatureKey: key,
    identity: new Identity(name).encode(),
    supports: [POLICY_EXTENSION, REJOIN_EXTENSION, REJOIN_KEY_EXTENSION],
    leafExtensions: [rejoinKeyExtension(rejoinKey)],
    lifetime: { notBefore: NOW - 3600, notAfter: NOW + 3600 },
    rng: seeded(seed),
  });
  return { key, rejoinKey, bundle };
}

export async function hosted(mode: Mode = Mode.ASK): Promise<Membership> {
  await load();
  const ada = await person("Ada");
  const seed = await HostSeed.fromRandom(seeded("host seed"));
  const first = new Policy({ version: 1, hosts: [ada.key.public], hostPublic: seed.hostPublic, mode });
  const extensions = [
    mls.requiredCapabilities([POLICY_EXTENSION]),
    { extensionType: POLICY_EXTENSION, data: first.encode() },
  ];
  const group = await mls.Group.create(ada.bundle, new Uint8Array(16), extensions, seeded("group"));
  const ledger = new Ledger({ keys: new Set([hex(ada.key.public)]) });
  return Membership.create(group, {
    room: ROOM,
    slot: 0,
    chain: new Uint8Array(32),
    ledger,
    linkPsk: PSK,
    rejoinKey: ada.rejoinKey,
    now: NOW,
    rng: seeded("ada"),
  });
}

export const enter = async (
  name: string,
  invite: number,
  seed = name,
): Promise<Intent & Omit<Person, "key">> => {
  const { bundle, rejoinKey } = await person(name, seed);
  return { type: "AddIntent", knock: { type: "NewcomerKnock", number: 1 }, keyPackage: bundle.keyPackage, invite, name, bundle, rejoinKey };
};

/** `by` commits it, and all others judge it good and adopt it; gives the Welcome for whoever is let in. */
export async function commits(by: Membership, intent: Intent, others: readonly Membership[]): Promise<Bytes | null> {
  const staged = await by.stage(intent);
  assert.ok(staged);
  const { welcome } = staged.stage;
  await by.adopt(staged, staged.blob, NOW);
  for (const other of others) {
    const verdict = await other.judge(staged.blob);
    assert.equal(verdict.type, "Valid");
    if (verdict.type === "Valid" && !verdict.removesUs) await other.adopt(verdict, staged.blob, NOW);
  }
  return welcome;
}

export async function lets(
  by: Membership,
  name: string,
  invite: number,
  others: readonly Membership[],
): Promise<Membership> {
  const intent = await enter(name, invite);
  const welcome = await commits(by, intent, others);
  assert.ok(welcome);
  const group = await mls.Group.join(welcome, intent.bundle, { psks, rng: seeded(`${name} joins`) });
  const facts = {
    room: ROOM,
    slot: by.journal.slot,
    chain: by.journal.chain,
    linkPsk: PSK,
    rejoinKey: intent.rejoinKey,
    now: NOW,
    rng: seeded(name),
  };
  const ledger = Ledger.decode(by.ledger.encode());
  return Membership.create(group, { ...facts, ledger, handed: by.handKeys() });
}

export async function three(): Promise<readonly [Membership, Membership, Membership]> {
  const ada = await hosted();
  const bo = await lets(ada, "Bo", 0, []);
  return [ada, bo, await lets(ada, "Cem", 0x8001, [bo])];
}

/** Whether all keep the same of the room. */
export function agreed(...all: readonly Membership[]): void {
  const states = all.map((m) =>
    [
      m.code,
      hex(m.journal.chain),
      hex(m.journal.roomPass),
      hex(m.ledger.encode()),
      hex(m.policy.encode()),
      hex(m.heartbeatKey),
      hex(m.moveKey),
    ].join(),
  );
  assert.equal(new Set(states).size, 1, "one room");
}

export const envelopeKey = (m: Membership): Bytes => exported(m.group, "veil");

/** The extensions that a commit gives its author's leaf: another rejoin key (SNUG-6). */
export async function freshLeaf({ group }: Membership): Promise<mls.Extension[]> {
  const others = group.member(group.ownLeaf)?.extensions ?? [];
  const kept = others.filter(({ extensionType }) => extensionType !== REJOIN_KEY_EXTENSION);
  return [rejoinKeyExtension(await SigningKey.fresh()), ...kept];
}

/** A commit that no honest member makes, sealed as a member seals. */
export async function forged(
  by: Membership,
  proposals: readonly mls.Proposal[],
  more: Partial<CommitContext> = {},
): Promise<Bytes> {
  const { slot, chain } = by.priorState();
  const context = new CommitContext({ room: ROOM, slot, chain, ledger: by.ledger.digest(), ...more });
  const stage = await by.group.stage(proposals, {
    authenticatedData: context.encode(),
    forcePath: true,
    psks,
    leafExtensions: await freshLeaf(by),
  });
  const blob = await cover(by, "commit", [stage.message]);
  stage.drop();
  return blob;
}

/** The blob of a commit with a gate that fits nobody's pass, or of a relay. */
export const cover = (by: Membership, kind: "commit" | "relay", messages: readonly Bytes[]): Promise<Bytes> =>
  kind === "commit"
    ? by.coverCommit(messages, new Uint8Array(32))
    : envelope.seal(
        envelopeKey(by),
        kind,
        ROOM,
        by.epochSlot,
        envelope.pack(messages),
        BUCKETS,
        seeded(`forged ${by.ownLeaf} ${by.journal.slot}`),
      );
