/** The features of a membership, in the order in which their hooks run. */
import { Subscriptions } from "./subscriptions";
import type { Feature } from "../kernel/feature";
import { Absence } from "./absence";
import { Answers } from "./answers";
import { CollectedEvidence } from "./collectedEvidence";
import { Comparing } from "./comparing";
import { Dropped } from "../monitor/dropped";
import { Ending } from "./ending";
import { Files } from "./filesharing";
import { HostKeyRotation } from "./hostKeyRotation";
import { HostKeyTransfer } from "./hostKeyTransfer";
import { HostSearch } from "./hostSearch";
import { Vouching } from "./identity";
import { SimulcastGuard } from "./simulcastGuard";
import { Mirror } from "./mirror";
import { Moves } from "./moves";
import { Pages } from "./pages";
import { PlaceQuorum } from "./placeQuorum";
import { Images } from "./images";
import { Roles } from "./roles";
import { Recovery } from "../kernel/recovery";
import { Reporting } from "./reporting";
import { Revocation } from "./revocation";
import type { Room } from "../kernel/ports";
import { Signing } from "./signing";
import { SilentMajority } from "./silentMajority";
import { Reactions, States } from "./states";
import { Maintenance } from "./maintenance";
import { Monitor } from "../monitor/monitor";

/** Return a new membership's features. */
export const build = (room: Room, now: number): Feature[] => [
  new HostKeyTransfer(room),
  new HostKeyRotation(room),
  new Roles(room),
  new Revocation(room),
  new Maintenance(room, now),
  new Comparing(room, now),
  new Answers(room),
  new Vouching(room),
  new Signing(room),
  new SimulcastGuard(room),
  new Monitor(room, now),
  new PlaceQuorum(room),
  new Recovery(room, now),
  new Ending(room),
  new Moves(room),
  new Mirror(room),
  new HostSearch(room),
  new Dropped(room),
  new CollectedEvidence(room),
  new Reporting(room, now),
  new Images(room),
  new States(room),
  new Absence(room),
  new SilentMajority(room),
  new Reactions(room),
  new Pages(room),
  new Files(room),
  new Subscriptions(room),
];
