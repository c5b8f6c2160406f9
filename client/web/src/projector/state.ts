/** The answer of `/state` (lab/demo/projector.py): a member's view and the server's, of the same second. */
import type { Severity } from "../session/incidents";
import type { Now } from "../landlord/now";
import type { Sentence } from "../words/sentence";
import type { TreeView } from "../worker/messages";

/** What the page of one member would show. */
export interface MemberView {
  readonly name: string;
  readonly title: string;
  readonly people: readonly { readonly name: string; readonly leaf: number; readonly host: boolean; readonly self: boolean }[];
  readonly chat: readonly { readonly name: string; readonly text: string }[];
  /** 40 digits; null: not known yet. */
  readonly code: string | null;
  /** Members who are heard, members who are seen, and the frames of theirs that were opened. */
  readonly sounds: number;
  readonly videos: number;
  readonly opened: number;
  readonly tree: readonly TreeView[];
}

/** A line on a member's screen. */
export interface Told {
  readonly member: string;
  readonly number: number;
  readonly kind: string;
  readonly severity: Severity;
  readonly text: Sentence;
}

/** What was sought, and of how many members each server's memory has it; null: it was not searched. */
export interface Compared {
  readonly what: "names" | "chat" | "frames" | "audio";
  readonly snug: number | null;
  readonly ordinary: number | null;
}

/** The same search in two servers, after a meeting of `all` members at each. */
export interface Contrast {
  readonly all: number;
  readonly rows: readonly Compared[];
}

/** A meeting at an ordinary server that goes on beside this one. `number`: a text that its server holds. */
export interface Beside {
  readonly names: readonly string[];
  readonly number: string;
}

/** The question that phones vote on; most is missing until one is asked. `counts` come with the answer. */
export interface Voting {
  readonly address: string;
  readonly question: string | null;
  readonly stage?: "open" | "closed" | "revealed";
  readonly choices?: number;
  readonly right?: number | null;
  readonly voted: number;
  readonly phones: number;
  readonly counts: readonly number[] | null;
}

/** Something that was done in a recording, and with what. */
export interface Played {
  readonly deed: string;
  readonly told: Readonly<Record<string, string>>;
}

/** Return whether something can be done now: anything in a lecture that is held, else what was recorded. */
export const possible = ({ played }: Pick<State, "played">, deed: string, about: Readonly<Record<string, string>> = {}): boolean =>
  played === null || played.some((each) => each.deed === deed && Object.entries(about).every(([name, value]) => each.told[name] === value));

/** Return a text that was typed in the recording of this step; null if the lecture is held now, or if none was. */
export const typed = ({ played }: Pick<State, "played">, deed: string, name: string): string | null =>
  played?.find((each) => each.deed === deed)?.told[name] ?? null;

export interface State {
  readonly member: MemberView;
  /** What is open on the screens of the lecture's members, by member, the most severe first. */
  readonly incidents: readonly Told[];
  /** The acts that the server can play against the meeting. */
  readonly acts: readonly string[];
  /**
   * The act that was played last: the seconds until it is over, and until nobody is told of it any more. `again`: members
   * report what it leaves once in a meeting, and have done so.
   */
  readonly act: { readonly act: string; readonly left: number; readonly told: number; readonly again: boolean } | null;
  readonly victim: string;
  /** Null: no meeting was held at an ordinary server yet. */
  readonly contrast: Contrast | null;
  /** The first server was killed. */
  readonly killed: boolean;
  /** Those who can be removed, the last one next. */
  readonly guests: readonly string[];
  /** What a recording has of this step, in its order; null: the lecture is held now. */
  readonly played: readonly Played[] | null;
  /** Null: it does not run. */
  readonly beside: Beside | null;
  /** Null: phones cannot vote in this lecture. */
  readonly votes: Voting | null;
  /** The answer of the server's window; null: it does not answer. */
  readonly server: Now | null;
}

/** The same line on several screens. */
export interface Line {
  readonly severity: Severity;
  readonly text: Sentence;
  readonly members: readonly string[];
}

const RANK: Readonly<Record<Severity, number>> = { attack: 0, attention: 1, calm: 2 };

/** Return the lines that members see, the most severe first; each once, with the names of all who see it. */
export function linesOf(incidents: readonly Told[]): readonly Line[] {
  const lines = new Map<string, Line>();
  for (const { severity, text, member } of incidents) {
    const key = JSON.stringify([severity, text]);
    const before = lines.get(key)?.members ?? [];
    lines.set(key, { severity, text, members: [...before, member] });
  }
  return [...lines.values()].sort((a, b) => RANK[a.severity] - RANK[b.severity]);
}
