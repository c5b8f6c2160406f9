import assert from "node:assert/strict";
import { test } from "node:test";
import { Codec, WireError } from "../../../client/web/src/wire/codec";
import { type ServerMessage, schemas, ServerMessageNames } from "../../../client/web/src/wire/messages";

const server = new Codec<ServerMessage>(schemas, ServerMessageNames);

test("a message comes back as it was", () => {
  const message: ServerMessage = { type: "stale", asked: 3, slot: 9 };
  assert.deepEqual(server.decode(server.encode(message)), message);
});

test("the codec refuses what msgspec refuses", () => {
  const wrong = [
    "", "[]", "null", '{"type":"stale"}', '{"type":"stale","asked":1,"slot":1,"more":1}',
    '{"type":"stale","asked":-1,"slot":1}', '{"type":"stale","asked":1.5,"slot":1}', '{"type":"nothing"}',
    '{"type":"left","handle":"AAAA"}', '{"type":"left","handle":"AAAAAAAAAAA"}', '{"type":"hasOwnProperty"}',
    '{"type":"stale","asked":"1","slot":1}', '{"type":"__proto__"}',
  ];
  for (const frame of wrong) assert.throws(() => server.decode(frame), WireError, frame);
});

test("a field that may be missing has its default", () => {
  assert.deepEqual(server.decode('{"type":"refused","code":"a","text":"b"}'), {
    type: "refused", code: "a", text: "b", about: "", fatal: false,
  });
});
