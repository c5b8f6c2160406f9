import crypto from "./zh-Hans/crypto";
import meeting from "./zh-Hans/meeting";
import room from "./zh-Hans/room";
import start from "./zh-Hans/start";
import watch from "./zh-Hans/watch";
import type { Words } from "./entry";

export default { ...crypto, ...room, ...watch, ...start, ...meeting } satisfies Words;
