/**
 * Code points assigned in Unicode 14.0, so that the check of a name does not depend on a runtime's version.
 *
 * Python 3.11 implements Unicode 14.0; later Pythons and browsers implement newer versions. If one member's
 * library knows a character and another's does not, the two members judge the same commit differently.
 * Unicode guarantees stable normalization and case folding for assigned code points only, so all runtimes
 * agree within this set.
 */

import { LENGTHS } from "../assignedLengths";

/** Code points at which runs of assigned characters begin (even indices) and end (odd indices). */
const EDGES: number[] = [];
for (const length of LENGTHS.trim().split(/\s+/)) EDGES.push((EDGES.at(-1) ?? 0) + Number.parseInt(length, 36));

/** Return whether Unicode 14.0 assigns the character. Surrogates and private use count as assigned. */
export function isAssigned(char: string): boolean {
  const code = char.codePointAt(0) ?? 0;
  let [from, to] = [0, EDGES.length];
  while (from < to) {
    const middle = (from + to) >> 1;
    if (code < (EDGES[middle] ?? 0)) to = middle;
    else from = middle + 1;
  }
  return from % 2 === 1;
}
