/** WebSockets, one a door: queued while they connect, JSON text frames out, checked messages in. */
import { type Door, doorKey } from "../session/events";
import { Codec } from "../wire/codec";
import { FRAME_MAX } from "../wire/limits";
import {
  type ClientMessage,
  ClientMessageNames,
  schemas,
  type ServerMessage,
  ServerMessageNames,
} from "../wire/messages";
import { type Sentence, sentence } from "../words/sentence";

const clientCodec = new Codec<ClientMessage>(schemas, ClientMessageNames);
const serverCodec = new Codec<ServerMessage>(schemas, ServerMessageNames);

/** Seconds for making a connection, and for what is queued to go out before it is closed. */
export const CONNECT_TIME = 5;

/** What we use of a WebSocket. */
export interface Socket {
  onopen: ((event: Event) => unknown) | null;
  onmessage: ((event: MessageEvent) => unknown) | null;
  onclose: ((event: CloseEvent) => unknown) | null;
  send(text: string): void;
  close(): void;
}

export interface DoorEvents {
  received(door: Door, message: ServerMessage): void;
  /** `answered`: somebody took the connection, or refused it in words. */
  lost(door: Door, why: Sentence, answered: boolean): void;
}

interface Open {
  readonly door: Door;
  readonly socket: Socket;
  queue: string[] | null;
  closing: boolean;
  heard: boolean;
  timer: ReturnType<typeof setTimeout>;
}

/** All connections of one session to its server. */
export class Doors {
  /** Whether any was ever made. */
  everConnected = false;
  readonly #url: string;
  readonly #events: DoorEvents;
  readonly #make: (url: string) => Socket;
  readonly #listens: () => Promise<boolean>;
  readonly #open = new Map<string, Open>();

  /** `origin`: of the server. `listens` tells whether it answers at all, where no connection could be made. */
  constructor(
    origin: string,
    events: DoorEvents,
    make: (url: string) => Socket = (url) => new WebSocket(url),
    listens: () => Promise<boolean> = () => answers(origin),
  ) {
    this.#url = `${origin.replace(/^http/, "ws")}/ws`;
    this.#events = events;
    this.#make = make;
    this.#listens = listens;
  }

  /** Connect; the connection that there may be at that door is dropped without a word. */
  connect(door: Door): void {
    this.#forget(this.#open.get(doorKey(door)));
    const socket = this.#make(this.#url);
    const open: Open = {
      door,
      socket,
      queue: [],
      closing: false,
      heard: false,
      timer: setTimeout(() => void this.#lose(open, "shell.no_answer"), CONNECT_TIME * 1000),
    };
    this.#open.set(doorKey(door), open);
    socket.onopen = () => {
      clearTimeout(open.timer);
      this.everConnected = open.heard = true;
      const queue = open.queue ?? [];
      open.queue = null;
      for (const frame of queue) socket.send(frame);
      if (open.closing) this.#forget(open);
    };
    socket.onmessage = ({ data }) => this.#frame(open, data);
    socket.onclose = () => void this.#lose(open, open.heard ? "shell.ended" : "shell.nobody_there");
  }

  /** Close it when what is queued has gone out; nothing more of it is told. */
  disconnect(door: Door): void {
    const open = this.#open.get(doorKey(door));
    if (open === undefined) return;
    if (open.queue === null || open.queue.length === 0) this.#forget(open);
    else {
      open.closing = true;
      this.#open.delete(doorKey(door));
    }
  }

  /** Nothing is sent where there is no connection: what matters is said again on the next. */
  transmit(door: Door, message: ClientMessage): void {
    const open = this.#open.get(doorKey(door));
    if (open === undefined) return;
    const frame = clientCodec.encode(message);
    if (open.queue === null) open.socket.send(frame);
    else open.queue.push(frame);
  }

  /** Say goodbye everywhere. */
  close(): void {
    for (const { door } of [...this.#open.values()]) this.disconnect(door);
  }

  /** The network is another: what connections there are lead nowhere. */
  networkChanged(): void {
    for (const open of [...this.#open.values()]) void this.#lose(open, "shell.network_changed");
  }

  #frame(open: Open, data: unknown): void {
    let message: ServerMessage;
    try {
      if (typeof data !== "string" || data.length > FRAME_MAX) throw new TypeError("no frame of this protocol");
      message = serverCodec.decode(data);
    } catch {
      void this.#lose(open, "shell.alien");
      return;
    }
    this.#events.received(open.door, message);
  }

  async #lose(open: Open, why: string): Promise<void> {
    const known = this.#open.get(doorKey(open.door)) === open;
    this.#forget(open);
    if (!known) return;
    const answered = open.heard || (await this.#listens());
    if (!this.#open.has(doorKey(open.door))) this.#events.lost(open.door, sentence(why), answered);
  }

  #forget(open: Open | undefined): void {
    if (open === undefined) return;
    clearTimeout(open.timer);
    open.socket.onopen = open.socket.onmessage = open.socket.onclose = null;
    open.socket.close();
    if (this.#open.get(doorKey(open.door)) === open) this.#open.delete(doorKey(open.door));
  }
}

/** Whether the server answers a plain request: one that refuses only our WebSockets isn't down. */
async function answers(origin: string): Promise<boolean> {
  try {
    const { status } = await fetch(`${origin}/`, { method: "HEAD", cache: "no-store", signal: AbortSignal.timeout(2000) });
    return ![502, 503, 504].includes(status); // what stands before one that is down answers with these
  } catch {
    return false;
  }
}
