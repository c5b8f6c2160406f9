/**
 * Redirects to another node of the same origin, until we are inside (protocol section 3).
 *
 * Nobody has signed a redirect. It can therefore name nothing but a node of the origin that the link names. A server
 * that sends us on and on counts as away.
 */
import { NODES_MAX, REDIRECTS_MAX } from "../../wire/limits";
import { type Sentence, sentence } from "../../words/sentence";
import * as sentences from "../catalogue/sentences";
import { connect, type Effect, type Endpoint, endpointKey, type Input } from "../events";

const PATH = /^\/n\/([1-9][0-9]?)$/;

/** One session's redirects. */
export class Redirects {
  /** The number since the connection began; absent once inside. */
  readonly #count = new Map<string, number>();
  #roomPath = "";
  /** Of each connection; empty for the server of the link. */
  readonly #origins = new Map<string, string>();
  #told = false;

  /** Return the input to process: that of the shell, or the loss of a connection that leads nowhere. */
  followed(what: Input, effects: Effect[]): Input {
    if (what.type !== "Received") return what;
    const { endpoint, message } = what;
    const key = endpointKey(endpoint);
    const count = this.#count.get(key);
    if (message.type === "entered") {
      this.#count.delete(key); // no redirect has any effect from now on
      if (key === "room") this.#roomPath = message.node === null ? "" : `/n/${message.node}`;
    } else if (message.type === "moved_to" && count !== undefined) {
      if (Number(PATH.exec(message.path)?.[1] ?? NODES_MAX + 1) > NODES_MAX) {
        if (!this.#told) effects.push({ type: "Tell", event: sentences.alarm("misdirected") });
        this.#told = true;
        return this.#lost(endpoint, sentence("away.misdirects"), effects);
      }
      if (count >= REDIRECTS_MAX) return this.#lost(endpoint, sentence("away.sent_on"), effects);
      this.#count.set(key, count + 1);
      effects.push(connect(endpoint, this.originOf(endpoint), message.path));
    }
    return what;
  }

  /** Return the further server that this connection is to; empty for the server of the link. */
  originOf(endpoint: Endpoint): string {
    return this.#origins.get(endpointKey(endpoint)) ?? "";
  }

  #lost(endpoint: Endpoint, why: Sentence, effects: Effect[]): Input {
    this.#count.delete(endpointKey(endpoint));
    effects.push({ type: "Disconnect", endpoint });
    return { type: "Lost", endpoint, why, answered: true };
  }

  /** Note each new connection. A probe goes to the node that had the room: it has to answer for that. */
  begun(effect: Effect): Effect {
    if (effect.type !== "Connect" || effect.path !== undefined) return effect;
    const { endpoint, origin = "" } = effect;
    this.#count.set(endpointKey(endpoint), 0);
    this.#origins.set(endpointKey(endpoint), origin);
    return endpoint.further === "probe" && origin === "" && this.#roomPath !== "" ? { ...effect, path: this.#roomPath } : effect;
  }
}
