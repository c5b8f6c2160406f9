/**
 * QR codes (ISO/IEC 18004) of bytes, with medium error correction: as much as an invite needs.
 *
 * It is a quarter of the size of a complete library; tests compare it with one, module by module.
 */
import { utf8 } from "../crypto/bytes";

/** For versions 1 to 40 at level M: error correction bytes in each block, and number of blocks. */
const CORRECTION = [
  10, 16, 26, 18, 24, 16, 18, 22, 22, 26, 30, 22, 22, 24, 24, 28, 28, 26, 26, 26, 26, 28, 28, 28, 28, 28, 28, 28, 28,
  28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28,
];
const BLOCKS = [
  1, 1, 1, 2, 2, 4, 4, 4, 5, 5, 5, 8, 9, 9, 10, 10, 11, 13, 14, 16, 17, 17, 18, 20, 21, 23, 25, 26, 28, 29, 31, 33, 35,
  37, 38, 40, 43, 45, 47, 49,
];

/** Multiply in GF(256) modulo x^8 + x^4 + x^3 + x^2 + 1. */
function times(one: number, other: number): number {
  let product = 0;
  for (let bit = 7; bit >= 0; bit--) {
    product = (product << 1) ^ ((product >>> 7) * 0x11d);
    product ^= ((other >>> bit) & 1) * one;
  }
  return product;
}

/** Return the generator polynomial's coefficients below the leading one, highest first. */
function generator(degree: number): number[] {
  const poly = [...new Array<number>(degree - 1).fill(0), 1];
  let root = 1;
  for (let i = 0; i < degree; i++) {
    for (let j = 0; j < degree; j++) poly[j] = times(poly[j] ?? 0, root) ^ (poly[j + 1] ?? 0);
    root = times(root, 2);
  }
  return poly;
}

function remainder(data: readonly number[], by: readonly number[]): number[] {
  const rest = by.map(() => 0);
  for (const byte of data) {
    const factor = byte ^ (rest.shift() ?? 0);
    rest.push(0);
    by.forEach((value, i) => {
      rest[i] = (rest[i] ?? 0) ^ times(value, factor);
    });
  }
  return rest;
}

/** Return the centres of the alignment patterns along each side. */
function alignments(version: number): number[] {
  if (version === 1) return [];
  const count = Math.floor(version / 7) + 2;
  const step = version === 32 ? 26 : Math.ceil((version * 4 + 4) / (count * 2 - 2)) * 2;
  const places = Array.from({ length: count - 1 }, (_, i) => version * 4 + 10 - i * step);
  return [6, ...places.reverse()];
}

/** Return the number of bytes in a symbol of that version, including error correction. */
function room(version: number): number {
  let modules = (16 * version + 128) * version + 64;
  if (version >= 2) {
    const count = Math.floor(version / 7) + 2;
    modules -= (25 * count - 10) * count - 55;
    if (version >= 7) modules -= 36;
  }
  return Math.floor(modules / 8);
}

const MASKS: readonly ((x: number, y: number) => boolean)[] = [
  (x, y) => (x + y) % 2 === 0,
  (_, y) => y % 2 === 0,
  (x) => x % 3 === 0,
  (x, y) => (x + y) % 3 === 0,
  (x, y) => (Math.floor(x / 3) + Math.floor(y / 2)) % 2 === 0,
  (x, y) => ((x * y) % 2) + ((x * y) % 3) === 0,
  (x, y) => (((x * y) % 2) + ((x * y) % 3)) % 2 === 0,
  (x, y) => (((x + y) % 2) + ((x * y) % 3)) % 2 === 0,
];

/**
 * Return the rows of the smallest symbol that holds the text: true is dark. RangeError beyond 2,331 bytes of UTF-8.
 *
 * `mask` (0 to 7): the one with the smallest penalty by default.
 */
export function qr(text: string, mask?: number): readonly (readonly boolean[])[] {
  const bytes = utf8(text);
  let version = 1;
  const holds = () => room(version) - (CORRECTION[version - 1] ?? 0) * (BLOCKS[version - 1] ?? 0);
  const head = () => (version < 10 ? 2 : 3);
  while (bytes.length + head() > holds()) if (++version > 40) throw new RangeError("too long for a QR code");

  const bits: number[] = [];
  const put = (value: number, count: number) => {
    for (let i = count - 1; i >= 0; i--) bits.push((value >>> i) & 1);
  };
  put(4, 4);
  put(bytes.length, version < 10 ? 8 : 16);
  for (const byte of bytes) put(byte, 8);
  put(0, 4);
  const data: number[] = [];
  for (let i = 0; i < bits.length; i += 8) data.push(bits.slice(i, i + 8).reduce((byte, bit) => byte * 2 + bit, 0));
  for (let pad = 0xec; data.length < holds(); pad ^= 0xec ^ 0x11) data.push(pad);

  const all = interleaved(data, version);
  const symbol = new Modules(version);
  symbol.data(all);
  const chosen = mask ?? symbol.best();
  symbol.mask(chosen);
  symbol.format(chosen);
  return symbol.rows;
}

function interleaved(data: readonly number[], version: number): number[] {
  const blocks = BLOCKS[version - 1] ?? 1;
  const by = generator(CORRECTION[version - 1] ?? 0);
  const short = Math.floor(data.length / blocks);
  const long = data.length % blocks;
  const pieces: number[][] = [];
  for (let i = 0, at = 0; i < blocks; i++) {
    const size = short + (i < blocks - long ? 0 : 1);
    pieces.push(data.slice(at, at + size));
    at += size;
  }
  const checks = pieces.map((piece) => remainder(piece, by));
  const done: number[] = [];
  for (let i = 0; i <= short; i++) for (const piece of pieces) if (i < piece.length) done.push(piece[i] ?? 0);
  for (let i = 0; i < by.length; i++) for (const check of checks) done.push(check[i] ?? 0);
  return done;
}

