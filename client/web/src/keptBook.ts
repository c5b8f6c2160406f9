/**
 * The contact book on this device, as the headless client writes it, sealed by `kept.ts`.
 *
 * Page and worker change it, in several tabs: each reads it again, changes it and writes it, one after the other.
 */
import type { Bytes } from "./crypto/bytes";
import { padded, unpadded } from "./crypto/fields";
import { Contacts, decodeContacts, encodeContacts } from "./session/entry/contacts";

// One file for all that a device with a book needs, and no other: each further one would divide the page's chunks.
export { FILE_MAX, openFile, sealFile } from "./sealedFile";
export { Contacts, decodeContacts, encodeContacts };

/** The sealed book has a multiple of so many bytes: its size tells little of its contacts. */
const PAD = 4096;

/** Where the bytes are kept: `KeptMeetings`. */
export interface BookPlace {
  book(): Promise<Bytes | null>;
  keepBook(book: Bytes | null): Promise<void>;
}

/** Return the book; null without one. MalformedError if it is none of this version. */
export async function readBook(place: BookPlace): Promise<Contacts | null> {
  const data = await place.book();
  return data === null ? null : await decodeContacts(unpadded(data));
}

/** Change the book; `change` gets null without one, and returns null to have it forgotten. Return the result. */
export function changeBook(
  place: BookPlace,
  change: (book: Contacts | null) => Contacts | null | Promise<Contacts | null>,
  locks: Pick<LockManager, "request"> | undefined = navigator.locks,
): Promise<Contacts | null> {
  const work = async (): Promise<Contacts | null> => {
    const book = await change(await readBook(place));
    const data = book === null ? null : encodeContacts(book);
    await place.keepBook(data === null ? null : padded(data, Math.ceil((data.length + 4) / PAD) * PAD));
    return book;
  };
  return locks === undefined ? work() : locks.request("snug-book", work);
}
