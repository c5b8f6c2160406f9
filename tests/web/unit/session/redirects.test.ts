/** Redirects to another node: what a page follows, and what it refuses. The session's tests are in tests/nodes. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { type Effect, type Endpoint, type Input, PROBE, ROOM } from "../../../../client/web/src/session/events";
import { Redirects } from "../../../../client/web/src/session/kernel/redirects";

const entered = (node: number | null): Input => ({
  type: "Received",
  endpoint: ROOM,
  message: { type: "entered", handle: new Uint8Array(8), incarnation: new Uint8Array(8), slot: null, chain: null, handles: [], node },
});
const movedTo = (path: string, endpoint: Endpoint = ROOM): Input => ({
  type: "Received",
  endpoint,
  message: { type: "moved_to", path },
});
const begun = (endpoint: Endpoint = ROOM): Redirects => {
  const redirects = new Redirects();
  redirects.begun({ type: "Connect", endpoint });
  return redirects;
};

test("two redirects are followed, and the third is a loss", () => {
  const redirects = begun();
  const effects: Effect[] = [];
  for (const path of ["/n/1", "/n/64"]) assert.equal(redirects.followed(movedTo(path), effects).type, "Received");
  assert.deepEqual(effects, [
    { type: "Connect", endpoint: ROOM, path: "/n/1" },
    { type: "Connect", endpoint: ROOM, path: "/n/64" },
  ]);
  const lost = redirects.followed(movedTo("/n/1"), effects);
  assert.equal(lost.type, "Lost");
  assert.deepEqual(effects.at(-1), { type: "Disconnect", endpoint: ROOM });
  redirects.begun({ type: "Connect", endpoint: ROOM });
  assert.equal(redirects.followed(movedTo("/n/1"), effects).type, "Received");
});

test("anything but a node of the origin is refused, and named once", () => {
  const effects: Effect[] = [];
  const redirects = new Redirects();
  for (const path of ["/n/0", "/n/65", "/n/01", "/n/1/", "/n/1\n", "//evil.example/n/1", "https://evil.example/n/1", "", "/n/१"]) {
    redirects.begun({ type: "Connect", endpoint: ROOM });
    assert.equal(redirects.followed(movedTo(path), effects).type, "Lost", path);
  }
  assert.equal(effects.filter((effect) => effect.type === "Connect").length, 0);
  const told = effects.flatMap((effect) => (effect.type === "Tell" && effect.event.type === "Alarm" ? [effect.event.kind] : []));
  assert.deepEqual(told, ["misdirected"]);
});

test("a redirect has no effect once inside, and a probe goes to the node that had the room", () => {
  const redirects = begun();
  const effects: Effect[] = [];
  redirects.followed(entered(7), effects);
  assert.equal(redirects.followed(movedTo("/n/1"), effects).type, "Received");
  assert.deepEqual(effects, []);
  assert.deepEqual(redirects.begun({ type: "Connect", endpoint: PROBE }), { type: "Connect", endpoint: PROBE, path: "/n/7" });
  redirects.followed(entered(null), effects);
  assert.deepEqual(redirects.begun({ type: "Connect", endpoint: PROBE }), { type: "Connect", endpoint: PROBE });
});
