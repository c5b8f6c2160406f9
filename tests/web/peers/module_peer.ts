// The monitor's parts on a room of paper, driven by steps: the twin of tests/web/paper.py.
//
// Request  {"op": "play", "others": [leaf], "now": seconds, "steps": [[step, target, name, value...]]}
// Answer   {"ok": true, "results": [[result, effects, state]]}, one for each step.
import type { Bytes } from "../../../client/web/src/crypto/bytes";
import { States } from "../../../client/web/src/session/features/states";
import type { Room } from "../../../client/web/src/session/kernel/ports";
import { Delivery } from "../../../client/web/src/session/monitor/delivery";
import { Disorder } from "../../../client/web/src/session/monitor/disorder";
import { Beginning, Freshness } from "../../../client/web/src/session/monitor/freshness";
import type { Heartbeats } from "../../../client/web/src/session/monitor/heartbeats";
import { MemberTable } from "../../../client/web/src/session/monitor/memberTable";
import { Removals } from "../../../client/web/src/session/monitor/removals";
import { Silence } from "../../../client/web/src/session/monitor/silence";
import { UnreadableCommits } from "../../../client/web/src/session/monitor/unreadableCommits";
import { Withholding } from "../../../client/web/src/session/monitor/withholding";
import { lines, answer } from "./lines.mjs";

type Json = Record<string, unknown>;
type Step = readonly [kind: "set" | "put" | "call" | "get", target: string, name: string, ...values: unknown[]];

const isObject = (value: unknown): value is Json => typeof value === "object" && value !== null;

/** The value of JSON, with bytes, maps, sets and records as they are here. */
function read(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(read);
  if (!isObject(value)) return value;
  if (typeof value["$bytes"] === "string") return new Uint8Array(Buffer.from(value["$bytes"], "hex"));
  if (Array.isArray(value["$map"])) return new Map(value["$map"].map(read) as [unknown, unknown][]);
  if (Array.isArray(value["$set"])) return new Set(value["$set"].map(read));
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, read(each)]));
}

/** The value in a form that JSON can hold. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return { $bytes: Buffer.from(value).toString("hex") };
  if (value instanceof Map) return [...value].map(plain);
  if (value instanceof Set) return [...value].sort((a, b) => Number(a) - Number(b)).map(plain);
  if (Array.isArray(value)) return value.map(plain);
  if (value === undefined) return null;
  if (value === Infinity) return "infinity";
  if (!isObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, plain(each)]));
}

/** All that the parts ask of a room. Steps set its fields. */
class Paper {
  rows: readonly { leaf: number; name: string; host: boolean }[] = [];
  keys = new Map<number, Bytes>();
  ownLeaf = 0;
  slot = 0;
  chains = new Map<number, Bytes>();
  servers: readonly string[] = [];
  mirrored = false;
  away = new Map<number, number>();
  synced = true;
  incarnation: Bytes | null = null;
  needsRejoin = false;
  seeksReadmission = false;
  serverSlot: number | null = null;
  stuckAt: number | null = null;
  here = { origin: "https://snug.test" };
  missed: number | null = null;
  effects: unknown[] = [];

  get membership() {
    return {
      members: () => this.rows,
      ownLeaf: this.ownLeaf,
      signatureKey: (leaf: number) => this.keys.get(leaf) ?? null,
      journal: { slot: this.slot, chains: this.chains },
      policy: { servers: this.servers, mirrored: this.mirrored },
    };
  }

  isSynced(): boolean {
    return this.synced;
  }

  feature(kind: unknown): { away: ReadonlyMap<number, number> } {
    if (kind !== States) throw new Error("no such feature on paper");
    return { away: this.away };
  }

  tell(event: unknown): void {
    this.effects.push(event);
  }

  send(message: unknown): void {
    this.effects.push(message);
  }

  // -- as heartbeats of ours

  firstSentAfter(): number | null {
    return this.missed;
  }
}

const STATE: readonly (readonly [string, string])[] = [
  ["members", "leaves"],
  ["members", "others"],
  ["members", "host"],
  ["members", "since"],
  ["members", "heard"],
  ["beginning", "over"],
  ["beginning", "beforeUs"],
  ["withholding", "serverWithholds"],
];

function play({ others, now, steps }: { others: number[]; now: number; steps: readonly Step[] }): unknown[] {
  const paper = new Paper();
  const room = paper as unknown as Room;
  const members = new MemberTable(room, now);
  const disorder = new Disorder(room, members);
  const parts: Record<string, Record<string, unknown>> = Object.fromEntries(
    Object.entries({
      room: paper,
      members,
      disorder,
      ordering: disorder.ordering,
      delivery: new Delivery(),
      freshness: new Freshness(),
      beginning: new Beginning(others),
      silence: new Silence(room, members, paper as unknown as Heartbeats),
      removals: new Removals(room, members),
      withholding: new Withholding(room, members),
      unreadable: new UnreadableCommits(room, members),
    }).map(([name, part]) => [name, part as unknown as Record<string, unknown>]),
  );
  return steps.map(([kind, target, name, ...values]) => {
    const part = parts[target];
    if (part === undefined) throw new Error(`no part ${target}`);
    const given = values.map(read);
    let result: unknown = null;
    if (kind === "set") part[name] = given[0];
    else if (kind === "put") (part[name] as Map<unknown, unknown>).set(given[0], given[1]);
    else if (kind === "get") result = part[name];
    else {
      const method = part[name];
      if (typeof method !== "function") throw new Error(`${target} has no ${name}`);
      result = method.apply(part, given) as unknown;
    }
    const effects = paper.effects.splice(0);
    return [plain(result), plain(effects), STATE.map(([of, field]) => plain(parts[of]?.[field]))];
  });
}

for (const line of lines()) {
  const request = JSON.parse(line) as Json;
  try {
    answer(
      request["op"] === "play"
        ? { ok: true, results: play(request as unknown as Parameters<typeof play>[0]) }
        : { ok: true },
    );
  } catch (error) {
    answer({ ok: false, text: error instanceof Error ? (error.stack ?? error.message) : String(error) });
  }
}
