import type { DeviceTrouble } from "../../../client/web/src/app/model";
import { sentence } from "../../../client/web/src/words/sentence";
import { devices, fake } from "./fake";
import { painted } from "./pictures";
import type { Story } from "./story";

const host = { place: "prejoin", going: { as: "host", origin: "https://meet.example" } } as const;
const guest = { place: "prejoin", going: { as: "guest", origin: "https://meet.example" } } as const;

const troubled = (camera: DeviceTrouble, microphone: DeviceTrouble) =>
  fake({
    ...guest,
    name: "Bo",
    devices: {
      ...devices,
      ...(camera === null ? {} : { cameras: [], camera: null }),
      ...(microphone === null ? {} : { microphones: [], microphone: null }),
      cameraTrouble: camera,
      microphoneTrouble: microphone,
    },
    preview: camera === null ? painted(3) : null,
  });

/** On a phone, the field is below the first screen. */
const seen = (root: HTMLElement): void =>
  root.querySelector("[id$=-permission], form .field > p.note:only-child")?.scrollIntoView({ block: "center" });

export default [
  {
    name: "prejoin-host",
    model: () => fake({ ...host, name: "Ada", title: "Reading group", preview: painted(2), ownLevel: 0.55 }),
  },
  {
    name: "prejoin-guest",
    model: () =>
      fake({ ...guest, name: "Bo", greeting: "It's me, from the library.", preview: painted(3), ownLevel: 0.3 }),
  },
  {
    name: "prejoin-flip",
    model: () => fake({ ...guest, name: "Bo", preview: painted(3), devices: { ...devices, facing: "user" } }),
  },
  {
    name: "prejoin-mirror",
    play: (root) => root.querySelector("form > .choice")?.scrollIntoView({ block: "center" }),
    model: () =>
      fake({ ...host, name: "Ada", servers: "https://b.example", mirror: true, preview: painted(2) }),
  },
  {
    name: "prejoin-password",
    play: seen,
    model: () =>
      fake({ ...host, name: "Ada", preview: painted(2) }, {}, { wanted: { kind: "password" }, password: "correct horse" }),
  },
  {
    name: "prejoin-wrong-password",
    play: seen,
    model: () =>
      fake(
        { ...host, name: "Ada", preview: painted(2) },
        {},
        { wanted: { kind: "password" }, password: "correct hors", trouble: sentence("unopened.password") },
      ),
  },
  {
    name: "prejoin-voucher",
    play: seen,
    model: () =>
      fake(
        { ...host, name: "Ada", preview: painted(2) },
        {},
        { wanted: { kind: "tokens", left: 0 }, voucher: "snug-voucher-AAAMu1Q0", trouble: sentence("voucher.cut") },
      ),
  },
  {
    name: "prejoin-tokens",
    play: seen,
    model: () => fake({ ...host, name: "Ada", preview: painted(2) }, {}, { wanted: { kind: "tokens", left: 7 } }),
  },
  { name: "prejoin-off", model: () => fake({ ...guest, name: "Bo", mic: false, camera: false }) },
  {
    name: "prejoin-nameless",
    model: () => fake({ ...guest, preview: painted(3) }),
    play: (root) => root.querySelector<HTMLElement>("button[type=submit]")?.click(),
  },
  {
    name: "prejoin-wrong-name",
    model: () => fake({ ...guest, name: "Ada: I agree", nameTrouble: sentence("name.shows"), preview: painted(3) }),
  },
  { name: "prejoin-opening", model: () => fake({ ...host, name: "Ada", opening: true, preview: painted(2) }) },
  { name: "prejoin-no-camera", model: () => troubled("none_found", null) },
  { name: "prejoin-refused", model: () => troubled("refused", "refused") },
  { name: "prejoin-insecure", model: () => troubled("insecure", "insecure") },
  { name: "prejoin-in-use", model: () => troubled("in_use", "failed") },
] satisfies Story[];
