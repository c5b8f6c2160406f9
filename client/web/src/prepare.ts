/** Loads files that a meeting can need later, once the room is shown: the server may be gone by then. */

/** Milliseconds until a step that has failed is tried again, for the first time, and at most. */
export const AGAIN_AFTER = 2000;
export const AGAIN_MAX = 60_000;

/** Milliseconds to wait before it, and what is to be done. */
export type Step = readonly [after: number, take: () => Promise<unknown>];

/** Take each step in turn, and each one until it has succeeded. `wait` waits for some milliseconds. */
export async function prepare(steps: readonly Step[], wait: (milliseconds: number) => Promise<unknown>): Promise<void> {
  for (const [after, take] of steps) {
    await wait(after);
    const taken = (): Promise<boolean> => take().then(() => true, () => false);
    for (let again = AGAIN_AFTER; !(await taken()); again = Math.min(2 * again, AGAIN_MAX)) await wait(again);
  }
}

/** Wait for some milliseconds. */
export const after = (milliseconds: number): Promise<unknown> => new Promise((done) => setTimeout(done, milliseconds));
