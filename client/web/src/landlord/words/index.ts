/** The window's words: they come with it, in all languages. */
import { speaker } from "../../words/own";
import { de } from "./de";
import { en } from "./en";
import { zhHans } from "./zhHans";
import { zhHant } from "./zhHant";

export type LandlordKey = keyof typeof en;

export const say = speaker<LandlordKey>({ en, de, "zh-Hans": zhHans, "zh-Hant": zhHant });
