/** What a server wants of whoever opens a room there, and what this person has: password, tokens, a voucher. */
import { computed, type ReadonlySignal, signal } from "@preact/signals";
import type { Token } from "../crypto/entry/permission";
import { SnugError } from "../crypto/errors";
import { type Sentence, sentence } from "../words/sentence";
import type { PermissionForm as PermissionFormModel, PermissionWanted } from "./model";
import { Purse } from "./purse";

/** Milliseconds for the server's challenge. */
const TIME = 5000;

/** Asks the server, and keeps what the person types. */
export class PermissionForm implements PermissionFormModel {
  readonly password = signal("");
  readonly voucher = signal("");
  readonly trouble = signal<Sentence | null>(null);
  readonly exchanging = signal(false);
  readonly wanted: ReadonlySignal<PermissionWanted | null>;
  readonly #purse: Purse;
  readonly #kind = signal<"password" | "tokens" | null>(null);
  readonly #left = signal(0);
  #origin: string | null = null;

  constructor(storage: Storage | null) {
    this.#purse = new Purse(storage);
    this.wanted = computed(() => {
      const kind = this.#kind.value;
      return kind === "tokens" ? { kind, left: this.#left.value } : kind === null ? null : { kind };
    });
  }

  /** Ask a server what it wants; null: nobody is about to open a room. */
  async ask(origin: string | null): Promise<void> {
    if (this.#origin !== origin) this.#kind.value = this.trouble.value = null;
    this.#origin = origin;
    if (origin === null) return;
    this.#count();
    const kind = await kindAt(origin);
    if (this.#origin === origin) this.#kind.value = kind;
  }

  #count(): void {
    this.#left.value = this.#tokens().length;
  }

  #tokens(): readonly Token[] {
    return this.#origin === null ? [] : this.#purse.tokens(this.#origin, Date.now() / 1000);
  }

  /** Return what opens a room; null, and a reason to show, if there is nothing. */
  means(): { readonly password: string | null; readonly tokens: readonly Token[] } | null {
    const wanted = this.wanted.value;
    const missing =
      wanted === null ? false : wanted.kind === "password" ? this.password.value === "" : wanted.left === 0;
    this.trouble.value = missing && wanted !== null ? sentence(`unopened.no_${wanted.kind}`) : null;
    return missing ? null : { password: this.password.value || null, tokens: this.#tokens() };
  }

  /** The session is about to spend a token. */
  spent(token: Token): void {
    this.#purse.remove(token);
    this.#count();
  }

  /** Exchange the voucher that the person has typed. */
  async exchange(): Promise<void> {
    const origin = this.#origin;
    if (origin === null || this.exchanging.value) return;
    this.exchanging.value = true;
    this.trouble.value = null;
    try {
      const loaded = await import("./exchange");
      this.#purse.add(origin, await loaded.exchange(origin, this.voucher.value), Date.now() / 1000);
      this.voucher.value = "";
    } catch (error) {
      this.trouble.value = error instanceof SnugError ? error.sentence : sentence("voucher.unanswered");
    }
    this.exchanging.value = false;
    this.#count();
  }
}

/** Return what the server's challenge asks for; null: nothing, or there is no answer. */
function kindAt(origin: string): Promise<"password" | "tokens" | null> {
  return new Promise((resolve) => {
    const socket = new WebSocket(`${origin.replace(/^http/, "ws")}/ws`);
    const end = (kind: unknown): void => {
      clearTimeout(timer);
      socket.onclose = null;
      resolve(kind === "password" || kind === "tokens" ? kind : null);
      socket.close();
    };
    const timer = setTimeout(() => end(null), TIME);
    socket.onclose = () => end(null);
    socket.onmessage = ({ data }: MessageEvent<unknown>) => {
      try {
        const challenge = JSON.parse(String(data)) as { readonly permission?: { readonly kind?: unknown } | null };
        end(challenge.permission?.kind);
      } catch {
        end(null);
      }
    };
  });
}
