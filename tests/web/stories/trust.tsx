/** The person's identity and contacts: in the settings, before a meeting, and in a member's menu. */
import { loadEnglish } from "../../../client/web/src/words/index";
import { fake, identity } from "./fake";
import { person, press, room, some, story } from "./room";
import type { Story } from "./story";

const OWN = "1938405561728394066172839405610028374650";
const CONTACTS = [
  { fingerprint: "4820193375610284960713582946017358204913", name: "Bo", verified: true },
  { fingerprint: "0028374650193840556172839406617283940561", name: "Dana Kowalczyk-Featherstonehaugh", verified: false },
];
const mine = identity({ own: OWN, contacts: CONTACTS });

/** Show the part of the settings that is about it. */
const shown = (root: HTMLElement): void => {
  for (const summary of root.querySelectorAll<HTMLElement>("[aria-labelledby=id-title] details summary")) summary.click();
  root.querySelector("#id-title")?.scrollIntoView();
};
const settings = (name: string, of: ReturnType<typeof identity>) =>
  story(`identity-${name}`, () => ({ ...room(some(4), { panel: "settings" }), identity: of }), shown);

export default [
  settings("none", identity({ trouble: { key: "cannot.passphrase" } })),
  settings("own", mine),
  settings("busy", identity({ own: OWN, busy: true })),
  settings("no-store", identity({}, false)),
  story(
    "identity-menu",
    () => ({ ...room([...some(1), person(1, { standing: "new" })], { panel: "people" }), identity: mine }),
    press(".person:nth-child(2) .button.round"),
  ),
  {
    name: "prejoin-identity",
    model: () => ({ ...fake({ place: "prejoin", going: { as: "guest", origin: "https://meet.example" }, name: "Bo" }), identity: mine }),
  },
  {
    name: "start-identity",
    model: () => ({ ...fake(), identity: mine }),
    play: async (root) => {
      [...root.querySelectorAll<HTMLElement>(".start-ways > .button")].at(-1)?.click();
      await loadEnglish();
      while (document.querySelector("dialog[open]") === null) await new Promise((done) => setTimeout(done, 10));
    },
  },
] satisfies readonly Story[];
