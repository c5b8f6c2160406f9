/**
 * SNUG-1 to SNUG-22: rules that every member checks on each message (docs/reference/protocol.md, section 5).
 *
 * Each number has one small function, as in `crypto/agreed/policy.py`, which lists them; all throw ValidationError
 * with that number and nothing else. The functions see only facts (`CommitView`), never a live group, so that
 * the same test cases apply to both clients.
 */

import { broken, CommitView, type ExtensionView, type LeafView, MLS10, type ProposalView, reading } from "./commitView";
import { NO_HEARTBEAT } from "./heartbeat";
import { among, type Bytes, hex, same, utf8 } from "../bytes";
import { MalformedError, SnugError, ValidationError } from "../errors";
import { verify } from "../kdf";
import { canonicalOrigin } from "../entry/invite";
import { checkName, checkText, loadLookAlikes, skeletons } from "./names";
import { LEDGER_KEYS_MAX } from "./ledger";
import { replacement, snug8 } from "./rejoins";
import * as roomState from "./roomState";

/** PSK id of the link's secret. */
export const LINK_PSK_ID = utf8("snug 1 link");
export const REQUIRED_CAPABILITIES = 0x0003;
export const EXTERNAL_SENDERS = 0x0005;
export const SUITES: ReadonlySet<number> = new Set([0x0001, 0x0003]);
export const MEMBERS_MAX = 1000;
/** Maximum number of members that one commit adds. */
export const ADDS_MAX = 64;
/** Maximum number of slots between the signature of a host's return and its commit. */
export const RETURN_SLOTS = 16;
/** Number of slots without a commit of a host after which any member may commit a host's return. */
export const RETURN_QUIET = 16;
/** Maximum seconds of audio or video without a signature of the sender. */
export const MEDIA_SIGNATURE_TIME = 2;

const isSelfRemove = (p: ProposalView): boolean =>
  p.kind === "remove" && p.byReference && p.sender !== null && p.sender === p.removed;

/** A commit belongs to one room, one slot, one history: replayed or relocated commits fail. */
function snug1({ context, facts }: CommitView): void {
  if (!same(context.room, facts.room)) throw broken(1, "room");
  if (context.slot !== facts.slot) throw broken(1, "slot", { said: context.slot, slot: facts.slot });
  if (!same(context.chain, facts.chain)) throw broken(1, "history");
  if (!same(context.ledger, facts.ledger.digest())) throw broken(1, "ledger");
}

/** Only members commit, and only in encrypted form. */
function snug2(v: CommitView): void {
  if (!v.facts.private) throw broken(2, "public");
  if (v.committer === null) throw broken(2, "no_member");
}

/** A host's ordinary commit must not carry out a stored proposal of a non-host. */
function snug3({ facts }: CommitView): void {
  for (const p of facts.proposals)
    if (!isSelfRemove(p) && (p.byReference || p.sender !== facts.sender))
      throw broken(3, "not_own", { kind: p.kind });
}

/** Only the proposal types that a meeting needs. */
function snug4({ facts }: CommitView): void {
  for (const { kind } of facts.proposals)
    if (!["add", "remove", "psk", "gce"].includes(kind)) throw broken(4, "kind", { kind });
}

/** Every commit renews its author's keys. */
function snug5({ facts }: CommitView): void {
  if (facts.pathLeaf === null) throw broken(5, "no_path");
}

/**
 * A commit must not change its author's identity, and renews its author's rejoin key.
 *
 * Whoever stole the keys of a leaf can therefore not rejoin in its place once the leaf has made a commit.
 */
function snug6(v: CommitView): void {
  for (const { added } of v.of("add")) if (added !== null) hasRejoinKey(added);
  const [old, now] = [v.committer, v.facts.pathLeaf];
  if (old === null || now === null) return; // SNUG-2 and SNUG-5 cover this
  const kept = ["signatureKey", "identity", "capabilities", "extensions"] as const;
  if (kept.some((field) => !same(old[field], now[field]))) throw broken(6, "leaf_changed");
  hasRejoinKey(now);
  if (same(now.rejoinKey, old.rejoinKey)) throw broken(6, "rejoin_key_kept");
}

