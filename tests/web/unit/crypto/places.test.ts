import { type Bytes, utf8 } from "../../../../client/web/src/crypto/bytes";
import { chainNext } from "../../../../client/web/src/crypto/entry/invite";
import * as places from "../../../../client/web/src/crypto/entry/places";
import { H } from "../../../../client/web/src/crypto/kdf";
import { compareWithPython } from "./cases";

/** As in tests/web/cases.py. */
const filled = (text: string): Bytes => H(utf8(text));

compareWithPython("places", {
  door: async (key: Bytes, origin: string, attempt: number) => (await places.placeDoorKey(key, origin, attempt)).public,
  opener: async (seed: Bytes, origin: string) => (await places.openerKey(seed, origin)).public,
  room_pass: places.placePass,
  chain: places.placeChain,
  history: (first: number, last: number, asked: readonly (readonly [number, Bytes])[]) => {
    let chain = filled("chain");
    const history = new places.PlaceHistory(filled("number").slice(0, 16), [[first, chain, new Uint8Array(32)]]);
    for (let slot = first + 1; slot <= last; slot++) {
      const blob = filled(`blob ${slot}`);
      chain = chainNext(chain, slot, blob);
      history.append(slot, chain, H(blob));
    }
    return asked.map(([slot, value]) => history.has(slot, value));
  },
});
