/**
 * The code points that Unicode 14.0 assigns: which characters a name may have must not depend on a runtime.
 *
 * Python 3.11 knows Unicode 14.0 and later Pythons and browsers know more. Where one member's library knows a
 * character and another's does not, they would judge the same commit differently. What Unicode promises to
 * keep (normalization, case folding) it promises for assigned code points: within these all runtimes agree.
 */

import { LENGTHS } from "./assignedLengths";

/** Where assigned code points begin and end, by turns. */
const EDGES: number[] = [];
for (const length of LENGTHS.trim().split(/\s+/)) EDGES.push((EDGES.at(-1) ?? 0) + Number.parseInt(length, 36));

/** Whether Unicode 14.0 assigns the character (surrogates and private use count as assigned). */
export function assigned(char: string): boolean {
  const code = char.codePointAt(0) ?? 0;
  let [from, to] = [0, EDGES.length];
  while (from < to) {
    const middle = (from + to) >> 1;
    if (code < (EDGES[middle] ?? 0)) to = middle;
    else from = middle + 1;
  }
  return from % 2 === 1;
}
