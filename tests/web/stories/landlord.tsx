/** The landlord's window: before a room is there, with one in it, with a frame taken out, and without its server. */
import { signal } from "@preact/signals";
import type { Model } from "../../../client/web/src/app/model";
import { History } from "../../../client/web/src/landlord/history";
import { frameOf } from "../../../client/web/src/landlord/frame";
import type { Hostile, Now, Person, Stream } from "../../../client/web/src/landlord/now";
import type { Finding, Hunt } from "../../../client/web/src/landlord/find";
import type { Look, OperatorWindow } from "../../../client/web/src/landlord/store";
import { Window } from "../../../client/web/src/landlord/views";
import { fake } from "./fake";
import type { Story } from "./story";

/** Bytes that look like noise, the same every time. */
function noise(seed: number, length: number): Uint8Array<ArrayBuffer> {
  let state = seed;
  return Uint8Array.from({ length }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state >>> 24;
  });
}

const hexOf = (seed: number, length = 16): string => Array.from(noise(seed, length), (byte) => byte.toString(16).padStart(2, "0")).join("");
const HANDLES = [1, 2, 3, 4].map((seed) => hexOf(seed * 77));
const NUMBER = hexOf(900);
const ADDRESSES = ["203.0.113.7", "198.51.100.24", "198.51.100.24", "2001:db8::51"];

const person = (handle: string, i: number): Person => ({
  handle, nonce: hexOf(i + 400, 32), address: ADDRESSES[i] ?? "203.0.113.9", headers: { Host: "meet.example" }, media_addresses: [],
});

export function now(at: number, connections: number): Now {
  const here = HANDLES.slice(0, connections);
  const streams: Stream[] = here.flatMap((handle, i) => {
    const sound: Stream = {
      handle, room: NUMBER, ssrc: 1000 + i, kind: "audio", packets: Math.round(50 * at), receivers: connections - 1,
      sizes: Array.from({ length: 48 }, () => 180),
    };
    // one has no camera; another's picture moves for a while
    const moved = i === 1 ? Math.max(0, Math.min(at, 44) - 22) * 22 : 0;
    const came = Math.round(24 * at + 5 * Math.sin(at / 2 + i) + moved);
    const sight: Stream = { ...sound, ssrc: 2000 + i, kind: "video", packets: came, sizes: Array.from({ length: 48 }, () => 900) };
    return i === 2 ? [sound] : [sound, sight];
  });
  const commits = [3, 19, 41].filter((when) => when < at).map((when, slot) => ({ slot, bytes: slot === 1 ? 4096 : 2048, age: at - when }));
  const relays = Array.from({ length: Math.floor(at / 1.6) }, (_, relay) => ({ relay, bytes: relay % 9 === 4 ? 2048 : relay % 5 === 3 ? 1024 : 512 }));
  return {
    at,
    disclosure: {
      uptime: 380 + at, connections: connections + (connections > 0 ? 1 : 0), at_the_door: 0, addresses: Math.min(3, connections), queued_bytes: 0, refusals: {},
      rooms: connections === 0 ? [] : [{
        number: NUMBER, slot: 3, chain: hexOf(77, 32), room_admin_key: hexOf(78, 32), connections, gates: 2, handles: here,
        seats: here.map((_, i) => ({ age: 300 + at - i * 71, pass_slot: 3, won: 1, lost: 0 })), commits, relays, waiting_commits: 0,
      }],
      lobbies: connections === 0 ? [] : [{ number: hexOf(55), handles: [hexOf(500)] }],
      blobs: connections === 0 ? 0 : commits.length + relays.length, blob_bytes: connections === 0 ? 0 : relays.reduce((sum, { bytes }) => sum + bytes, 0),
      sealed_media: { packets: connections * 410, bytes: connections * 214_000, ended_streams: 0 }, srtp_sessions: connections,
      permission: { policy: "tokens", vouchers_exchanged: 3, tokens_spent: 17 },
      own_keys: ["Ed25519, for receipts", "ECDSA P-256, for the transport of media"], files_open_for_writing: 0,
      people: [...here, hexOf(500)].map(person),
    },
    sentences: ["This server has been running for 7 minutes, and remembers nothing from before.", "It does not know names, titles, what is said, shown or written."],
    streams, hostile: null,
  };
}

