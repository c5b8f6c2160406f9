/** Facts about a person's name and identity for a host to know before it admits them. */
import type { Bytes } from "../../crypto/bytes";
import { fingerprint } from "../../crypto/proof/identity";
import { lookAlike } from "../../crypto/agreed/names";
import { type Sentence, sentence } from "../../words/sentence";
import type { Contacts } from "./contacts";
import type { Standing } from "../events";

/** How well an identity is known, its contact name, and oddities, a sentence each. */
export interface IdentityCheck {
  readonly standing: Standing;
  readonly contact: string | null;
  readonly fingerprint: string | null;
  readonly warnings: readonly Sentence[];
}

/**
 * Judge a person named `name` with the proven identity `key` (32 bytes; null: none).
 *
 * `waiting`: (knock, name) of the others who wait. Without a contact book every identity is new. `verb`: whether the
 * person knocks or is in the room.
 */
export function checkIdentity(
  name: string,
  key: Bytes | null,
  contacts: Contacts | null,
  waiting: Iterable<readonly [number, string]> = [],
  verb: "knocks" | "here" = "knocks",
): IdentityCheck {
  let standing: Standing = key === null ? "none" : "new";
  const contact = contacts === null ? null : contacts.find(key);
  const warnings: Sentence[] = [];
  if (contacts !== null) {
    standing = contacts.standing(key);
    const fits = contact !== null && lookAlike(contact.petname, name);
    if (contact !== null && !fits) warnings.push(sentence("warning.known_as", { petname: contact.petname }));
    // Contacts with another key only: of several similar contacts, the key identifies the right one.
    for (const other of fits ? [] : contacts.alike(name))
      warnings.push(impostor(other.petname, name, key, verb));
  }
  for (const [knock, other] of waiting) {
    if (other === name) warnings.push(sentence("warning.same_waits", { knock, name: other }));
    else if (lookAlike(other, name)) warnings.push(sentence("warning.alike_waits", { knock, name: other }));
  }
  return {
    standing,
    contact: contact === null ? null : contact.petname,
    fingerprint: key === null ? null : fingerprint(key),
    warnings,
  };
}

function impostor(petname: string, name: string, key: Bytes | null, verb: "knocks" | "here"): Sentence {
  const which = key === null ? "no_key" : "other_key";
  return sentence(petname === name ? `warning.${verb}.${which}` : `warning.alike.${which}`, { petname });
}
