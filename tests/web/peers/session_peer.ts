// The page's sessions behind JSON lines: a request a line on stdin, its answer a line on stdout.
//
// Request  {"op": name, "who": id, ...}, or an array of them.
// Answer   {"ok": true, ...} or {"ok": false, "kind": the error's name, "text": ...}, or as many in an array.
// Bytes are {"$bytes": hex}; a Sentence goes out as {"$sentence": {key, args}}; messages are the frames that
// would go over the wire. One process holds any number of sessions.
import "./quick_subtle";
import { type Bytes, type Rng, utf8 } from "../../../client/web/src/crypto/bytes";
import { SnugError, ValidationError } from "../../../client/web/src/crypto/errors";
import { H } from "../../../client/web/src/crypto/kdf";
import { FutureEpochError } from "../../../client/web/src/crypto/media/keys";
import { MemberRecoveryData, type MemberRecord } from "../../../client/web/src/crypto/entry/memberRecovery";
import { HostRecoveryData } from "../../../client/web/src/crypto/entry/recovery";
import type { Kind } from "../../../client/web/src/crypto/media/clearHeader";
import { decodeContacts } from "../../../client/web/src/session/entry/contacts";
import { decode as decodeContent } from "../../../client/web/src/session/catalogue/content";
import type { Effect, Input } from "../../../client/web/src/session/events";
import { OPTIONS, type Options } from "../../../client/web/src/session/options";
import { load } from "../../../client/web/src/session/kernel/load";
import type { RoomSession } from "../../../client/web/src/session/kernel/room";
import { Session } from "../../../client/web/src/session/kernel/session";
import { Codec } from "../../../client/web/src/wire/codec";
import {
  type ClientMessage,
  ClientMessageNames,
  schemas,
  type ServerMessage,
  ServerMessageNames,
} from "../../../client/web/src/wire/messages";
import { CommandError, type Sentence, verbatim } from "../../../client/web/src/words/sentence";
import { lines, answer as tell } from "./lines.mjs";

type Json = Record<string, unknown>;

const clientCodec = new Codec<ClientMessage>(schemas, ClientMessageNames);
const serverCodec = new Codec<ServerMessage>(schemas, ServerMessageNames);

// -- in and out -------------------------------------------------------------------------------------------

const hex = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("hex");
const unhex = (text: string): Bytes => new Uint8Array(Buffer.from(text, "hex"));

const isObject = (value: unknown): value is Json => typeof value === "object" && value !== null;

/** The value of JSON, with bytes as bytes. */
function read(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(read);
  if (!isObject(value)) return value;
  if (typeof value["$bytes"] === "string") return unhex(value["$bytes"]);
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, read(each)]));
}

const isSentence = (value: Json): value is Json & Sentence =>
  typeof value["key"] === "string" && Object.keys(value).every((key) => key === "key" || key === "args");

/** The value in a form that JSON can hold. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return { $bytes: hex(value) };
  if (value instanceof Map) return [...value].map(plain);
  if (value instanceof Set) return [...value].map(plain);
  if (Array.isArray(value)) return value.map(plain);
  if (!isObject(value)) return value;
  if (isSentence(value)) return { $sentence: value };
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, plain(each)]));
}

/** What devices keep, as a browser stores it, by number. */
const kept: (MemberRecord | null)[] = [];

/** Store it, and read it back. */
function keep(data: MemberRecoveryData | null): Json {
  const record = data === null ? null : structuredClone(data.record());
  kept.push(record);
  return { type: "Keep", kept: kept.length - 1, rest: plain(record?.rest ?? null) };
}

async function keptAt(at: unknown): Promise<MemberRecoveryData> {
  const record = kept[Number(at)];
  if (record == null) throw new Error("nothing was kept");
  return await MemberRecoveryData.from(record);
}

const effectOut = (effect: Effect): unknown => {
  if (effect.type === "Keep") return keep(effect.data);
  if (effect.type === "Transmit") return { ...effect, message: clientCodec.encode(effect.message) };
  if (effect.type === "MediaTransport") return { ...effect, transport: serverCodec.encode(effect.transport) };
  return plain(effect);
};

function inputIn(raw: unknown): Input {
  const input = read(raw) as Json;
  if (input["type"] === "Received") input["message"] = serverCodec.decode(String(input["message"]));
  if (input["type"] === "Lost") input["why"] = verbatim(String(input["why"]));
  return input as unknown as Input;
}

// -- sessions ---------------------------------------------------------------------------------------------

/** The same bytes in every run of a test. Of four bytes, those of the random delay before the next try, the mean. */
function seeded(seed: string): Rng {
  let count = 0;
  return (size) => {
    if (size === 4) return Uint8Array.of(0x80, 0, 0, 0);
    const drawn = new Uint8Array(size);
    for (let at = 0; at < size; at += 32) drawn.set(H(utf8(`${seed}/${count++}`)).subarray(0, size - at), at);
    return drawn;
  };
}

const sessions = new Map<unknown, Session>();

function session(request: Json): Session {
  const found = sessions.get(request["who"]);
  if (found === undefined) throw new Error("no such session");
  return found;
}

function room(request: Json): RoomSession {
  const found = session(request).room;
  if (found === null) throw new Error("not in a room");
  return found;
}

