import assert from "node:assert/strict";
import { test } from "node:test";
import { isLarge } from "../../../../client/web/src/session/kernel/largeRoom";
import { given } from "../crypto/given";

test("the same rooms are large as for the headless client", () => {
  const rooms = given<readonly { readonly leaves: readonly number[]; readonly large: boolean }[]>("large_room");
  assert.ok(rooms.some(({ large }) => large) && rooms.some(({ large }) => !large));
  for (const { leaves, large } of rooms) assert.equal(isLarge(leaves), large, String(leaves));
});
