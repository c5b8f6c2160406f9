/**
 * The parts of a session that only some members need, and no guest before it is in a room: the host's lobby, the help
 * for members that come back, the way back itself, introductions, reports, old media keys, the choice of microphones,
 * the room at a second server, whether it is reached, and members that are elsewhere, the places of commits that come
 * from elsewhere, the comparison of server keys, a person's commands about servers, and the pieces of a large room's
 * answer. One file, which `load.ts` loads.
 */
export { Apart } from "../features/apart";
export { Audible } from "../features/audible";
export { Lookout } from "../features/lookout";
export { Reach } from "../features/mirrorReach";
export { makeReport } from "../features/madeReport";
export { listServers, nameServers, removeAbsent } from "../features/namedServers";
export { takeOldMediaKeys } from "../features/oldMediaKeys";
export { Assemblies } from "../../crypto/entry/pieces";
export { MembersLobby, RejoinHelper } from "../entry/helper";
export { HostLobby } from "../entry/lobby";
export { HostReturnLobby } from "../entry/recovery";
export { answerReadmitted } from "./answers";
export { ServerKeys } from "../monitor/serverKeys";
export { Batches } from "./batches";
export { hostProposals } from "./hostProposals";
export { cardPosted } from "./hostElsewhere";
export { notePlace } from "./notedPlaces";
export { introduction } from "./introduction";
export { aboutInvites, decide, inLobby, serve } from "./hosting";
export { comebackLobby, recoveryData, rejoinLobby } from "./rejoining";
export { SecondRoom } from "./secondRoom";
