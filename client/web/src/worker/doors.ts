/**
 * One WebSocket for each endpoint: messages are queued while it connects, sent as JSON text frames, and checked on
 * receipt.
 */
import { type Endpoint, endpointKey } from "../session/events";
import { Codec } from "../wire/codec";
import { FRAME_MAX } from "../wire/limits";
import * as messages from "../wire/messages";
import { type Sentence, sentence } from "../words/sentence";

const clientCodec = new Codec<messages.ClientMessage>(messages.schemas, messages.ClientMessageNames);
const serverCodec = new Codec<messages.ServerMessage>(messages.schemas, messages.ServerMessageNames);

/** Seconds for establishing a connection, including sending its queue before it closes. */
export const CONNECT_TIME = 5;

/** The part of a WebSocket that is used here. */
export interface Socket {
  onopen: ((event: Event) => unknown) | null;
  onmessage: ((event: MessageEvent) => unknown) | null;
  onclose: ((event: CloseEvent) => unknown) | null;
  send(text: string): void;
  close(): void;
}

export interface ConnectionEvents {
  received(endpoint: Endpoint, message: messages.ServerMessage): void;
  /** `answered` and `byServer` as in the input `Lost`. A browser does not show with which status HTTP refuses. */
  lost(endpoint: Endpoint, why: Sentence, answered: boolean, byServer: boolean): void;
}

interface Open {
  readonly endpoint: Endpoint;
  readonly url: string;
  readonly socket: Socket;
  queue: string[] | null;
  closing: boolean;
  heard: boolean;
  timer: ReturnType<typeof setTimeout>;
}

/** All connections of one session to its servers. */
export class Connections {
  readonly #origin: string;
  readonly #events: ConnectionEvents;
  readonly #make: (url: string) => Socket;
  readonly #listens: (url: string) => Promise<boolean>;
  readonly #open = new Map<string, Open>();
  /** Takes the connection that was opened ahead of time, if it leads to that URL. */
  #spare: ((url: string) => Socket | null) | null = null;

  /**
   * `origin`: that of the link's server. `own`: the participant's own machine serves the page. `listens`: whether a
   * server, or its node with this URL, answers at all, when no connection could be established.
   */
  constructor(
    origin: string,
    own: boolean,
    events: ConnectionEvents,
    make: (url: string) => Socket = (url) => new WebSocket(url),
    listens: (url: string) => Promise<boolean> = (url) => answers(url, own),
  ) {
    this.#origin = origin;
    this.#events = events;
    this.#make = make;
    this.#listens = listens;
  }

  /**
   * Connect, to the node at `path`, or to the further server with this origin.
   *
   * An existing connection to this endpoint is dropped without notice.
   */
  connect(endpoint: Endpoint, path = "", origin = this.#origin): void {
    this.#forget(this.#open.get(endpointKey(endpoint)));
    const url = origin + path;
    const socket = (endpointKey(endpoint) === "room" && this.#spare?.(url)) || this.#dial(url);
    const open: Open = {
      endpoint,
      url,
      socket,
      queue: [],
      closing: false,
      heard: false,
      timer: setTimeout(() => void this.#lose(open, "shell.no_answer"), CONNECT_TIME * 1000),
    };
    this.#open.set(endpointKey(endpoint), open);
    socket.onopen = () => {
      clearTimeout(open.timer);
      open.heard = true;
      const queue = open.queue ?? [];
      open.queue = null;
      for (const frame of queue) socket.send(frame);
      if (open.closing) this.#forget(open);
    };
    socket.onmessage = ({ data }) => this.#frame(open, data);
    // `wasClean`: a close frame has come, and not an end or a reset, which any network can make
    socket.onclose = ({ wasClean }) => void this.#lose(open, open.heard ? "shell.ended" : "shell.no_connection", wasClean);
  }

  /** Open a connection ahead of time, for the next one to the room at the server with this origin. */
  async connectSoon(origin: string): Promise<void> {
    this.#spare?.("");
    let late = false;
    this.#spare = () => {
      late = true;
      return null;
    };
    const { spare } = await import("./spare");
    if (!late) this.#spare = spare(origin, this.#dial(origin));
  }

  #dial(url: string): Socket {
    return this.#make(`${url.replace(/^http/, "ws")}/ws`);
  }

  /** Close the connection after its queue is sent, and report nothing more about it. */
  disconnect(endpoint: Endpoint): void {
    const open = this.#open.get(endpointKey(endpoint));
    if (open === undefined) return;
    if (open.queue === null || open.queue.length === 0) this.#forget(open);
    else {
      open.closing = true;
      this.#open.delete(endpointKey(endpoint));
    }
  }

  /** Send a message; without a connection it is dropped, because the session repeats what matters on the next one. */
  transmit(endpoint: Endpoint, message: messages.ClientMessage): void {
    const open = this.#open.get(endpointKey(endpoint));
    if (open === undefined) return;
    const frame = clientCodec.encode(message);
    if (open.queue === null) open.socket.send(frame);
    else open.queue.push(frame);
  }

  /** Close all connections. */
  close(): void {
    this.#spare?.("");
    for (const { endpoint } of [...this.#open.values()]) this.disconnect(endpoint);
  }

  #frame(open: Open, data: unknown): void {
    let message: messages.ServerMessage;
    try {
      if (typeof data !== "string" || data.length > FRAME_MAX) throw new TypeError("no frame of this protocol");
      message = serverCodec.decode(data);
    } catch {
      void this.#lose(open, "shell.alien");
      return;
    }
    this.#events.received(open.endpoint, message);
  }

  async #lose(open: Open, why: string, byServer = false): Promise<void> {
    const known = this.#open.get(endpointKey(open.endpoint)) === open;
    this.#forget(open);
    if (!known) return;
    const answered = open.heard || (await this.#listens(open.url));
    if (!this.#open.has(endpointKey(open.endpoint))) this.#events.lost(open.endpoint, sentence(why), answered, byServer);
  }

  #forget(open: Open | undefined): void {
    if (open === undefined) return;
    clearTimeout(open.timer);
    open.socket.onopen = open.socket.onmessage = open.socket.onclose = null;
    open.socket.close();
    if (this.#open.get(endpointKey(open.endpoint)) === open) this.#open.delete(endpointKey(open.endpoint));
  }
}

/**
 * Return whether the server, or its node with this URL, answers a plain request: a server that refuses only our WebSockets is not down.
 *
 * A page from the participant's own machine may not ask another origin: `snug page` asks for it.
 */
async function answers(url: string, own: boolean): Promise<boolean> {
  try {
    if (own) {
      const told = await fetch("answers", { method: "POST", body: url, cache: "no-store", redirect: "error", signal: AbortSignal.timeout(4000) });
      return (await told.json()) === true;
    }
    const { status } = await fetch(`${url}/`, { method: "HEAD", cache: "no-store", redirect: "manual", signal: AbortSignal.timeout(2000) });
    return ![502, 503, 504].includes(status); // a proxy before a stopped server answers 502, 503 or 504
  } catch {
    return false;
  }
}
