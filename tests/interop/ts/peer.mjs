// ts-mls as group members behind JSON lines: a request a line on stdin, its answer a line on stdout.
//
// Request  {"op": name, "member": id, ...}: bytes are hex strings, lists and numbers are themselves.
// Answer   {"ok": true, ...} or {"ok": false, "error": "Kind: text"}.
// One process holds any number of members; they share nothing but the code.
import "../../web/peers/quick_subtle"
import * as mls from "ts-mls"
import { encode } from "ts-mls/codec/tlsEncoder.js"
import { makeKeyPackageRef } from "ts-mls/keyPackage.js"
import { ratchetTreeEncoder } from "ts-mls/ratchetTree.js"
import { lines, answer as tell } from "../../web/peers/lines.mjs"

const hex = (bytes) => Buffer.from(bytes).toString("hex")
const bytes = (text) => new Uint8Array(Buffer.from(text, "hex"))
const utf8 = (text) => new TextEncoder().encode(text)

// ts-mls names the extension types that it knows and numbers all others
const nameOfExtension = new Map(Object.entries(mls.defaultExtensionTypes).map(([name, type]) => [type, name]))
const toExtensions = (pairs) =>
  pairs.map(([type, data]) => ({ extensionType: nameOfExtension.get(type) ?? type, extensionData: bytes(data) }))
const fromExtensions = (extensions) =>
  extensions.map((e) => [mls.defaultExtensionTypes[e.extensionType] ?? e.extensionType, hex(e.extensionData)])

// the default service accepts everybody; this one at least wants a name
const authService = {
  validateCredential: async (credential) => credential.credentialType === "basic" && credential.identity.length > 0,
}

function decode(text, wireformat) {
  const raw = bytes(text)
  const decoded = mls.decodeMlsMessage(raw, 0)
  if (decoded === undefined) throw new Error("not an MLSMessage")
  if (decoded[1] !== raw.length) throw new Error("bytes left over after the MLSMessage")
  if (wireformat !== undefined && decoded[0].wireformat !== wireformat)
    throw new Error(`expected ${wireformat}, got ${decoded[0].wireformat}`)
  return decoded[0]
}

class Member {
  #suite
  #keyPackage
  #config
  #state
  #staged
  #psks = {}
  #signatureKeys

