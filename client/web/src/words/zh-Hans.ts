import crypto from "./zh-Hans/crypto";
import meeting from "./zh-Hans/meeting";
import notes from "./zh-Hans/notes";
import policy from "./zh-Hans/policy";
import room from "./zh-Hans/room";
import shell from "./zh-Hans/shell";
import start from "./zh-Hans/start";
import watch from "./zh-Hans/watch";
import type { Words } from "./entry";

export default { ...crypto, ...policy, ...room, ...watch, ...shell, ...start, ...meeting, ...notes } satisfies Words;
