/**
 * "Find my name": the forms in which a text may stand in the server's memory, and the search that the server makes
 * (server/memory_search.py). The server gets each form under a mask: it must not hold the text because somebody asks.
 */
import { type Bytes, hex, type Rng, systemRng, unhex, utf8 } from "../crypto/bytes";
import type { Now } from "./now";

/** Characters of a text: a shorter one is part of many words, a longer one is no name. */
export const TEXT_MIN = 3;
export const TEXT_MAX = 60;
/** Bytes from which on hex and Base64 of a text are not found by chance. */
const ENCODED_MIN = 6;
const MASK_SIZE = 32;

/** One form of a text. `width`: bytes of a character if it is the text itself; 0: an encoding of its bytes. */
export interface Form {
  readonly bytes: Bytes;
  readonly width: 0 | 1 | 2 | 4;
}

/** The answer of `/find`: `hits` in the order of the forms. */
export interface Searched {
  readonly read: number;
  readonly complete: boolean;
  readonly processes: number;
  readonly silent: number;
  readonly hits: readonly { readonly in_files: number; readonly elsewhere: number; readonly around: readonly string[] }[];
}

/** What is known to be in the memory: finding it shows that the search can find. */
export interface Control {
  readonly name: "room" | "key" | "number";
  readonly form: Form;
}

/** The result of a search for `text`. `files`: occurrences in the program's own files, which are the same everywhere. */
export interface Finding {
  readonly text: string;
  readonly control: Control["name"];
  readonly controlFound: boolean;
  readonly memory: number;
  readonly files: number;
  readonly around: readonly string[];
  readonly read: number;
  readonly processes: number;
  /** The server could search all of its memory. */
  readonly whole: boolean;
}

/** A search of the server's memory: its result, or why there is none. null: nobody has searched. */
export type Hunt = "searching" | Finding | { readonly failed: string } | null;

/** Have the server search for a text: `ask` sends it the request, and returns null without an answer. */
export async function hunted(
  text: string,
  control: Control,
  ask: (body: string) => Promise<Searched | { readonly failed: string } | null>,
): Promise<Hunt> {
  const searched = await ask(request([...formsOf(text), control.form], systemRng));
  if (searched === null) return { failed: "" };
  return "failed" in searched ? searched : findingOf(text, control, searched);
}

/** Return a text with so many bytes for each character, as Python holds it; null if a character needs more. */
function wide(text: string, width: 1 | 2 | 4): Bytes | null {
  const points = [...text].map((character) => character.codePointAt(0) ?? 0);
  if (points.some((point) => point >= 2 ** (8 * width))) return null;
  const bytes = new Uint8Array(points.length * width);
  points.forEach((point, i) => {
    for (let k = 0; k < width; k++) bytes[i * width + k] = (point / 2 ** (8 * k)) & 255;
  });
  return bytes;
}

/** Return the characters of the Base64 of `data` that consist of its own bits alone, `before` bytes into a group. */
function base64(data: Bytes, before: number): string {
  const all = btoa(String.fromCharCode(...new Uint8Array(before), ...data));
  return all.slice(Math.ceil((before * 8) / 6), Math.floor(((before + data.length) * 8) / 6));
}

/** Return a text as JSON writes it with ASCII alone. */
const escaped = (text: string): string =>
  text.replace(/[^ -~]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);

/** Return the forms of a text: itself in the encodings that Python uses, and its bytes in hex and Base64. */
export function formsOf(text: string): readonly Form[] {
  const plain = utf8(text);
  const found: Form[] = [{ bytes: plain, width: 1 }];
  for (const width of [1, 2, 4] as const) {
    const bytes = wide(text, width);
    if (bytes !== null && (width > 1 || bytes.length !== plain.length)) found.push({ bytes, width });
  }
  if (escaped(text) !== text) found.push({ bytes: utf8(escaped(text)), width: 1 });
  if (plain.length < ENCODED_MIN) return found;
  const standard = [0, 1, 2].map((before) => base64(plain, before));
  const url = standard.map((each) => each.replaceAll("+", "-").replaceAll("/", "_"));
  const encoded = new Set([hex(plain), hex(plain).toUpperCase(), ...standard, ...url]);
  return [...found, ...[...encoded].map((each): Form => ({ bytes: utf8(each), width: 0 }))];
}

/** Return what the server must hold: the number of its first room, else the name of one of its keys. */
export function controlOf({ disclosure }: Now): Control {
  const [room] = disclosure.rooms;
  if (room !== undefined) return { name: "room", form: { bytes: unhex(room.number), width: 0 } };
  return { name: "key", form: { bytes: utf8(disclosure.own_keys[0] ?? ""), width: 1 } };
}

/** Return the request for these forms, under a mask of random bytes. */
export function request(forms: readonly Form[], rng: Rng): string {
  const mask = rng(MASK_SIZE);
  const packed = (bytes: Bytes): string => btoa(String.fromCharCode(...bytes));
  return JSON.stringify({
    mask: packed(mask),
    forms: forms.map(({ bytes, width }) => ({ masked: packed(bytes.map((byte, i) => byte ^ (mask[i % MASK_SIZE] ?? 0))), width })),
  });
}

/** Return the finding of an answer to the request for `formsOf(text)` and, last, the control's form. */
export function findingOf(text: string, control: Control, searched: Searched): Finding {
  const texts = searched.hits.slice(0, -1);
  const last = searched.hits.at(-1);
  const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
  return {
    text,
    control: control.name,
    controlFound: last !== undefined && last.in_files + last.elsewhere > 0,
    memory: sum(texts.map(({ elsewhere }) => elsewhere)),
    files: sum(texts.map(({ in_files }) => in_files)),
    around: [...new Set(texts.flatMap(({ around }) => around))].slice(0, 3),
    read: searched.read,
    processes: searched.processes,
    whole: searched.complete && searched.silent === 0,
  };
}
