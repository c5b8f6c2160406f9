/**
 * MLS, RFC 9420, for one member: the API of Python's `crypto.mls`, as far as the session uses it, over
 * ts-mls.
 *
 * ts-mls has the encodings, the tree's arithmetic, paths and the key schedule. What must be judged alike by
 * every member, whatever somebody sends, is here: `reader`, `read` (strict decoding), `validate`,
 * `validateCommit` (the rules by their numbers), `secrets`, `framing` (one key a message, used up when its
 * signature has verified), `proposals`, `commit`, `welcome`, `state`, `group`. `suite` gives ts-mls the
 * browser's cryptography.
 */

export { CommitError, PathError } from "./errors";
export { Group, type ProposeOptions, type StageOptions } from "./group";
export {
  add,
  createKeyPackage,
  externalPsk,
  groupContextExtensions,
  KeyPackageBundle,
  KeyPackageIn,
  type KeyPackageOptions,
  remove,
  requiredCapabilities,
} from "./keyPackage";
export { kindOf } from "./kind";
export { CandidateCommit, Stage } from "./outcomes";
export type { Psks } from "./proposals";
export { generateSignatureKey } from "./suite";
export * from "./types";
