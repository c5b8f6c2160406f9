/** Entry point of the page. */
import { effect } from "@preact/signals";
import { render } from "preact";
import "./style/index.css";
import { Media } from "../media/room";
import { KeptMeetings } from "../kept";
import { after, prepare, type Step } from "../prepare";
import { loadEnglish, loadLanguages } from "../words/index";
import { Store } from "./store";
import { App } from "./views/app";
import { loadLater } from "./views/room/load";
import { isProven, ownFragment } from "./ownPage";
import { carriesLink, learnHash, linkOf, takeFragment, unable, where } from "./where";

/** The part of Trusted Types used here: `require-trusted-types-for 'script'` needs a policy for the worker's URL. */
interface TrustedTypes {
  createPolicy(name: string, rules: { createScriptURL(url: string): string }): { createScriptURL(url: string): string };
}

const policy = (globalThis as { trustedTypes?: TrustedTypes }).trustedTypes?.createPolicy("snug", {
  createScriptURL: (url) => {
    if (!/^(worker|service|blur)\.js$/.test(url)) throw new TypeError("a script that is none of ours");
    return url;
  },
});

const script = (name: string): string => policy?.createScriptURL(name) ?? name;
const createWorker = (name = "worker.js"): Worker => new Worker(script(name), { type: "module" });

function kept(): Storage | null {
  try {
    return localStorage;
  } catch {
    return null;
  }
}

/** Follow the link that a fragment of the address stands for. */
async function follow(taken: string | null): Promise<void> {
  if (taken === null) return;
  // a new address of `snug page`, in a tab that has its page: a new key is in it
  if (at.own && ownFragment(taken) !== null) store.where.value = { ...store.where.value, proven: await isProven(taken) };
  if (carriesLink(taken, at)) store.opened(await linkOf(taken, at));
}

const root = document.getElementById("app");
if (root === null) throw new Error("no place for the page");

const taken = takeFragment();
const [at, cant, meetings] = await Promise.all([where(taken), unable(), KeptMeetings.open()]);
const fragment = taken !== null && carriesLink(taken, at) ? taken : null;
const store = new Store(at, { media: new Media(() => createWorker("blur.js")), createWorker, kept: kept(), meetings });
if (cant !== null) {
  store.unable.value = cant;
  store.place.value = "unable";
} else {
  const link = fragment === null ? null : await linkOf(fragment, at);
  const [visit] = performance.getEntriesByType("navigation") as PerformanceNavigationTiming[];
  const reloaded = visit?.type === "reload" || visit?.type === "back_forward";
  if (!(await store.comebacks.returns(link, reloaded))) {
    if (fragment !== null) store.opened(link);
    else if (at.kept === true) {
      store.unable.value = "offline";
      store.place.value = "unable";
    }
  }
}
root.replaceChildren();
render(<App model={store} />, root);

addEventListener("hashchange", () => void follow(takeFragment()));
addEventListener("pagehide", () => store.comebacks.hides());

/** Have the device keep a copy of the page, for a reload while its server is dead. `snug page` needs none. */
async function keepCopy(): Promise<void> {
  if (at.own || at.kept === true || !store.comebacks.keeps || !("serviceWorker" in navigator)) return;
  const { keepPage, forgetPage } = await import("./device");
  await keepPage(script("service.js"));
  if (!store.comebacks.keeps) await forgetPage(); // the person has thought better of it meanwhile
}
// somebody who installs the page wants it to open without a server, and to say so
if (matchMedia("(display-mode: standalone)").matches) void keepCopy().catch(() => undefined);
addEventListener("appinstalled", () => void keepCopy().catch(() => undefined));

/** Milliseconds until later files may be loaded: the room has been drawn; and the first video has come. */
const SOON = 1000;
const QUIET = 3000;
/** How often the copy is tried in a meeting. */
const COPIES = 3;
let prepared = false;
effect(() => {
  if (prepared || store.place.value !== "room") return;
  prepared = true;
  const languages: Step = [QUIET, loadLanguages];
  // the hash and the copy come last: they need every file of the page
  const hash: Step = [QUIET, () => learnHash(store.where, true)];
  let tries = COPIES; // a browser that stores nothing, or no more, would have them all fetched for ever
  const copy: Step = [0, () => keepCopy().catch((error: unknown) => (--tries > 0 ? Promise.reject(error) : undefined))];
  void prepare([[SOON, loadEnglish], [0, loadLater], languages, hash, copy], after);
});
