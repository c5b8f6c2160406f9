import { sentence } from "../../../client/web/src/words/sentence";
import { KEPT } from "./ends";
import { fake, HASH } from "./fake";
import type { Story } from "./story";

const OWN = "http://abcdefghijklmnopqrstuvwxyz.localhost:8790";
const press = (selector: string) => (root: HTMLElement) => root.querySelector<HTMLElement>(selector)?.click();

export default [
  { name: "start", model: () => fake() },
  {
    name: "start-kept",
    model: () => fake({ kept: [KEPT, { ...KEPT, id: "2", title: "", name: "Ada Lovelace of the analytical engine", host: true }] }),
  },
  { name: "start-about", model: () => fake(), play: press("summary") },
  {
    name: "start-wrong-link",
    model: () => fake({ linkTrouble: sentence("link.empty") }),
    play: (root) => {
      const input = root.querySelector("input");
      if (input === null) return;
      input.value = "https://meet.example/#";
      input.dispatchEvent(new Event("input", { bubbles: true }));
    },
  },
  {
    name: "start-link-used",
    model: () => fake({ linkTrouble: sentence("note.link_used"), where: { ...fake().where.value, pageOrigin: OWN, own: true, proven: true } }),
  },
  {
    name: "start-own-page",
    model: () =>
      fake(
        { where: { origin: null, pageOrigin: OWN, own: true, proven: true, hash: HASH, lecture: false, peers: [] } },
        { scan: false },
      ),
    play: press("summary"),
  },
  {
    name: "start-own-unproven",
    model: () =>
      fake(
        { where: { origin: null, pageOrigin: OWN, own: true, proven: false, hash: HASH, lecture: false, peers: [] } },
        { scan: false },
      ),
    play: press("summary"),
  },
  {
    name: "start-scan",
    model: () => fake(),
    play: async (root) => {
      press(".start-scan")(root);
      while (document.querySelector("dialog[open]") === null) await new Promise(requestAnimationFrame);
    },
  },
] satisfies Story[];
