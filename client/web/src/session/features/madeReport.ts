/** The file in which kept messages are reported, as `Reporting` keeps them: `later.ts` has it. */
import { type Bytes, hex } from "../../crypto/bytes";
import { SnugError } from "../../crypto/errors";
import * as report from "../../crypto/proof/report";
import { CommandError, sentence } from "../../words/sentence";
import * as reasons from "../catalogue/reasons";

/** Minimum digits of a message's name; they must match one message only. */
export const NAME_MIN = 6;

/** A message as it was signed. */
export interface Kept {
  readonly signatureKey: Bytes;
  readonly name: string;
  readonly tbs: Bytes;
  readonly signature: Bytes;
}

/** How a member was admitted: its invite, and the host's signature. */
export interface Admission {
  readonly invite: number;
  readonly admission: Bytes;
}

/**
 * Return the report file of the messages with these names, of those in `kept`. CommandError if one cannot be reported.
 *
 * `admissions` are by signature key (hex). `most`: the messages that are kept at most.
 */
export async function makeReport(
  names: readonly string[],
  hostPublic: Bytes,
  kept: ReadonlyMap<string, Kept>,
  admissions: ReadonlyMap<string, Admission>,
  most: number,
): Promise<Bytes> {
  if (names.length === 0 || names.length > report.MESSAGES_MAX || new Set(names).size !== names.length)
    throw new CommandError(sentence("cannot.report_count", { most: report.MESSAGES_MAX }));
  const accused = (name: string): report.ReportedMessage => {
    const found = [...kept].filter(([full]) => full.startsWith(name)).map(([, message]) => message);
    const [message] = found;
    if (name.length < NAME_MIN || message === undefined || found.length !== 1)
      throw new CommandError(sentence("cannot.report_unknown", { name: name.slice(0, 40), most }));
    const { signatureKey, tbs, signature } = message;
    const shown = admissions.get(hex(signatureKey));
    if (shown === undefined) throw new CommandError(sentence("cannot.report_no_admission", { name: message.name }));
    return { tbs, signature, signature_key: signatureKey, ...shown };
  };
  const made: report.Report = { format: report.FORMAT, host_public: hostPublic, messages: names.map(accused) };
  try {
    await report.verifyReport(made, hostPublic);
  } catch (error) {
    if (!(error instanceof SnugError)) throw error;
    throw new CommandError(sentence("cannot.report_proves_nothing", { why: reasons.inFull(error) }));
  }
  return report.encode(made);
}
