/** The room in all its states: tiles, layouts, incidents, who knocks, what opens. */
import type { Signal } from "@preact/signals";
import type { Model, Person, Tile, TileState } from "../../../client/web/src/app/model";
import { Incidents } from "../../../client/web/src/session/incidents";
import { Room } from "../../../client/web/src/app/views/room/room";
import { type Sentence, sentence } from "../../../client/web/src/words/sentence";
import { devices, fake, HASH, NOW } from "./fake";
import { painted } from "./pictures";
import type { Story } from "./story";

const NAMES = [
  "Ada", "Bo", "Cem", "Dana", "Eve", "Finn Okafor", "Gül", "Hana Sato", "Ines", "Jonas", "Kofi", "Lea", "Mira", "Nils",
  "Oya", "Pia", "Quentin", "Rosa",
];

const DIGITS = "4820193375610284960713582946017358204913";

/** A person; the first is oneself. */
export const person = (leaf: number, over: Partial<Person> = {}): Person => ({
  leaf,
  name: NAMES[leaf] ?? `Guest ${leaf}`,
  host: leaf === 0,
  self: leaf === 0,
  mic: leaf % 3 !== 2,
  camera: leaf % 4 !== 3,
  sharing: false,
  hand: null,
  recording: false,
  away: false,
  since: NOW - 1500 + leaf * 130,
  admittedBy: leaf === 0 ? null : "Ada",
  invite: leaf === 0 ? null : (NAMES[leaf] ?? ""),
  standing: "none",
  contact: null,
  newSinceCompared: null,
  compared: false,
  unverified: false,
  page: HASH,
  ...over,
});

export const tileOf = (one: Person, over: Partial<Tile> = {}): Tile => ({
  id: `${one.leaf} camera`,
  leaf: one.leaf,
  kind: "camera",
  name: one.name,
  self: one.self,
  picture: one.camera ? painted(one.leaf + 1) : null,
  pictureState: one.camera ? "live" : "off",
  soundState: "live",
  mic: one.mic,
  hand: one.hand,
  recording: one.recording,
  weakNetwork: false,
  away: false,
  ...over,
});

type Values = NonNullable<Parameters<typeof fake>[0]>;

/** A room of `people`, each with a tile. */
export function room(people: readonly Person[], values: Values = {}, call: Parameters<typeof fake>[3] = {}): Model {
  const amHost = people.some((one) => one.self && one.host);
  return fake({
    place: "room",
    roomTitle: "Thursday seminar",
    amHost,
    people,
    tiles: people.map((one) => tileOf(one)),
    mic: people[0]?.mic ?? true,
    camera: people[0]?.camera ?? true,
    levels: new Map([[1, 0.5], [0, 0.02]]),
    speaker: 1,
    code: { epoch: 7, digits: DIGITS, short: null, answers: null, comparison: null, running: false },
    encryption: { sealed: 1204, opened: 3410, silent: null },
    invites: [
      { link: "https://meet.example/#2/8Qx0hQ2Yc0Jb4lJmQvTt3w7oH0mXyq2s9Zr1u5bNfKg", index: 0, label: "", once: false },
      { link: "https://meet.example/#2/Zb4lJmQvTt3w7oH0mXyq2s9Zr1u5bNfKg8Qx0hQ2Yc0", index: 1, label: "Bo", once: true },
      { link: "https://meet.example/#2/9Zr1u5bNfKg8Qx0hQ2Yc0Jb4lJmQvTt3w7oH0mXyq2s", index: 2, label: "Dana", once: true },
    ],
    inviteRows: [
      { index: 0, label: "", once: false, usedBy: ["Cem"], revoked: false },
      { index: 1, label: "Bo", once: true, usedBy: ["Bo"], revoked: false },
      { index: 2, label: "Dana", once: true, usedBy: [], revoked: false },
      { index: 3, label: null, once: false, usedBy: [], revoked: false },
      { index: 4, label: "Eve", once: true, usedBy: [], revoked: true },
    ],
    ...values,
  }, {}, {}, call);
}

