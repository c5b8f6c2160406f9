/**
 * Whom one knows: keys of identities, and the names that one has given them (docs/protocol.md, section 9).
 *
 * Pure: who has the book keeps it. A contact is found by its key's fingerprint, so that one can be added from
 * what somebody reads out on the phone, before its key has ever been seen.
 */
import { type Bytes, type Rng, systemRng, unhex, utf8 } from "../crypto/bytes";
import { MalformedError, ValidationError } from "../crypto/errors";
import { checkPublic, DIGITS, fingerprint, IdentityKey } from "../crypto/identity";
import { caseFold, checkName, lookAlike } from "../crypto/names";
import { Codec, WireError } from "../wire/codec";
import { CommandError, sentence } from "../words/sentence";
import type { Standing } from "./events";

/** Contacts in one book. */
export const CONTACTS_MAX = 2_000;

/** Somebody whose key is in the book. `firstSeen` is in Unix seconds; `public`: null until it is met. */
export interface Contact {
  readonly fingerprint: string;
  readonly petname: string;
  readonly firstSeen: number;
  readonly verified: boolean;
  readonly public: Bytes | null;
}

/** One's own identity and one's contacts. */
export class Contacts {
  readonly own: IdentityKey;
  readonly #byPrint: Map<string, Contact>;

  constructor(own: IdentityKey, contacts: Iterable<Contact> = []) {
    this.own = own;
    this.#byPrint = new Map([...contacts].map((contact) => [contact.fingerprint, contact]));
  }

  /** A new identity that knows nobody. */
  static async make(rng: Rng = systemRng): Promise<Contacts> {
    return new Contacts(await IdentityKey.generate(rng));
  }

  // -- looking up ----------------------------------------------------------------------------------------

  /** All contacts, by name. */
  everybody(): Contact[] {
    const key = (c: Contact): [string, string] => [caseFold(c.petname), c.fingerprint];
    return [...this.#byPrint.values()].sort((a, b) => {
      const [one, other] = [key(a), key(b)];
      return byCodePoints(one[0], other[0]) || byCodePoints(one[1], other[1]);
    });
  }

  /** The contact with that key (32 bytes). */
  find(key: Bytes | null): Contact | null {
    return key === null ? null : (this.#byPrint.get(fingerprint(key)) ?? null);
  }

  /** How well that key (32 bytes; null: no identity was shown) is known. */
  standing(key: Bytes | null): Standing {
    const contact = this.find(key);
    if (contact === null) return key === null ? "none" : "new";
    return contact.verified ? "verified" : "known";
  }

  /** Contacts who are called so, or by a name that looks like it. */
  alike(name: string): Contact[] {
    return this.everybody().filter((contact) => lookAlike(contact.petname, name));
  }

  /** The contact that `what` names: its petname, or its fingerprint; CommandError if there is none. */
  named(what: string): Contact {
    const digits = digitsOf(what);
    for (const contact of this.#byPrint.values())
      if (what === contact.petname || digits === contact.fingerprint) return contact;
    throw new CommandError(sentence("cant.no_contact", { what }));
  }

  // -- changing ------------------------------------------------------------------------------------------

  /**
   * A contact by what it has told: its fingerprint, or its public key in hex.
   *
   * CommandError if `key` is neither, it is there already, it is one's own, or the name is not allowed or
   * looks like that of another contact.
   */
  add(key: string, petname: string, now: number): Contact {
    let known: Bytes | null = null;
    let digits = digitsOf(key);
    if (digits === null) {
      try {
        known = checkPublic(unhex(key.replace(/[\s-]/gu, "")));
        digits = fingerprint(known);
      } catch (error) {
        if (!(error instanceof RangeError || error instanceof MalformedError)) throw error;
        throw new CommandError(sentence("cant.no_key", { digits: DIGITS }));
      }
    }
    const there = this.#byPrint.get(digits);
    if (there !== undefined) throw new CommandError(sentence("cant.in_book", { petname: there.petname }));
    return this.#put({
      fingerprint: digits,
      petname,
      firstSeen: Math.floor(now),
      verified: false,
      public: known,
    });
  }

  /**
   * Put a key that was met (32 bytes) in the book, or name it anew, or mark it as verified too.
   *
   * `petname` is needed for one that isn't there yet. CommandError as of `add`.
   */
  learn(key: Bytes, petname: string | null, now: number, verified = false): Contact {
    const known = this.find(key);
    if (known === null) {
      if (petname === null) throw new CommandError(sentence("cant.contact_name"));
      return this.#put({
        fingerprint: fingerprint(key),
        petname,
        firstSeen: Math.floor(now),
        verified,
        public: key,
      });
    }
    return this.#put({
      ...known,
      petname: petname || known.petname,
      verified: known.verified || verified,
      public: key,
    });
  }

  /** Another name for it. CommandError when it is not allowed, or looks like that of another. */
  rename(contact: Contact, petname: string): Contact {
    return this.#put({ ...contact, petname });
  }

  /** Its owner has read out its fingerprint, and it was the same. */
  verify(contact: Contact): Contact {
    return this.#put({ ...contact, verified: true });
  }

  /** It is in the book no more. */
  forget(contact: Contact): void {
    this.#byPrint.delete(contact.fingerprint);
  }

  #put(contact: Contact): Contact {
    try {
      checkName(contact.petname);
    } catch (error) {
      if (!(error instanceof ValidationError)) throw error;
      throw new CommandError(sentence("cant.petname", { why: error.sentence }));
    }
    if (contact.fingerprint === fingerprint(this.own.public))
      throw new CommandError(sentence("cant.own_key"));
    for (const other of this.alike(contact.petname))
      if (other.fingerprint !== contact.fingerprint)
        throw new CommandError(sentence("cant.known_as", { petname: other.petname }));
    if (!this.#byPrint.has(contact.fingerprint) && this.#byPrint.size >= CONTACTS_MAX)
      throw new CommandError(sentence("cant.book_full", { most: CONTACTS_MAX }));
    this.#byPrint.set(contact.fingerprint, contact);
    return contact;
  }
}

