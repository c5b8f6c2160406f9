/** Files sealed with a passphrase, in the headless client's format (`client/files/sealed_file.py`). */
import { argon2idAsync } from "@noble/hashes/argon2.js";
import { type Bytes, concat, same, systemRng, utf8 } from "./crypto/bytes";
import { AuthenticationError, MalformedError } from "./crypto/errors";
import { padded, prefixed, Reader, textOf, uint, unpadded } from "./crypto/fields";
import { H, KEY_SIZE, seal, unseal } from "./crypto/kdf";
import { CommandError, sentence } from "./words/sentence";

const MAGIC = utf8("snug sealed 1\n");
const SALT = 16;
const PAD = 4096;
const CHECKSUM = 32;
/** Maximum size of a file that is read, in bytes. */
export const FILE_MAX = 16 * 2 ** 20;
/** Limits on a file header's demands: bytes of memory, and passes. */
export const MEMORY_MAX = 2 ** 30;
export const OPS_MAX = 16;
const MEMORY_MIN = 8192;

/** Argon2id's limits: `ops` passes over `memory` bytes. */
export interface Cost {
  readonly ops: number;
  readonly memory: number;
}

/** libsodium's "moderate", as in the headless client. */
export const MODERATE: Cost = { ops: 3, memory: 256 * 2 ** 20 };

/** Return `payload`, of that kind, as a sealed file. CommandError without a passphrase. */
export async function sealFile(kind: string, payload: Bytes, passphrase: string, cost = MODERATE, rng = systemRng): Promise<Bytes> {
  const salt = rng(SALT);
  const header = concat(MAGIC, prefixed(utf8(kind), 1), uint(cost.ops, 4), uint(cost.memory, 8), salt);
  const whole = padded(payload, Math.ceil((payload.length + 4) / PAD) * PAD);
  const body = concat(header, await seal(await stretch(passphrase, salt, cost), whole, header, rng));
  return concat(body, H(body));
}

/** Return the payload of a sealed file; CommandError if it is none of that kind, damaged, or sealed otherwise. */
export async function openFile(whole: Bytes, kind: string, passphrase: string): Promise<Bytes> {
  const { header, sealed, salt, cost } = split(whole, kind);
  try {
    return unpadded(await unseal(await stretch(passphrase, salt, cost), sealed, header));
  } catch (error) {
    if (error instanceof AuthenticationError) throw new CommandError(sentence("cannot.passphrase"));
    if (error instanceof MalformedError) throw new CommandError(sentence("cannot.file_damaged"));
    throw error;
  }
}

async function stretch(passphrase: string, salt: Bytes, { ops, memory }: Cost): Promise<Bytes> {
  if (passphrase === "") throw new CommandError(sentence("cannot.no_passphrase"));
  const options = { t: ops, m: Math.floor(memory / 1024), p: 1, dkLen: KEY_SIZE, maxmem: MEMORY_MAX + 2 ** 20 };
  return (await argon2idAsync(utf8(passphrase.normalize("NFC")), salt, options)) as Bytes;
}

interface Parts {
  readonly header: Bytes;
  readonly sealed: Bytes;
  readonly salt: Bytes;
  readonly cost: Cost;
}

/** Return the parts of a file after all checks that need no passphrase. */
function split(whole: Bytes, kind: string): Parts {
  if (!same(whole.slice(0, MAGIC.length), MAGIC)) throw new CommandError(sentence("cannot.file_other"));
  const body = whole.slice(0, -CHECKSUM);
  const damaged = new CommandError(sentence("cannot.file_damaged"));
  if (!same(H(body), whole.slice(-CHECKSUM))) throw damaged;
  let parts: Parts;
  let there: string;
  try {
    const r = new Reader(body);
    r.take(MAGIC.length);
    there = textOf(r.prefixed(1));
    const cost = { ops: r.uint(4), memory: r.uint(8) };
    const salt = r.take(SALT);
    const sealed = r.rest();
    parts = { header: body.slice(0, body.length - sealed.length), sealed, salt, cost };
  } catch (error) {
    if (error instanceof MalformedError || error instanceof RangeError) throw damaged;
    throw error;
  }
  if (there !== kind) throw new CommandError(sentence("cannot.file_other"));
  const { ops, memory } = parts.cost;
  if (ops < 1 || ops > OPS_MAX || memory < MEMORY_MIN || memory > MEMORY_MAX) throw damaged;
  return parts;
}
