/**
 * A member's group (RFC 9420): create or join, send, receive, commit in stages, adopt.
 *
 * `Group` is the only mutable object of this package. Each operation either succeeds or leaves it unchanged.
 * A commit of this member (`stage`) or of another (`process`) yields a candidate that has no effect until
 * `adopt`. `protect`, `propose` and `stage` consume keys when called; `process` consumes a key once the
 * signature has verified.
 */

import { type GroupContext } from "ts-mls/groupContext.js";
import { initializeKeySchedule } from "ts-mls/keySchedule.js";
import type { ProposalOrRef } from "ts-mls/proposalOrRefType.js";
import { treeHashRoot } from "ts-mls/treeHash.js";
import { type Bytes, hex, type Rng } from "../crypto/bytes";
import { StateError } from "../crypto/errors";
import { labeled } from "../crypto/labels";
import { processCommit, stageCommit, type StagedCommit } from "./commit";
import { PathError } from "./errors";
import { framedBy, proposalRef, send, type Signed, signContent } from "./framing";
import type { KeyPackageBundle } from "./keyPackage";
import { CandidateCommit, Stage } from "./outcomes";
import { attributedTo, type Psks, verifyProposal } from "./proposals";
import { MLS10, suiteName, versionName } from "./read";
import { type OpenedHandshake, openMessage } from "./receive";
import { committedOf, leafOf, proposalOf, toExtension, toProposal } from "./shapes";
import { type EpochState, enterEpoch, openEpoch, PAST_EPOCHS, STORED_PROPOSALS, wipePast, wipeSecrets } from "./state";
import { deriveSecret, hash, kdf, NH, SUITE } from "./suite";
import type { ApplicationMessage, Extension, Proposal, ReceivedProposal } from "./types";
import * as validate from "./validate";
import { must } from "./validate";
import type { ResolvedProposal } from "./validateCommit";
import { GroupView } from "./view";
import type { MadeWelcome } from "./makeWelcome";
import { join } from "./welcome";

export interface StageOptions {
  /** References of the stored proposals to commit. */
  readonly includeStored?: readonly Bytes[];
  readonly authenticatedData?: Bytes;
  readonly forcePath?: boolean;
  /** Extensions of our leaf in the path; without them, they stay. */
  readonly leafExtensions?: readonly Extension[];
  readonly private?: boolean;
  readonly psks?: Psks;
  /** Of `makeWelcome.ts`; without it, the stage has no Welcome for those whom it adds. */
  readonly makeWelcome?: ((staged: StagedCommit, rng: Rng) => Promise<MadeWelcome>) | undefined;
}

export interface ProposeOptions {
  readonly authenticatedData?: Bytes;
  readonly private?: boolean;
}

const NOTHING = new Uint8Array();
const NO_PSKS: Psks = new Map();

/**
 * One member's view of a group. Construct it with `create` or `join`; await each operation before the next.
 */
export class Group extends GroupView {
  readonly #rng: Rng;
  readonly #adopted: boolean;
  /** Candidates of the current epoch, to wipe the unused ones when the epoch ends. */
  readonly #candidates = new Set<Stage | CandidateCommit>();

  private constructor(state: EpochState, rng: Rng, adopted = true) {
    super(state);
    this.#rng = rng;
    this.#adopted = adopted;
  }

  // -- entering --

  /**
   * Create a group with one member, in epoch 0 (section 11). The bundle is consumed.
   *
   * ValidationError if our leaf does not support the extensions, StateError for a used bundle.
   */
  static async create(
    bundle: KeyPackageBundle,
    groupId: Bytes,
    extensions: readonly Extension[],
    rng: Rng,
  ): Promise<Group> {
    const { keys, made } = bundle;
    const tree = [{ nodeType: "leaf", leaf: made.leafNode } as const];
    const context: GroupContext = {
      version: versionName(MLS10),
      cipherSuite: suiteName(SUITE),
      groupId,
      epoch: 0n,
      treeHash: await treeHashRoot(tree, hash),
      confirmedTranscriptHash: NOTHING,
      extensions: extensions.map(toExtension),
    };
    validate.membership([made.leafNode], SUITE, context.extensions);
    const epochSecret = rng(NH);
    const secrets = await initializeKeySchedule(epochSecret, kdf);
    const own = { ownLeaf: 0, signatureKey: keys.signature, privateKeys: new Map([[0, keys.encryption]]) };
    const state = await enterEpoch(context, tree, own, secrets, deriveSecret(epochSecret, "encryption"));
    epochSecret.fill(0);
    bundle.wipe();
    return new Group(state, rng);
  }

