/** The part of the model (`model.ts`) about the person's own identity and contacts. */
import type { ReadonlySignal, Signal } from "@preact/signals";
import type { Sentence } from "../words/sentence";

/** A contact of the person, on this device. */
export interface BookEntry {
  readonly fingerprint: string;
  readonly name: string;
  /** The person has compared the fingerprint. */
  readonly verified: boolean;
}

/** The person's identity and contacts, on this device alone. What it does shows in its signals. */
export interface Identity {
  /** Whether the browser keeps anything. */
  readonly can: boolean;
  /** Our fingerprint, 40 digits; null: the person has no identity. */
  readonly own: ReadonlySignal<string | null>;
  readonly contacts: ReadonlySignal<readonly BookEntry[]>;
  /** Whether the next knock shows it to the hosts. */
  readonly show: Signal<boolean>;
  readonly busy: ReadonlySignal<boolean>;
  readonly trouble: ReadonlySignal<Sentence | null>;
  create(): void;
  /** Delete identity and contacts. */
  remove(): void;
  /** Mark a contact as verified, or remove it, by its fingerprint. */
  verify(fingerprint: string): void;
  forget(fingerprint: string): void;
  /** Save all of it as a file that the headless client opens; or take it from one. */
  save(passphrase: string): void;
  load(file: Blob, passphrase: string): void;
}
