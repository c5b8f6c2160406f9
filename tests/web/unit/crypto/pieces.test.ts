import assert from "node:assert/strict";
import { test } from "node:test";
import { type Bytes, hex, type Rng, utf8 } from "../../../../client/web/src/crypto/bytes";
import { X25519Key } from "../../../../client/web/src/crypto/primitives";
import { H, SigningKey } from "../../../../client/web/src/crypto/kdf";
import type { Answer } from "../../../../client/web/src/crypto/entry/answers";
import { BUCKETS, post, read } from "../../../../client/web/src/crypto/entry/lobby";
import { ANSWERS_MAX, Assemblies, Assembly, SealedPieces } from "../../../../client/web/src/crypto/entry/pieces";
import * as mls from "../../../../client/web/src/mls";
import { readKeyPackage } from "../../../../client/web/src/mls/read";
import { decode } from "../../../../client/web/src/mls/reader";
import { openWith, sealTo } from "../../../../client/web/src/mls/sealed";
import { compareWithPython } from "./cases";
import { seeded } from "./given";

const NOTHING = new Uint8Array();
const PSKS: mls.Psks = new Map([[hex(utf8("snug 1 link")), seeded("link psk")(32)]]);

/** A KeyPackage of whose keys only the init key counts. */
async function withInit(initPrivate: Bytes): Promise<mls.KeyPackageBundle> {
  const init = await X25519Key.fromPrivate(initPrivate);
  return { keyPackage: { initKey: init.public }, keys: { init } } as unknown as mls.KeyPackageBundle;
}

const answerWith = (pieces: Bytes): Answer => ({
  type: "Answer",
  welcome: utf8("w"),
  number: new Uint8Array(16),
  doorSeed: new Uint8Array(32),
  roomAdminPublic: new Uint8Array(32),
  handedKeys: new Uint8Array(64),
  slot: 1,
  chain: new Uint8Array(32),
  at: 1,
  ledger: NOTHING,
  before: NOTHING,
  admission: NOTHING,
  places: NOTHING,
  pieces,
});

compareWithPython("pieces", {
  make: async (tree: Bytes, ledger: Bytes, rng: Rng) =>
    (await SealedPieces.make(tree, ledger, rng)).pieces.map(({ sealed }) => [sealed.length, H(sealed)]),
  list_for: async (tree: Bytes, ledger: Bytes, rng: Rng, init: Bytes, listRng: Rng) => {
    const made = await SealedPieces.make(tree, ledger, rng);
    return made.listFor((await withInit(init)).keyPackage, listRng);
  },
  assemble: async (listed: Bytes, init: Bytes, sealed: readonly Bytes[]) => {
    const assembly = await Assembly.open(answerWith(listed), await withInit(init));
    const told: unknown[] = [];
    for (const each of sealed) told.push([await assembly.add({ type: "Piece", sealed: each }), assembly.missing]);
    if (assembly.missing > 0) return told;
    const { answer, tree } = assembly.finish();
    return [...told, answer.ledger, tree];
  },
  join: async (encoded: Bytes, init: Bytes, encryption: Bytes, seed: Bytes, welcome: Bytes, tree: Bytes | null) => {
    const bundle = new mls.KeyPackageBundle(decode(encoded, readKeyPackage), {
      init: await X25519Key.fromPrivate(init),
      encryption: await X25519Key.fromPrivate(encryption),
      signature: await SigningKey.fromSeed(seed),
    });
    const group = await mls.Group.join(welcome, bundle, { psks: PSKS, tree: tree ?? undefined, rng: seeded("join") });
    return [group.epoch, group.ownLeaf, group.welcomedBy, group.epochAuthenticator, group.members().length];
  },
});

test("pieces fill blobs of the lobby", async () => {
  for (const [size, blobs] of [[1, [32_768]], [32_000, [32_768]], [60_000, [65_536]], [131_000, [65_536, 65_536, 32_768]]] as const) {
    const { pieces } = await SealedPieces.make(new Uint8Array(size), utf8("ledger"), seeded("pieces"));
    const posted = await Promise.all(pieces.map((piece) => post(new Uint8Array(32), piece)));
    assert.deepEqual(posted.map(({ length }) => length), blobs);
    for (const [at, blob] of posted.entries()) assert.deepEqual(await read(new Uint8Array(32), blob), pieces[at]);
  }
  assert.ok(BUCKETS.includes(65_536));
});

test("data for a KeyPackage has a label of the application's own", async () => {
  const bundle = await withInit(seeded("init")(32));
  await assert.rejects(sealTo(bundle.keyPackage, "Welcome", NOTHING, NOTHING, seeded("x")), { name: "StateError" });
  await assert.rejects(openWith(bundle, "Welcome", NOTHING, new Uint8Array(80)), { name: "StateError" });
});

// -- several answers --

async function made(number: number, bundle: mls.KeyPackageBundle) {
  const sealed = await SealedPieces.make(NOTHING, Uint8Array.of(number), seeded(`made ${number}`));
  return { answer: answerWith(await sealed.listFor(bundle.keyPackage)), pieces: sealed.pieces };
}

test("an answer that comes again keeps its pieces, and each piece counts once", async () => {
  const bundle = await withInit(seeded("init")(32));
  const sealed = await SealedPieces.make(new Uint8Array(150_000), utf8("ledger"), seeded("pieces"));
  const [answer, assemblies] = [answerWith(await sealed.listFor(bundle.keyPackage)), new Assemblies()];
  const done: [string, number | undefined][] = [];
  for (const piece of sealed.pieces) {
    await assemblies.take(answer, bundle, async ({ ledger }, tree) => void done.push([hex(ledger), tree?.length]));
    assert.deepEqual(done, []);
    assert.equal(await assemblies.piece(piece), true);
    assert.equal(await assemblies.piece(piece), false);
  }
  assert.deepEqual(done, [[hex(utf8("ledger")), 150_000]]);
});

test("answers that wait are bounded", async () => {
  const [bundle, assemblies] = [await withInit(seeded("init")(32)), new Assemblies()];
  const all = await Promise.all(Array.from({ length: ANSWERS_MAX + 1 }, (_, number) => made(number, bundle)));
  const done: number[] = [];
  for (const { answer } of all)
    await assemblies.take(answer, bundle, async ({ ledger }) => void done.push(ledger[0] ?? -1));
  for (const { pieces: [piece] } of all.toReversed()) if (piece !== undefined) await assemblies.piece(piece);
  assert.deepEqual(done, Array.from({ length: ANSWERS_MAX }, (_, number) => ANSWERS_MAX - number), "not the oldest");
});

test("a small room's answer is complete at once", async () => {
  const seen: Answer[] = [];
  const [answer, bundle] = [answerWith(NOTHING), await withInit(seeded("init")(32))];
  await new Assemblies().take(answer, bundle, async (whole, tree) => {
    assert.equal(tree, undefined);
    seen.push(whole);
  });
  assert.deepEqual(seen, [answer]);
});
