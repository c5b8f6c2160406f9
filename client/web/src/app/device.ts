/** The copy of the page that this device keeps (`service/main.ts`): made, and forgotten. Loaded when it is needed. */

/** Have the service worker `script` keep the page; rejects if the server did not hand over all of it. */
export async function keepPage(script: string): Promise<void> {
  const { serviceWorker } = navigator;
  try {
    await serviceWorker.register(script, { updateViaCache: "none" });
  } catch {
    return; // the browser wants none, as in some private windows
  }
  const { active } = await serviceWorker.ready;
  const { port1, port2 } = new MessageChannel();
  const kept = new Promise((done) => {
    port1.onmessage = ({ data }) => done(data);
  });
  active?.postMessage("renew", [port2]);
  if ((await kept) !== true) throw new Error("the page");
}

/** Remove the service worker and the copy. */
export async function forgetPage(): Promise<void> {
  for (const registration of await navigator.serviceWorker.getRegistrations()) await registration.unregister();
  for (const name of await caches.keys()) await caches.delete(name);
}
