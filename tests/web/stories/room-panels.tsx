/** The panels beside the stage: people, code, chat, settings. */
import type { Signal } from "@preact/signals";
import type { ChatLine, CodeView, Quality } from "../../../client/web/src/app/model";
import type { CodeAnswers, Comparison, ShortCode } from "../../../client/web/src/session/events";
import { fake, HASH, NOW } from "./fake";
import { person, press, room, some, story, tileOf } from "./room";
import type { Story } from "./story";

const said = (text: string) => ({ key: "verbatim", args: { text } });
const DIGITS = "4820193375610284960713582946017358204913";
const members = some(4).map(({ leaf, name, host }) => ({ leaf, name, host }));
const SHORT: ShortCode = {
  type: "ShortCode", epoch: 7, emoji: ["\u{1f418}", "\u2614", "\u{1f369}", "\u{1f52d}"],
  words: ["elephant", "umbrella", "donut", "telescope"], indices: [5, 27, 37, 54], members, by: 0,
};
/** What Ada, Bo, Cem and Dana answered: true is "the same". */
const answers = (...same: readonly (boolean | null)[]): CodeAnswers => ({
  type: "CodeAnswers", epoch: 7, by: 1, text: said(""),
  members: same.map((each, leaf) => ({ leaf, name: person(leaf).name, same: each, both: leaf > 0 && each === true && same[0] === true })),
});
const ASKED = { ...SHORT, by: 1 };
const comparison = (over: Partial<Comparison> = {}): Comparison => ({
  type: "Comparison", epoch: 7, compared: 7, how: "short", same: true, news: false,
  members: members.map((member) => ({ ...member, newSince: false })), changes: [], text: said(""), ...over,
});
const code = (over: Partial<CodeView> = {}): CodeView => ({ epoch: 7, digits: DIGITS, short: null, answers: null, comparison: null, running: false, ...over });
const coded = (name: string, over: Partial<CodeView>, play?: Story["play"]) =>
  story(`code-${name}`, () => room(some(4), { panel: "code", code: code(over) }), play);

const drawn = (hue: number): string => {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [480, 300];
  const context = canvas.getContext("2d");
  if (context === null) throw new Error("no canvas");
  const sky = context.createLinearGradient(0, 0, 480, 300);
  sky.addColorStop(0, `hsl(${hue} 50% 70%)`);
  sky.addColorStop(1, `hsl(${hue + 60} 45% 40%)`);
  context.fillStyle = sky;
  context.fillRect(0, 0, 480, 300);
  context.fillStyle = "hsl(40 60% 92% / 0.9)";
  context.fillRect(90, 90, 300, 120);
  return canvas.toDataURL();
};

const by = (leaf: number, at: number) => ({ leaf, name: person(leaf).name, self: leaf === 0, at: NOW - at });
const CHAT = (): ChatLine[] => [
  { kind: "note", id: "n1", at: NOW - 700, text: said("Bo came in. Ada let Bo in, with the invite for Bo.") },
  { kind: "text", id: "1", ...by(1, 640), text: "Hello! Can you all hear me?" },
  { kind: "text", id: "2", ...by(0, 620), text: "Perfectly." },
  { kind: "text", id: "3", ...by(1, 600), text: "Here is the draft. The second section is the one I mean:\nhttps://example.org/notes/2026/thursday-seminar-draft-with-a-long-address" },
  { kind: "text", id: "4", ...by(1, 590), text: "and the figure" },
  { kind: "image", id: "5", ...by(1, 580), url: drawn(170), mime: "image/png" },
  { kind: "note", id: "n2", at: NOW - 400, text: said("Cem came in. Ada let Cem in, with the open invite.") },
  { kind: "file", id: "6", ...by(2, 300), filename: "minutes-of-the-last-meeting.pdf", mime: "application/pdf", size: 3_420_000, done: 3_420_000, state: "here", failed: null },
  { kind: "file", id: "7", ...by(0, 200), filename: "slides.odp", mime: "application/x", size: 6_900_000, done: 2_300_000, state: "coming", failed: null },
  { kind: "file", id: "8", ...by(2, 100), filename: "recording.ogg", mime: "audio/ogg", size: 1_200_000, done: 400_000, state: "coming", failed: said("parts of it never came.") },
  { kind: "text", id: "9", ...by(0, 20), text: "Thanks, reading it now" },
];

/** The same line after newer files have taken its place. */
const dropped = (line: ChatLine): ChatLine =>
  line.kind === "image" ? { ...line, url: null }
  : line.kind === "file" && line.state === "here" ? { ...line, state: "dropped" }
  : line;

/** Somebody piles marks on a letter of a message and of a file's name, between others' lines. */
const marked = (marks: string): ChatLine[] => [
  { kind: "text", id: "1", ...by(1, 640), text: "Hello! Can you all hear me?" },
  { kind: "text", id: "2", ...by(2, 620), text: `Z${marks} and V${"\u0323".repeat(marks.length)}` },
  { kind: "text", id: "3", ...by(3, 600), text: "Perfectly." },
  { kind: "file", id: "4", ...by(2, 300), filename: `Z${marks}.pdf`, mime: "application/pdf", size: 3_420_000, done: 3_420_000, state: "here", failed: null },
  { kind: "text", id: "5", ...by(1, 20), text: "Thanks, reading it now" },
];

