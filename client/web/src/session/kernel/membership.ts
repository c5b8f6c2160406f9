/**
 * A member's keys and state in a room: MLS group, policy, ledger, history and envelope keys.
 *
 * `room.RoomSession` has the connection. This module alone decides the meaning of a blob, by rules that all members
 * share (protocol sections 5 and 6). Operations must not overlap: await each before the next. Media frames are sealed
 * and opened between them, so an operation changes media state only after its last await.
 */
import { type Bytes, type Rng, among, concat, hex, same, systemRng } from "../../crypto/bytes";
import { exactly } from "../../crypto/fields";
import { MalformedError, MissingKeyError, SnugError, StateError, ValidationError } from "../../crypto/errors";
import type { SigningKey } from "../../crypto/kdf";
import { EpochKeys, MediaKeys } from "../../crypto/media/keys";
import type { CommitView } from "../../crypto/agreed/commitView";
import * as policy from "../../crypto/agreed/policy";
import type { Ledger } from "../../crypto/agreed/ledger";
import * as roomState from "../../crypto/agreed/roomState";
import * as envelope from "../../crypto/agreed/envelope";
import { type Place, SlotPayload } from "../../crypto/agreed/slotAuthor";
import { gate } from "../../crypto/entry/invite";
import { placePass } from "../../crypto/entry/places";
import { longCode } from "../../crypto/proof/verification";
import * as mls from "../../mls";
import { BUCKETS } from "../../wire/limits";
import { type Arg, sentence } from "../../words/sentence";
import type { Member } from "../events";
import { Adoption } from "./adoption";
import type { Intent } from "./intents";
import { Journal } from "./journal";
import { LeaveProposals } from "./leaveProposals";
import { type Built, proposalsFor } from "./proposals";
import { RejoinKeys } from "./rejoinKeys";
import { type Change, type Staged, type Stuck, type Valid, type Void, nothing, voidBy } from "./verdict";
import { PriorState, namesOf, proposalView, rejoinKeyExtension } from "./views";
import { ruled } from "../catalogue/reasons";

export const SUITE = mls.CipherSuite.X25519_AES128GCM_SHA256_ED25519;
/** Epochs whose envelope key is kept: this one and the last. */
const ENVELOPE_KEYS_MAX = 2;

/** Return X(label) of the protocol: 32 bytes from the MLS exporter. */
export const exported = (group: mls.GroupView, label: string): Bytes =>
  group.export(`snug 1 ${label}`, new Uint8Array(), 32);

/** Return the pass of the group's epoch for a room: 32 bytes. */
export const roomPass = (group: mls.GroupView, room: Bytes): Bytes => group.export("snug 1 pass", room, 32);

/** Return the group's policy; ValidationError("SNUG-13") if it has no readable one. */
export function policyOf(group: mls.Group): roomState.Policy {
  const extension = group.extensions.find((each) => each.extensionType === roomState.POLICY_EXTENSION);
  if (extension === undefined) throw new ValidationError("SNUG-13", "the group has no policy");
  try {
    return roomState.Policy.decode(extension.data);
  } catch (error) {
    if (error instanceof MalformedError) throw new ValidationError("SNUG-13", error.message);
    throw error;
  }
}

export interface MembershipFacts {
  readonly room: Bytes;
  readonly slot: number;
  readonly chain: Bytes;
  readonly ledger: Ledger;
  readonly linkPsk: Bytes;
  /** That of our leaf. */
  readonly rejoinKey: SigningKey;
  readonly now: number;
  /** The history before that slot (`Journal.before`). */
  readonly before?: Bytes;
  /** Further servers' chain values (`Journal.places`). */
  readonly places?: Bytes;
  /** The result of `handKeys` in the group's epoch; null: we created the group. */
  readonly handed?: Bytes | null;
  readonly rng?: Rng;
}

/** A member, and whether it is a host. */
export type Listed = Member;
type Row = Listed & { readonly key: Bytes };

/**
 * State and judgement; every method either succeeds or changes nothing.
 *
 * `create` throws ValidationError if the group breaks SNUG-6, 11, 13, 14 or 15 (`policy.judgeGroup`).
 */