export const some = (count: number): Person[] => Array.from({ length: count }, (_, leaf) => person(leaf));
const guests = (count: number): Person[] => some(count).map((one) => ({ ...one, host: one.leaf === 1, admittedBy: one.leaf === 1 ? null : "Bo" }));
export const shown = (model: Model) => <Room model={model} />;
export const story = (name: string, model: () => Model, play?: Story["play"]): Story => ({
  name: `room-${name}`,
  // within reach of tests/web/test_room_views.py, which changes it
  model: () => (window.model = model()),
  view: shown,
  play: async (root) => {
    await play?.(root);
    await Promise.all(Array.from(root.querySelectorAll("video"), painting));
    // what shows videos is another process
    if (root.querySelector("video") !== null) await new Promise((done) => setTimeout(done, 150));
  },
});

declare global {
  interface Window {
    model: Model;
  }
}

/** Done when a video's picture is on the screen, not only in its memory. */
const painting = (video: HTMLVideoElement): Promise<unknown> =>
  new Promise((done) => {
    if (video.srcObject === null) done(null);
    else video.requestVideoFrameCallback(() => requestAnimationFrame(done));
  });

/** Presses what has that selector. */
export const press = (selector: string) => (root: HTMLElement) => {
  root.querySelector<HTMLElement>(selector)?.click();
};

/** Opens a menu, and chooses an item of it. */
const choose = (menu: string, item: string) => async (root: HTMLElement) => {
  press(menu)(root);
  await new Promise(requestAnimationFrame);
  const items = root.querySelectorAll<HTMLElement>(":popover-open [role^=menuitem]");
  [...items].find((one) => one.textContent?.startsWith(item))?.click();
};
const hideSelf = choose(".controls [aria-label=More]", "Hide my own view");

const knock = {
  type: "Knocked", knock: 3, name: "Dana", greeting: "It's me, from the library.", invite: 2, looksLike: null, silent: false, proof: null, label: "Dana",
  standing: "none", contact: null, fingerprint: null, warnings: [], older: false, returning: false, at: NOW - 40,
} as const;

const STATES: readonly [TileState, Partial<Tile>][] = [
  ["live", { hand: 1, recording: true, weakNetwork: true }],
  ["connecting", {}],
  ["not_decrypting", { picture: null }],
  ["not_decrypting", {}],
  ["stalled", { soundState: "stalled", mic: true }],
  ["off", { picture: null, mic: false, hand: 2 }],
  ["off", { picture: null, soundState: "not_decrypting", mic: true }],
  ["live", { soundState: "not_decrypting", mic: true }],
  ["connecting", { picture: null, soundState: "connecting", mic: true, weakNetwork: true }],
];
const states = (count: number) =>
  some(9).map((one, place) => tileOf(one, { pictureState: STATES[place]?.[0] ?? "live", ...STATES[place]?.[1] })).slice(0, count);

const shared = (of: number): Tile => ({
  ...tileOf(person(of)), id: `${of} screen`, kind: "screen", picture: painted(40, 1280, 800), pictureState: "live", hand: null,
});

/** Incidents as they come of these sentences, the first one first; one each minute. */
function incidents(...told: readonly (readonly [type: "Alarm" | "Status", key: string, args?: Sentence["args"]])[]) {
  const all = new Incidents();
  told.forEach(([type, key, args], place) => all.told({ type, kind: key, text: sentence(key, args) }, NOW - (told.length - place) * 60));
  return { incidents: all.shown, pastIncidents: all.history };
}
const TROUBLE = [
  ["Alarm", "alarm.two_stories", { slot: 12 }],
  ["Alarm", "alarm.forged_media", { name: "Cem" }],
  ["Alarm", "alarm.not_reaching.blamed", { streams: [sentence("stream.video", { whose: "Ada" })], whom: ["Bo", "Dana"] }],
  ["Status", "status.away", { why: sentence("away.unanswered") }],
  ["Alarm", "alarm.silent", { who: ["Bo"], seconds: 15 }],
  ["Status", "status.back"],
] as const;
const said = (text: string) => ({ key: "verbatim", args: { text } });

