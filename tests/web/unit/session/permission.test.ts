/** The room's door where not anyone may open a room (`client/session/kernel/door.py`, tests/session/test_permission.py). */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Bytes, hex, utf8 } from "../../../../client/web/src/crypto/bytes";
import * as permission from "../../../../client/web/src/crypto/entry/permission";
import { H, mac, SigningKey } from "../../../../client/web/src/crypto/kdf";
import { Door } from "../../../../client/web/src/session/kernel/door";
import type { Here, Room } from "../../../../client/web/src/session/kernel/ports";
import { OPTIONS, type PermissionMeans } from "../../../../client/web/src/session/options";
import type { Challenge, PermissionPolicy, Refused } from "../../../../client/web/src/wire/messages";
import type { Sentence } from "../../../../client/web/src/words/sentence";
import { seeded, START } from "./rooms";

const ORIGIN = "https://meet.example";
const WEEK = permission.weekOf(START);
const KEY = H(utf8("token key"));
const NUMBER = H(utf8("room")).slice(0, 16);

const token = (name: string, week = WEEK): permission.Token => ({
  week, key: KEY, input: H(utf8(`${name} in`)), output: H(utf8(`${name} out`)),
});
const purse = (...tokens: permission.Token[]): PermissionMeans => ({
  password: null,
  takeToken: (keys) => (hex(keys.get(WEEK) ?? new Uint8Array()) === hex(KEY) ? (tokens.shift() ?? null) : null),
});
const password = (text: string): PermissionMeans => ({ password: text, takeToken: () => null });

async function at(slot: number, means: PermissionMeans | null) {
  const ended: string[] = [];
  const doorKey = await SigningKey.fromSeed(H(utf8("door")));
  const room = {
    here: { origin: ORIGIN, doorKey, roomAdminPublic: H(utf8("admin")), numberUnder: () => NUMBER },
    rng: seeded("door"),
    options: { ...OPTIONS, permission: means },
    membership: { journal: { slot } },
    finish: (reason: string, text: Sentence) => void ended.push(`${reason} ${text.key}`),
  };
  return { door: new Door(room as unknown as Room, room.here as unknown as Here, slot === 0), ended };
}

let drawn = 0;
const challenge = (policy: Partial<PermissionPolicy> | null): Challenge => ({
  type: "challenge", version: 1, origin: ORIGIN, nonce: H(utf8(`nonce ${drawn++}`)), server_key: KEY,
  permission: policy === null ? null : { kind: "tokens", salt: null, cost: null, keys: [], ...policy },
});
const wantsTokens = (week = WEEK, key: Bytes = KEY): Challenge => challenge({ keys: [{ week, key }] });
const refused = (code: string): Refused => ({ type: "refused", code, text: code, about: "room_door", fatal: true });

test("a founder shows a token, and the next one if it was spent, until none is left", async () => {
  const [one, two] = [token("one"), token("two")];
  const { door, ended } = await at(0, purse(one, two));
  for (const each of [one, two]) {
    const asked = wantsTokens();
    const shown = await door.message(asked, START);
    const text = permission.proofMessage(ORIGIN, NUMBER, asked.nonce);
    assert.deepEqual(shown?.token, { week: WEEK, input: each.input, proof: mac(each.output, text) });
    assert.equal(shown?.password, null);
    door.refused(refused("spent"));
  }
  assert.equal(await door.message(wantsTokens(), START), null);
  assert.deepEqual(ended, ["unopened unopened.spent"]);
});

test("a founder without what the server wants ends, whatever else it has", async () => {
  for (const [means, policy, why] of [
    [null, wantsTokens(), "no_tokens"],
    [password("a password"), wantsTokens(), "no_tokens"],
    [purse(token("one")), wantsTokens(WEEK, H(utf8("another key"))), "no_tokens"],
    [purse(token("one")), wantsTokens(WEEK + 2), "clock"],
    [purse(token("one")), challenge({ kind: "password", salt: NUMBER, cost: 15 }), "no_password"],
  ] as const) {
    const { door, ended } = await at(0, means);
    assert.equal(await door.message(policy, START), null);
    assert.deepEqual(ended, [`unopened unopened.${why}`]);
  }
});

test("a password is proven for this room on this connection, and a wrong one ends it", async () => {
  const { door, ended } = await at(0, password("correct horse battery"));
  const asked = challenge({ kind: "password", salt: NUMBER, cost: 15 });
  const shown = await door.message(asked, START);
  const key = await permission.passwordKey("correct horse battery", ORIGIN, NUMBER, 15);
  const text = permission.proofMessage(ORIGIN, NUMBER, asked.nonce);
  assert.equal(hex(shown?.password ?? new Uint8Array()), hex(mac(key, text)));
  door.refused(refused("password"));
  assert.deepEqual(ended, ["unopened unopened.password"]);
});

test("a member shows its permit, and a token only when the permit does not do", async () => {
  const { door, ended } = await at(5, purse(token("one")));
  assert.equal((await door.message(wantsTokens(), START))?.permit, null);
  door.given(new Uint8Array(40).fill(7));
  const again = await door.message(wantsTokens(), START);
  assert.deepEqual([again?.permit, again?.token], [new Uint8Array(40).fill(7), null]);
  door.refused(refused("permission"));
  assert.notEqual((await door.message(wantsTokens(), START))?.token, null);
  door.entered();
  assert.equal((await door.message(wantsTokens(), START))?.token, null);
  const { door: later } = await at(6, null);
  later.carryOver(door);
  assert.deepEqual(later.permit(NUMBER), new Uint8Array(40).fill(7));
  assert.equal(later.permit(new Uint8Array(16)), null);
  assert.deepEqual(ended, []);
});

test("where anyone may open a room, nothing is shown; keys of other weeks are not believed", async () => {
  const { door } = await at(0, purse(token("one")));
  assert.equal((await door.message(challenge(null), START))?.token, null);
  assert.equal(door.tokenKeys.size, 0);
  await door.message(wantsTokens(WEEK + 5), START);
  assert.equal(door.tokenKeys.size, 0);
  await door.message(wantsTokens(), START);
  assert.deepEqual([...door.tokenKeys], [[WEEK, permission.keyHash(WEEK, KEY)]]);
});
