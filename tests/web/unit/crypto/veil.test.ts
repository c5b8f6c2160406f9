import * as veil from "../../../../client/web/src/crypto/agreed/envelope";
import { compareWithPython } from "./cases";

compareWithPython("veil", {
  cover: veil.cover,
  uncover: veil.uncover,
  slot: veil.epochSlot,
  pack: veil.pack,
  unpack: veil.unpack,
});
