/** The contents of a reply to a knock (protocol section 4). `crypto/entry/lobby` seals them. */
import { decodeOneOf, encodeOneOf } from "../../wire/layout";
import { REPLY_BODY, type ReplyBody } from "../../wire/layouts/answers";
import { checkText } from "../agreed/names";
import type { Bytes } from "../bytes";
import { MalformedError } from "../errors";

export type { AlreadyMember, Answer, Refusal, ReplyBody } from "../../wire/layouts/answers";

export const REASON_MAX = 280;

/** Encode the plaintext of a reply. MalformedError if a part has a wrong size. */
export const encodeAnswer = (answer: ReplyBody): Bytes => encodeOneOf(REPLY_BODY, checked(answer));

/** Decode the result of `encodeAnswer`. MalformedError or UnsupportedError on other input. */
export const readAnswer = (body: Bytes): ReplyBody => checked(decodeOneOf(REPLY_BODY, body));

function checked(answer: ReplyBody): ReplyBody {
  if (answer.type === "Refusal") checkText(answer.reason, REASON_MAX);
  if (answer.type === "Answer" && ![0, 64].includes(answer.admission.length))
    throw new MalformedError(`an admission has 64 bytes, not ${answer.admission.length}`);
  return answer;
}