function hasRejoinKey({ rejoinKey }: LeafView): void {
  if (rejoinKey.length !== roomState.REJOIN_KEY_SIZE) throw broken(6, "no_rejoin_key");
}

/**
 * Add, Remove and policy changes are reserved to hosts, except SNUG-8, SNUG-9 and self-removal.
 *
 * A commit that says `absent` only removes, or puts a newcomer in the place of one member (`replacement`).
 */
async function snug7(v: CommitView): Promise<void> {
  if (v.context.withdrawn.length > 0) withdraws(v);
  const others = v.facts.proposals.some((p) => p.kind !== "remove" || p.byReference);
  if (v.context.absent && others && replacement(v) === null) throw broken(7, "absent");
  if (v.context.hostReturn !== null) return; // SNUG-9 has checked it
  if (v.rejoins) {
    await snug8(v);
    return;
  }
  if (v.facts.policy.mode === roomState.Mode.LOCKED && v.of("add").length > 0) throw broken(7, "locked");
  if (v.byHost) return;
  for (const p of v.facts.proposals)
    if (p.kind === "add" || p.kind === "gce" || (p.kind === "remove" && !isSelfRemove(p)))
      throw broken(7, "hosts_only", { kind: p.kind });
}

/** A host ends the ways back of absent members, in a commit that does nothing else. */
function withdraws(v: CommitView): void {
  if (!v.byHost) throw broken(7, "withdraw_by");
  if (v.facts.proposals.length > 0) throw broken(7, "withdraw_more");
  if (v.context.withdrawn.some((key) => v.facts.ledger.awayMember(key) === null)) throw broken(7, "withdraw_none");
}

/**
 * A crashed host returns: the current return key signs its KeyPackage, and a host commits it.
 *
 * Any member may commit it once no host has committed for `RETURN_QUIET` slots. Hosts' programs commit more
 * often than that: a member that helps a thief of the key needs the server's help to get past them.
 *
 * The host is added and becomes a host in place of its old leaf, under the same name; nothing else changes.
 * Once a host was removed, has left or has lost its role, a non-host has the return key too, and no return is
 * accepted until the hosts' keys have changed.
 */
async function snug9(v: CommitView): Promise<void> {
  const returned = v.context.hostReturn;
  if (returned === null) return;
  const { facts } = v;
  const { policy } = facts;
  const [adds, removes, changes] = [v.of("add"), v.of("remove"), v.of("gce")];
  const [add, remove, change] = [adds[0], removes[0], changes[0]];
  const shape = adds.length === 1 && changes.length === 1 && removes.length === 1 && facts.proposals.length === 4;
  if (!shape || add === undefined || remove === undefined || change === undefined) throw broken(9, "return_shape");
  if (facts.proposals.some((p) => p.byReference) || add.ticket !== null) throw broken(9, "return_alone");
  if (facts.ledger.rotationDue) throw broken(9, "return_closed");
  const fresh = facts.ledger.returned <= returned.slot && returned.slot < facts.slot;
  if (!fresh || facts.slot - returned.slot > RETURN_SLOTS)
    throw broken(9, "return_slot", { said: returned.slot, slot: facts.slot });
  const message = roomState.hostReturnMessage(facts.groupId, add.package, returned.slot);
  try {
    await verify(policy.returnPublic, message, returned.signature);
  } catch (error) {
    if (error instanceof SnugError) throw broken(9, "return_signature");
    throw error;
  }
  if (!v.byHost && facts.slot - facts.ledger.hosted <= RETURN_QUIET) throw broken(9, "return_by");
  const old = remove.removed === null ? undefined : facts.members.get(remove.removed);
  if (old === undefined || !policy.isHost(old.signatureKey)) throw broken(9, "return_leaf");
  if (add.added === null || !same(add.added.identity, old.identity)) throw broken(9, "return_name");
  const { signatureKey } = add.added;
  const kept = policy.hosts.filter((host) => !same(host, old.signatureKey) && !same(host, signatureKey));
  const expected = policy.with({ version: policy.version + 1, hosts: [...kept, signatureKey] }).encode();
  const [, second, ...more] = change.extensions;
  const alone = second !== undefined && more.length === 0 && second[0] === roomState.POLICY_EXTENSION;
  if (!alone || !same(second[1], expected)) throw broken(9, "return_more");
}

