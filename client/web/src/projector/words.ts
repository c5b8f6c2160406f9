/** The projector's words, in all languages. */
import { projector } from "../words/projector";
import { speaker } from "../words/own";

export type ProjectorKey = keyof typeof projector.en;

export const say = speaker<ProjectorKey>(projector);
