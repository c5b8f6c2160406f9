/** The features of a membership, in the order in which their hooks run. */
import { Asking } from "./subscriptions";
import type { Feature } from "../kernel/feature";
import { Comparing } from "./comparing";
import { Dropped } from "../monitor/dropped";
import { Ending } from "./ending";
import { Files } from "./filesharing";
import { Granting } from "./hostKeyTransfer";
import { Vouching } from "./identity";
import { Layering } from "./simulcastGuard";
import { Pages } from "./pages";
import { Pictures } from "./images";
import { Powers } from "./roles";
import { Recovery } from "../kernel/recovery";
import { Reporting } from "./reporting";
import { Revoking } from "./revocation";
import type { RoomSession } from "../kernel/room";
import { Signing } from "./signing";
import { Reactions, States } from "./states";
import { Turning } from "./maintenance";
import { Monitor } from "../monitor/monitor";

/** Return a new membership's features. */
export const build = (room: RoomSession, now: number): Feature[] => [
  new Granting(room),
  new Powers(room),
  new Revoking(room),
  new Turning(room, now),
  new Comparing(room, now),
  new Vouching(room),
  new Signing(room),
  new Layering(room),
  new Monitor(room, now),
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
