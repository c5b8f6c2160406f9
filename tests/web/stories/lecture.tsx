/** The lecture's panel: the ratchet tree, and the lab's scenes, which a made-up `fetch` plays. */
import type { Model } from "../../../client/web/src/app/model";
import type { TreeNode, TreeView } from "../../../client/web/src/worker/messages";
import { HASH } from "./fake";
import { room, some, story } from "./room";
import type { Story } from "./story";

const key = (seed: number): string => (seed * 2_654_435_761 % 2 ** 32).toString(16).padStart(8, "0").repeat(8);
const node = (seed: number, name: string | null, held = false, unmerged: readonly number[] = []): TreeNode => ({ key: key(seed), name, held, unmerged });

const leaf = (seed: number, name: string, own = false): TreeNode => node(seed, name, own);
const said = (keyOf: string, names?: readonly string[]) => (names === undefined ? { key: keyOf } : { key: keyOf, args: { names } });

/** You came in third; Dana came in after you; Bo went. */
export const VIEWS: readonly TreeView[] = [
  { epoch: 2, by: "Ada", what: said("tree.now"), ownLeaf: 2, bytes: 0, nodes: [leaf(11, "Ada"), node(12, null), leaf(13, "Bo"), node(14, null, true), leaf(15, "Dana", true), null, null] },
  { epoch: 3, by: "Ada", what: said("tree.added", ["Cem"]), ownLeaf: 2, bytes: 2048, nodes: [leaf(21, "Ada"), node(22, null), leaf(13, "Bo"), node(24, null, true), leaf(15, "Dana", true), null, leaf(17, "Cem")] },
  { epoch: 4, by: "Cem", what: said("tree.healed"), ownLeaf: 2, bytes: 1024, nodes: [leaf(21, "Ada"), node(22, null), leaf(13, "Bo"), node(34, null, true), leaf(15, "Dana", true), node(35, null, true), leaf(37, "Cem")] },
];

/** A text as the lecture sends it, here the same in each language. */
const inAll = (text: string | undefined) => Object.fromEntries(["en", "de", "zh-Hant", "zh-Hans"].map((language) => [language, text]));

const SCENES = [
  ["forged_welcome", "entering", "case 2", "With a leaked link the operator answers a newcomer itself, with a card and a group of its own."],
  ["leaked_room_number", "entering", "case 3", "The operator hands a room's number to somebody and opens the door."],
  ["kicked", "ending", "case 1", "The operator throws one member out, and says that the host did."],
  ["forged_media", "media", "field", "A member seals a frame with another's key, and the operator puts it into that one's stream."],
  ["partition", "slots", "case 7", "The operator splits the meeting in two, each half with its own changes."],
  ["member_records", "plainly", "case 4", "A member who is in the room records it, and tells others who was there."],
].map(([scene, theme, mirrors, question]) => ({ scene, theme, mirrors, question: inAll(question) }));

const PLAYED = {
  scene: "kicked", outcome: inAll("It is told that the server dropped it, and that nobody in the room did."),
  documented: { verdict: "detected", by: ["dropped"] }, verdict: "detected", after: 4.21, why: "Bo was thrown out.", worse: false, frames_tried: 214, frames_opened: 0,
  seen: { Bo: [{ after: 4.2, kind: "dropped", text: "The server dropped you; nobody in the room did. It still serves others, and has signed that." }] },
};

function stage(): void {
  const real = globalThis.fetch;
  globalThis.fetch = (async (what: RequestInfo | URL, init?: RequestInit) => {
    if (what === "lecture/scenes") return new Response(JSON.stringify(SCENES));
    if (what === "lecture/play") return new Response(`${JSON.stringify({ began: "kicked" })}\n${JSON.stringify(PLAYED)}\n`);
    return await real(what, init);
  }) as typeof fetch;
}

const model = (over: Parameters<typeof room>[1] = {}) => (): Model => {
  stage();
  const where = { origin: "https://meet.example", pageOrigin: "http://127.0.0.1:8790", own: true, proven: true, hash: HASH, lecture: true, peers: [] };
  return room(some(4), { panel: "lecture", where, tree: VIEWS, ...over });
};

async function found(root: HTMLElement, selector: string): Promise<HTMLElement> {
  for (;;) {
    const element = root.querySelector<HTMLElement>(selector);
    if (element !== null) return element;
    await new Promise(requestAnimationFrame);
  }
}

const opened = async (root: HTMLElement): Promise<void> => {
  await found(root, ".scene");
};
const toLab = async (root: HTMLElement): Promise<void> => {
  (await found(root, "#lab-title")).scrollIntoView();
};

export default [
  story("lecture-tree", model(), opened),
  story("lecture-key", model(), async (root) => {
    await opened(root);
    root.querySelectorAll(".tree-node")[1]?.dispatchEvent(new MouseEvent("click", { bubbles: true }));
  }),
  story("lecture-before", model({ tree: [] }), opened),
  story("lecture-scene", model(), async (root) => {
    (await found(root, "[data-scene=kicked]")).click();
    await found(root, "[data-guess]");
    await toLab(root);
  }),
  story("lecture-played", model(), async (root) => {
    (await found(root, "[data-scene=kicked]")).click();
    (await found(root, "[data-guess=impossible]")).click();
    await found(root, "[data-verdict]");
    await toLab(root);
  }),
] satisfies Story[];
