/** Digits to be read out: a code, or the fingerprint of an identity. */
import { word } from "../../../words";

/** Return digits in groups of five. */
export const groups = (digits: string): readonly string[] => digits.replace(/\s/g, "").match(/.{1,5}/gu) ?? [];

export const Digits = ({ digits }: { readonly digits: string }) => (
  <p class="code-digits" aria-label={word("meet.code_digits")} role="group">
    {groups(digits).map((group, place) => (
      <span key={place}>{group}</span>
    ))}
  </p>
);
