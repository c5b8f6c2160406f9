import crypto from "./de/crypto";
import meeting from "./de/meeting";
import notes from "./de/notes";
import policy from "./de/policy";
import room from "./de/room";
import shell from "./de/shell";
import start from "./de/start";
import watch from "./de/watch";
import type { Words } from "./entry";

export default { ...crypto, ...policy, ...room, ...watch, ...shell, ...start, ...meeting, ...notes } satisfies Words;