/**
 * Added members hold the link's secret: a server that swaps a KeyPackage cannot add anybody.
 *
 * One PSK is part of the epoch's secrets for all added members alike.
 */
function snug10(v: CommitView): void {
  const [adds, psks] = [v.of("add"), v.of("psk")];
  if (adds.length > ADDS_MAX) throw broken(10, "adds");
  if (psks.length !== (adds.length > 0 ? 1 : 0)) throw broken(10, "add_psk");
  if (psks.some((p) => !p.pskExternal || !same(p.pskId, LINK_PSK_ID))) throw broken(10, "psk");
}

/**
 * Signature keys are never reused, and no two present members have names that look alike.
 *
 * Each added member is compared with those that the same commit adds before it, too.
 */
function snug11(v: CommitView): void {
  const adds = v.of("add");
  if (adds.length === 0) return;
  const removed = new Set(v.of("remove").map((p) => p.removed));
  const keys = new Set(v.rejoins ? [] : v.facts.ledger.keys);
  const names = new Set([...v.facts.members].flatMap(([leaf, member]) => (removed.has(leaf) ? [] : looks(member))));
  for (const { added } of adds) {
    if (added === null) throw broken(11, "no_leaf");
    if (keys.has(hex(added.signatureKey))) throw broken(11, "key_seen");
    allowedName(added);
    const own = looks(added);
    if (own.some((each) => names.has(each))) throw broken(11, "looks_like");
    keys.add(hex(added.signatureKey));
    for (const each of own) names.add(each);
  }
}

function allowedName(leaf: LeafView): void {
  const identity = reading(11, () => roomState.Identity.decode(leaf.identity));
  if (identity.flags !== 0) throw broken(11, "leaf_flags");
  checkName(identity.name);
}

/** Return the skeletons of a member's name, numbered: two names look alike if they share one. */
function looks(member: LeafView): string[] {
  try {
    return skeletons(roomState.Identity.decode(member.identity).name).map((each, at) => `${at}${each}`);
  } catch (error) {
    if (error instanceof MalformedError) return []; // a name that cannot be displayed misleads nobody
    throw error;
  }
}

/**
 * Every new member names an invite that all members see; a single-use invite admits one person.
 *
 * A newcomer in place of an absent member may name the invite that admitted that member.
 */
function snug12(v: CommitView): void {
  const { invites, hostReturn } = v.context;
  const used = new Set(v.facts.ledger.used);
  const replaced = replacement(v);
  if (replaced !== null) used.delete(v.facts.ledger.inviteOf(replaced) ?? -1);
  const count = v.rejoins || hostReturn !== null ? 0 : v.of("add").length;
  if (invites.length > count) throw broken(12, "invite_named");
  if (invites.length < count) throw broken(12, "no_invite");
  for (const invite of invites) {
    if (v.facts.ledger.revoked.has(invite)) throw broken(12, "invite_revoked", { invite });
    if ((invite & roomState.SINGLE_USE) !== 0 && used.has(invite)) throw broken(12, "invite_used", { invite });
    used.add(invite);
  }
}

/** The policy changes one version at a time, and no other part of the context changes. */
function snug13(v: CommitView): void {
  const { extensions: ours, policy } = v.facts;
  for (const { extensions } of v.of("gce")) {
    const [required, carried] = exactlyTwo(extensions);
    if (!ours.some(([kind, data]) => kind === required[0] && same(data, required[1])))
      throw broken(13, "required");
    const next = soundPolicy(carried[1]);
    if (next.version !== policy.version + 1 || !same(next.hostPublic, policy.hostPublic))
      throw broken(13, "version");
    // members have written under these flags: provability of messages is fixed at creation
    if (next.flags !== policy.flags) throw broken(13, "flags");
    keysStayOrChange(policy, next);
  }
}

