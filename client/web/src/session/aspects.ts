/** The aspects of a membership, in the order in which their hooks run. */
import { Asking } from "./asking";
import type { Aspect } from "./aspect";
import { Comparing } from "./comparing";
import { Dropped } from "./dropped";
import { Ending } from "./ending";
import { Files } from "./filesharing";
import { Granting } from "./granting";
import { Vouching } from "./identity";
import { Layering } from "./layering";
import { Pages } from "./pages";
import { Pictures } from "./pictures";
import { Powers } from "./powers";
import { Recovery } from "./recovery";
import { Reporting } from "./reporting";
import { Revoking } from "./revoking";
import type { RoomSession } from "./room";
import { Signing } from "./signing";
import { Reactions, States } from "./states";
import { Turning } from "./turning";
import { Watch } from "./watch";

/** Return a new membership's aspects. */
export const make = (room: RoomSession, now: number): Aspect[] => [
  new Granting(room),
  new Powers(room),
  new Revoking(room),
  new Turning(room, now),
  new Comparing(room, now),
  new Vouching(room),
  new Signing(room),
  new Layering(room),
  new Watch(room, now),
  new Recovery(room),
  new Ending(room),
  new Dropped(room),
  new Reporting(room, now),
  new Pictures(room),
  new States(room),
  new Reactions(room),
  new Pages(room),
  new Files(room),
  new Asking(room),
];
