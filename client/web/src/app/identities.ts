/** The person's own identity and contacts, as this device keeps them: nothing is there before the person wants one. */
import { batch, signal } from "@preact/signals";
import type { KeptMeetings } from "../kept";
import type { Contacts } from "../session/entry/contacts";
import { CommandError, type Sentence, sentence } from "../words/sentence";
import { download } from "./download";
import type { BookEntry, Identity } from "./model";

/** The kind of sealed files that are contact books. */
const KIND = "contacts";

/** Load what only a person with an identity needs. */
const load = () => import("../keptBook");

export class OwnIdentity implements Identity {
  readonly own = signal<string | null>(null);
  readonly contacts = signal<readonly BookEntry[]>([]);
  readonly show = signal(false);
  readonly busy = signal(false);
  readonly trouble = signal<Sentence | null>(null);
  readonly #kept: KeptMeetings | null;
  readonly #changed: () => void;
  readonly #toast: (text: Sentence) => void;

  /** `changed`: a meeting that goes on is to read the book again. */
  constructor(kept: KeptMeetings | null, changed: () => void, toast: (text: Sentence) => void) {
    this.#kept = kept;
    this.#changed = changed;
    this.#toast = toast;
    void this.refresh().catch(() => undefined);
  }

  get can(): boolean {
    return this.#kept !== null;
  }

  /** Show the book as the device keeps it; its code is loaded only where there is one. */
  async refresh(): Promise<void> {
    const kept = this.#kept;
    if (kept === null) return;
    const none = (await kept.book()) === null;
    this.#shows(none ? null : await (await load()).readBook(kept));
  }

  create(): void {
    void this.#change(async (book) => {
      const { Contacts } = await load();
      return book ?? (await Contacts.make());
    });
  }

  remove(): void {
    void this.#change(() => null);
  }

  verify(fingerprint: string): void {
    void this.#change((book) => {
      book?.verify(book.named(fingerprint));
      return book;
    });
  }

  forget(fingerprint: string): void {
    void this.#change((book) => {
      book?.forget(book.named(fingerprint));
      return book;
    });
  }

  save(passphrase: string): void {
    void this.#work(async () => {
      const { sealFile, encodeContacts, readBook } = await load();
      const book = this.#kept && (await readBook(this.#kept));
      if (book === null) return;
      const sealed = await sealFile(KIND, encodeContacts(book), passphrase);
      download(new Blob([sealed], { type: "application/octet-stream" }), "contacts.snug");
      this.#toast(sentence("note.saved"));
    });
  }

  load(file: Blob, passphrase: string): void {
    void this.#work(async () => {
      const { openFile, FILE_MAX, decodeContacts } = await load();
      if (file.size > FILE_MAX) throw new CommandError(sentence("cannot.file_other"));
      const book = await decodeContacts(await openFile(new Uint8Array(await file.arrayBuffer()), KIND, passphrase));
      // another tab may have one by now: it is not overwritten
      await this.#write((there) => there ?? book);
    });
  }

  /** The worker has kept a contact, or could not. */
  learned(name: string, kept: boolean): void {
    this.#toast(sentence(kept ? "note.contact_kept" : "note.contact_lost", { name }));
    void this.refresh().catch(() => undefined);
  }

  #change(change: (book: Contacts | null) => Contacts | null | Promise<Contacts | null>): Promise<void> {
    return this.#work(() => this.#write(change));
  }

  async #write(change: (book: Contacts | null) => Contacts | null | Promise<Contacts | null>): Promise<void> {
    const kept = this.#kept;
    if (kept === null) return;
    this.#shows(await (await load()).changeBook(kept, change));
    this.#changed();
  }

  /** Do one thing at a time, and say what went wrong. */
  async #work(work: () => Promise<void>): Promise<void> {
    if (this.busy.value) return;
    this.busy.value = true;
    this.trouble.value = null;
    try {
      await work();
    } catch (error) {
      if (!(error instanceof CommandError)) console.warn(error);
      this.trouble.value = error instanceof CommandError ? error.sentence : sentence("cannot.book_unkept");
    }
    this.busy.value = false;
  }

  #shows(book: Contacts | null): void {
    batch(() => {
      this.own.value = book?.fingerprint ?? null;
      this.contacts.value = (book?.everybody() ?? []).map(({ fingerprint, petname, verified }) => ({ fingerprint, name: petname, verified }));
      if (book === null) this.show.value = false;
    });
  }
}
