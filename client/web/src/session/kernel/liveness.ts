/**
 * Whether the open connections still reach the server, by this client's own clock.
 *
 * A connection whose network has gone tells nobody: TCP repeats for minutes. So a client that has heard nothing for a
 * while asks for an answer, and gives a connection up that brings none.
 */
import type { ServerMessage } from "../../wire/messages";
import { type Effect, type Endpoint, endpointKey } from "../events";

/** Seconds of silence before a ping, and for its answer. */
export const PING_EVERY = 2.5;
export const PING_WAIT = 2.5;
/** Seconds for the answer where the path of media has moved: the network may have changed. */
export const SUSPECT_WAIT = 1.5;
/** Seconds from the wish to connect to the server's first message, and to the entry. */
export const ENTRY_WAIT = 10;
/** A tick counts for at most so many seconds: a machine that stood still has heard nothing in that time. */
export const TICK_MAX = 1;
/** Bytes a second of the slowest network that is allowed for: what we send delays the answer. */
export const SLOWEST = 16_384;

/** One connection. Times are seconds of silence. */
interface Line {
  readonly endpoint: Endpoint;
  silent: number;
  asked: number | null;
  wait: number;
  entered: boolean;
  /** Bytes since it was heard last. */
  sent: number;
}

/** Connections to ask for an answer, and those to give up. */
export interface Silent {
  readonly asked: readonly Endpoint[];
  readonly dead: readonly Endpoint[];
}

const isDead = ({ entered, silent, asked, wait, sent }: Line): boolean =>
  entered ? asked !== null && silent - asked > wait + sent / SLOWEST : silent > ENTRY_WAIT;

/** The connections to the room and the lobbies; a probe has a limit of its own. */
export class Liveness {
  readonly #lines = new Map<string, Line>();
  #ticked: number;

  constructor(now: number) {
    this.#ticked = now;
  }

  /** Take note of what the session does with its connections. */
  performed(effects: readonly Effect[]): void {
    for (const effect of effects) {
      if (effect.type === "Connect" && effect.endpoint.further !== "probe")
        this.#lines.set(endpointKey(effect.endpoint), {
          endpoint: effect.endpoint,
          silent: 0,
          asked: null,
          wait: PING_WAIT,
          entered: false,
          sent: 0,
        });
      else if (effect.type === "Disconnect") this.lost(effect.endpoint);
      else if (effect.type === "Transmit" && "blob" in effect.message) {
        const line = this.#lines.get(endpointKey(effect.endpoint));
        if (line !== undefined) line.sent += effect.message.blob.length;
      }
    }
  }

  /** The server has sent a message there. */
  heard(endpoint: Endpoint, message: ServerMessage): void {
    const line = this.#lines.get(endpointKey(endpoint));
    if (line === undefined) return;
    Object.assign(line, { silent: 0, asked: null, wait: PING_WAIT, sent: 0 });
    line.entered ||= message.type === "entered";
  }

  /** That connection is gone. */
  lost(endpoint: Endpoint): void {
    this.#lines.delete(endpointKey(endpoint));
  }

  /** Let time pass, and return what has been silent for too long. */
  tick(now: number): Silent {
    const step = Math.min(Math.max(now - this.#ticked, 0), TICK_MAX);
    this.#ticked = now;
    const asked: Endpoint[] = [];
    for (const line of this.#lines.values()) {
      line.silent += step;
      if (!line.entered || line.asked !== null || line.silent < PING_EVERY) continue;
      line.asked = line.silent;
      asked.push(line.endpoint);
    }
    return { asked, dead: [...this.#lines.values()].filter(isDead).map(({ endpoint }) => endpoint) };
  }

  /** Return the same, because the network has changed, or may have. */
  networkChanged(certain: boolean): Silent {
    const all = [...this.#lines.values()];
    if (certain) return { asked: [], dead: all.map(({ endpoint }) => endpoint) };
    const entered = all.filter((line) => line.entered);
    for (const line of entered) Object.assign(line, { asked: line.silent, wait: SUSPECT_WAIT });
    return { asked: entered.map(({ endpoint }) => endpoint), dead: [] };
  }
}
