/** The window's words, in all languages. */
import { landlord } from "../words/landlord";
import { speaker } from "../words/own";

export type LandlordKey = keyof typeof landlord.en;

export const say = speaker<LandlordKey>(landlord);
