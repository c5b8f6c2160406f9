/** Seconds by which the wall clock has to be ahead for ours to follow it. */
const FOLLOW = 1;

/**
 * Unix seconds that never go back: the wall clock at the start, advanced by a monotonic clock.
 *
 * Where a monotonic clock stands still while a machine is suspended, this one follows the wall clock forward: else
 * freshness would outlast the suspension, and a host's cards would look expired. Twin of `client.connection.Clock`.
 */
export class Clock {
  readonly #wall: () => number;
  readonly #monotonic: () => number;
  #offset: number;

  constructor(wall = () => Date.now() / 1000, monotonic = () => performance.now() / 1000) {
    this.#wall = wall;
    this.#monotonic = monotonic;
    this.#offset = wall() - monotonic();
  }

  now(): number {
    const [now, wall] = [this.#monotonic() + this.#offset, this.#wall()];
    if (wall - now <= FOLLOW) return now;
    this.#offset += wall - now;
    return wall;
  }
}
