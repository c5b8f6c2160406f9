/** Errors that name who broke a rule, once a signature has proven it. */

import { ValidationError } from "../crypto/errors";
import type { CandidateCommit } from "./outcomes";

/**
 * A commit or proposal whose signature verified breaks a rule: `sender` is to blame.
 *
 * `sender` is the leaf index in the epoch of the message, or null when the sender is not a member.
 */
export class CommitError extends ValidationError {
  override readonly name: "ValidationError" = "ValidationError";
  readonly sender: number | null;

  constructor(rule: string, text: string, sender: number | null) {
    super(rule, text);
    this.sender = sender;
  }
}

/**
 * A commit that is valid as far as everybody can see, but whose path secret for *us* is unusable.
 *
 * `commit` says what it would have done (its `group` is null), so that policy can be judged on it first.
 */
export class PathError extends CommitError {
  readonly commit: CandidateCommit;

  constructor(rule: string, text: string, sender: number | null, commit: CandidateCommit) {
    super(rule, text, sender);
    this.commit = commit;
  }
}
