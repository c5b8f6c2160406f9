import assert from "node:assert/strict";
import { test } from "node:test";
import { isPublic, objection, publicMedia } from "../../../../client/web/src/session/addresses";
import type { Transport } from "../../../../client/web/src/wire/messages";
import { compareWithPython } from "../crypto/cases";

compareWithPython("addresses", { objection, public: isPublic });

const transport = (address: string, others: readonly string[], ...urls: readonly string[]): Transport => ({
  type: "transport",
  ufrag: "ufrag",
  password: "password",
  fingerprint: new Uint8Array(32),
  address,
  port: 4444,
  others: [...others],
  tcp: true,
  turn: [{ urls: [...urls], username: "", credential: "" }],
});

test("a further server's media and relays are at public addresses only", () => {
  const given = transport("10.0.0.1", ["9.9.9.9", "fd00::1", "2620:fe::fe"], "turn:192.168.1.1:3478", "turn:turn.example:3478?transport=udp", "turns:[::1]:5349");
  const { turn, ...more } = transport("9.9.9.9", ["2620:fe::fe"], "turn:turn.example:3478?transport=udp");
  assert.deepEqual(publicMedia(given), { ...more, turn });
  assert.deepEqual(publicMedia(transport("9.9.9.9", [], "turn:localhost:3478"))?.turn, []);
  assert.equal(publicMedia(transport("10.0.0.1", ["::ffff:127.0.0.1"], "turn:turn.example:3478")), null);
});
