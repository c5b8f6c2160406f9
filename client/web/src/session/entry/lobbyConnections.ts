/** The connections to the lobbies of one or two UTC days: sign in, seal and post (protocol section 4). */
import { type Bytes, hex, type Rng } from "../../crypto/bytes";
import { SnugError } from "../../crypto/errors";
import { dayOf, doorMessage, lobbyEnvelopeKey, lobbyKey } from "../../crypto/entry/invite";
import type { SigningKey } from "../../crypto/kdf";
import * as lobby from "../../crypto/entry/lobby";
import type { ServerMessage } from "../../wire/messages";
import { connect, type Effect, type Endpoint } from "../events";
import { delay } from "../kernel/backoff";
import * as sentences from "../catalogue/sentences";

/** Seconds around midnight in which a host is in both days' lobbies. */
export const MIDNIGHT = 600;
/**
 * Seconds for which a newcomer looks for the meeting at one server before it tries the next: in its lobby, and without a
 * connection. Where the meeting began, twice as long with each round, up to `ROUNDS` times.
 */
export const SEEK_STAY = 2;
export const REACH_STAY = 4;
export const ROUNDS = 4;
/** Seconds for which it stays where somebody of the meeting has answered it. */
export const HEARD_STAY = 30;
/**
 * Seconds for which one request of another member shows that it is here, and the requests that are remembered: a server
 * or a former member can repeat them.
 */
export const REQUEST_HOLDS = 120;
export const REQUESTS_MAX = 256;
/** Posts a second, and in a burst: below a server's default limits, so that none is refused and lost. */
export const POST_RATE = 40;
export const POST_BURST = 160;
/** The same of posts to all in the lobby. */
export const BROADCAST_RATE = 3;
export const BROADCAST_BURST = 30;
/** Bytes a second, and in a burst, of blobs: a server closes a connection that sends more than its default. */
export const BYTE_RATE = 524_288;
export const BYTE_BURST = 4_194_304;
/** Waiting posts from which unsolicited posts (refusals without a host's decision) are not added. */
export const CROWDED = 32;
/** Maximum waiting posts: somebody who floods the lobby makes us answer, and the oldest is dropped. */
export const WAITING_MAX = 512;

/** A lobby message, and the handle of the connection that has posted it, by the server's word. */
export interface PostedMessage {
  readonly message: lobby.LobbyMessage;
  readonly handle: Bytes;
}

interface Waiting {
  readonly day: number;
  readonly message: lobby.LobbyMessage;
  /** The receivers; none: all in the lobby. */
  readonly to: Bytes[];
}

/** The posts for which it counts: one for each receiver that it names. */
const costOf = ({ to }: Waiting): number => to.length || 1;

/** What may be spent now: `rate` more each second, at most `burst`. */
class Allowance {
  left: number;

  constructor(private readonly rate: number, private readonly burst: number) {
    this.left = burst;
  }

  passTime(seconds: number): void {
    this.left = Math.min(this.burst, this.left + this.rate * seconds);
  }
}

const endpointOf = (day: number): Endpoint => ({ day, further: null });

/** Return the days whose lobbies a host with waiting knocks must be in: two near midnight. */
export const daysAround = (now: number): Set<number> =>
  new Set([dayOf(now - MIDNIGHT), dayOf(now), dayOf(now + MIDNIGHT)]);

/** Connections to the lobbies of some days at one server: connect, sign, post. */
export class LobbyConnections {
  readonly #secret: Bytes;
  readonly #origins: readonly string[];
  /** The origin of the server. */
  at: string;
  #cameAt: number | null = null;
  #heardAt = -Infinity;
  /** Others' requests by their ids (hex), and when each first came. */
  readonly #requests = new Map<string, number>();
  /** A connection to this server has failed. */
  #failed = false;
  #rounds = 0;
  readonly #effects: Effect[];
  readonly #rng: Rng;
  readonly #keys = new Map<number, { readonly key: SigningKey; readonly envelopeKey: Bytes }>();
  readonly #entered = new Set<number>();
  readonly #retry = new Map<number, number>();
  #failures = 0;
  /** Whether we have ever entered a lobby. */
  wasInside = false;
  #refusal = "";
  #waiting: Waiting[] = [];
  readonly #posts = new Allowance(POST_RATE, POST_BURST);
  readonly #broadcasts = new Allowance(BROADCAST_RATE, BROADCAST_BURST);
  readonly #bytes = new Allowance(BYTE_RATE, BYTE_BURST);
  #flushedAt: number | null = null;

