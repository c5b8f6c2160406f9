// The page's MLS as group members behind JSON lines: a request a line on stdin, its answer a line on stdout.
//
// Request  {"op": name, "member": id, ...}: bytes are hex strings, lists and numbers are themselves.
// Answer   {"ok": true, ...} or {"ok": false, "error": "Kind: text", "sender": whom a CommitError blames}.
// One process holds any number of members; they share nothing but the code.
import "./quick_subtle";
import { concat, hex, systemRng, unhex, utf8 } from "../../../client/web/src/crypto/bytes";
import { H } from "../../../client/web/src/crypto/kdf";
import * as mls from "../../../client/web/src/mls";
import { makeWelcome } from "../../../client/web/src/mls/makeWelcome";
import { lines, answer as tell } from "./lines.mjs";

type Json = Record<string, unknown>;

const text = (value: unknown): string => {
  if (typeof value !== "string") throw new TypeError(`expected a string, got ${typeof value}`);
  return value;
};
const bytes = (value: unknown) => unhex(text(value));
const number = (value: unknown): number => {
  if (typeof value !== "number") throw new TypeError(`expected a number, got ${typeof value}`);
  return value;
};
const list = (value: unknown): readonly unknown[] => {
  if (!Array.isArray(value)) throw new TypeError("expected a list");
  return value;
};
const extensions = (value: unknown): mls.Extension[] =>
  list(value).map((pair) => {
    const [type, data] = list(pair);
    return { extensionType: number(type), data: bytes(data) };
  });

/** mls10, mls_key_package: what makes a KeyPackage an MLSMessage. */
const KEY_PACKAGE_HEAD = Uint8Array.of(0, 1, 0, 5);

const NAMES: Record<mls.Proposal["type"], string> = {
  Add: "add",
  Update: "update",
  Remove: "remove",
  PreSharedKey: "psk",
  ReInit: "reinit",
  ExternalInit: "external_init",
  GroupContextExtensions: "group_context_extensions",
};

class Member {
  readonly #psks = new Map<string, ReturnType<typeof unhex>>();
  #group: mls.Group | null = null;
  #stage: mls.Stage | null = null;

  private constructor(
    readonly key: mls.SignatureKey,
    readonly bundle: mls.KeyPackageBundle,
  ) {}

  static async make(request: Json): Promise<Member> {
    const suite = number(request["suite"]);
    const key =
      request["again"] === undefined ? await mls.generateSignatureKey(suite) : find(request["again"]).key;
    const [notBefore, notAfter] =
      request["lifetime"] === undefined ? [0, 2 ** 40] : list(request["lifetime"]);
    const bundle = await mls.createKeyPackage(suite, {
      signatureKey: key,
      identity: utf8(text(request["name"])),
      supports: list(request["extensions"]).map(number),
      lifetime: { notBefore: number(notBefore), notAfter: number(notAfter) },
      extensions: () => Promise.resolve(extensions(request["packageExtensions"] ?? [])),
      rng: systemRng,
    });
    return new Member(key, bundle);
  }

  get #in(): mls.Group {
    if (this.#group === null) throw new TypeError("not in a group");
    return this.#group;
  }

  keyPackage(): Json {
    return {
      message: hex(concat(KEY_PACKAGE_HEAD, this.bundle.encoded)),
      reference: hex(this.bundle.reference),
      signatureKey: hex(this.key.public),
    };
  }

  psk(request: Json): Json {
    this.#psks.set(text(request["id"]), bytes(request["secret"]));
    return {};
  }

