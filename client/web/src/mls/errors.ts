/** Errors that name the member at fault, once a signature has proven it. */

import { ValidationError } from "../crypto/errors";
import type { CandidateCommit } from "./outcomes";

/**
 * A commit or proposal with a verified signature breaks a rule; `sender` is at fault.
 *
 * `sender` is the leaf index in the epoch of the message, or null if the sender is not a member.
 */
export class CommitError extends ValidationError {
  override readonly name: "ValidationError" = "ValidationError";

  constructor(rule: string, text: string, readonly sender: number | null) {
    super(rule, text);
  }
}

/**
 * A commit that is valid as far as all members can see, but whose path secret for us is unusable.
 *
 * `commit` describes the commit (its `group` is null), so that the caller can apply its policy first.
 */
export class PathError extends CommitError {
  constructor(rule: string, text: string, sender: number | null, readonly commit: CandidateCommit) {
    super(rule, text, sender);
  }
}
