/** Entry point of the page. */
import { render } from "preact";
import "./style/index.css";
import { Media } from "../media/room";
import { Store } from "./store";
import { App } from "./views/app";
import { bundleHash, linkOf, takeFragment, unable, where } from "./where";

/** The part of Trusted Types used here: `require-trusted-types-for 'script'` needs a policy for the worker's URL. */
interface TrustedTypes {
  createPolicy(name: string, rules: { createScriptURL(url: string): string }): { createScriptURL(url: string): string };
}

const policy = (globalThis as { trustedTypes?: TrustedTypes }).trustedTypes?.createPolicy("snug", {
  createScriptURL: (url) => {
    if (url !== "worker.js") throw new TypeError("a script that is none of ours");
    return url;
  },
});

const createWorker = (): Worker => new Worker(policy?.createScriptURL("worker.js") ?? "worker.js", { type: "module" });

function kept(): Storage | null {
  try {
    return localStorage;
  } catch {
    return null;
  }
}

/** Milliseconds from the first view to the computation of the page's hash. */
const HASH_AFTER = 400;

/** Follow the link that a fragment of the address stands for. */
async function follow(taken: string | null): Promise<void> {
  if (taken !== null) store.opened(await linkOf(taken, at));
}

const root = document.getElementById("app");
if (root === null) throw new Error("no place for the page");

const fragment = takeFragment();
const [at, cant] = await Promise.all([where(), unable()]);
const store = new Store(at, { media: new Media(), createWorker, kept: kept() });
if (cant !== null) {
  store.unable.value = cant;
  store.place.value = "unable";
} else await follow(fragment);
root.replaceChildren();
render(<App model={store} />, root);

addEventListener("hashchange", () => void follow(takeFragment()));
addEventListener("beforeunload", (event) => {
  // after a reload, the page would join as a new member
  if (store.place.value === "room" && store.people.value.length > 1) event.preventDefault();
});
addEventListener("pagehide", () => {
  if (store.place.value === "room") store.do.leave();
});
// the hash needs every file of the page: request them after the first view has been painted
setTimeout(() => {
  void bundleHash().then((hash) => (store.where.value = { ...store.where.value, hash }));
}, HASH_AFTER);
