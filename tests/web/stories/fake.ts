/** A Model out of nothing, for stories: every signal with something in it, and commands that only say what was asked. */
import { type Signal, signal } from "@preact/signals";
import type { Attention, Call, Commands, Devices, Identity, Model, PermissionForm } from "../../../client/web/src/app/model";

/** The commands that were given, in order: [name, ...arguments]. */
export const asked: unknown[][] = [];

/** When all stories play: a fixed second. */
export const NOW = 1_790_000_000;

export const HASH = "5f2b9d0c7e4418a6c3d1f08b6a92e57d40c1b8f3e6a7952d1c0f4b3a8e7d6c59";

export const devices: Devices = {
  cameras: [
    { id: "c1", label: "Integrated camera" },
    { id: "c2", label: "Camera on the shelf" },
  ],
  microphones: [
    { id: "m1", label: "Built-in microphone" },
    { id: "m2", label: "Headset" },
  ],
  speakers: [
    { id: "s1", label: "Built-in speakers" },
    { id: "s2", label: "Headset" },
  ],
  camera: "c1",
  microphone: "m1",
  speaker: "s1",
  cameraTrouble: null,
  microphoneTrouble: null,
  facing: null,
};

const commands = new Proxy({}, {
  get: (_, name) => (...args: unknown[]) => {
    asked.push([name, ...args]);
  },
}) as Commands;

/** The parts of a Model that are no signals. */
type Parts = "do" | "can" | "permissionForm" | "attention" | "call" | "identity";
type Values = { [K in keyof Omit<Model, Parts>]: Model[K] extends { value: infer V } ? V : never };

const empty: Values = {
  language: "en",
  theme: "system",
  place: "start",
  unable: null,
  where: { origin: "https://meet.example", pageOrigin: "https://meet.example", own: false, proven: false, hash: HASH, lecture: false, peers: [] },
  now: NOW,
  going: null,
  name: "",
  remember: true,
  title: "",
  greeting: "",
  admission: "ask",
  servers: "",
  mirror: false,
  reports: false,
  sixteen: false,
  strict: false,
  linkTrouble: null,
  kept: [],
  nameTrouble: null,
  opening: false,
  devices,
  preview: null,
  ownLevel: 0,
  mic: true,
  camera: true,
  waiting: null,
  ended: null,
  roomTitle: "",
  locked: false,
  roomServers: { at: "", listed: [], mirrored: false, unmirrored: null },
  reportable: false,
  amHost: false,
  ownLeaf: 0,
  people: [],
  tiles: [],
  shown: null,
  page: 0,
  pages: 1,
  levels: new Map(),
  speaker: null,
  layout: "grid",
  onlySpeaker: false,
  pinned: null,
  sharing: false,
  hand: false,
  recording: false,
  panel: "none",
  chat: [],
  unread: 0,
  offers: [],
  reactions: [],
  knocks: [],
  invites: [],
  inviteRows: [],
  code: null,
  incidents: [],
  pastIncidents: [],
  held: [],
  toasts: [],
  encryption: { sealed: 0, opened: 0, silent: null },
  tree: [],
};

function signalsOf(values: object): Record<string, Signal<unknown>> {
  const signals: Record<string, Signal<unknown>> = {};
  for (const [key, value] of Object.entries(values)) signals[key] = signal(value);
  return signals;
}

type PermissionValues = { [K in keyof PermissionForm]: PermissionForm[K]["value"] };
const NO_PERMISSION: PermissionValues = { wanted: null, password: "", voucher: "", trouble: null, exchanging: false };

type CallValues = { [K in keyof Call]: Call[K]["value"] };
const PLAIN_CALL: CallValues = { volumes: new Map(), mutedHint: true, pushToTalk: false, dataSaver: false, manyVideos: false, quality: [], speaksMuted: false, blur: false, blurred: "note" };

type IdentityState = { [K in "own" | "contacts" | "show" | "busy" | "trouble"]: Identity[K]["value"] };
const NO_IDENTITY: IdentityState = { own: null, contacts: [], show: false, busy: false, trouble: null };
const ACTS = ["create", "remove", "verify", "forget", "save", "load"];

/** An identity in that state, whose commands only say what was asked. */
export const identity = (state: Partial<IdentityState> = {}, can = true): Identity =>
  ({
    can,
    ...signalsOf({ ...NO_IDENTITY, ...state }),
    ...Object.fromEntries(ACTS.map((act) => [act, (...given: unknown[]) => asked.push([`identity.${act}`, ...given])])),
  }) as unknown as Identity;

/** A Model that shows `values`, and else nothing. */
export function fake(
  values: Partial<Values> = {},
  can: Partial<Model["can"]> = {},
  permissionForm: Partial<PermissionValues> = {},
  call: Partial<CallValues> = {},
): Model {
  return {
    ...(signalsOf({ ...empty, ...values }) as unknown as Omit<Model, Parts>),
    call: signalsOf({ ...PLAIN_CALL, ...call }) as unknown as Call,
    can: { share: true, pip: true, record: true, scan: true, ...can },
    permissionForm: signalsOf({ ...NO_PERMISSION, ...permissionForm }) as unknown as PermissionForm,
    attention: {
      ...signalsOf({ on: new Set(["knock", "unread"]), permission: "default" }),
      turn: (...given: unknown[]) => asked.push(["turn", ...given]),
    } as unknown as Attention,
    identity: identity(),
    do: commands,
  };
}
