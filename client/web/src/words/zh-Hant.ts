import crypto from "./zh-Hant/crypto";
import meeting from "./zh-Hant/meeting";
import room from "./zh-Hant/room";
import start from "./zh-Hant/start";
import watch from "./zh-Hant/watch";
import type { Words } from "./entry";

export default { ...crypto, ...room, ...watch, ...start, ...meeting } satisfies Words;
