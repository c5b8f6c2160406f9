/**
 * Entry point of the service worker: it serves the kept copy of the page while the server is dead, and shows
 * notifications on phones. `app/device.ts` installs it, once somebody has joined a meeting.
 *
 * A link's secret stands after the `#` of an address. This code reads the path alone, and writes no address down.
 */
import { Copy, PAGE } from "./keep";

/** The parts of a service worker's global scope that are used here. */
interface Scope {
  readonly registration: { readonly scope: string; unregister(): Promise<unknown> };
  readonly clients: {
    get(id: string): Promise<object | undefined>;
    matchAll(wish: object): Promise<readonly { focus(): Promise<unknown> }[]>;
  };
  skipWaiting(): Promise<void>;
  addEventListener(type: "install", listener: () => void): void;
  addEventListener(type: "fetch", listener: (event: Fetching) => void): void;
  addEventListener(type: "message", listener: (event: MessageEvent & Lasting) => void): void;
  addEventListener(type: "notificationclick", listener: (event: Lasting & { readonly notification: Notification }) => void): void;
}

interface Lasting {
  waitUntil(work: Promise<unknown>): void;
}

interface Fetching {
  readonly request: Request;
  readonly clientId: string;
  readonly resultingClientId: string;
  respondWith(answer: Promise<Response>): void;
}

/** Milliseconds after which a server that has not begun to answer is taken for dead. */
const PATIENCE = 8000;

const scope = self as unknown as Scope;
const copy = new Copy({
  caches,
  // a browser follows what a person opens; nothing else is led elsewhere
  fetch: (request) => (request instanceof Request && request.mode === "navigate" ? fetch(request) : fetch(request, { redirect: "error" })),
  isOpen: async (client) => (await scope.clients.get(client)) !== undefined,
  unregister: () => scope.registration.unregister(),
  patience: () => new Promise((done) => setTimeout(done, PATIENCE)),
});

// a newer one takes over at once, and does not wait until all tabs are closed
scope.addEventListener("install", () => void scope.skipWaiting());

scope.addEventListener("fetch", (event) => {
  const { request, clientId, resultingClientId } = event;
  const { origin, pathname } = new URL(request.url);
  const base = new URL(scope.registration.scope);
  if (request.method !== "GET" || origin !== base.origin) return;
  const name = pathname.slice(base.pathname.length);
  if (request.mode !== "navigate") event.respondWith(copy.file(request, name, clientId));
  else if (name === "" || name === PAGE) event.respondWith(copy.page(request, resultingClientId));
});

scope.addEventListener("message", (event) => {
  const [port] = event.ports;
  if (event.data === "kept") {
    const { id } = event.source as unknown as { readonly id: string };
    event.waitUntil(copy.serves(id).then((kept) => port?.postMessage(kept ? "kept" : "served")));
  } else event.waitUntil(copy.renew().then(() => port?.postMessage(true), () => port?.postMessage(false)));
});

scope.addEventListener("notificationclick", (event) => {
  event.notification.close();
  const open = scope.clients.matchAll({ type: "window", includeUncontrolled: true });
  event.waitUntil(open.then(([first]) => first?.focus()));
});