  async create(request: Json): Promise<Json> {
    this.#group = await mls.Group.create(
      this.bundle,
      bytes(request["groupId"]),
      extensions(request["extensions"]),
      systemRng,
    );
    return {};
  }

  async join(request: Json): Promise<Json> {
    this.#group = await mls.Group.join(bytes(request["welcome"]), this.bundle, {
      psks: this.#psks,
      knownGroups: list(request["knownGroups"] ?? []).map(bytes),
      rng: systemRng,
    });
    return { welcomedBy: this.#group.welcomedBy };
  }

  async #proposal(request: Json): Promise<mls.Proposal> {
    switch (request["kind"]) {
      case "add": {
        const message = bytes(request["keyPackage"]);
        const suite = mls.CipherSuite.X25519_AES128GCM_SHA256_ED25519;
        return mls.add(await mls.KeyPackageIn.decode(message.slice(4)).verify(suite, null));
      }
      case "remove":
        return mls.remove(number(request["leaf"]));
      case "psk": {
        const [pskId, nonce] = [bytes(request["id"]), bytes(request["nonce"])];
        return { type: "PreSharedKey", psk: { type: "ExternalPsk", pskId, nonce } };
      }
      case "extensions":
        return mls.groupContextExtensions(extensions(request["extensions"]));
    }
    throw new TypeError(`no such proposal: ${String(request["kind"])}`);
  }

  /**
   * Stage a commit of `proposals` and of all that is stored and can be committed: a Remove before an Update.
   */
  async stage(request: Json): Promise<Json> {
    if (this.#stage !== null) throw new TypeError("a commit is staged already");
    const proposals: mls.Proposal[] = [];
    for (const each of list(request["proposals"])) proposals.push(await this.#proposal(each as Json));
    const chosen = new Map<string, ReturnType<typeof unhex>>();
    const stored = [...this.#in.storedProposals].map(
      ([reference, item]) => [unhex(reference), item] as const,
    );
    for (const [reference, { proposal, sender }] of stored) {
      if (proposal.type === "Update") {
        if (!chosen.has(`leaf ${sender}`)) chosen.set(`leaf ${sender}`, reference);
      } else if (proposal.type === "Remove") {
        if (proposal.removed !== this.#in.ownLeaf) chosen.set(`leaf ${proposal.removed}`, reference);
      } else chosen.set(hex(reference), reference);
    }
    this.#stage = await this.#in.stage(proposals, {
      makeWelcome,
      includeStored: [...chosen.values()],
      authenticatedData: bytes(request["authenticatedData"]),
      forcePath: request["forcePath"] === true,
      private: request["isPublic"] !== true,
      psks: this.#psks,
    });
    const { message, welcome } = this.#stage;
    return { message: hex(message), welcome: welcome === null ? null : hex(welcome) };
  }

  adopt(): Json {
    if (this.#stage === null) throw new TypeError("nothing is staged");
    this.#in.adopt(this.#stage);
    this.#stage = null;
    return {};
  }

  drop(): Json {
    this.#stage?.drop();
    this.#stage = null;
    return {};
  }

  async propose(request: Json): Promise<Json> {
    const proposal = await this.#proposal(request["proposal"] as Json);
    const authenticatedData = bytes(request["authenticatedData"]);
    return {
      message: hex(
        await this.#in.propose(proposal, { authenticatedData, private: request["isPublic"] !== true }),
      ),
    };
  }

  async protect(request: Json): Promise<Json> {
    return {
      message: hex(await this.#in.protect(bytes(request["data"]), bytes(request["authenticatedData"]))),
    };
  }

  async sign(request: Json): Promise<Json> {
    return { signature: hex(await this.#in.sign(text(request["label"]), bytes(request["content"]))) };
  }

  kindOf(request: Json): Json {
    return { kind: mls.kindOf(bytes(request["message"])) };
  }

  /** A commit is adopted at once, but for `judge`: then it is left, and told what it would do. */
  async process(request: Json): Promise<Json> {
    const got = await this.#in.process(bytes(request["message"]), this.#psks);
    const common = { sender: got.sender, authenticatedData: hex(got.authenticatedData) };
    if (got.type === "ApplicationMessage")
      return {
        ...common,
        kind: "application",
        data: hex(got.data),
        generation: got.generation,
        tbs: hex(got.tbs),
        signature: hex(got.signature),
      };
    if (got.type === "ReceivedProposal")
      return {
        ...common,
        kind: "proposal",
        proposals: [NAMES[got.proposal.type]],
        reference: hex(got.reference),
      };
    const told = {
      ...common,
      proposals: got.proposals.map((p) => NAMES[p.proposal.type]),
      private: got.private,
    };
    if (request["judge"] === true) {
      const next = got.group?.epochAuthenticator ?? null;
      return { ...told, kind: "judged", next: next === null ? null : hex(next) };
    }
    if (got.removesUs) return { ...told, kind: "removed" };
    this.#in.adopt(got);
    this.#stage = null; // of the epoch before: spent
    return { ...told, kind: "commit" };
  }

  tree(): Json {
    const nodes = this.#in
      .treeView()
      .map((node) => [
        node.kind,
        node.encryptionKey === null ? null : hex(node.encryptionKey),
        [...node.unmergedLeaves],
        node.held,
      ]);
    return { nodes };
  }

  /** All that the members of an epoch must agree on, and our own leaf. */
  view(request: Json): Json {
    const group = this.#in;
    return {
      active: group.ended ? "ended" : "active",
      groupId: hex(group.groupId),
      epoch: group.epoch,
      ownLeaf: group.ownLeaf,
      leafCount: group.leafCount,
      authenticator: hex(group.epochAuthenticator),
      transcript: hex(group.confirmedTranscriptHash),
      treeHash: hex(group.treeHash),
      tree: hex(group.ratchetTree()),
      extensions: group.extensions.map((e) => [e.extensionType, hex(e.data)]),
      exported: hex(
        group.export(text(request["label"]), bytes(request["context"]), number(request["length"])),
      ),
      members: group
        .members()
        .map(({ leaf, leafNode }) => [leaf, hex(leafNode.credential.identity), hex(leafNode.signatureKey)]),
      leaves: group.members().map(({ leafNode }) => hex(H(leafNode.encoded))),
    };
  }
}

const members = new Map<unknown, Member>();

function find(id: unknown): Member {
  const member = members.get(id);
  if (member === undefined) throw new TypeError(`no member ${String(id)}`);
  return member;
}

async function answer(request: Json): Promise<Json> {
  if (request["op"] === "new") {
    members.set(request["member"], await Member.make(request));
    return {};
  }
  if (request["op"] === "verify") {
    const now = request["now"] === null ? null : number(request["now"]);
    await mls.KeyPackageIn.decode(bytes(request["keyPackage"])).verify(number(request["suite"]), now);
    return {};
  }
  const member = find(request["member"]);
  switch (request["op"]) {
    case "keyPackage":
      return member.keyPackage();
    case "psk":
      return member.psk(request);
    case "create":
      return member.create(request);
    case "join":
      return member.join(request);
    case "stage":
      return member.stage(request);
    case "adopt":
      return member.adopt();
    case "drop":
      return member.drop();
    case "propose":
      return member.propose(request);
    case "protect":
      return member.protect(request);
    case "sign":
      return member.sign(request);
    case "kindOf":
      return member.kindOf(request);
    case "process":
      return member.process(request);
    case "tree":
      return member.tree();
    case "view":
      return member.view(request);
  }
  throw new TypeError(`no operation ${String(request["op"])}`);
}

for (const line of lines()) {
  let reply: Json;
  try {
    reply = { ok: true, ...(await answer(JSON.parse(line) as Json)) };
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const blamed =
      error instanceof mls.CommitError ? { sender: error.sender, path: error instanceof mls.PathError } : {};
    reply = { ok: false, error: `${error.name}: ${error.message}`, ...blamed };
  }
  tell(reply);
}
