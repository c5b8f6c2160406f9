/** The person's identity and contacts on this device, and the files in which they travel. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { OwnIdentity } from "../../../../client/web/src/app/identities";
import { openFile, sealFile } from "../../../../client/web/src/sealedFile";
import { type Bytes, hex, unhex } from "../../../../client/web/src/crypto/bytes";
import { IdentityKey } from "../../../../client/web/src/crypto/proof/identity";
import type { KeptMeetings } from "../../../../client/web/src/kept";
import { changeBook, readBook } from "../../../../client/web/src/keptBook";
import { encodeContacts } from "../../../../client/web/src/session/entry/contacts";
import { CommandError, type Sentence } from "../../../../client/web/src/words/sentence";
import { flipped, given, seeded } from "../crypto/given";

interface Sealed {
  readonly kind: string;
  readonly passphrase: string;
  readonly ops: number;
  readonly memory: number;
  readonly payload: string;
  readonly file: string;
}

if (!("navigator" in globalThis)) Object.assign(globalThis, { navigator: { languages: ["en"] } }); // without locks

/** What the browser's database keeps. */
class Device {
  kept: Bytes | null = null;
  broken = false;

  async book(): Promise<Bytes | null> {
    return this.kept;
  }

  async keepBook(book: Bytes | null): Promise<void> {
    if (this.broken) throw new Error("no room left");
    this.kept = book;
  }
}

function rig(device: Device | null = new Device()) {
  const told: Sentence[] = [];
  let changes = 0;
  const identity = new OwnIdentity(device as unknown as KeptMeetings | null, () => changes++, (text) => told.push(text));
  return { identity, told, changes: () => changes, settled: () => settle(identity) };
}

const settle = ({ busy }: OwnIdentity): Promise<void> => until(() => !busy.value);

/** Wait until that is so: the page reads the device by itself. */
async function until(holds: () => boolean): Promise<void> {
  const end = performance.now() + 20_000;
  do {
    assert.ok(performance.now() < end, `never: ${holds}`);
    await new Promise((done) => setTimeout(done, 5));
  } while (!holds());
}

const refusal = async (work: Promise<unknown>): Promise<string> => {
  try {
    await work;
  } catch (error) {
    assert.ok(error instanceof CommandError, String(error));
    return error.sentence.key;
  }
  throw new assert.AssertionError({ message: "it was done" });
};

test("a sealed file is, byte by byte, that of the headless client", async () => {
  for (const { kind, passphrase, ops, memory, payload, file } of given<Sealed[]>("sealed_file")) {
    const made = await sealFile(kind, unhex(payload), passphrase, { ops, memory }, seeded(passphrase));
    assert.equal(hex(made), file);
    assert.equal(hex(await openFile(unhex(file), kind, passphrase)), payload);
  }
});

test("a file that is damaged, of another kind or under another passphrase says so", async () => {
  const [{ kind, passphrase, file }] = given<[Sealed]>("sealed_file");
  const whole = unhex(file);
  assert.equal(await refusal(openFile(whole, kind, "wrong")), "cannot.passphrase");
  assert.equal(await refusal(openFile(whole, kind, "")), "cannot.no_passphrase");
  assert.equal(await refusal(openFile(whole, "host", passphrase)), "cannot.file_other");
  assert.equal(await refusal(openFile(whole.slice(1), kind, passphrase)), "cannot.file_other");
  for (const place of [20, 40, 100, whole.length - 1])
    assert.equal(await refusal(openFile(flipped(whole, place), kind, passphrase)), "cannot.file_damaged");
  assert.equal(await refusal(openFile(whole.slice(0, 60), kind, passphrase)), "cannot.file_damaged");
});