  static async make({ suite, name, extensions, padUntil, lifetime, again }) {
    const self = new Member()
    self.#suite = await mls.getCiphersuiteImpl(mls.getCiphersuiteFromName(suite))
    self.#config = {
      keyRetentionConfig: { retainKeysForGenerations: 10, retainKeysForEpochs: 1, maximumForwardRatchetSteps: 200 },
      lifetimeConfig: mls.defaultLifetimeConfig,
      keyPackageEqualityConfig: mls.defaultKeyPackageEqualityConfig,
      paddingConfig: { kind: "padUntilLength", padUntilLength: padUntil },
      authService,
    }
    const capabilities = mls.defaultCapabilities() // with GREASE
    capabilities.extensions = [...capabilities.extensions, ...extensions]
    self.#signatureKeys =
      again === undefined ? await self.#suite.signature.keygen() : members.get(again).#signatureKeys
    self.#keyPackage = await mls.generateKeyPackageWithKey(
      { credentialType: "basic", identity: utf8(name) },
      capabilities,
      lifetime === undefined
        ? mls.defaultLifetime
        : { notBefore: BigInt(lifetime[0]), notAfter: BigInt(lifetime[1]) },
      [],
      self.#signatureKeys,
      self.#suite,
    )
    return self
  }

  async keyPackage() {
    const keyPackage = this.#keyPackage.publicPackage
    return {
      message: hex(mls.encodeMlsMessage({ version: "mls10", wireformat: "mls_key_package", keyPackage })),
      reference: hex(await makeKeyPackageRef(keyPackage, this.#suite.hash)),
      signatureKey: hex(keyPackage.leafNode.signaturePublicKey),
    }
  }

  /** Remember an external PSK; `pskIndex` finds it. */
  psk({ id, secret }) {
    this.#psks[mls.bytesToBase64(bytes(id))] = bytes(secret)
    return {}
  }

  #pskIndex() {
    return mls.makePskIndex(this.#state, this.#psks)
  }

  async create({ groupId, extensions }) {
    const { publicPackage, privatePackage } = this.#keyPackage
    this.#state = await mls.createGroup(
      bytes(groupId), publicPackage, privatePackage, toExtensions(extensions), this.#suite, this.#config,
    )
    return {}
  }

  async join({ welcome }) {
    const { publicPackage, privatePackage } = this.#keyPackage
    const message = decode(welcome, "mls_welcome")
    this.#state = await mls.joinGroup(
      message.welcome, publicPackage, privatePackage, this.#pskIndex(), this.#suite, undefined, undefined, this.#config,
    )
    return {}
  }

  async joinByExternalCommit({ groupInfo, resync }) {
    const { publicPackage, privatePackage } = this.#keyPackage
    const message = decode(groupInfo, "mls_group_info")
    const result = await mls.joinGroupExternal(
      message.groupInfo, publicPackage, privatePackage, resync, this.#suite, undefined, this.#config,
    )
    this.#state = result.newState
    return {
      message: hex(mls.encodeMlsMessage({
        version: "mls10", wireformat: "mls_public_message", publicMessage: result.publicMessage,
      })),
    }
  }

  async groupInfo() {
    const groupInfo = await mls.createGroupInfoWithExternalPubAndRatchetTree(this.#state, [], this.#suite)
    return { message: hex(mls.encodeMlsMessage({ version: "mls10", wireformat: "mls_group_info", groupInfo })) }
  }

  /** A proposal as the requests write it -> as ts-mls wants it. */
  #proposal({ kind, keyPackage, leaf, id, nonce, extensions, groupId, type, data }) {
    switch (kind) {
      case "add":
        return { proposalType: "add", add: { keyPackage: decode(keyPackage, "mls_key_package").keyPackage } }
      case "remove":
        return { proposalType: "remove", remove: { removed: leaf } }
      case "psk":
        return {
          proposalType: "psk",
          psk: { preSharedKeyId: { psktype: "external", pskId: bytes(id), pskNonce: bytes(nonce) } },
        }
      case "extensions":
        return {
          proposalType: "group_context_extensions",
          groupContextExtensions: { extensions: toExtensions(extensions) },
        }
      case "reinit":
        return {
          proposalType: "reinit",
          reinit: {
            groupId: bytes(groupId), version: "mls10", cipherSuite: this.#suite.name,
            extensions: this.#state.groupContext.extensions,
          },
        }
      case "custom":
        return { proposalType: type, proposalData: bytes(data) }
      default:
        throw new Error(`no such proposal: ${kind}`)
    }
  }

  /** Stage a commit of `proposals` and of all that is stored; the state stays until `adopt`. */
  async stage({ proposals, isPublic, forcePath, authenticatedData }) {
    if (this.#staged !== undefined) throw new Error("a commit is staged already")
    const { newState, commit, welcome, stagedFrom } = await mls.createCommit(
      { state: this.#state, cipherSuite: this.#suite, pskIndex: this.#pskIndex() },
      {
        extraProposals: proposals.map((p) => this.#proposal(p)),
        wireAsPublicMessage: isPublic,
        ratchetTreeExtension: true,
        authenticatedData: bytes(authenticatedData),
        forcePath,
      },
    )
    this.#staged = newState
    this.#state = stagedFrom // the handshake generation is spent even if this stage is dropped
    return {
      message: hex(mls.encodeMlsMessage(commit)),
      welcome: welcome === undefined
        ? null
        : hex(mls.encodeMlsMessage({ version: "mls10", wireformat: "mls_welcome", welcome })),
    }
  }

  adopt() {
    if (this.#staged === undefined) throw new Error("nothing is staged")
    // what was received while the stage was out has spent keys of the old epoch: carry that over,
    // or those messages could be replayed
    const { epoch } = this.#state.groupContext
    const history = new Map(this.#staged.historicalReceiverData)
    const old = history.get(epoch)
    if (old !== undefined) history.set(epoch, { ...old, secretTree: this.#state.secretTree })
    this.#state = { ...this.#staged, historicalReceiverData: history }
    this.#staged = undefined
    return {}
  }

  drop() {
    this.#staged = undefined
    return {}
  }

  async propose({ proposal, isPublic, authenticatedData }) {
    const { newState, message } = await mls.createProposal(
      this.#state, isPublic, this.#proposal(proposal), this.#suite, bytes(authenticatedData),
    )
    this.#state = newState
    return { message: hex(mls.encodeMlsMessage(message)) }
  }

  async protect({ data, authenticatedData }) {
    const { newState, privateMessage } = await mls.createApplicationMessage(
      this.#state, bytes(data), this.#suite, bytes(authenticatedData),
    )
    this.#state = newState
    return {
      message: hex(mls.encodeMlsMessage({ version: "mls10", wireformat: "mls_private_message", privateMessage })),
    }
  }

  async process({ message }) {
    const decoded = decode(message)
    let seen
    const look = (incoming) => {
      seen = incoming
      return "accept"
    }
    const { authenticatedData } = decoded.privateMessage ?? decoded.publicMessage?.content ?? {}
    const common = { authenticatedData: hex(authenticatedData ?? []) }
    let result
    try {
      if (decoded.wireformat === "mls_private_message")
        result = await mls.processPrivateMessage(
          this.#state, decoded.privateMessage, this.#pskIndex(), this.#suite, look,
        )
      else if (decoded.wireformat === "mls_public_message")
        result = await mls.processPublicMessage(
          this.#state, decoded.publicMessage, this.#pskIndex(), this.#suite, look,
        )
      else throw new Error(`cannot process ${decoded.wireformat}`)
    } catch (error) {
      // ts-mls knows its removal by a blank leaf: one that the same commit gives to somebody else looks alive,
      // and then the path does not open. The callback has been shown the (verified) proposals before that.
      if (seen?.kind !== "commit" || !seen.proposals.some((p) => this.#isOwnRemoval(p))) throw error
      return { ...common, kind: "removed", sender: seen.senderLeafIndex ?? null, proposals: seen.proposals.map(nameOf) }
    }
    const before = this.#state.groupContext.epoch
    this.#state = result.newState
    if (result.kind === "applicationMessage")
      return { ...common, kind: "application", sender: result.senderLeafIndex, data: hex(result.message) }
    if (seen.kind === "proposal")
      return { ...common, kind: "proposal", sender: seen.proposal.senderLeafIndex, proposals: [nameOf(seen.proposal)] }
    if (this.#state.groupActiveState.kind !== "removedFromGroup" && this.#state.groupContext.epoch !== before + 1n)
      throw new Error("a commit was processed and the epoch did not advance by one")
    this.#staged = undefined
    return {
      ...common,
      kind: this.#state.groupActiveState.kind === "removedFromGroup" ? "removed" : "commit",
      sender: seen.senderLeafIndex ?? null,
      proposals: seen.proposals.map(nameOf),
    }
  }

  #isOwnRemoval({ proposal }) {
    return proposal.proposalType === "remove" && proposal.remove.removed === this.#state.privatePath.leafIndex
  }

  /** All that the members of an epoch must agree on, and our own leaf. */
  async view({ label, context, length }) {
    const { groupContext, keySchedule, ratchetTree, privatePath, groupActiveState } = this.#state
    const members = []
    for (let leaf = 0; 2 * leaf < ratchetTree.length; leaf++) {
      const node = ratchetTree[2 * leaf]
      if (node !== undefined)
        members.push([leaf, hex(node.leaf.credential.identity), hex(node.leaf.signaturePublicKey)])
    }
    return {
      active: groupActiveState.kind,
      groupId: hex(groupContext.groupId),
      epoch: Number(groupContext.epoch),
      ownLeaf: privatePath.leafIndex,
      authenticator: hex(keySchedule.epochAuthenticator),
      transcript: hex(groupContext.confirmedTranscriptHash),
      treeHash: hex(groupContext.treeHash),
      tree: hex(encode(ratchetTreeEncoder)(ratchetTree)),
      extensions: fromExtensions(groupContext.extensions),
      exported: hex(await mls.mlsExporter(keySchedule.exporterSecret, label, bytes(context), length, this.#suite)),
      members,
    }
  }
}

const nameOf = ({ proposal }) => String(proposal.proposalType)

const members = new Map()
const OPERATIONS = new Set([
  "keyPackage", "psk", "create", "join", "joinByExternalCommit", "groupInfo", "stage", "adopt", "drop",
  "propose", "protect", "process", "view",
])

async function answer(request) {
  if (request.op === "new") {
    members.set(request.member, await Member.make(request))
    return {}
  }
  const member = members.get(request.member)
  if (member === undefined) throw new Error(`no member ${request.member}`)
  if (!OPERATIONS.has(request.op)) throw new Error(`no operation ${request.op}`)
  return member[request.op](request)
}

for (const line of lines()) {
  let reply
  try {
    reply = { ok: true, ...(await answer(JSON.parse(line))) }
  } catch (error) {
    reply = { ok: false, error: `${error.constructor.name}: ${error.message}` }
  }
  tell(reply)
}
