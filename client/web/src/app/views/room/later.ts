/**
 * The views of the side panel, of hosts, and of what happens in a room after a while. One file, which `load.ts` loads: nobody
 * sees them on the way into the room.
 */
import "../../laterIcons";

export { Admission } from "./admission";
export { Bubble } from "./bubble";
export { Chat } from "./chat";
export { Code } from "./code";
export { Compares } from "./compares";
export { HostOptions } from "../hostOptions";
export { IdentityDialog } from "./identity";
export { Lecture } from "./lecture";
export { MoreDialogs } from "./moreDialogs";
export { MoreItems } from "./moreItems";
export { NowHost } from "./nowHost";
export { People } from "./people";
export { Quality } from "./quality";
export { Settings } from "./settings";
export { TileItems } from "./tileItems";
