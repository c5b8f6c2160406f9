import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { type Bytes, hex, unhex } from "../../../../client/web/src/crypto/bytes";
import { ValidationError } from "../../../../client/web/src/crypto/errors";
import * as policy from "../../../../client/web/src/crypto/agreed/policy";
import { type CommitFacts, CommitView, type ExtensionView, type LeafView, type ProposalKind, type ProposalView } from "../../../../client/web/src/crypto/agreed/commitView";
import { Ledger } from "../../../../client/web/src/crypto/agreed/ledger";
import { CommitContext, Policy } from "../../../../client/web/src/crypto/agreed/roomState";

type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

// read whole, and as what it is declared to be: Python has written it
const file = JSON.parse(readFileSync(join(import.meta.dirname, "../shared/policy.json"), "utf8")) as {
  readonly shared: Record<"members" | "policy" | "ledger" | "extensions" | "path_leaf", Json[]>;
  readonly commits: readonly {
    readonly name: string;
    readonly verdict: string | null;
    readonly view: Record<string, Json>;
  }[];
  readonly checks: readonly {
    readonly check: string;
    readonly verdict: string | null;
    readonly arguments: Record<string, Json>;
  }[];
  readonly groups: readonly Record<"suite" | "extensions" | "members" | "verdict", Json>[];
};

const bytes = (value: Json | undefined): Bytes => unhex(String(value));
const rows = (value: Json | undefined): readonly Json[] => value as readonly Json[];
const record = (value: Json | undefined): Record<string, Json> => value as Record<string, Json>;
const leafIndex = (value: Json | undefined): number | null => value as number | null;

function leaf(value: Json | undefined): LeafView {
  const of = record(value);
  return {
    signatureKey: bytes(of["signature_key"]),
    identity: bytes(of["identity"]),
    encryptionKey: bytes(of["encryption_key"]),
    capabilities: bytes(of["capabilities"]),
    extensions: bytes(of["extensions"]),
    rejoinKey: bytes(of["rejoin_key"]),
  };
}

const extensions = (value: Json | undefined): ExtensionView[] =>
  rows(value).map((pair) => [Number(rows(pair)[0]), bytes(rows(pair)[1])]);

function proposal(value: Json): ProposalView {
  const of = record(value);
  return {
    kind: of["kind"] as ProposalKind,
    sender: leafIndex(of["sender"]),
    byReference: of["by_reference"] === true,
    added: of["added"] === null ? null : leaf(of["added"]),
    package: bytes(of["package"]),
    initKey: bytes(of["init_key"]),
    ticket: of["ticket"] === null ? null : bytes(of["ticket"]),
    suite: Number(of["suite"]),
    version: Number(of["version"]),
    removed: leafIndex(of["removed"]),
    pskExternal: of["psk_external"] === true,
    pskId: bytes(of["psk_id"]),
    extensions: extensions(of["extensions"]),
  };
}

function facts(view: Record<string, Json>): CommitFacts {
  const shared = (name: keyof typeof file.shared): Json | undefined => file.shared[name][Number(view[name])];
  const path = shared("path_leaf");
  return {
    private: view["private"] === true,
    sender: leafIndex(view["sender"]),
    proposals: rows(view["proposals"]).map(proposal),
    pathLeaf: path === null ? null : leaf(path),
    authenticatedData: bytes(view["authenticated_data"]),
    members: new Map(rows(shared("members")).map((pair) => [Number(rows(pair)[0]), leaf(rows(pair)[1])])),
    policy: Policy.decode(bytes(shared("policy"))),
    extensions: extensions(shared("extensions")),
    groupId: bytes(view["group_id"]),
    suite: Number(view["suite"]),
    room: bytes(view["room"]),
    slot: Number(view["slot"]),
    chain: bytes(view["chain"]),
    ledger: Ledger.decode(bytes(shared("ledger"))),
  };
}

/** The rule and its words, null if the check holds. */
async function verdict(check: () => void | Promise<void>): Promise<string | null> {
  try {
    await check();
    return null;
  } catch (error) {
    if (error instanceof ValidationError) return error.message;
    throw error;
  }
}

const judge = (of: CommitFacts): Promise<string | null> =>
  verdict(() => policy.judgeCommit(new CommitView(of)));

test("every commit has the verdict that Python gives it, in the same words", async () => {
  for (const { name, verdict: says, view } of file.commits)
    assert.equal(await judge(facts(view)), says, name);
  assert.ok(file.commits.length > 200);
});

const named = (name: string): CommitFacts => {
  const found = file.commits.find((each) => each.name === name);
  assert.ok(found, name);
  return facts(found.view);
};

const numbered = (n: number, size: number): Bytes => {
  const made = new Uint8Array(size);
  new DataView(made.buffer).setUint32(0, n + 2 ** 31);
  return made;
};