  /** `origins`: where the meeting began, and where it can go on. */
  constructor(secret: Bytes, origins: readonly [string, ...string[]], effects: Effect[], rng: Rng) {
    this.#secret = secret;
    this.#origins = origins;
    this.at = origins[0];
    this.#effects = effects;
    this.#rng = rng;
  }

  /** The days whose lobbies we have entered. */
  get entered(): ReadonlySet<number> {
    return this.#entered;
  }

  /** Be in the lobbies of these days only. Call it regularly: it also sends waiting posts. */
  async stayIn(days: ReadonlySet<number>, now: number): Promise<void> {
    const since = this.#flushedAt === null ? 0 : now - this.#flushedAt;
    this.#flushedAt = now;
    for (const allowance of [this.#posts, this.#broadcasts, this.#bytes]) allowance.passTime(since);
    await this.#flush();
    for (const day of days) {
      if (this.#keys.has(day)) continue;
      await this.#takeKeys(day);
      this.#connect(day);
    }
    for (const day of [...this.#keys.keys()]) if (!days.has(day)) this.#leave(day);
    for (const [day, at] of [...this.#retry]) {
      if (now < at) continue;
      this.#retry.delete(day);
      this.#connect(day);
    }
  }

  async #takeKeys(day: number): Promise<void> {
    const key = await lobbyKey(this.#secret, this.at, day);
    this.#keys.set(day, { key, envelopeKey: lobbyEnvelopeKey(this.#secret, this.at, day) });
  }

  #connect(day: number): void {
    this.#effects.push(connect(endpointOf(day), this.at === this.#origins[0] ? "" : this.at));
  }

  /** Be in the lobbies at that server from now on. */
  async go(origin: string): Promise<void> {
    if (origin === this.at) return;
    this.at = origin;
    this.#cameAt = null;
    this.#heardAt = -Infinity;
    this.#failed = false;
    for (const day of [...this.#keys.keys()]) {
      this.#entered.delete(day);
      await this.#takeKeys(day);
      if (this.#retry.has(day)) continue;
      this.#effects.push({ type: "Disconnect", endpoint: endpointOf(day) });
      this.#connect(day);
    }
  }

  /** Go from server to server, for as long as nobody of the meeting is heard. */
  async seek(now: number): Promise<void> {
    if (this.#origins.length === 1) return;
    this.#cameAt ??= now;
    const at = this.#origins.indexOf(this.at);
    const inside = this.#entered.size > 0;
    const stay = (inside ? SEEK_STAY : REACH_STAY) * (at > 0 ? 1 : 2 ** Math.min(this.#rounds, ROUNDS));
    const elsewhere = now - this.#cameAt > stay && now - this.#heardAt > HEARD_STAY;
    if (!elsewhere && !(this.#failed && !inside)) return;
    if (at === this.#origins.length - 1) this.#rounds++;
    await this.go(this.#origins[(at + 1) % this.#origins.length] ?? this.at);
  }

  /** Whether the meeting can be at more than one server. */
  get seeks(): boolean {
    return this.#origins.length > 1;
  }

  /** Somebody of the meeting has answered us here. */
  heard(now: number): void {
    this.#heardAt = now;
  }

  /** Another member's request came, with this id: somebody is here, unless it was repeated. */
  heardRequest(id: Bytes, now: number): void {
    const first = this.#requests.get(hex(id)) ?? (this.#requests.size < REQUESTS_MAX ? now : -Infinity);
    if (now - first >= REQUEST_HOLDS) return;
    this.#requests.set(hex(id), first);
    this.heard(now);
  }

  #leave(day: number): void {
    this.#keys.delete(day);
    this.#entered.delete(day);
    this.#retry.delete(day);
    this.#effects.push({ type: "Disconnect", endpoint: endpointOf(day) });
  }

  /** Handle a lost connection: reconnect after a random time, longer after each failure. */
  lost(day: number, now: number): void {
    this.#entered.delete(day);
    this.#failed = true;
    if (!this.#keys.has(day)) return;
    this.#retry.set(day, now + delay(this.#failures++, this.#rng));
  }

  /** Connect at once where we are about to: the network has changed. */
  hurry(now: number): void {
    for (const day of this.#retry.keys()) this.#retry.set(day, now);
  }

  /** Return a posted lobby message; true if we have just entered; false for anything else. */
  async received(day: number, message: ServerMessage): Promise<PostedMessage | boolean> {
    const held = this.#keys.get(day);
    if (held === undefined) return false;
    switch (message.type) {
      case "challenge": {
        const nonce = this.#rng(32);
        const lobby_key = held.key.public;
        const signature = await held.key.sign(doorMessage(this.at, lobby_key, message.nonce, nonce));
        const door = { type: "lobby_door", lobby_key, nonce, signature } as const;
        this.#effects.push({ type: "Transmit", endpoint: endpointOf(day), message: door });
        return false;
      }
      case "entered":
        this.#entered.add(day);
        this.#failures = 0;
        this.wasInside = true;
        return true;
      case "refused":
        if (message.text === this.#refusal) return false;
        this.#refusal = message.text; // reported once, however often it recurs
        this.#effects.push({
          type: "Tell",
          event:
            message.code === "nodes" // a moment's state of its machines
              ? sentences.status("closing", { text: message.text })
              : sentences.alarm("refused.lobby", { why: message.text }),
        });
        return false;
      case "posted":
        try {
          return { message: await lobby.read(held.envelopeKey, message.blob), handle: message.handle };
        } catch (error) {
          if (error instanceof SnugError) return false; // not from a holder of the link
          throw error;
        }
      default:
        return false;
    }
  }

  /**
   * Seal and post if we are in that lobby, at once or as soon as the server's limits allow.
   *
   * `to`: the handles of the receivers, at most 64; none: all in the lobby. A message that already waits is not added: repeated
   * equal knocks would displace other replies.
   */
  async post(day: number, message: lobby.LobbyMessage, ...to: Bytes[]): Promise<void> {
    if (!this.#entered.has(day) || this.#waiting.some((waiting) => waiting.message === message)) return;
    this.#waiting.push({ day, message, to });
    await this.#flush();
    if (this.#waiting.length > WAITING_MAX) this.#waiting.shift();
  }

  /** The number of posts that wait. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** Whether another post to all in a lobby keeps to the rate of such posts, and none waits already. */
  get mayPostToAll(): boolean {
    return this.#broadcasts.left >= 1 && this.#waiting.every(({ to }) => to.length > 0);
  }

  async #flush(): Promise<void> {
    const later: Waiting[] = [];
    for (let [next] = this.#waiting; next !== undefined; [next] = this.#waiting) {
      if (this.#posts.left < costOf(next) || this.#bytes.left <= 0) break;
      this.#waiting.shift();
      if (next.to.length === 0 && this.#broadcasts.left < 1) later.push(next);
      else if (this.#entered.has(next.day)) await this.#send(next);
    }
    this.#waiting = [...later, ...this.#waiting];
  }

  async #send(waiting: Waiting): Promise<void> {
    const { day, to } = waiting;
    const held = this.#keys.get(day);
    if (held === undefined) return;
    this.#posts.left -= costOf(waiting);
    if (to.length === 0) this.#broadcasts.left--;
    try {
      const blob = await lobby.post(held.envelopeKey, waiting.message, this.#rng);
      this.#bytes.left -= blob.length;
      const message = { type: "post", to: to.length > 0 ? to : null, blob } as const;
      this.#effects.push({ type: "Transmit", endpoint: endpointOf(day), message });
    } catch (error) {
      if (!(error instanceof SnugError)) throw error; // larger than a lobby allows
    }
  }

  /** Leave all lobbies. */
  close(): void {
    for (const day of [...this.#keys.keys()]) this.#leave(day);
  }
}
