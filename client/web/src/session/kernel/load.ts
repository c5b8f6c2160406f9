/**
 * Loads `later.ts`: when a session first needs it, or before that, when the shell has time.
 *
 * It comes from the server that the page came from. So the shell has it loaded soon after we are in the room, and it
 * stays in memory: the meeting may go on without that server.
 */
const request = () => import("./later");

type Later = Awaited<ReturnType<typeof request>>;

let loaded: Later | null = null;

/** Return it; rejects if it can't be had now, and then another call tries again. */
export const load = async (): Promise<Later> => (loaded ??= await request());

/** Return it if it has been loaded, which it is for all who host, attend a lobby or come back; else null. */
export const loadedLater = (): Later | null => loaded;