/** The host adds that many with one commit, by the same open invite. */
const batch = (size: number, invites = size): CommitFacts => {
  const one = named("valid: add, open invite");
  const [psk, eve] = one.proposals;
  assert.ok(psk && eve?.added);
  const { added } = eve;
  const adds = Array.from({ length: size }, (_, n) => ({
    ...eve,
    added: {
      ...added,
      signatureKey: numbered(10_000 + n, 32),
      identity: new TextEncoder().encode(`\0Guest ${n}`) as Bytes,
    },
  }));
  const context = new CommitContext({ ...new CommitView(one).context, invites: Array<number>(invites).fill(7) });
  return { ...one, proposals: [psk, ...adds], authenticatedData: context.encode() };
};

test("a room and a ledger can be filled, and no further", async () => {
  const add = named("valid: add, open invite");
  const [ada] = add.members.values();
  assert.ok(ada);
  const crowd = (size: number): ReadonlyMap<number, LeafView> =>
    new Map([
      ...add.members,
      ...Array.from({ length: size - add.members.size }, (_, n): [number, LeafView] => [
        n + 10,
        {
          ...ada,
          signatureKey: numbered(n, 32),
          identity: new TextEncoder().encode(`\0Member ${n}`) as Bytes,
        },
      ]),
    ]);
  for (const [count, commit] of [[1, add], [2, batch(2)], [64, batch(64)]] as const) {
    assert.equal(await judge({ ...commit, members: crowd(1000 - count) }), null);
    assert.equal(await judge({ ...commit, members: crowd(1001 - count) }), "SNUG-15: more than 1000 members");
  }
  const full = (size: number): Partial<CommitFacts> => {
    const more = Array.from({ length: size - add.ledger.keys.size }, (_, n) => hex(numbered(n, 32)));
    const ledger = add.ledger.with({ keys: new Set([...add.ledger.keys, ...more]) });
    return { ledger };
  };
  // the commit's context names the ledger: what is asked here is SNUG-15 alone, which comes after SNUG-1
  const own = (of: CommitFacts): CommitFacts => {
    const { context } = new CommitView(of);
    const data = hex(of.authenticatedData).replace(hex(context.ledger), hex(of.ledger.digest()));
    return { ...of, authenticatedData: unhex(data) };
  };
  for (const [count, commit] of [[1, add], [2, batch(2)]] as const) {
    assert.equal(await judge(own({ ...commit, ...full(4096 - count) })), null);
    const over = own({ ...commit, ...full(4097 - count) });
    assert.equal(await judge(over), "SNUG-15: more than 4096 people in one meeting");
  }
});

test("a commit adds 64 members, and no more", async () => {
  assert.equal(await judge(batch(64)), null);
  assert.equal(await judge(batch(65)), "SNUG-10: too many members are added at once");
  assert.equal(await judge(batch(64, 63)), "SNUG-12: somebody is added without an invite");
  assert.equal(await judge(batch(64, 65)), "SNUG-12: an invite is named, and nobody new is added");
});

const CHECKS: Record<string, (of: Record<string, Json>) => void> = {
  snug_17: (of) =>
    policy.snug17({
      epoch: Number(of["epoch"]),
      current: Number(of["current"]),
      senderRemoved: of["sender_removed"] === true,
    }),
  snug_18: (of) =>
    policy.snug18({
      byHost: of["by_host"] === true,
      chain: bytes(of["chain"]),
      currentChain: bytes(of["current_chain"]),
    }),
  snug_19: (of) =>
    policy.snug19({
      seq: Number(of["seq"]),
      prev: bytes(of["prev"]),
      digest: bytes(of["digest"]),
      known: new Map(
        rows(of["known"]).map((row) => {
          const [seq, pair] = rows(row);
          return [Number(seq), [bytes(rows(pair)[0]), bytes(rows(pair)[1])] as const];
        }),
      ),
    }),
  snug_20: (of) =>
    policy.snug20({
      announcers: new Map(rows(of["announcers"]).map((row) => [Number(rows(row)[0]), Number(rows(row)[1])])),
      keyLeaf: Number(of["key_leaf"]),
      stream: Number(of["stream"]),
    }),
  snug_22: (of) => policy.snug22({ forged: of["forged"] === true, unlisted: Number(of["unlisted"]) }),
};

test("every single check says what Python's says", async () => {
  const seen = new Set<string>();
  for (const { check, arguments: of, verdict: says } of file.checks) {
    const run = CHECKS[check];
    assert.ok(run, check);
    assert.equal(await verdict(() => run(of)), says, JSON.stringify({ check, of }));
    seen.add(`${check} ${says === null}`);
  }
  assert.equal(seen.size, 10);
});

test("a newcomer says the same to every group", async () => {
  for (const group of file.groups) {
    const members = rows(group.members).map(leaf);
    const of = { suite: Number(group.suite), extensions: extensions(group.extensions), members };
    assert.equal(await verdict(() => policy.judgeGroup(of)), group.verdict);
  }
});

test("what MLS refuses is SNUG-16", () => {
  const said = policy.snug16(new ValidationError("MLS-12.2-3", "the committer removes itself"));
  assert.equal(said.message, "SNUG-16: MLS-12.2-3: the committer removes itself");
});
