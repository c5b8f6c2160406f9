/**
 * The shape of code art, computed from the 40 digits of the code alone.
 *
 * `client/cli/code_art.py` is its twin: both derive the same choices from the same bytes
 * (tests/web/shared/code_art.json). Code art is for a quick comparison: its shapes make up about 30 bits. Only
 * the digits are decisive.
 */
import { sha256 } from "@noble/hashes/sha2.js";
import { utf8 } from "../crypto/bytes";

export const PETALS = [5, 6, 7, 8, 9, 10, 12, 16] as const;
export const OUTLINES = ["round", "pointed", "wave", "twin", "broad", "spire"] as const;
export const WEAVES = ["straight", "left", "right", "crossed"] as const;
export const DEPTHS = ["shallow", "middle", "deep"] as const;
export const TURNS = ["upright", "between"] as const;
export const MARKS = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12] as const;
export const EDGES = ["line", "double", "beads", "teeth", "scallops", "rays"] as const;
export const RINGS = ["none", "double", "beads", "dashes", "rope", "spokes"] as const;
export const EYES = ["star", "polygon", "flower", "wheel"] as const;
export const POINTS = [3, 4, 5, 6, 7, 8] as const;
export const FILLS = ["hollow", "petals", "eye", "both"] as const;
export const GAPS = ["none", "dots", "rings", "spears"] as const;
export const TINTS = ["brass", "moss", "lake", "plum", "rust", "slate"] as const;

/** Twelve choices that people can tell apart without colour, and a tint. */
export interface CodeArtShape {
  readonly petals: (typeof PETALS)[number];
  readonly outline: (typeof OUTLINES)[number];
  /** The direction in which the inner lines are wound. */
  readonly weave: (typeof WEAVES)[number];
  /** The depth of the gaps between petals. */
  readonly depth: (typeof DEPTHS)[number];
  /** Whether a petal or a gap points up. */
  readonly turn: (typeof TURNS)[number];
  /** The hour at which the mark in the edge stands. */
  readonly mark: (typeof MARKS)[number];
  readonly edge: (typeof EDGES)[number];
  readonly ring: (typeof RINGS)[number];
  readonly eye: (typeof EYES)[number];
  /** Number of points of the eye. */
  readonly points: (typeof POINTS)[number];
  readonly fill: (typeof FILLS)[number];
  readonly gaps: (typeof GAPS)[number];
  readonly tint: (typeof TINTS)[number];
}

/** Return the shape for a code of 40 digits: one byte of SHA-256(digits) selects each choice, in this order. */
export function codeArtOf(digits: string): CodeArtShape {
  const bytes = sha256(utf8(digits));
  let at = 0;
  const one = <T>(choices: readonly T[]): T => choices[(bytes[at++] ?? 0) % choices.length] as T;
  return {
    petals: one(PETALS),
    outline: one(OUTLINES),
    weave: one(WEAVES),
    depth: one(DEPTHS),
    turn: one(TURNS),
    mark: one(MARKS),
    edge: one(EDGES),
    ring: one(RINGS),
    eye: one(EYES),
    points: one(POINTS),
    fill: one(FILLS),
    gaps: one(GAPS),
    tint: one(TINTS),
  };
}

/** Outlines of a petal, as functions of the position across it, -0.5 to 0.5: 1 at the tip, 0 in the gaps. */
export const PROFILES: Readonly<Record<CodeArtShape["outline"], (across: number) => number>> = {
  round: (u) => Math.sqrt(Math.cos(Math.PI * u)),
  pointed: (u) => 1 - 2 * Math.abs(u),
  wave: (u) => (1 + Math.cos(2 * Math.PI * u)) / 2,
  // two tips, with a cleft between them
  twin: (u) => Math.sqrt(Math.abs(Math.cos(Math.PI * u))) * (1 - 0.42 * Math.exp(-((u / 0.09) ** 2))),
  broad: (u) => Math.min(1, 3.2 * (0.5 - Math.abs(u))) ** 0.6,
  spire: (u) => (1 - 2 * Math.abs(u)) ** 2,
};

/** Depth of the gaps between petals, out of 100. */
export const DEPTH: Readonly<Record<CodeArtShape["depth"], number>> = { shallow: 13, middle: 23, deep: 34 };

/** Out of 100: radius of the petals' tips, start of the weave, size of the eye. */
export const TIP = 80;
export const RING = 31;
export const EYE = 20;

/** Number of petals by which the innermost line is turned against the outermost. */
export const SHEAR = 1.25;