test("nothing is kept before the person wants an identity, and nothing after they have deleted it", async () => {
  const device = new Device();
  const { identity, changes, settled } = rig(device);
  await settled();
  assert.deepEqual([identity.can, identity.own.value, device.kept], [true, null, null]);
  identity.create();
  await settled();
  const own = identity.own.value;
  assert.match(own ?? "", /^[0-9]{40}$/);
  const again = rig(device);
  await until(() => again.identity.own.value === own); // another page has the same
  identity.show.value = true;
  identity.create(); // there is one
  await settled();
  assert.equal(identity.own.value, own);
  identity.remove();
  await settled();
  assert.deepEqual([identity.own.value, identity.show.value, device.kept], [null, false, null]);
  assert.equal(changes(), 3);
});

test("contacts that the session learns are listed, marked as verified and removed", async () => {
  const device = new Device();
  const { identity, told, settled } = rig(device);
  identity.create();
  await settled();
  const bo = (await IdentityKey.fromPrivate(new Uint8Array(32).fill(7))).public;
  await changeBook(device, (book) => {
    book?.learn(bo, "Bo", 5);
    return book;
  });
  identity.learned("Bo", true);
  await until(() => identity.contacts.value.length === 1);
  assert.equal(told.at(-1)?.key, "note.contact_kept");
  const [entry] = identity.contacts.value;
  assert.deepEqual([entry?.name, entry?.verified], ["Bo", false]);
  identity.verify(entry?.fingerprint ?? "");
  await settled();
  assert.equal(identity.contacts.value[0]?.verified, true);
  identity.forget(entry?.fingerprint ?? "");
  await settled();
  assert.deepEqual(identity.contacts.value, []);
  assert.deepEqual((await readBook(device))?.everybody(), []);
  assert.equal((device.kept?.length ?? 1) % 4096, 0, "the size tells little");
  identity.learned("Cem", false);
  assert.equal(told.at(-1)?.key, "note.contact_lost");
});

test("a file is taken where there is no identity, and never in place of one", async () => {
  const donor = new Device();
  const from = rig(donor);
  from.identity.create();
  await from.settled();
  const book = await readBook(donor);
  assert.ok(book);
  const file = new Blob([await sealFile("contacts", encodeContacts(book), "horse", { ops: 1, memory: 8192 })]);
  const { identity, settled } = rig();
  identity.load(file, "cow");
  await settled();
  assert.deepEqual([identity.trouble.value?.key, identity.own.value], ["cannot.passphrase", null]);
  identity.load(file, "horse");
  await settled();
  assert.deepEqual([identity.trouble.value, identity.own.value], [null, from.identity.own.value]);
  const other = rig();
  other.identity.create();
  await other.settled();
  const own = other.identity.own.value;
  other.identity.load(file, "horse");
  await other.settled();
  assert.equal(other.identity.own.value, own);
});

test("a browser that keeps nothing offers no identity, and one that fails says so", async () => {
  const none = rig(null);
  none.identity.create();
  await none.settled();
  assert.deepEqual([none.identity.can, none.identity.own.value], [false, null]);
  const device = new Device();
  device.broken = true;
  const { identity, settled } = rig(device);
  identity.create();
  await settled();
  assert.deepEqual([identity.own.value, identity.trouble.value?.key], [null, "cannot.book_unkept"]);
});

test("two pages change the book one after the other, under one lock", async () => {
  const device = new Device();
  const { identity, settled } = rig(device);
  identity.create();
  await settled();
  let before: Promise<unknown> = Promise.resolve();
  const names: string[] = [];
  const locks = {
    request: (name: string, work: () => Promise<unknown>): Promise<unknown> => {
      names.push(name);
      return (before = before.then(work));
    },
  } as unknown as LockManager;
  const learn = async (name: string, seed: number): Promise<unknown> => {
    const key = (await IdentityKey.fromPrivate(new Uint8Array(32).fill(seed))).public;
    return changeBook(device, (book) => (book?.learn(key, name, 5), book), locks);
  };
  await Promise.all([learn("Bo", 1), learn("Cem", 2), learn("Dana", 3)]);
  assert.deepEqual((await readBook(device))?.everybody().map(({ petname }) => petname), ["Bo", "Cem", "Dana"]);
  assert.deepEqual(new Set(names), new Set(["snug-book"]));
});
