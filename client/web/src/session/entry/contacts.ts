/**
 * The contact book: identity keys and the names that their owner gave them (docs/reference/protocol.md section 9).
 *
 * Pure: the caller stores the book. Contacts are indexed by the fingerprint of their key, so that a contact can be
 * added from a fingerprint read out on the phone, before its key is known.
 */
import { type Bytes, type Rng, systemRng, unhex, utf8 } from "../../crypto/bytes";
import { MalformedError, ValidationError } from "../../crypto/errors";
import { checkPublic, DIGITS, fingerprint, IdentityKey } from "../../crypto/proof/identity";
import { checkName, loadLookAlikes, lookAlike } from "../../crypto/agreed/names";
import { caseFold } from "../../crypto/agreed/unicode14";
import { Codec, WireError } from "../../wire/codec";
import { CommandError, sentence } from "../../words/sentence";
import type { Standing } from "../events";

/** Maximum number of contacts in one book. */
export const CONTACTS_MAX = 2_000;

/** A contact in the book. `firstSeen` is in Unix seconds; `public` is null while the key is unknown. */
export interface Contact {
  readonly fingerprint: string;
  readonly petname: string;
  readonly firstSeen: number;
  readonly verified: boolean;
  readonly public: Bytes | null;
}

/** The owner's identity and contacts. */
export class Contacts {
  readonly #byPrint: Map<string, Contact>;

  constructor(readonly own: IdentityKey, contacts: Iterable<Contact> = []) {
    this.#byPrint = new Map([...contacts].map((contact) => [contact.fingerprint, contact]));
  }

  /** Return a book with a new identity and without contacts. */
  static async make(rng: Rng = systemRng): Promise<Contacts> {
    await loadLookAlikes();
    return new Contacts(await IdentityKey.generate(rng));
  }

  /** The fingerprint of the owner's identity. */
  get fingerprint(): string {
    return fingerprint(this.own.public);
  }

  // -- looking up ----------------------------------------------------------------------------------------

  /** Return all contacts, sorted by name. */
  everybody(): Contact[] {
    const key = (c: Contact): [string, string] => [caseFold(c.petname), c.fingerprint];
    return [...this.#byPrint.values()].sort((a, b) => {
      const [one, other] = [key(a), key(b)];
      return byCodePoints(one[0], other[0]) || byCodePoints(one[1], other[1]);
    });
  }

  /** Return the contact with this key (32 bytes), or null. */
  find(key: Bytes | null): Contact | null {
    return key === null ? null : (this.#byPrint.get(fingerprint(key)) ?? null);
  }

  /** Return how well a key (32 bytes; null if no identity was shown) is known. */
  standing(key: Bytes | null): Standing {
    const contact = this.find(key);
    if (contact === null) return key === null ? "none" : "new";
    return contact.verified ? "verified" : "known";
  }

  /** Return the contacts whose name equals this one or looks like it. */
  alike(name: string): Contact[] {
    return this.everybody().filter((contact) => lookAlike(contact.petname, name));
  }

  /** Return the contact with this petname or fingerprint; CommandError if there is no such contact. */
  named(what: string): Contact {
    const digits = digitsOf(what);
    for (const contact of this.#byPrint.values())
      if (what === contact.petname || digits === contact.fingerprint) return contact;
    throw new CommandError(sentence("cannot.no_contact", { what }));
  }

  // -- changing ------------------------------------------------------------------------------------------

  /**
   * Add a contact by its fingerprint, or by its public key in hex.
   *
   * CommandError if `key` is neither, is in the book already, or is the owner's key, or if the name is not allowed or
   * looks like another contact's name.
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
        throw new CommandError(sentence("cannot.no_key", { digits: DIGITS }));
      }
    }
    const there = this.#byPrint.get(digits);
    if (there !== undefined) throw new CommandError(sentence("cannot.in_book", { petname: there.petname }));
    return this.#put({
      fingerprint: digits,
      petname,
      firstSeen: Math.floor(now),
      verified: false,
      public: known,
    });
  }

  /**
   * Add a key (32 bytes) that a member has shown; or rename its contact, or mark it as verified.
   *
   * A new contact needs a `petname`. CommandError as for `add`.
   */
  learn(key: Bytes, petname: string | null, now: number, verified = false): Contact {
    const known = this.find(key);
    if (known === null) {
      if (petname === null) throw new CommandError(sentence("cannot.contact_name"));
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

  /** Rename a contact; CommandError if the name is not allowed or looks like another contact's name. */
  rename(contact: Contact, petname: string): Contact {
    return this.#put({ ...contact, petname });
  }

  /** Mark a contact as verified: the person has read out the same fingerprint. */
  verify(contact: Contact): Contact {
    return this.#put({ ...contact, verified: true });
  }

  /** Remove a contact from the book. */
  forget(contact: Contact): void {
    this.#byPrint.delete(contact.fingerprint);
  }

  #put(contact: Contact): Contact {
    try {
      checkName(contact.petname);
    } catch (error) {
      if (!(error instanceof ValidationError)) throw error;
      throw new CommandError(sentence("cannot.petname", { why: error.sentence }));
    }
    if (contact.fingerprint === fingerprint(this.own.public))
      throw new CommandError(sentence("cannot.own_key"));
    for (const other of this.alike(contact.petname))
      if (other.fingerprint !== contact.fingerprint)
        throw new CommandError(sentence("cannot.known_as", { petname: other.petname }));
    if (!this.#byPrint.has(contact.fingerprint) && this.#byPrint.size >= CONTACTS_MAX)
      throw new CommandError(sentence("cannot.book_full", { most: CONTACTS_MAX }));
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

/** Return UTF-8 JSON with the private key in it, in the headless client's format: only for sealed storage. */
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

/** Read the output of `encodeContacts`; MalformedError for anything else. */
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
    await loadLookAlikes();
    return new Contacts(await IdentityKey.fromPrivate(book.private), contacts);
  } catch (error) {
    if (error instanceof WireError || error instanceof TypeError || error instanceof ValidationError)
      throw new MalformedError(`a contact book that can't be read: ${error.message.slice(0, 120)}`);
    throw error;
  }
}

/** Compare as Python orders strings: by code points, not by UTF-16 units. */
function byCodePoints(one: string, other: string): number {
  const [a, b] = [[...one], [...other]];
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    const difference = (a[i]?.codePointAt(0) ?? 0) - (b[i]?.codePointAt(0) ?? 0);
    if (difference) return difference;
  }
  return a.length - b.length;
}

/** Return the digits of a fingerprint, which may contain spaces or hyphens; null for other text. */
function digitsOf(text: string): string | null {
  const bare = text.replace(/[\s-]/gu, "");
  return new RegExp(`^[0-9]{${DIGITS}}$`).test(bare) ? bare : null;
}