/**
 * Return a decoded policy with a title that shows what it is: it stands in every member's window.
 *
 * Members connect to its servers: each is an origin in canonical form, and named once.
 */
const soundPolicy = (data: Bytes): roomState.Policy =>
  reading(13, () => {
    const found = roomState.Policy.decode(data);
    checkText(found.title, roomState.TITLE_MAX);
    const origins = found.servers.map(({ origin }) => origin);
    if (new Set(origins).size !== origins.length || origins.some((each) => canonicalOrigin(each) !== each))
      throw new MalformedError("a server is named twice, or not in canonical form");
    return found;
  });

/** All keys of the hosts change at once, so that no key is left to somebody who lost the others. */
function keysStayOrChange(old: roomState.Policy, next: roomState.Policy): void {
  const equal = (one: readonly Bytes[], other: readonly Bytes[]): boolean =>
    one.length === other.length && one.every((key, at) => same(key, other[at] ?? new Uint8Array(0)));
  const secrets = [old.returnPublic, old.roomAdminPublic];
  const { returnPublic, roomAdminPublic, laterKeys } = next;
  if (equal([...laterKeys, returnPublic, roomAdminPublic], [...old.laterKeys, ...secrets])) return;
  const latest = laterKeys.at(-1) ?? next.hostPublic;
  const expected = old.withKeys(latest, returnPublic, roomAdminPublic);
  const again = secrets.some((key) => same(key, returnPublic) || same(key, roomAdminPublic));
  if (!equal(laterKeys, expected.laterKeys) || among(latest, old.linkKeys) || again) throw broken(13, "host_keys");
}

function exactlyTwo(extensions: readonly ExtensionView[]): readonly [ExtensionView, ExtensionView] {
  const [first, second, ...more] = extensions;
  if (first?.[0] !== REQUIRED_CAPABILITIES || second?.[0] !== roomState.POLICY_EXTENSION || more.length > 0)
    throw broken(13, "two");
  return [first, second];
}

/** Outsiders must not propose. */
function snug14(v: CommitView): void {
  for (const { extensions } of v.of("gce")) noExternalSenders(extensions);
}

function noExternalSenders(extensions: readonly ExtensionView[]): void {
  if (extensions.some(([kind]) => kind === EXTERNAL_SENDERS)) throw broken(14, "external");
}

function knownSuite(suite: number): void {
  if (!SUITES.has(suite)) throw broken(15, "suite", { suite: `0x${suite.toString(16).padStart(4, "0")}` });
}

/** Suite, version and sizes are those of the profile. */
function snug15(v: CommitView): void {
  const { facts } = v;
  const adds = v.of("add");
  knownSuite(facts.suite);
  if (facts.members.size + adds.length - v.of("remove").length > MEMBERS_MAX)
    throw broken(15, "members", { most: MEMBERS_MAX });
  const added = adds.flatMap((p) => (p.added === null ? [] : [hex(p.added.signatureKey)]));
  if (new Set([...facts.ledger.keys, ...added]).size > LEDGER_KEYS_MAX)
    throw broken(15, "people", { most: LEDGER_KEYS_MAX });
  if (adds.some((p) => p.suite !== facts.suite || p.version !== MLS10)) throw broken(15, "added_suite");
}

/** Convert an error of `mls` about a commit to a verdict under this rule number. */
export const snug16 = (error: SnugError): ValidationError =>
  new ValidationError("SNUG-16", error.message);

/**
 * In fixed order, so that every member reports the same first violation. `snug7` calls `snug8`. Checks of
 * kind and shape come before checks of their contents.
 */
const COMMIT_CHECKS: readonly ((view: CommitView) => void | Promise<void>)[] = [
  snug2,
  snug1,
  snug15,
  snug3,
  snug4,
  snug5,
  snug6,
  snug14,
  snug13,
  snug9,
  snug7,
  snug10,
  snug11,
  snug12,
];

