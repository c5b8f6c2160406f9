// Written by `python -m snugroom.client.tools.typescript`, from wire/rights.py: change it there.

import type { Bytes } from "../../crypto/bytes";
import type { Layout } from "../layout";
/** The text under the MAC of a password or token: for a room on one connection alone. */
export interface Opens {
  readonly origin: string;
  /** 16 bytes. */
  readonly number: Bytes;
  /** 32 bytes. */
  readonly serverNonce: Bytes;
}

export const OPENS: Layout<Opens> = {
  name: "right to open",
  start: "snug 1 opens",
  fields: [
    ["origin", ["t", 2, 65535]],
    ["number", -16],
    ["serverNonce", -32],
  ],
};

/** The salt of scrypt for a password. */
export interface PasswordSalt {
  readonly origin: string;
  readonly salt: Bytes;
}

export const PASSWORD_SALT: Layout<PasswordSalt> = {
  name: "password's salt",
  start: "snug 1 password",
  fields: [
    ["origin", ["t", 2, 65535]],
    ["salt", ["r", false]],
  ],
};

/** The hash of this names a week's token key. */
export interface TokenKey {
  readonly week: number;
  /** 32 bytes. */
  readonly public: Bytes;
}

export const TOKEN_KEY: Layout<TokenKey> = {
  name: "token key",
  start: "snug 1 token key",
  fields: [
    ["week", 4],
    ["public", -32],
  ],
};

/** A voucher from an operator: it is exchanged for tokens once, in its week. */
export interface Voucher {
  readonly week: number;
  /** 16 bytes. */
  readonly id: Bytes;
  /** 16 bytes. */
  readonly mac: Bytes;
  /** 32 bytes. */
  readonly keyHash: Bytes;
}

export const VOUCHER: Layout<Voucher> = {
  name: "voucher",
  start: "",
  fields: [
    ["week", 4],
    ["id", -16],
    ["mac", -16],
    ["keyHash", -32],
  ],
};