const OTHER = "a".repeat(64);
const PEOPLE = [
  person(0),
  person(1, { standing: "verified", contact: "Bo", newSinceCompared: false, compared: true, hand: 2 }),
  person(2, { standing: "new", newSinceCompared: true, hand: 1, invite: "" }),
  person(3, { standing: "known", contact: "Dana K.", newSinceCompared: false, page: OTHER, host: true }),
  person(4, { newSinceCompared: true, recording: true, sharing: true }),
];

const CALL = some(5).map((one) => tileOf(one));
const video = { width: 640, height: 360, frames: 24 };
const quality = (place: number, over: Partial<Quality> = {}): Quality => ({
  tile: CALL[place]!, bits: 452_000, loss: 0.003, video, layer: 1, layers: 3, why: "sharpest", ...over,
});
const QUALITY: readonly Quality[] = [
  quality(0, { why: "cpu", layer: null, bits: 1_930_000, loss: 0 }),
  quality(1, { why: "network", loss: 0.071, layer: 0, video: { width: 320, height: 180, frames: 24 } }),
  quality(2, { why: "tile" }),
  quality(3, { why: null, video: null, layer: null, bits: 49_600, loss: 0 }),
  quality(4, { why: null, video: null, layer: null, bits: null, loss: null }),
];

/** The panel is loaded when it is opened. */
const qualities = async (root: HTMLElement): Promise<void> => {
  while (root.querySelector(".qualities") === null) await new Promise(requestAnimationFrame);
};

/** Close the panel that opens by itself for a code, also if the code came before the view that opens it. */
const closeTheCode = async (root: HTMLElement): Promise<void> => {
  for (let frames = 0; root.querySelector(".panel .signs") === null; frames++) {
    if (frames > 600) throw new Error("the panel has not opened");
    await new Promise(requestAnimationFrame);
  }
  press(".panel-head .button")(root);
  await new Promise(requestAnimationFrame);
};

export default [
  story("quality", () => room(some(5), { panel: "quality" }, { quality: QUALITY }), qualities),
  story("quality-saver", () => room(some(3), { panel: "quality" }, { quality: [quality(1, { why: "saver" }), quality(2)], dataSaver: true }), qualities),
  story("people-panel", () => room(PEOPLE, { panel: "people", locked: true })),
  story("people-panel-guest", () => room(PEOPLE.map((one) => ({ ...one, host: one.leaf === 1 })), { panel: "people" })),
  story("person-menu", () => room(PEOPLE, { panel: "people" }), press(".person:nth-child(4) .button.round")),
  story("invites", () => room([person(0)], { panel: "people" }), (root) => {
    root.querySelector<HTMLElement>(".invite [aria-expanded]")?.click();
    root.querySelector<HTMLElement>(".invites + .button")?.click();
  }),
  coded("first", {}),
  coded("running", { running: true }),
  coded("short", { short: SHORT }),
  coded("asked", { short: ASKED, answers: answers(null, true, null, null) }),
  coded("answers", { short: ASKED, answers: answers(true, true, false, null), comparison: comparison() }),
  story("compares", () => room(some(4), { code: code({ short: ASKED, answers: answers(null, null, null, null) }) }), closeTheCode),
  coded("same", { comparison: comparison() }),
  coded("changed", {
    comparison: comparison({
      news: true,
      members: members.map((member) => ({ ...member, newSince: member.name === "Dana" })),
      changes: [said("Dana came in (let in by Ada, the open invite)"), said("Eve left")],
    }),
  }),
  coded("differ", { comparison: comparison({ same: false }) }),
  coded("digits", {}, press(".compare summary")),
  story("code-alone", () => room([person(0)], { panel: "code" })),
  story("chat", () => room(some(4), { panel: "chat", chat: CHAT() })),
  story("chat-report", () => room(some(4), { panel: "chat", chat: CHAT(), reportable: true }), press(".chat > .button.quiet")),
  story("chat-dropped", () => room(some(4), { panel: "chat", chat: CHAT().map(dropped) })),
  story("chat-marks", () => room(some(4), { panel: "chat", chat: marked("\u0301".repeat(400)) })),
  story("chat-empty", () => room(some(4), { panel: "chat" })),
  story("chat-unread", () => room(some(4), { chat: CHAT(), unread: 3 })),
  story("chat-bubble", () => room(some(4), { chat: CHAT().slice(0, 3), unread: 1 }), () => {
    (window.model.chat as Signal<readonly ChatLine[]>).value = CHAT().slice(0, 4);
  }),
  story("chat-picture", () => room(some(4), { panel: "chat", chat: CHAT() }), press(".chat-picture")),
  story("chat-offers", () =>
    room(some(4), {
      panel: "chat", chat: CHAT(),
      offers: [
        { file: new File([""], "IMG_20260901_180230.jpg"), shown: true },
        { file: new File([""], "IMG_0042.HEIC"), shown: false },
      ],
    })),
  story("settings", () =>
    room(some(4), { panel: "settings", devices: { ...fake().devices.value, cameraTrouble: "in_use" }, where: { ...fake().where.value, hash: HASH } })),
  story("settings-nothing-kept", () => room(some(4), { panel: "settings", kept: null })),
] satisfies Story[];