const packet = (sequence: number, payload: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> =>
  Uint8Array.from([0x80, 96, sequence >> 8, sequence & 255, 0x5a, 0x1b, 0x20, 0x44, 0xc1, 0x07, 0x5e, 0x0a, 0x90, 0x80, 0x81, 0x23, ...payload]);

const CLEAR_HEADER = [0xf0, 0xff, 0xff, 0x9d, 0x01, 0x2a, 0x10, 0x00, 0x10, 0x00];

function looked(stream: Stream, verdict: Look["verdict"]): Look {
  const frame = frameOf(
    stream.kind,
    stream.kind === "audio"
      ? [packet(8123, noise(9, 176)).filter((_, i) => i < 12 || i > 15)]
      : [packet(8123, Uint8Array.from([...CLEAR_HEADER, ...noise(5, 900)])), packet(8124, noise(6, 910))],
  );
  return { stream, frame, verdict };
}

export const FOUND: Finding = {
  text: "Zephyrine Quill", control: "room", controlFound: true, memory: 0, files: 0, around: [], read: 143_200_000, processes: 2, whole: true,
};
/** What hunts ended with, by the names of stories. */
const HUNTS = {
  absent: FOUND,
  found: { ...FOUND, text: "127.0.0.1", memory: 31, files: 2, around: ["·Host: 127.0.0.1:41231··", "peer 127.0.0.1·"] },
  blank: { ...FOUND, controlFound: false },
  failed: { failed: "Operation not permitted" },
  searching: "searching",
} satisfies Readonly<Record<string, Hunt>>;

type Values = { readonly hunt?: keyof typeof HUNTS; readonly hostile?: Hostile; readonly connections?: number; readonly trouble?: "token" | "gone"; readonly seen?: boolean; readonly look?: "audio" | "video"; readonly at?: string };

const view = ({ connections = 4, trouble, seen = true, look, hunt, hostile }: Values) => (model: Model) => {
  const history = new History();
  let last: Now | null = null;
  for (let at = 0; seen && at <= 60; at += 0.5) history.take((last = { ...now(at, connections), hostile: hostile ?? null }));
  const stream = last?.streams.find(({ kind }) => kind === look);
  const shown: OperatorWindow = {
    language: model.language, theme: model.theme, now: signal(last), history, trouble: signal(trouble ?? null), paused: signal(false),
    look: signal(
      stream === undefined
        ? null
        : looked(stream, look === "audio"
          ? { type: "sound", samples: Float32Array.from({ length: 960 }, (_, i) => ((noise(i, 1)[0] ?? 0) / 128 - 1) * Math.sin(i / 40)) }
          : { type: "refused", why: "Decoding error." }),
    ),
    take: () => undefined,
    hunt: signal(hunt === undefined ? null : HUNTS[hunt]),
    search: () => undefined,
  };
  return <Window model={shown} />;
};

const story = (name: string, values: Values): Story => ({
  name: `window-${name}`,
  style: "landlord",
  model: () => fake(),
  view: view(values),
  play: (root) => {
    if (values.at !== undefined) root.querySelector(values.at)?.scrollIntoView();
  },
});

export default [
  story("room", {}),
  story("unknown", { at: "#unknown-title" }),
  story("absent", { hunt: "absent" }),
  story("found", { hunt: "found" }),
  story("blank", { hunt: "blank" }),
  story("failed", { hunt: "failed" }),
  story("searching", { hunt: "searching" }),
  story("guesses", { at: "#guess-title" }),
  story("hostile", { hostile: { acts: ["drop", "silence"], playing: { silence: 31.2 }, numbers: {} } }),
  story("empty", { connections: 0 }),
  story("frame", { look: "video", at: "#look-title" }),
  story("sound", { look: "audio", connections: 3, at: "#look-title" }),
  story("gone", { connections: 2, trouble: "gone" }),
  story("token", { seen: false, trouble: "token" }),
  story("waiting", { seen: false }),
] satisfies Story[];
