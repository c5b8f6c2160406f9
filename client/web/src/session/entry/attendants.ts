/** Numbers of the members that attend a lobby while no host does: apart from `helper.ts`, which few members load. */

/** Members that wait in the lobby while no host is there: those with the lowest leaves. */
export const ATTENDANTS_MAX = 8;
