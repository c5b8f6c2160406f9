/** Which rooms are large: there, packets of sound are longer (`client/session/kernel/large_room.py`). */
import { LARGE_LEAF, LARGE_MEMBERS } from "../../wire/limits";

/** Return whether a room with members at these leaves is large: all members come to the same result. */
export const isLarge = (leaves: readonly number[]): boolean =>
  leaves.length > LARGE_MEMBERS && leaves.some((leaf) => leaf >= LARGE_LEAF);