// -- as bytes ----------------------------------------------------------------------------------------------

interface Book {
  readonly type: "book";
  readonly version: 1;
  readonly private: Bytes;
  readonly contacts: readonly {
    readonly fingerprint: string;
    readonly petname: string;
    readonly first_seen: number;
    readonly verified: boolean;
    readonly public: Bytes | null;
  }[];
}

const codec = new Codec<Book>(
  {
    Book: {
      tag: "book",
      fields: {
        version: [["one of", [1]]],
        private: [["bytes", 0, null]],
        contacts: [["list", ["struct", "Entry"], 0, CONTACTS_MAX]],
      },
    },
    Entry: {
      tag: null,
      fields: {
        fingerprint: [["str", 0, null, `^[0-9]{${DIGITS}}$`]],
        petname: [["str", 0, null, null]],
        first_seen: [["int", 0, null]],
        verified: [["bool"]],
        public: [["or null", ["bytes", 0, null]]],
      },
    },
  },
  ["Book"],
);
const TYPE = '{"type":"book",';

/** UTF-8 JSON with the private key in it, as the headless client keeps it: for a sealed place alone. */
export function encodeContacts(book: Contacts): Bytes {
  const contacts = book.everybody().map((c) => ({
    fingerprint: c.fingerprint,
    petname: c.petname,
    first_seen: c.firstSeen,
    verified: c.verified,
    public: c.public,
  }));
  const text = codec.encode({ type: "book", version: 1, private: book.own.private, contacts });
  return utf8(`{${text.slice(TYPE.length)}`);
}

/** MalformedError for anything that `encodeContacts` didn't make. */
export async function decodeContacts(data: Uint8Array): Promise<Contacts> {
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(data);
    if (!/^\s*\{\s*"(?!type")/u.test(text)) throw new MalformedError("a contact book that can't be read");
    const book = codec.decode(text.replace("{", TYPE));
    const contacts = book.contacts.map((entry): Contact => {
      if (entry.public !== null && fingerprint(entry.public) !== entry.fingerprint)
        throw new MalformedError("a contact whose key and fingerprint differ");
      checkName(entry.petname);
      const { fingerprint: print, petname, first_seen: firstSeen, verified } = entry;
      return { fingerprint: print, petname, firstSeen, verified, public: entry.public };
    });
    if (new Set(contacts.map((contact) => contact.fingerprint)).size !== contacts.length)
      throw new MalformedError("a contact book that holds a contact twice");
    return new Contacts(await IdentityKey.fromPrivate(book.private), contacts);
  } catch (error) {
    if (error instanceof WireError || error instanceof TypeError || error instanceof ValidationError)
      throw new MalformedError(`a contact book that can't be read: ${error.message.slice(0, 120)}`);
    throw error;
  }
}

/** As Python orders texts: by code points, not by UTF-16 units. */
function byCodePoints(one: string, other: string): number {
  const [a, b] = [[...one], [...other]];
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    const difference = (a[i]?.codePointAt(0) ?? 0) - (b[i]?.codePointAt(0) ?? 0);
    if (difference) return difference;
  }
  return a.length - b.length;
}

/** A fingerprint as people write it, with spaces or hyphens between, or null. */
function digitsOf(text: string): string | null {
  const bare = text.replace(/[\s-]/gu, "");
  return new RegExp(`^[0-9]{${DIGITS}}$`).test(bare) ? bare : null;
}