export default [
  ...[1, 2, 3, 5, 9, 16].map((count) => story(`people-${count}`, () => room(some(count)))),
  story("people-49", () => room(some(49), { tiles: some(60).map((one) => tileOf(one, { picture: null, pictureState: "off" })), people: some(60) })),
  story("pages", () => room(some(18), { shown: new Set([1, 2, 3, 4, 5, 6, 7, 8, 9]), pages: 2 })),
  story("pages-speaker", () => room(some(18), { layout: "speaker", shown: new Set([10, 11, 12]), page: 1, pages: 2 })),
  story("two-upright", () => room(some(2), { tiles: [tileOf(person(0)), tileOf(person(1), { picture: painted(2, 360, 640) })] })),
  story("two-off", () => room(some(2).map((one) => ({ ...one, mic: false, camera: false })))),
  story("two-hidden", () => room(some(2)), hideSelf),
  story("three-hidden", () => room(some(3)), hideSelf),
  story("volume", () => room(some(3), {}, { volumes: new Map([[1, { volume: 0.4, muted: false }]]) }), async (root) => {
    await choose("[data-tile='1 camera'] .tile-button", "Volume")(root);
  }),
  story("muted-for-me", () => room(some(3), {}, { volumes: new Map([[1, { volume: 0.4, muted: true }]]) })),
  story("two-flip", () => room(some(2), { devices: { ...devices, facing: "environment" } })),
  story("refused", () => room(some(3), { mic: false, devices: { ...devices, microphoneTrouble: "refused" } }), press("[data-testid=mic]")),
  story("muted-hint", () => room(some(2), { mic: false, panel: "none" }, { speaksMuted: true })),
  story("guest", () => room(guests(3), { mic: false, camera: false })),
  story("speaker", () => room(some(6), { layout: "speaker" })),
  story("pinned", () => room(some(4), { pinned: "2 camera" })),
  story("screen", () => room(some(5), { tiles: [...some(5).map((one) => tileOf(one)), shared(1)] })),
  story("screen-own", () => room(some(3), { sharing: true, tiles: [...some(3).map((one) => tileOf(one)), shared(0)] })),
  story("spared", () =>
    room(some(5), {
      layout: "speaker", onlySpeaker: true, panel: "settings",
      tiles: some(5).map((one) => tileOf(one, one.self || one.leaf === 1 ? {} : { pictureState: "spared" })),
    })),
  story("tile-states", () => room(some(9), { tiles: states(9) })),
  story("no-host", () => room(some(3).map((one) => ({ ...one, host: one.leaf === 1, away: one.leaf === 1 })), { amHost: false })),
  story("successor", () => room(some(4)), async (root) => {
    press(".leave")(root);
    await new Promise(requestAnimationFrame);
    [...root.querySelectorAll<HTMLElement>("[role=menuitem]")].find((item) => item.checkVisibility())?.click();
  }),
  story("tile-away", () => room(some(4).map((one) => (one.leaf === 1 ? { ...one, away: true } : one)), { tiles: some(4).map((one) => tileOf(one, { away: one.leaf === 1 })) })),
  story("tile-menu", () => room(some(4)), press("[data-tile='1 camera'] .tile-button")),
  story("admission", () => room(some(3), { knocks: [knock] })),
  story("admission-many", () =>
    room(some(3), {
      knocks: [
        {
          ...knock, name: "Вo", greeting: "", invite: 0, label: "", looksLike: "Bo", standing: "new", fingerprint: "9134820571630028491756620384715590263847",
          warnings: [sentence("warning.name_held", { name: "Bo" }), sentence("warning.alike.other_key", { petname: "Bo" })],
        },
        { ...knock, knock: 4 },
        { ...knock, knock: 5, name: "Eve" },
      ],
    })),
  story("admission-hundred", () => room(some(3), { knocks: Array.from({ length: 100 }, (_, n) => ({
    ...knock, knock: 10 + n, name: `Guest ${n + 1}`, greeting: "", invite: 0, label: "", ...(n === 41 ? { looksLike: "Bo", warnings: [sentence("warning.name_held", { name: "Bo" })] } : {}),
  })) })),
  story("admission-known", () =>
    room(some(3), { panel: "people", knocks: [{ ...knock, standing: "verified", contact: "Dana K.", fingerprint: "9134820571630028491756620384715590263847" }] })),
  story("alarm", () => room(some(3), incidents(TROUBLE[0]))),
  story("incidents", () => room(some(3), incidents(...TROUBLE))),
  story("incident-attention", () => room(some(3), incidents(TROUBLE[3]))),
  story("incident-calm", () => room(some(3), incidents(["Alarm", "alarm.gone", { who: "Bo", seconds: 60 }]))),
  story("incidents-past", () => room(some(3), { ...incidents(...TROUBLE), panel: "code", code: { epoch: 3, digits: DIGITS, short: null, answers: null, comparison: null, running: false } }), press(".panel details.panel-part > summary")),
  story("held", () =>
    room(some(3), {
      panel: "chat",
      chat: [
        { kind: "text", id: "own 1", at: 1_790_000_000, leaf: 0, name: "Ada", self: true, text: "hello" },
        { kind: "text", id: "own 2", at: 1_790_000_040, leaf: 0, name: "Ada", self: true, text: "the door code is 4711", waits: true },
      ],
      held: [
        { text: "the door code is 4711", why: { key: "watch.held_removal", args: { names: ["Mallory"] } } },
        { text: { key: "room.an_image" }, why: { key: "held.newcomers", args: { names: ["Cem", "Dana"] } } },
      ],
    })),
  story("silent", () =>
    room(some(3).map((one) => (one.host ? { ...one, away: true } : one)), {
      ...incidents(["Alarm", "alarm.stale.no_host", { who: ["Ada"] }]),
      encryption: { sealed: 1204, opened: 3410, silent: { key: "watch.paused_no_host" } },
    })),
  story("withheld", () =>
    room(some(3), {
      ...incidents(["Alarm", "alarm.silent", { who: ["Bo"], seconds: 15 }], ["Alarm", "alarm.withheld.host", { who: "Bo", slot: 5 }], ["Alarm", "alarm.stale", { who: ["Bo"] }]),
      encryption: { sealed: 1204, opened: 3410, silent: { key: "watch.paused_claim", args: { who: ["Bo"] } } },
    })),
  story("override", () => room(some(3), { encryption: { sealed: 0, opened: 0, silent: { key: "watch.paused_claim", args: { who: ["Bo"] } } } }), press(".banner .button")),
  story("recording", () => room(guests(4).map((one) => (one.leaf === 1 ? { ...one, recording: true } : one)), { locked: true })),
  story("reactions", () =>
    room(some(5), {
      reactions: [
        { id: 1, leaf: 1, name: "Bo", reaction: "applause" },
        { id: 2, leaf: 2, name: "Cem", reaction: "heart" },
        { id: 3, leaf: 0, name: "Ada", reaction: "party" },
      ],
      toasts: [{ id: 1, text: said("Copied.") }],
    })),
  story("hands", () => room([person(0), person(1, { hand: 2 }), person(2, { hand: 1 }), person(3)], { hand: false })),
  story("private", () => room(some(4)), press(".chip.private")),
  story("before-frames", () => room(some(2), { encryption: { sealed: 0, opened: 0, silent: null }, tiles: some(2).map((one) => tileOf(one, { pictureState: "connecting", picture: null })) })),
  story("more", () => room(some(3), { recording: false, where: { origin: "https://meet.example", pageOrigin: "https://meet.example", own: false, proven: false, hash: HASH, lecture: true, peers: [] } }), press(".controls [aria-label=More]")),
  story("leave", () => room(some(3)), press(".control.leave")),
  story("react", () => room(some(3)), press(".controls [aria-label=React]")),
  story("now-host", () => room(guests(3)), () => {
    const people = window.model.people as Signal<readonly Person[]>;
    people.value = people.value.map((one) => (one.self ? { ...one, host: true } : one));
  }),
  story("remove", () => room(some(4)), async (root) => {
    press("[data-tile='2 camera'] .tile-button")(root);
    await new Promise(requestAnimationFrame);
    [...root.querySelectorAll<HTMLElement>(":popover-open [role=menuitem]")].find((item) => item.textContent?.startsWith("Remove"))?.click();
  }),
  story("keys", () => room(some(3)), () => {
    document.dispatchEvent(new KeyboardEvent("keydown", { key: "?", bubbles: true }));
  }),
  story("end", () => room(some(3), { panel: "people" }), (root) => {
    [...root.querySelectorAll<HTMLElement>(".panel .button.wide")].at(-1)?.click();
  }),
] satisfies Story[];
