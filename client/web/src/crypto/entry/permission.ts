/**
 * Opening a room where not anyone may: proofs by the password, and by tokens (protocol section 3).
 *
 * `voucher.ts` is about getting tokens.
 */
import { encode } from "../../wire/layout";
import { OPENS, PASSWORD_SALT, TOKEN_KEY } from "../../wire/layouts/rights";
import { type Bytes, utf8 } from "../bytes";
import { H, mac } from "../kdf";
import { checkedOrigin } from "./invite";

const DAY = 86_400;

/** Return the week of a token key: weeks since 1970, from Monday 00:00 UTC. */
export const weekOf = (unixSeconds: number): number => Math.floor((Math.floor(unixSeconds / DAY) + 3) / 7);

/** Return whether tokens of that week can be spent at `now`, Unix seconds: until a day after its end. */
export const spendable = (week: number, now: number): boolean => week === weekOf(now) || week === weekOf(now - DAY);

/** Return the hash of a week's token key, 32 bytes: vouchers and members name it by that. */
export const keyHash = (week: number, key: Bytes): Bytes => H(encode(TOKEN_KEY, { week, public: key }));

/** Return the text under the MAC of a password or token: for one room, on one connection. */
export const proofMessage = (origin: string, number: Bytes, serverNonce: Bytes): Bytes =>
  encode(OPENS, { origin: checkedOrigin(origin), number, serverNonce });

/**
 * Return scrypt's key, 32 bytes. Each guess at a proof takes this time, and 2**(cost + 10) bytes.
 *
 * Its code is loaded when a server wants a password.
 */
export async function passwordKey(password: string, origin: string, salt: Bytes, cost: number): Promise<Bytes> {
  const { scryptAsync } = await import("@noble/hashes/scrypt.js");
  const N = 2 ** cost;
  const salted = encode(PASSWORD_SALT, { origin: checkedOrigin(origin), salt });
  return (await scryptAsync(utf8(password), salted, { N, r: 8, p: 1, dkLen: 32, maxmem: N * 2048 })) as Bytes;
}

/** One token: it opens one room, once. `output` stays with its owner. */
export interface Token {
  readonly week: number;
  readonly key: Bytes;
  readonly input: Bytes;
  readonly output: Bytes;
}

/** Return the MAC (32 bytes) that spends the token for `proofMessage`. */
export const tokenProof = ({ output }: Token, message: Bytes): Bytes => mac(output, message);
