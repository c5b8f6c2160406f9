/** Which rejoin keys sign our tickets, and what ends a ticket: as in tests/session/test_attacks_own_requests.py. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { SigningKey } from "../../../../client/web/src/crypto/kdf";
import { TICKET_SIGNATURES_MAX } from "../../../../client/web/src/crypto/agreed/roomState";
import { type CommitOut, RejoinKeys } from "../../../../client/web/src/session/kernel/rejoinKeys";

const fresh = async (): Promise<RejoinKeys> => new RejoinKeys(await SigningKey.fresh());

/** A stay in the lobby that asks with a ticket; returns the key that it asks for. */
async function stay(keys: RejoinKeys): Promise<SigningKey> {
  await keys.beginRequest();
  const asked = await keys.request();
  assert.ok((await keys.ticketSigners()).includes(asked));
  return asked;
}

/** A commit of ours is made and sent. */
async function send(keys: RejoinKeys): Promise<CommitOut> {
  const commit = await keys.forCommit();
  keys.sent(commit);
  return commit;
}

test("each stay asks for another key, and the keys of earlier stays sign too", async () => {
  const keys = await fresh();
  const [first, second] = [await stay(keys), await stay(keys)];
  assert.notDeepEqual(first.public, second.public);
  assert.deepEqual(keys.all().slice(1), [first, second]);
  assert.ok(keys.isOwnRequest(first.public), "a host may carry the first out yet");
  for (let n = 0; n < 9; n++) await stay(keys);
  await send(keys);
  await send(keys);
  assert.ok(keys.all().length <= TICKET_SIGNATURES_MAX);
});

test("a ticket is over by a commit that was sent after it, and by no other", async () => {
  const own = await SigningKey.fresh();
  const keys = new RejoinKeys(own);
  const asked = await stay(keys);
  const out = await send(keys);
  await keys.ticketSigners(); // another ticket of the stay, after the commit was sent
  keys.taken(out.rejoinKey.public);
  assert.equal(keys.all()[0], out.rejoinKey);
  assert.ok(keys.all().includes(asked));
  assert.ok(keys.all().includes(own), "the server may crash when it has given the commit to us alone");
  keys.taken(null);
  assert.ok(keys.hasRequests, "another's commit ends nothing");
  keys.taken((await send(keys)).rejoinKey.public);
  assert.ok(!keys.hasRequests);
});

test("a commit after a ticket has another key", async () => {
  const keys = await fresh();
  const first = await send(keys);
  assert.equal(await keys.forCommit(), first, "one key while no ticket has it");
  await stay(keys);
  const second = await send(keys);
  assert.notDeepEqual(second.rejoinKey.public, first.rejoinKey.public);
  assert.equal(new Set(keys.all().map((key) => key.public.join())).size, 4, "own, two commits, one request");
});

test("a stay that our own commit has ended asks for another key with its next ticket", async () => {
  const keys = await fresh();
  await keys.beginRequest();
  const out = await send(keys); // in the lobby, before the first ticket: it ends the stay
  const first = await keys.request();
  keys.taken(out.rejoinKey.public);
  assert.ok(!keys.hasRequests);
  const second = await keys.request();
  assert.notDeepEqual(second.public, first.public);
  assert.ok((await keys.ticketSigners()).includes(second));
  assert.deepEqual([keys.requested(first.public), keys.requested(second.public)], [null, second]);
});

test("requests outlast a rejoin", async () => {
  const [before, asked] = [await fresh(), await SigningKey.fresh()];
  const other = await stay(before);
  const after = new RejoinKeys(asked);
  after.carryOver(before);
  assert.deepEqual(after.all(), [asked, other]);
  assert.ok(after.isOwnRequest(asked.public), "the request that let us in");
});