async function options(raw: unknown): Promise<Options> {
  const given = (read(raw ?? {}) ?? {}) as Json;
  const book = given["contacts"];
  return { ...OPTIONS, ...given, contacts: book instanceof Uint8Array ? await decodeContacts(book) : null };
}

const common = async (request: Json) => ({
  options: await options(request["options"]),
  now: Number(request["now"]),
  rng: seeded(String(request["seed"])),
});

function state(one: Session): Json {
  const held = one.room;
  return {
    inside: one.inside,
    ended: plain(one.ended),
    ownLeaf: one.ownLeaf,
    names: [...one.names],
    hosts: held !== null && held.hostKeys !== null,
  };
}

const started = (request: Json, made: Session): Json => {
  sessions.set(request["who"], made);
  return { effects: made.start().map(effectOut), state: state(made) };
};

/** The value at the end of a path: each step a property, or [method, ...arguments]. */
function look(from: unknown, path: readonly unknown[]): unknown {
  let at = from;
  for (const step of path) {
    if (!isObject(at)) throw new TypeError(`nothing at ${String(step)}`);
    const [name, ...args] = Array.isArray(step) ? step : [step];
    const value: unknown = at[String(name)];
    at =
      typeof value === "function"
        ? (value as (...given: unknown[]) => unknown).apply(at, args.map(read))
        : value;
  }
  return at;
}

await load(); // a shell does so once it is in a room

const operations: Record<string, (request: Json) => Promise<Json> | Json> = {
  host: async (request) => {
    const facts: Json = { ...(request["facts"] as Json), ...(await common(request)) };
    if (facts["again"] !== undefined) facts["again"] = await keptAt(facts["again"]);
    return started(request, await Session.host(facts as unknown as Parameters<typeof Session.host>[0]));
  },
  join: async (request) => {
    const facts = { ...(request["facts"] as Json), ...(await common(request)) };
    return started(request, await Session.join(facts as unknown as Parameters<typeof Session.join>[0]));
  },
  rejoinAsHost: async (request) => {
    const kept = await HostRecoveryData.decode(read(request["kept"]) as Bytes);
    return started(request, await Session.rejoinAsHost(kept, await common(request)));
  },
  comeBack: async (request) =>
    started(request, await Session.comeBack(await keptAt(request["kept"]), await common(request))),
  kept: (request) => ({ value: plain(session(request).kept()?.encode() ?? null) }),
  handle: async (request) => {
    const one = session(request);
    const effects = await one.handle(inputIn(request["input"]), Number(request["now"]));
    return { effects: effects.map(effectOut), state: state(one) };
  },
  seal: async (request) => {
    const { kind, stream, frame, now } = request;
    const sealed = await room(request).frames.seal(
      kind as Kind,
      Number(stream),
      unhex(String(frame)),
      Number(now),
    );
    return { value: sealed === null ? null : hex(sealed) };
  },
  open: async (request) => {
    const { ssrc, kind, data, now } = request;
    const opened = await room(request).frames.open(Number(ssrc), kind as Kind, unhex(String(data)), Number(now));
    return { value: { ...opened, frame: hex(opened.frame) } };
  },
  pauseReason: (request) => ({ value: plain(session(request).pauseReason(Number(request["now"]))) }),
  /** Something of its membership, to compare with others'. */
  look: async (request) => {
    const held = room(request);
    const name = request["feature"];
    const from =
      name === undefined
        ? held
        : held.features.find((feature) => feature.constructor.name.replace(/^_/, "") === name);
    return { value: plain(await look(from, request["path"] as unknown[])) };
  },
  /** A commit that nobody asked for, so that there is one. */
  heal: async (request) => {
    const held = room(request);
    await held.queue({ type: "HealIntent", epoch: held.membership.group.epoch }, Number(request["now"]));
    return {};
  },
  /** As if it had found itself out of step. */
  rejoin: (request) => {
    room(request).needsRejoin = true;
    return {};
  },
  /** Says whatever a member likes, in a relay. */
  relay: async (request) => {
    await room(request).relay(decodeContent(read(request["content"]) as Bytes));
    return {};
  },
  close: (request) => {
    sessions.delete(request["who"]);
    return {};
  },
  closeAll: () => {
    sessions.clear();
    return {};
  },
};

function refusal(error: unknown): Json {
  if (error instanceof CommandError) return { ok: false, kind: "CommandError", text: plain(error.sentence) };
  if (error instanceof FutureEpochError)
    return { ok: false, kind: "FutureEpochError", error: error.constructor.name, text: error.message };
  if (error instanceof ValidationError)
    return { ok: false, kind: "ValidationError", rule: error.rule, text: error.text };
  if (error instanceof SnugError) return { ok: false, kind: error.name, text: error.message };
  return {
    ok: false,
    kind: "bug",
    text: error instanceof Error ? (error.stack ?? error.message) : String(error),
  };
}

async function answered(request: Json): Promise<Json> {
  try {
    const operation = operations[String(request["op"])];
    if (operation === undefined) throw new TypeError(`no operation ${String(request["op"])}`);
    return { ok: true, ...(await operation(request)) };
  } catch (error) {
    return refusal(error);
  }
}

for (const line of lines()) {
  const requests = JSON.parse(line) as Json | Json[];
  if (!Array.isArray(requests)) tell(await answered(requests));
  else {
    const answers: Json[] = [];
    for (const request of requests) answers.push(await answered(request));
    tell(answers);
  }
}
