import { SlotPayload } from "../../../../client/web/src/crypto/agreed/slotAuthor";
import type { Bytes } from "../../../../client/web/src/crypto/bytes";
import { SigningKey } from "../../../../client/web/src/crypto/kdf";
import { labeled } from "../../../../client/web/src/crypto/labels";
import { compareWithPython } from "./cases";
import { seeded } from "./given";

compareWithPython("slot_author", {
  signed: async (packed: Bytes, leaf: number, number: Bytes, slot: number, chain: Bytes, gate: Bytes) => {
    const key = await SigningKey.fromSeed(seeded("leaf")(32));
    const sign = (label: string, data: Bytes): Promise<Bytes> => key.sign(labeled(label, data));
    return (await SlotPayload.signed(packed, leaf, { number, slot, chain }, gate, sign)).encode();
  },
  read: async (payload: Bytes, number: Bytes, slot: number, chain: Bytes, gate: Bytes, key: Bytes) => {
    const decoded = SlotPayload.decode(payload);
    await decoded.verify({ number, slot, chain }, gate, key);
    return [decoded.packed, decoded.leaf];
  },
});
