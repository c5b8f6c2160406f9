import assert from "node:assert/strict";
import { test } from "node:test";
import type { Bytes } from "../../../../client/web/src/crypto/bytes";
import { MalformedError } from "../../../../client/web/src/crypto/errors";
import * as invite from "../../../../client/web/src/crypto/entry/invite";
import { HostSeed, Invite } from "../../../../client/web/src/crypto/entry/invite";
import { compareWithPython } from "./cases";

/** As in tests/web/cases.py. */
const [ORIGIN, OTHER] = ["https://meet.example", "http://127.0.0.1:8080"];
const INDICES = [0, 1, 0x8000, 0xffff];

compareWithPython("invite", {
  origin: invite.canonicalOrigin,
  origin_field: invite.originField,
  link: (origin: string, secret: Bytes, host: Bytes, index: number, token: Bytes, servers: string[]) =>
    new Invite(origin, secret, host, index, token, servers).link(),
  parse: (link: string) => {
    const { origin, secret, hostPublic, index, token, servers, ...rest } = Invite.parse(link);
    assert.deepEqual(rest, {});
    const found = { type: "Invite", origin, secret, hostPublic, index, token, servers };
    return [found, new Invite(origin, secret, hostPublic, index, token, servers).link()];
  },
  keys: async (seed: Bytes, groupId: Bytes) => {
    const host = await HostSeed.from(seed);
    const roomAdmin = await host.roomAdminKey(groupId);
    const servers = (await host.servers(groupId, [ORIGIN, OTHER])).map((each) => [each.origin, each.roomAdminPublic]);
    const tokens = INDICES.map((index) => host.inviteToken(index));
    return [host.hostPublic, host.returnPublic, roomAdmin.public, tokens, servers];
  },
  token: async (seed: Bytes, index: number) => (await HostSeed.from(seed)).inviteToken(index),
  lobby: async (secret: Bytes, origin: string, day: number) => [
    (await invite.lobbyKey(secret, origin, day)).public,
    invite.lobbyEnvelopeKey(secret, origin, day),
  ],
  psk: invite.linkPsk,
  day: invite.dayOf,
  number: invite.roomNumber,
  door: invite.doorMessage,
  open: invite.openMessage,
  rekey: invite.rekeyMessage,
  verify_opening: invite.verifyOpening,
  verify_opened: (
    key: Bytes,
    number: Bytes,
    openingId: Bytes,
    slot: number,
    chain: Bytes,
    signature: Bytes,
  ) => invite.verifyOpened(key, { number, openingId, slot, chain }, signature),
  verify_taken: (
    key: Bytes,
    number: Bytes,
    openingId: Bytes,
    slot: number,
    before: Bytes,
    blob: Bytes,
    signature: Bytes,
  ) => invite.verifyTaken(key, { number, openingId, slot, before, blob }, signature),
  chain: invite.chainNext,
  gate: invite.gate,
});

test("what is wrong with a link can be said in any language", () => {
  assert.throws(() => Invite.parse("https://meet.example/#2AAA"), (error) => {
    assert.ok(error instanceof MalformedError);
    assert.deepEqual(error.sentence, { key: "link.changed" });
    return true;
  });
  assert.throws(() => Invite.parse("https://{meet}/#2abc"), /^MalformedError: 'https:\/\/\{meet\}\/' is no server/);
});

test("a host's own link leads back to it", async () => {
  const host = await HostSeed.fromRandom();
  const made = host.invite("https://meet.example", host.seed.slice(0, 16), 0x8123, ["http://127.0.0.1:8080"]);
  assert.deepEqual(Invite.parse(made.link()), made);
});
