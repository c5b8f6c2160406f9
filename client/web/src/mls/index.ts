/**
 * Messaging Layer Security, RFC 9420, for one member: the API of Python's `crypto.mls`, as far as the session
 * uses it, on top of ts-mls.
 *
 * ts-mls provides the encodings, the tree arithmetic, paths and the key schedule. Every step on which all
 * members must reach the same verdict is implemented here: `reader`, `read` (strict decoding), `validate`,
 * `validateCommit` (the numbered rules), `secrets`, `framing` (one key per message, consumed once its
 * signature has verified), `proposals`, `commit`, `welcome`, `receive`, `state`, `view`, `group`. `suite`
 * connects ts-mls to the browser's cryptography.
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
export { GroupView } from "./view";
