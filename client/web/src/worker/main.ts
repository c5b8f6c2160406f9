/** Entry point of the worker. Session, MLS and SFrame live here; the page has none of their keys. */
import { Clock } from "../clock";
import { loadLookAlikes } from "../crypto/agreed/names";
import { KeptMeetings } from "../kept";
import { after, prepare } from "../prepare";
import { load } from "../session/kernel/load";
import { Connections } from "./doors";
import type { FromWorker, ToWorker } from "./messages";
import { Shell } from "./shell";
import type { Transformer } from "./transforms";

/** The part of a worker's global scope that a page's does not have. */
interface Scope {
  postMessage(message: FromWorker): void;
  addEventListener(type: "message", listener: (event: MessageEvent<ToWorker>) => void): void;
  addEventListener(type: "rtctransform", listener: (event: { readonly transformer: Transformer }) => void): void;
  addEventListener(type: "error" | "unhandledrejection" | "online", listener: (event: Event) => void): void;
}

const scope = self as unknown as Scope;

let prepared = false;

/** Load files that the session can need later. */
function prepareOnce(): void {
  if (!prepared) void prepare([[0, () => Promise.all([load(), loadLookAlikes()])]], after);
  prepared = true;
}

const clock = new Clock();
const shell = new Shell({
  post: (message) => scope.postMessage(message),
  now: () => clock.now(),
  kept: () => KeptMeetings.open(),
  connections: (origin, own, events) => new Connections(origin, own, events),
});

scope.addEventListener("message", ({ data }) => {
  void shell.hear(data);
  // the page counts each second once it shows the room
  if (data.type === "count") prepareOnce();
});
scope.addEventListener("rtctransform", ({ transformer }) => shell.transform(transformer));
scope.addEventListener("online", () => void shell.networkChanged(true));
scope.addEventListener("error", (event) => shell.broken((event as ErrorEvent).error ?? "error"));
scope.addEventListener("unhandledrejection", (event) => shell.broken((event as PromiseRejectionEvent).reason));