/** Apply all checks to a commit. ValidationError names the first rule that it breaks. */
export async function judgeCommit(view: CommitView): Promise<void> {
  if (view.of("add").length > 0) await loadLookAlikes();
  for (const check of COMMIT_CHECKS) await check(view);
}

/**
 * Check a newcomer's group for properties that no valid commit could have introduced.
 *
 * ValidationError with SNUG-6, 11, 13, 14 or 15. No member has validated the creation of the group.
 */
export function judgeGroup(group: {
  readonly suite: number;
  readonly extensions: readonly ExtensionView[];
  readonly members: Iterable<LeafView>;
}): void {
  knownSuite(group.suite);
  noExternalSenders(group.extensions);
  const [, carried] = exactlyTwo(group.extensions);
  soundPolicy(carried[1]);
  for (const member of group.members) {
    allowedName(member);
    hasRejoinKey(member);
  }
}

/** A member's message is recent, and its sender is still a member. */
export function snug17(message: {
  readonly epoch: number;
  readonly current: number;
  readonly senderRemoved: boolean;
}): void {
  const { epoch, current } = message;
  if (epoch < current - 1 || epoch > current) throw broken(17, "epoch", { said: epoch, epoch: current });
  if (message.senderRemoved) throw broken(17, "removed");
}

/** END and MOVE are reserved to hosts, and refer to the meeting's current state. */
export function snug18(said: {
  readonly byHost: boolean;
  readonly chain: Bytes;
  readonly currentChain: Bytes;
}): void {
  if (!said.byHost) throw broken(18, "end");
  if (!same(said.chain, said.currentChain)) throw broken(18, "end_history");
}

/**
 * A member's heartbeats form one chain: two signatures that contradict each other prove equivocation.
 *
 * `known` maps the numbers of heartbeats of the same membership to [prev, digest]. A gap, a late or a
 * repeated heartbeat breaks nothing: a server can cause these. Only two signatures of the member itself can
 * contradict each other.
 */
export function snug19(beat: {
  readonly seq: number;
  readonly prev: Bytes;
  readonly digest: Bytes;
  readonly known: ReadonlyMap<number, readonly [prev: Bytes, digest: Bytes]>;
}): void {
  const { seq, prev, digest, known } = beat;
  if ((seq === 1) !== same(prev, NO_HEARTBEAT)) throw broken(19, "beat_first");
  const [at, before, after] = [known.get(seq), known.get(seq - 1), known.get(seq + 1)];
  if (at !== undefined && !same(at[1], digest)) throw broken(19, "beat_twice", { seq });
  if (before !== undefined && !same(before[1], prev)) throw broken(19, "beat_line", { seq });
  if (after !== undefined && !same(after[0], digest)) throw broken(19, "beat_line", { seq: seq + 1 });
}

/**
 * A stream needs an announcement by the leaf in its key id, with the stream number in its key id.
 *
 * `announcers` maps the leaves that announced this SSRC to the announced stream number.
 */
export function snug20(frame: {
  readonly announcers: ReadonlyMap<number, number>;
  readonly keyLeaf: number;
  readonly stream: number;
}): void {
  if (frame.announcers.size === 0) throw broken(20, "unannounced");
  const announced = frame.announcers.get(frame.keyLeaf);
  if (announced === undefined) throw broken(20, "stream_leaf");
  if (announced !== frame.stream) throw broken(20, "stream_other");
}

/**
 * All members share the media keys: only the sender's signature proves the author of a frame.
 *
 * `forged`: the leaf's signed lists name another frame in this place, or skip it. `unlisted`: seconds of
 * audio or video, from the oldest frame that no list has named yet.
 */
export function snug22(frame: { readonly forged: boolean; readonly unlisted: number }): void {
  if (frame.forged) throw broken(22, "unsigned");
  if (frame.unlisted > MEDIA_SIGNATURE_TIME) throw broken(22, "unlisted");
}