export class Membership {
  /** X("beat") of the creation or the last eviction (protocol section 7), handed to newcomers. */
  heartbeatKey: Bytes;
  /** X("move") of the creation or the last departure (protocol section 12), handed to newcomers. */
  moveKey: Bytes;
  readonly room: Bytes;
  policy: roomState.Policy;
  ledger: Ledger;
  readonly journal: Journal;
  readonly media = new MediaKeys();
  readonly leaveProposals: LeaveProposals;
  /** The slot whose commit began our epoch. */
  epochSlot: number;
  readonly rejoinKeys: RejoinKeys;
  /** The number of the place where the room is now (protocol section 12); null: where it began. */
  place: Bytes | null = null;
  /** Numbers of places where members may have made commits, the latest last. */
  readonly places: Bytes[] = [];
  readonly #psks: mls.Psks;
  readonly #rng: Rng;
  readonly #envelopeKeys = new Map<number, Bytes>();
  #rows: readonly Row[] = [];

  static async create(group: mls.Group, facts: MembershipFacts): Promise<Membership> {
    const keys = await epochKeys(group);
    const m = new Membership(group, facts);
    m.#installMedia(keys, new Set(), false, facts.now);
    return m;
  }

  private constructor(readonly group: mls.Group, facts: MembershipFacts) {
    this.room = facts.room;
    this.rejoinKeys = new RejoinKeys(facts.rejoinKey);
    this.leaveProposals = new LeaveProposals(group);
    this.#rng = facts.rng ?? systemRng;
    const keys = facts.handed ? this.#masked(facts.handed) : concat(exported(group, "beat"), exported(group, "move"));
    this.heartbeatKey = keys.slice(0, 32);
    this.moveKey = keys.slice(32);
    this.policy = policyOf(group);
    policy.judgeGroup({
      suite: group.suite,
      extensions: group.extensions.map((each) => [each.extensionType, each.data] as const),
      members: namesOf(group.members()).values(),
    });
    this.ledger = facts.ledger;
    this.journal = new Journal(facts.slot, facts.chain, roomPass(group, facts.room), facts.before, facts.places);
    this.#psks = new Map([[hex(policy.LINK_PSK_ID), facts.linkPsk]]);
    this.epochSlot = facts.slot;
    this.#envelopeKeys.set(facts.slot, exported(group, "veil"));
    this.#look();
  }

  // -- queries --------------------------------------------------------------------------------------------

  get ownLeaf(): number {
    return this.group.ownLeaf;
  }

