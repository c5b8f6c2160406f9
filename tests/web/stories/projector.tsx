/** The lecture's projector: each step of its story, and its states. */
import { signal } from "@preact/signals";
import type { Model } from "../../../client/web/src/app/model";
import type { Hunt } from "../../../client/web/src/landlord/find";
import type { State, Told } from "../../../client/web/src/projector/state";
import { STEPS, type StepName } from "../../../client/web/src/projector/steps";
import type { Hunts, Refusal, Story as Telling } from "../../../client/web/src/projector/store";
import { Projector } from "../../../client/web/src/projector/views";
import { asked, fake } from "./fake";
import { FOUND, now } from "./landlord";
import { VIEWS } from "./lecture";
import type { Story } from "./story";

const told = (member: string, severity: Told["severity"], key: string, args: Told["text"]["args"] = {}): Told => ({
  member, number: 1, kind: "any", severity, text: { key, args },
});

const stream = { key: "stream.sound", args: { whose: "Bo" } };
const LINES = {
  quiet: [],
  attack: [
    told("Ada", "attack", "alarm.reordered.renumbered"), told("Bo", "attack", "alarm.reordered.renumbered"), told("Cem", "attack", "alarm.reordered.renumbered"),
  ],
  attention: [told("Cem", "attention", "alarm.not_reaching", { streams: [stream], whom: ["Ada"] }), told("Ada", "attention", "alarm.not_reaching", { streams: [stream], whom: ["Cem"] })],
} satisfies Readonly<Record<string, readonly Told[]>>;

interface Values {
  readonly step: StepName;
  readonly hunt?: Hunt;
  readonly act?: State["act"];
  readonly lines?: keyof typeof LINES;
  readonly guests?: readonly string[];
  readonly server?: boolean;
  readonly killed?: boolean;
  readonly contrast?: State["contrast"];
  readonly votes?: State["votes"];
  readonly beside?: boolean;
  readonly hunts?: Hunts;
  readonly played?: State["played"];
  readonly refused?: Refusal;
  readonly trouble?: "token" | "gone";
}

function state({ act, lines = "quiet", guests = [], server = true, killed = false, contrast = null, votes = null, beside = false, played = null }: Values): State {
  return {
    member: {
      name: "Ada", title: "A lecture", opened: 12_404, sounds: 3, videos: 2, code: "0016135997680881851197417022561984161366",
      people: ["Ada", "Bo", "Cem", ...guests].map((name, leaf) => ({ name, leaf, host: leaf === 0, self: leaf === 0 })),
      chat: [{ name: "Ada", text: "Good morning. Can everybody hear me?" }],
      tree: VIEWS,
    },
    incidents: LINES[lines], acts: ["alter", "forge", "replay", "reorder", "drop", "silence"], act: act ?? null, victim: "Bo", killed, guests, contrast, votes, played,
    beside: beside ? { names: ["Gwen Ordinary", "Hugo Ordinary"], number: "00" } : null,
    server: server ? { ...now(44, 3 + guests.length), hostile: { acts: ["drop", "silence"], playing: {}, numbers: {} } } : null,
  };
}

const CONTRAST: State["contrast"] = {
  all: 3,
  rows: [
    { what: "names", snug: 0, ordinary: 3 }, { what: "chat", snug: 0, ordinary: 3 },
    { what: "frames", snug: 0, ordinary: 3 }, { what: "audio", snug: null, ordinary: 2 },
  ],
};

/** A question in each stage; what it is about is its step's business. */
const voting = (question: string, stage: "open" | "closed" | "revealed"): State["votes"] => ({
  address: "http://192.168.1.5:41234/k7m2qd/", question, stage, choices: 3, right: stage === "revealed" ? 2 : null,
  voted: 23, phones: 25, counts: stage === "revealed" ? [4, 17, 2] : null,
});

const view = (values: Values) => (model: Model) => {
  const shown: Telling = {
    language: model.language, theme: model.theme, step: signal(STEPS.indexOf(values.step)), state: signal(values.trouble === "token" ? null : state(values)),
    trouble: signal(values.trouble ?? null), hunt: signal(values.hunt ?? null), doing: signal(null), refused: signal(values.refused ?? null), hunts: signal(values.hunts ?? { snug: null, ordinary: null }), predicting: signal(values.votes !== undefined),
    do: (deed, about) => asked.push([deed, about ?? {}]),
    find: (name) => asked.push(["find", name]),
    word: (text) => asked.push(["word", text]),
  };
  return <Projector model={shown} />;
};

const story = (name: string, values: Values): Story => ({ name: `projector-${name}`, style: "projector", model: () => fake(), view: view(values) });

export default [
  story("who", { step: "who" }),
  story("sees", { step: "sees", guests: ["Zephyrine Quill"] }),
  story("find", { step: "find" }),
  story("found", { step: "find", hunt: FOUND, guests: ["Zephyrine Quill"] }),
  story("ordinary", { step: "ordinary" }),
  story("contrast", { step: "ordinary", contrast: CONTRAST }),
  story("predict", { step: "find", votes: voting("find", "open") }),
  story("predicted", { step: "acts", votes: voting("act_silence", "revealed") }),
  story("word", { step: "word" }),
  story("words", { step: "word", beside: true, hunts: { snug: FOUND, ordinary: { ...FOUND, control: "number", memory: 4, around: ["·Zephyrine Quill·"] } } }),
  story("forbidden", { step: "word", beside: true, hunts: { snug: { failed: "Operation not permitted" }, ordinary: "searching" } }),
  story("played", { step: "word", beside: true, played: [{ deed: "word", told: { text: "Knusperfrosch" } }] }),
  story("played-acts", { step: "acts", played: [{ deed: "act", told: { act: "forge" } }] }),
  story("tree", { step: "tree" }),
  story("joins", { step: "joins", refused: "late" }),
  story("removed", { step: "removed", guests: ["Dana"] }),
  story("nobody", { step: "removed" }),
  story("kill", { step: "kill" }),
  story("killed", { step: "kill", killed: true, server: false }),
  story("acts", { step: "acts" }),
  story("act", { step: "acts", lines: "attention", act: { act: "silence", left: 12.3, told: 32.3, again: false } }),
  story("attack", { step: "acts", lines: "attack", act: { act: "replay", left: -3, told: 17, again: false } }),
  story("nothing", { step: "acts", act: { act: "alter", left: -30, told: -10, again: false } }),
  story("gone", { step: "sees", trouble: "gone" }),
  story("token", { step: "who", trouble: "token" }),
] satisfies Story[];
