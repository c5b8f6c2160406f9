/**
 * A host's cards: one key for ten minutes, and an answer to the newcomers that have asked.
 *
 * Protocol section 4. Somebody who floods the lobby with requests has one place in the queue for each connection, and
 * makes the host sign no more cards than it may post to all.
 */
import { type Bytes, hex, type Rng } from "../../crypto/bytes";
import * as hosts from "../../crypto/entry/hostsLobby";
import type { HostKeys } from "../../crypto/entry/invite";
import { CARD_ANSWERS_MAX } from "../../crypto/entry/lobby";
import type { LobbyConnections } from "./lobbyConnections";

/** Remaining seconds of a key below which new cards have another one. */
export const CARD_RENEW = 120;
/** Minimum seconds between two moments at which cards are posted: one card answers all who asked meanwhile. */
export const CARD_EVERY = 0.25;
/** Maximum connections whose requests wait. Others ask again. */
export const REQUESTS_MAX = 512;

interface Request {
  readonly day: number;
  readonly nonce: Bytes;
}

/** Requests for cards in one or two lobbies, and the keys of the cards that answer them. */
export class Cards {
  /** The keys that open knocks, the newest last. */
  secrets: hosts.CardSecret[] = [];
  /** By day and connection, oldest first. */
  readonly #asked = new Map<string, Request>();
  #postedAt = -Infinity;

  constructor(
    private readonly origin: string,
    private readonly connections: LobbyConnections,
    private readonly rng: Rng,
  ) {}

  /** Take a newcomer's request: the next card of `answer` names its nonce. */
  ask(day: number, handle: Bytes, nonce: Bytes): void {
    const from = `${day} ${hex(handle)}`;
    if (this.#asked.size < REQUESTS_MAX || this.#asked.has(from)) this.#asked.set(from, { day, nonce });
  }

  /** Post the cards that are due, and erase the keys that are old. Call it regularly. */
  async answer(keys: HostKeys, now: number): Promise<void> {
    for (const secret of this.secrets) if (secret.expired(now)) secret.erase();
    this.secrets = this.secrets.filter((secret) => !secret.expired(now));
    if (now - this.#postedAt < CARD_EVERY) return;
    for (let [first] = this.#asked.values(); first && this.connections.mayPostToAll; [first] = this.#asked.values()) {
      const { day } = first;
      const waiting = [...this.#asked].filter(([, request]) => request.day === day).slice(0, CARD_ANSWERS_MAX);
      for (const [from] of waiting) this.#asked.delete(from);
      if (!this.connections.entered.has(day)) continue;
      this.#postedAt = now;
      const nonces = waiting.map(([, { nonce }]) => nonce);
      const card = await hosts.makeCard(keys, this.origin, await this.#secret(now), nonces);
      await this.connections.post(day, card);
    }
  }

  async #secret(now: number): Promise<hosts.CardSecret> {
    const newest = this.secrets.at(-1);
    if (newest !== undefined && newest.expiry - now >= CARD_RENEW) return newest;
    const made = await hosts.makeCardSecret(now, this.rng);
    this.secrets.push(made);
    return made;
  }

  /** Erase all keys. */
  close(): void {
    for (const secret of this.secrets.splice(0)) secret.erase();
  }
}
