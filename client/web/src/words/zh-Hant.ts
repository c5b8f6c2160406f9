import crypto from "./zh-Hant/crypto";
import meeting from "./zh-Hant/meeting";
import notes from "./zh-Hant/notes";
import policy from "./zh-Hant/policy";
import room from "./zh-Hant/room";
import shell from "./zh-Hant/shell";
import start from "./zh-Hant/start";
import watch from "./zh-Hant/watch";
import type { Words } from "./entry";

export default { ...crypto, ...policy, ...room, ...watch, ...shell, ...start, ...meeting, ...notes } satisfies Words;
