/** Unspent tokens for opening rooms, which outlive the page. They name nobody. */
import { hex, unhex } from "../crypto/bytes";
import { spendable, type Token } from "../crypto/entry/permission";
import { store, stored } from "./stored";

interface Kept {
  readonly origin: string;
  readonly week: number;
  readonly key: string;
  readonly input: string;
  readonly output: string;
}

const NAME = "snug-tokens";

/** The tokens in the browser's storage; without storage, they last as long as the page. */
export class Purse {
  readonly #storage: Storage | null;
  #kept: readonly Kept[] = [];

  constructor(storage: Storage | null) {
    this.#storage = storage;
  }

  /** Return the tokens that this server takes at `now`, Unix seconds. */
  tokens(origin: string, now: number): Token[] {
    return this.#read()
      .filter((kept) => kept.origin === origin && spendable(kept.week, now))
      .map(({ week, key, input, output }) => ({ week, key: unhex(key), input: unhex(input), output: unhex(output) }));
  }

  /** Keep further tokens; drop those whose time is over. */
  add(origin: string, tokens: readonly Token[], now: number): void {
    const more = tokens.map(({ week, key, input, output }) => ({
      origin, week, key: hex(key), input: hex(input), output: hex(output),
    }));
    this.#write([...this.#read().filter(({ week }) => spendable(week, now)), ...more]);
  }

  /** Forget a token. */
  remove({ input }: Token): void {
    this.#write(this.#read().filter((kept) => kept.input !== hex(input)));
  }

  #read(): readonly Kept[] {
    const value = stored(this.#storage, NAME);
    return Array.isArray(value) ? value.filter(isKept) : this.#kept;
  }

  #write(kept: readonly Kept[]): void {
    this.#kept = kept;
    store(this.#storage, NAME, kept);
  }
}

function isKept(value: unknown): value is Kept {
  const { origin, week, key, input, output } = (value ?? {}) as Record<string, unknown>;
  const isHex = (text: unknown, size: number): boolean => typeof text === "string" && new RegExp(`^[0-9a-f]{${2 * size}}$`).test(text);
  return typeof origin === "string" && Number.isSafeInteger(week) && isHex(key, 32) && isHex(input, 32) && isHex(output, 64);
}
