/**
 * The record of each meeting that this device keeps, so that its member can come back (protocol section 6), and the
 * person's contact book, if there is one (`keptBook.ts`).
 *
 * The browser's own database holds the member's key pairs, whose secret halves nobody can read out, and all else sealed
 * under a key that nobody can read out either. Page and worker share it; docs/explanation/threat-model.md says what
 * somebody with the device gains.
 */
import { type Bytes, concat, hex, utf8 } from "./crypto/bytes";
import type { MemberRecord } from "./crypto/entry/memberRecovery";
import { prefixed, Reader, textOf } from "./crypto/fields";
import { H } from "./crypto/kdf";

const DATABASE = "snug";
const MEETINGS = "meetings";
const KEYS = "keys";
const SEALING = "sealing";
/** Beside that key: the book has no table of its own, so that its first contact changes no database. */
const BOOK = "book";
/** Seconds for which a meeting is kept after its last change. */
export const LASTS = 12 * 3600;

/** A kept meeting, as the page shows it. */
export interface KeptMeeting {
  readonly id: string;
  /** When it was kept last, in Unix seconds. */
  readonly at: number;
  readonly name: string;
  readonly title: string;
  readonly link: string;
  readonly origin: string;
  readonly host: boolean;
  /** This page has opened the meeting: a profile can have that member, and one that has come by the link. */
  readonly founded: boolean;
  /** Nobody else was there. */
  readonly alone: boolean;
  readonly mic: boolean;
  readonly camera: boolean;
}

type View = Omit<KeptMeeting, "id" | "at">;

interface Sealed {
  readonly iv: Bytes;
  readonly sealed: Bytes;
}

interface Row extends Sealed {
  readonly id: string;
  readonly at: number;
  readonly keys: Omit<MemberRecord, "rest">;
}

/** The name under which a meeting is kept, and held by one tab: it tells nobody the link's secret (16 bytes). */
export const keptId = (secret: Bytes, founded: boolean): string =>
  hex(H(utf8(founded ? "snug 1 founded" : "snug 1 joined"), secret).slice(0, 16));

const done = <T>(request: IDBRequest<T>): Promise<T> =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error("the browser's database"));
  });

export class KeptMeetings {
  readonly #database: IDBDatabase;
  readonly #key: CryptoKey;

  private constructor(database: IDBDatabase, key: CryptoKey) {
    this.#database = database;
    this.#key = key;
  }

  /** Open the database; null if the browser keeps nothing, as in some private windows. */
  static async open(): Promise<KeptMeetings | null> {
    try {
      const request = indexedDB.open(DATABASE, 1);
      request.onupgradeneeded = () => {
        request.result.createObjectStore(MEETINGS, { keyPath: "id" });
        request.result.createObjectStore(KEYS);
      };
      const database = await done(request);
      const fresh = await crypto.subtle.generateKey({ name: "AES-GCM", length: 256 }, false, ["encrypt", "decrypt"]);
      const keys = database.transaction(KEYS, "readwrite").objectStore(KEYS);
      const known = (await done(keys.get(SEALING))) as CryptoKey | undefined;
      if (known === undefined) await done(keys.put(fresh, SEALING));
      return new KeptMeetings(database, known ?? fresh);
    } catch {
      return null;
    }
  }

  /** Return the kept meetings, the last one first; forget those that are too old, or that cannot be read. */
  async list(now: number): Promise<KeptMeeting[]> {
    const rows = (await done(this.#meetings("readonly").getAll())) as Row[];
    const found: KeptMeeting[] = [];
    for (const row of rows.sort((a, b) => b.at - a.at)) {
      const read = now - row.at < LASTS ? await this.#opened(row) : null;
      if (read === null) await this.forget(row.id);
      else found.push(read[0]);
    }
    return found;
  }

  /** Return a kept meeting and its record; null if it is not kept any more. */
  async read(id: string, now: number): Promise<readonly [KeptMeeting, MemberRecord] | null> {
    const row = (await done(this.#meetings("readonly").get(id))) as Row | undefined;
    return row === undefined || now - row.at >= LASTS ? null : await this.#opened(row);
  }

  /** Keep a meeting, in place of what was kept of it. */
  async keep(id: string, view: View, { rest, ...keys }: MemberRecord, now: number): Promise<void> {
    const sealed = await this.#sealed(id, concat(prefixed(utf8(JSON.stringify(view)), 4), rest));
    await done(this.#meetings("readwrite").put({ id, at: now, ...sealed, keys } satisfies Row));
  }

  /** Forget a meeting. */
  async forget(id: string): Promise<void> {
    await done(this.#meetings("readwrite").delete(id));
  }

  /** Return the contact book, as bytes; null without one, or if it cannot be read. */
  async book(): Promise<Bytes | null> {
    const row = (await done(this.#keys("readonly").get(BOOK))) as Sealed | undefined;
    return row === undefined ? null : await this.#unsealed(BOOK, row);
  }

  /** Keep the contact book, in place of the one before; null: forget it. */
  async keepBook(book: Bytes | null): Promise<void> {
    const sealed = book === null ? null : await this.#sealed(BOOK, book);
    const keys = this.#keys("readwrite");
    await (sealed === null ? done(keys.delete(BOOK)) : done(keys.put(sealed, BOOK)));
  }

  #keys(mode: IDBTransactionMode): IDBObjectStore {
    return this.#database.transaction(KEYS, mode).objectStore(KEYS);
  }

  #meetings(mode: IDBTransactionMode): IDBObjectStore {
    return this.#database.transaction(MEETINGS, mode).objectStore(MEETINGS);
  }

  #cipher(iv: Bytes, id: string): AesGcmParams {
    return { name: "AES-GCM", iv, additionalData: utf8(id) };
  }

  async #sealed(id: string, inside: Bytes): Promise<Sealed> {
    const iv = crypto.getRandomValues(new Uint8Array(12));
    return { iv, sealed: new Uint8Array(await crypto.subtle.encrypt(this.#cipher(iv, id), this.#key, inside)) };
  }

  async #unsealed(id: string, { iv, sealed }: Sealed): Promise<Bytes | null> {
    try {
      return new Uint8Array(await crypto.subtle.decrypt(this.#cipher(iv, id), this.#key, sealed));
    } catch {
      return null;
    }
  }

  async #opened({ id, at, keys, ...row }: Row): Promise<readonly [KeptMeeting, MemberRecord] | null> {
    try {
      const r = new Reader((await this.#unsealed(id, row)) ?? new Uint8Array());
      const view = JSON.parse(textOf(r.prefixed(4))) as View;
      return [{ ...view, id, at }, { ...keys, rest: r.rest() }];
    } catch {
      return null;
    }
  }
}