  /**
   * Join with a Welcome (section 12.4.3.1), an MLSMessage. Success consumes the bundle, failure leaves it
   * unchanged.
   *
   * `tree` is the encoded ratchet tree, which is used if the Welcome does not contain it. `knownGroups` are the ids of the groups that this client is in. MalformedError, UnsupportedError,
   * AuthenticationError, ValidationError, MissingKeyError (no tree), StateError (a used bundle). Lifetimes are
   * not checked.
   */
  static async join(
    welcome: Bytes,
    bundle: KeyPackageBundle,
    options: {
      readonly psks?: Psks;
      readonly knownGroups?: readonly Bytes[];
      readonly tree?: Bytes | undefined;
      readonly rng: Rng;
    },
  ): Promise<Group> {
    const state = await join(welcome, bundle, options.psks ?? NO_PSKS, options.knownGroups ?? [], options.tree);
    bundle.wipe();
    return new Group(state, options.rng);
  }

  // -- the present epoch --

  /** The state, for operations that send or change something. */
  get #active(): EpochState {
    const state = this.live;
    if (!this.#adopted)
      throw new StateError("this is a candidate: it can be read, and used after adoption only");
    return state;
  }

  get #sending(): EpochState {
    const state = this.#active;
    if (state.ended) throw new StateError("the group has been ended by a ReInit: nothing more is sent in it");
    return state;
  }

  // -- sending --

  /**
   * Encrypt application data as an MLSMessage (a PrivateMessage). Each call consumes a key.
   *
   * StateError, MissingKeyError (2^32 messages in one epoch).
   */
  async protect(data: Bytes, authenticatedData: Bytes = NOTHING): Promise<Bytes> {
    const state = this.#sending;
    const content = {
      ...framedBy(state, authenticatedData),
      contentType: "application",
      applicationData: data,
    } as const;
    const auth = { contentType: "application", signature: await signContent(state, true, content) } as const;
    return send(state, { private: true, content, auth }, this.#rng);
  }

  /**
   * Sign data other than MLS messages with our leaf's key: SignWithLabel (5.1.2), 64 bytes.
   *
   * `label` must begin with "snug 1 ", so that the signature is not valid as one of MLS itself; otherwise
   * StateError.
   */
  async sign(label: string, content: Bytes): Promise<Bytes> {
    if (!label.startsWith("snug 1 ")) throw new StateError("a label of the application's own is needed");
    return this.live.signatureKey.sign(labeled(label, content));
  }

  /**
   * Create and store a proposal for a commit by reference; return it as an MLSMessage.
   *
   * ValidationError if it is not valid by itself or too many are stored, and StateError.
   */
  async propose(proposal: Proposal, options: ProposeOptions = {}): Promise<Bytes> {
    const state = this.#sending;
    const isPrivate = options.private ?? true;
    const made = toProposal(proposal);
    const head = framedBy(state, options.authenticatedData ?? NOTHING);
    await verifyProposal(state, made, head.sender);
    const content = { ...head, contentType: "proposal", proposal: made } as const;
    const auth = {
      contentType: "proposal",
      signature: await signContent(state, isPrivate, content),
    } as const;
    const signed: Signed = { private: isPrivate, content, auth };
    this.#store(state, signed, { proposal: made, sender: state.ownLeaf, reference: null });
    return send(state, signed, this.#rng);
  }

  #store(
    state: EpochState,
    signed: Signed,
    item: Omit<ResolvedProposal, "reference"> & { reference: null },
  ): Bytes {
    const reference = proposalRef(signed);
    const stored = state.proposals.size;
    must(
      state.proposals.has(hex(reference)) || stored < STORED_PROPOSALS,
      "12.1-1",
      `${stored} proposals are stored already`,
    );
    state.proposals.set(hex(reference), { ...item, reference });
    return reference;
  }

  /** Delete a stored proposal that policy rejects. Unknown references are ignored. */
  discard(reference: Bytes): void {
    this.#active.proposals.delete(hex(reference));
  }

  /**
   * Create a commit (section 12.4.1) that takes effect with `adopt`. Each call uses a handshake key.
   *
   * `includeStored` names stored proposals by reference. If `forcePath` is false, there is a path only if the
   * proposals need one. ValidationError if the proposals are not valid together, StateError.
   */
  async stage(proposals: readonly Proposal[], options: StageOptions = {}): Promise<Stage> {
    const state = this.#sending;
    const items: ProposalOrRef[] = [
      ...(options.includeStored ?? []).map(
        (reference) => ({ proposalOrRefType: "reference", reference }) as const,
      ),
      ...proposals.map((p) => ({ proposalOrRefType: "proposal", proposal: toProposal(p) }) as const),
    ];
    const staged = await stageCommit(state, items, {
      authenticatedData: options.authenticatedData ?? NOTHING,
      forcePath: options.forcePath ?? true,
      leafExtensions: options.leafExtensions ?? null,
      private: options.private ?? true,
      psks: options.psks ?? NO_PSKS,
      rng: this.#rng,
    });
    const made = staged.added.length === 0 ? null : await options.makeWelcome?.(staged, this.#rng);
    for (const secret of [staged.next.joinerSecret, staged.next.welcomeSecret]) secret.fill(0);
    for (const { secret } of staged.pathSecrets) secret.fill(0);
    const stage = new Stage(state, new Group(staged.next.state, this.#rng, false), {
      message: staged.message,
      welcome: made?.welcome ?? null,
      tree: made?.tree ?? null,
      proposals: staged.items.map(committedOf),
      added: staged.added.map(([leaf]) => leaf),
      removed: staged.removed,
    });
    this.#candidates.add(stage);
    return stage;
  }

  // -- epochs --

  /**
   * Enter the candidate's epoch, in place and synchronously. All other candidates of the current epoch are
   * dropped.
   *
   * Late application messages of the current epoch can still be opened afterwards, except those of members
   * that the commit removes. StateError for a candidate that was dropped, does not follow from the current
   * epoch, or removes this member.
   */
  adopt(candidate: Stage | CandidateCommit): void {
    const old = this.#active;
    const following = candidate.take(old).release();
    old.secretTree.onlyApplication(old.ownLeaf);
    for (const past of old.past) for (const leaf of candidate.removed) past.departed.add(leaf);
    const latest = openEpoch(old, candidate.removed);
    const past = [{ ...latest, senderDataSecret: latest.senderDataSecret.slice() }, ...old.past];
    following.past = past.slice(0, PAST_EPOCHS);
    past.slice(PAST_EPOCHS).forEach(wipePast);
    this.state = following;
    this.#dropCandidates();
    wipeSecrets(old.secrets);
  }

  #dropCandidates(): void {
    for (const candidate of this.#candidates) candidate.drop();
    this.#candidates.clear();
  }

  override wipe(): void {
    super.wipe();
    this.#dropCandidates();
  }

  // -- receiving --

  /**
   * Open and verify an MLSMessage of this epoch, or application data of the previous epoch.
   *
   * A message that is not authentic consumes no key. MalformedError, UnsupportedError, AuthenticationError,
   * ReplayError, MissingKeyError (another group or epoch), StateError (our own message sent back),
   * ValidationError. Once the signature has verified: CommitError, which names the sender, and PathError if a
   * commit is valid but has no usable path secret for this member. Commits from outside the group are
   * rejected unread (UnsupportedError).
   */
  async process(
    message: Bytes,
    psks: Psks = NO_PSKS,
  ): Promise<ApplicationMessage | ReceivedProposal | CandidateCommit> {
    const state = this.#active;
    const opened = await openMessage(state, message);
    return "type" in opened ? opened : this.#processHandshake(state, opened, psks);
  }

  async #processHandshake(
    state: EpochState,
    { signed, sender }: OpenedHandshake,
    psks: Psks,
  ): Promise<ReceivedProposal | CandidateCommit> {
    const { content } = signed;
    const authenticatedData = content.authenticatedData as Bytes;
    if (content.contentType === "proposal") {
      const { proposal } = content;
      const reference = await attributedTo(sender, async () => {
        await verifyProposal(state, proposal, content.sender);
        return this.#store(state, signed, { proposal, sender, reference: null });
      });
      return {
        type: "ReceivedProposal",
        sender,
        proposal: proposalOf(proposal),
        reference,
        authenticatedData,
      };
    }
    if (content.contentType !== "commit" || sender === null) throw new StateError("no handshake message");
    const done = await processCommit(state, signed, content.commit, sender, psks);
    const group = done.state === null ? null : new Group(done.state, this.#rng, false);
    const candidate = new CandidateCommit(state, group, {
      sender,
      epoch: Number(state.context.epoch) + 1,
      proposals: done.items.map(committedOf),
      pathLeaf: done.pathLeaf === null ? null : leafOf(done.pathLeaf),
      authenticatedData,
      added: done.added,
      removed: done.removed,
      removesUs: done.removesUs,
      private: signed.private,
    });
    if (done.pathFailure !== null)
      throw new PathError(done.pathFailure.rule, done.pathFailure.text, sender, candidate);
    this.#candidates.add(candidate);
    return candidate;
  }
}
