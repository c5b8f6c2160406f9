import type { Bytes } from "../../../../client/web/src/crypto/bytes";
import { Invite } from "../../../../client/web/src/crypto/entry/invite";

/** A server on this machine. */
export const ORIGIN = "http://127.0.0.1:8080";

const bytes = (size: number): Bytes => new Uint8Array(size).fill(7);

/** A link to a meeting at that server, which can go on at the others; its secret matters to nobody. */
export const linkTo = (origin: string, ...servers: string[]): string =>
  new Invite(origin, bytes(16), bytes(32), 0, bytes(16), servers).link();