/** The modules of a symbol; `#fixed` marks those without data. */
class Modules {
  readonly rows: boolean[][];
  readonly #size: number;
  readonly #fixed: boolean[][];

  constructor(version: number) {
    const size = version * 4 + 17;
    this.#size = size;
    const empty = () => Array.from({ length: size }, () => new Array<boolean>(size).fill(false));
    this.rows = empty();
    this.#fixed = empty();
    for (let i = 0; i < size; i++) {
      this.#put(6, i, i % 2 === 0);
      this.#put(i, 6, i % 2 === 0);
    }
    for (const [x, y] of [[3, 3], [size - 4, 3], [3, size - 4]] as const) {
      for (let dy = -4; dy <= 4; dy++) {
        for (let dx = -4; dx <= 4; dx++) {
          const far = Math.max(Math.abs(dx), Math.abs(dy));
          this.#put(x + dx, y + dy, far !== 2 && far !== 4);
        }
      }
    }
    const places = alignments(version);
    const last = places.length - 1;
    places.forEach((x, i) => places.forEach((y, j) => {
      if ((i === 0 && j === 0) || (i === 0 && j === last) || (i === last && j === 0)) return;
      for (let dy = -2; dy <= 2; dy++) {
        for (let dx = -2; dx <= 2; dx++) this.#put(x + dx, y + dy, Math.max(Math.abs(dx), Math.abs(dy)) !== 1);
      }
    }));
    this.format(0);
    if (version >= 7) this.#version(version);
  }

  #put(x: number, y: number, dark: boolean): void {
    const row = this.rows[y];
    const fixed = this.#fixed[y];
    if (row === undefined || fixed === undefined || x < 0 || x >= this.#size) return;
    row[x] = dark;
    fixed[x] = true;
  }

  /** Write the format twice: level M (its bits are 00) and the mask, with 10 bits of error correction. */
  format(mask: number): void {
    let rest = mask;
    for (let i = 0; i < 10; i++) rest = (rest << 1) ^ ((rest >>> 9) * 0x537);
    const bits = ((mask << 10) | rest) ^ 0x5412;
    const bit = (i: number) => ((bits >>> i) & 1) === 1;
    const size = this.#size;
    for (let i = 0; i < 15; i++) {
      if (i < 6) this.#put(8, i, bit(i));
      else if (i < 8) this.#put(8, i + 1, bit(i));
      else if (i === 8) this.#put(7, 8, bit(i));
      else this.#put(14 - i, 8, bit(i));
      if (i < 8) this.#put(size - 1 - i, 8, bit(i));
      else this.#put(8, size - 15 + i, bit(i));
    }
    this.#put(8, size - 8, true);
  }

  #version(version: number): void {
    let rest = version;
    for (let i = 0; i < 12; i++) rest = (rest << 1) ^ ((rest >>> 11) * 0x1f25);
    const bits = (version << 12) | rest;
    for (let i = 0; i < 18; i++) {
      const dark = ((bits >>> i) & 1) === 1;
      const a = this.#size - 11 + (i % 3);
      const b = Math.floor(i / 3);
      this.#put(a, b, dark);
      this.#put(b, a, dark);
    }
  }

  /** Place the bytes in pairs of columns from the right, alternately upwards and downwards. */
  data(bytes: readonly number[]): void {
    const size = this.#size;
    let at = 0;
    for (let right = size - 1; right >= 1; right -= 2) {
      if (right === 6) right = 5;
      for (let i = 0; i < size; i++) {
        const y = ((right + 1) & 2) === 0 ? size - 1 - i : i;
        for (const x of [right, right - 1]) {
          if (this.#fixed[y]?.[x] !== false || at >= bytes.length * 8) continue;
          const row = this.rows[y];
          if (row) row[x] = (((bytes[at >>> 3] ?? 0) >>> (7 - (at & 7))) & 1) === 1;
          at++;
        }
      }
    }
  }

  /** Apply a mask; a second call undoes it. */
  mask(number: number): void {
    const flips = MASKS[number];
    this.rows.forEach((row, y) => {
      row.forEach((dark, x) => {
        if (this.#fixed[y]?.[x] === false && flips?.(x, y)) row[x] = !dark;
      });
    });
  }

  best(): number {
    let best = 0;
    let least = Number.POSITIVE_INFINITY;
    for (let number = 0; number < MASKS.length; number++) {
      this.mask(number);
      this.format(number);
      const penalty = this.#penalty();
      if (penalty < least) [best, least] = [number, penalty];
      this.mask(number);
    }
    return best;
  }

  /** Return the standard's penalty: for runs, blocks, patterns like a finder, and an excess of one colour. */
  #penalty(): number {
    const size = this.#size;
    let sum = 0;
    let dark = 0;
    const columns = Array.from({ length: size }, (_, x) => this.rows.map((row) => row[x] === true));
    for (const line of [...this.rows, ...columns]) {
      const text = line.map(Number).join("");
      for (const run of text.match(/0{5,}|1{5,}/g) ?? []) sum += run.length - 2;
      for (let i = 0; i <= size - 11; i++) if (/^(?:10111010000|00001011101)/.test(text.slice(i, i + 11))) sum += 40;
    }
    this.rows.forEach((row, y) => row.forEach((here, x) => {
      if (here) dark++;
      const below = this.rows[y + 1];
      if (below && x + 1 < size && row[x + 1] === here && below[x] === here && below[x + 1] === here) sum += 3;
    }));
    return sum + Math.floor(Math.abs((dark * 20) / (size * size) - 10)) * 10;
  }
}