  #look(): void {
    this.#rows = this.group.members().map(({ leaf, leafNode }) => ({
      leaf,
      name: nameOf(leafNode),
      host: among(leafNode.signatureKey, this.policy.hosts),
      key: leafNode.signatureKey,
    }));
  }

  #row(leaf: number): Row | undefined {
    return this.#rows.find((row) => row.leaf === leaf);
  }

  /** Return the signature key at a leaf; null if the leaf is empty. */
  signatureKey(leaf: number): Bytes | null {
    return this.#row(leaf)?.key ?? null;
  }

  /** Return the leaf of the member with that signature key; null if it is not in the room. */
  leafOf(key: Bytes): number | null {
    return this.#rows.find((row) => same(row.key, key))?.leaf ?? null;
  }

  /** Return all leaf nodes, in leaf order. */
  leaves(): mls.LeafNode[] {
    return this.group.members().map((member) => member.leafNode);
  }

  /** Return the name at a leaf; "somebody" if the leaf is empty. Use `who` in sentences. */
  name(leaf: number): string {
    return this.#row(leaf)?.name ?? "somebody";
  }

  /** Return the name at a leaf, as an argument of a sentence. */
  who(leaf: number): Arg {
    return this.#row(leaf)?.name ?? sentence("room.somebody");
  }

  /** Return all members, in leaf order. */
  members(): Listed[] {
    return this.#rows.map(({ leaf, name, host }) => ({ leaf, name, host }));
  }

  /** Return whether the member at that leaf is a host. */
  isHost(leaf: number): boolean {
    return this.#row(leaf)?.host ?? false;
  }

  /** The long code of this epoch, 40 digits (protocol section 8). */
  get code(): string {
    return longCode(this.group.epochAuthenticator, this.group.confirmedTranscriptHash);
  }

  /** Sign data other than MLS messages with our leaf (64 bytes); `label` begins with "snug 1 ". */
  sign(label: string, data: Bytes): Promise<Bytes> {
    return this.group.sign(label, data);
  }

  /**
   * Return heartbeat key and move key, masked (64 bytes), for a newcomer of this epoch and nobody else.
   *
   * A former host can bring another person's KeyPackage in a knock of its own, and so read the answer. The Welcome in
   * it is encrypted to the newcomer's keys alone, and the mask comes from that Welcome's epoch.
   */
  handKeys(): Bytes {
    return this.#masked(concat(this.heartbeatKey, this.moveKey));
  }

  #masked(keys: Bytes): Bytes {
    const mask = this.group.export("snug 1 handed", new Uint8Array(), 64);
    return exactly(keys, 64, "the keys of beats and moves").map((byte, i) => byte ^ (mask[i] ?? 0));
  }

  /** Return the state that the commit for the next slot is judged against. */
  priorState(): PriorState {
    return new PriorState({
      members: namesOf(this.group.members()),
      policy: this.policy,
      extensions: this.group.extensions.map((each) => [each.extensionType, each.data] as const),
      groupId: this.group.groupId,
      suite: this.group.suite,
      room: this.room,
      slot: this.journal.slot + 1,
      chain: this.journal.chain,
      ledger: this.ledger,
    });
  }

  // -- committing -----------------------------------------------------------------------------------------

  /**
   * Make the commit for an intent, or for several newcomers; null if nothing is left to do.
   *
   * ValidationError if the commit breaks the policy: it is judged like any other before it is sent.
   */
  async stage(...wanted: readonly Intent[]): Promise<Staged | null> {
    const built = await proposalsFor(this, wanted, this.#rng);
    if (built === null) return null;
    const { intents, proposals, references = [], carried = [] } = built;
    const out = await this.rejoinKeys.forCommit();
    const view = this.#draft(built, out.rejoinKey);
    await policy.judgeCommit(view);
    const stage = await this.group.stage(proposals, {
      includeStored: references,
      authenticatedData: view.facts.authenticatedData,
      forcePath: true,
      psks: this.#psks,
      leafExtensions: this.#leafExtensions(out.rejoinKey),
      makeWelcome: built.makeWelcome,
    });
    this.rejoinKeys.sent(out);
    const blob = await this.coverCommit([...carried, stage.message], gate(this.passHere(stage.group)));
    return { type: "Staged", intents, slot: view.slot, blob, stage, view };
  }

  /** ValidationError if the commit for these intents breaks the policy; changes nothing. */
  async check(wanted: readonly Intent[]): Promise<void> {
    const built = await proposalsFor(this, wanted, this.#rng);
    if (built !== null) await policy.judgeCommit(this.#draft(built, (await this.rejoinKeys.forCommit()).rejoinKey));
  }

  /** Return the facts of our commit with that content, as the others will see them. */
  #draft({ intents: [first], proposals, invites = [] }: Built, rejoinKey: SigningKey): CommitView {
    const [priorState, own] = [this.priorState(), this.ownLeaf];
    const authenticatedData = new roomState.CommitContext({
      room: this.room,
      slot: priorState.slot,
      chain: priorState.chain,
      ledger: this.ledger.digest(),
      invites,
      hostReturn: first?.type === "HostReturnIntent" ? first.hostReturn : null,
      absent: first?.type === "ReplaceIntent" || (first?.type === "RemoveIntent" && (first.absent ?? false)),
      withdrawn: first?.type === "WithdrawIntent" ? [first.signatureKey] : [],
    }).encode();
    const facts = proposals.map((proposal) => proposalView(proposal, own));
    if (first?.type === "SelfRemoveIntent") facts.push(proposalView(mls.remove(first.leaf), first.leaf, true));
    const old = priorState.members.get(own);
    const pathLeaf = old === undefined ? null : { ...old, rejoinKey: rejoinKey.public };
    return priorState.view({ sender: own, proposals: facts, pathLeaf, authenticatedData });
  }

  /** Return what opens the gate of that epoch where the room is now. */
  passHere(group: mls.GroupView): Bytes {
    const own = roomPass(group, this.room);
    return this.place === null ? own : placePass(own, this.place);
  }

  /** Return the blob of a commit for the next slot, with the proposals that it carries before it. */
  async coverCommit(messages: readonly Bytes[], gate: Bytes): Promise<Bytes> {
    const packed = envelope.pack(messages);
    const sign = (label: string, data: Bytes): Promise<Bytes> => this.sign(label, data);
    const payload = await SlotPayload.signed(packed, this.ownLeaf, this.#nextPlace(), gate, sign);
    return this.#cover("commit", payload.encode(), gate);
  }

  #nextPlace(): Place {
    return { number: this.room, slot: this.journal.slot + 1, chain: this.journal.chain };
  }

  /** Return our leaf's extensions, with another rejoin key. */
  #leafExtensions(rejoinKey: SigningKey): mls.Extension[] {
    const others = this.group.member(this.ownLeaf)?.extensions ?? [];
    const kept = others.filter(({ extensionType }) => extensionType !== roomState.REJOIN_KEY_EXTENSION);
    return [rejoinKeyExtension(rejoinKey), ...kept];
  }

  /** Judge a blob for the next slot. Changes nothing except consumed ratchet generations. */
  async judge(blob: Bytes): Promise<Valid | Void | Stuck> {
    try {
      return await this.#judge(blob);
    } finally {
      this.leaveProposals.tidy();
    }
  }

  async #judge(blob: Bytes): Promise<Valid | Void | Stuck> {
    let author: number;
    let messages: readonly Bytes[];
    try {
      ({ author, messages } = await this.#openSlot(blob));
    } catch (error) {
      if (!(error instanceof SnugError)) throw error;
      return nothing(null, "SNUG-2", sentence("room.void_unreadable"));
    }
    const priorState = this.priorState();
    const carried = new Set<string>();
    let received: Awaited<ReturnType<mls.Group["process"]>>;
    try {
      for (const message of messages.slice(0, -1)) {
        const reference = await this.leaveProposals.storeCarried(message);
        if (reference !== null) carried.add(hex(reference));
      }
      received = await this.group.process(messages[messages.length - 1] ?? new Uint8Array(), this.#psks);
    } catch (error) {
      if (error instanceof mls.PathError) {
        // A commit that breaks the policy is void for everybody, readable here or not.
        const void_ = await voidBy(author, error.commit, priorState.ofCandidate(error.commit), carried);
        return void_ ?? { type: "Stuck", author, text: error.message };
      }
      if (error instanceof mls.CommitError) {
        const verdict = policy.snug16(error);
        return nothing(author, verdict.rule, ruled(verdict));
      }
      if (!(error instanceof SnugError)) throw error;
      return nothing(author, "SNUG-16", sentence("room.void_of_no_member", { why: error.sentence }));
    }
    if (received.type !== "CandidateCommit") return nothing(author, "SNUG-2", sentence("room.void_no_commit"));
    const view = priorState.ofCandidate(received);
    const void_ = await voidBy(author, received, view, carried);
    return void_ ?? { type: "Valid", candidate: received, view, removesUs: received.removesUs };
  }

  /** Return the leaf that signed a blob for the next slot, and its messages; SnugError if no member did. */
  async #openSlot(blob: Bytes): Promise<{ readonly author: number; readonly messages: readonly Bytes[] }> {
    const key = this.#envelopeKey(envelope.epochSlot(blob));
    const payload = SlotPayload.decode(await envelope.open(key, "commit", this.room, blob));
    const signatureKey = this.signatureKey(payload.leaf);
    if (signatureKey === null) throw new MissingKeyError("the blob's author is no member");
    await payload.verify(this.#nextPlace(), envelope.gateOf(blob), signatureKey);
    return { author: payload.leaf, messages: envelope.unpack(payload.packed) };
  }

  /**
   * Apply the commit that has taken the next slot: group, ledger and all keys advance.
   *
   * `opening`: the room admin's signature for that slot, if a host took it.
   */
  async adopt(
    step: Valid | Staged,
    blob: Bytes,
    now: number,
    opening: Bytes | null = null,
  ): Promise<Change> {
    const candidate = step.type === "Valid" ? step.candidate : step.stage;
    if (candidate.group === null) throw new StateError("this commit removes us: there is no next epoch for us");
    const keys = await epochKeys(candidate.group);
    // Nothing below awaits: media operations find all of the change or none of it.
    this.group.adopt(candidate);
    this.rejoinKeys.taken(step.type === "Staged" ? (step.view.facts.pathLeaf?.rejoinKey ?? null) : null);
    this.policy = policyOf(this.group);
    const adoption = new Adoption(step.view, this.group.members(), this.policy);
    this.ledger = adoption.ledger();
    this.journal.append(blob, roomPass(this.group, this.room), opening, this.places.toReversed());
    this.epochSlot = this.journal.slot;
    this.leaveProposals.clear();
    if (adoption.evicted.size > 0) this.heartbeatKey = exported(this.group, "beat");
    if (adoption.evicted.size + adoption.left.size > 0) this.moveKey = exported(this.group, "move");
    this.#envelopeKeys.set(this.epochSlot, exported(this.group, "veil"));
    for (const began of [...this.#envelopeKeys.keys()].slice(0, -ENVELOPE_KEYS_MAX)) this.#envelopeKeys.delete(began);
    this.#installMedia(keys, new Set(adoption.removed), adoption.removed.length > 0, now);
    this.#look();
    return adoption.change(this.ledger);
  }

  /**
   * Record a void slot: the chain advances, epoch and pass stay.
   *
   * The keys of our commits are kept: a commit that we had given up is void for us alone.
   */
  void(blob: Bytes, opening: Bytes | null = null): void {
    this.journal.append(blob, this.journal.roomPass, opening, this.places.toReversed());
  }

  // -- messages -------------------------------------------------------------------------------------------

  /** Return a relay blob with an application message. */
  async protect(content: Bytes): Promise<Bytes> {
    return this.#cover("relay", envelope.pack([await this.group.protect(content)]));
  }

  /** Open a relay blob; SnugError or a subclass if it holds no message for us (SNUG-17). */
  async openRelay(blob: Bytes): Promise<mls.ApplicationMessage> {
    const payload = await envelope.open(this.#envelopeKey(envelope.epochSlot(blob)), "relay", this.room, blob);
    const [message, ...more] = envelope.unpack(payload);
    if (message === undefined || more.length > 0)
      throw new MalformedError("a relay blob must carry one message");
    const kind = mls.kindOf(message);
    if (kind?.[0] !== mls.WireFormat.PRIVATE_MESSAGE || kind[1] !== mls.ContentType.APPLICATION)
      // Checked before processing: see `LeaveProposals.propose`.
      throw new MalformedError("a relay blob must carry an application message");
    const received = await this.group.process(message);
    if (received.type !== "ApplicationMessage")
      throw new MalformedError("a message that is none of a person's");
    const senderRemoved = this.signatureKey(received.sender) === null;
    policy.snug17({ epoch: received.epoch, current: this.group.epoch, senderRemoved });
    return received;
  }

  /** Return whether members can still read blobs of the epoch that began at that slot. */
  keepsEpoch(began: number): boolean {
    return this.#envelopeKeys.has(began);
  }

  // -- internals ------------------------------------------------------------------------------------------

  #envelopeKey(began: number): Bytes {
    const key = this.#envelopeKeys.get(began);
    if (key === undefined) throw new MissingKeyError(`a blob of an epoch that began at slot ${began}`);
    return key;
  }

  #cover(kind: "commit" | "relay", payload: Bytes, gate?: Bytes): Promise<Bytes> {
    return envelope.seal(
      this.#envelopeKey(this.epochSlot),
      kind,
      this.room,
      this.epochSlot,
      payload,
      BUCKETS,
      this.#rng,
      gate,
    );
  }

  #installMedia(keys: EpochKeys, removed: ReadonlySet<number>, isRemoval: boolean, now: number): void {
    this.media.install(keys, { ownLeaf: this.ownLeaf, removed, isRemoval, now });
  }
}

const epochKeys = (group: mls.GroupView): Promise<EpochKeys> =>
  EpochKeys.derive({
    epoch: group.epoch,
    baseKey: group.export("SFrame 1.0 Base Key", new Uint8Array(), 16),
    tags: exported(group, "tags"),
    leafCount: group.leafCount,
  });

const nameOf = (leaf: mls.LeafNode): string => roomState.Identity.decode(leaf.credential.identity).name;
