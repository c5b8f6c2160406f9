import * as envelope from "../../../../client/web/src/crypto/agreed/envelope";
import { compareWithPython } from "./cases";

compareWithPython("envelope", {
  cover: envelope.seal,
  uncover: envelope.open,
  slot: envelope.epochSlot,
  gate: envelope.gateOf,
  pack: envelope.pack,
  unpack: envelope.unpack,
});
