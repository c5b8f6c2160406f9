/** Evidence and reports: the page writes them byte for byte as Python would, and Python reads them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { hex, unhex, utf8 } from "../../../../client/web/src/crypto/bytes";
import { AuthenticationError, MalformedError, StateError } from "../../../../client/web/src/crypto/errors";
import { signAdmission, verifyAdmission } from "../../../../client/web/src/crypto/proof/admission";
import * as evidence from "../../../../client/web/src/crypto/proof/evidence";
import { SigningKey } from "../../../../client/web/src/crypto/kdf";
import { labeled } from "../../../../client/web/src/crypto/labels";
import * as report from "../../../../client/web/src/crypto/proof/report";
import { fromBase64 } from "../../../../client/web/src/wire/codec";
import { given, type Outcome, outcomeOf, refused } from "./given";

const BYTES = new Set(
  "number server_key opening_id before blob key beat signature group_id node host_public tbs signature_key admission".split(
    " ",
  ),
);

/** A file's JSON as the page has it: byte strings as bytes, and fields in the opposite of their order. */
function held(value: unknown, name = ""): unknown {
  if (typeof value === "string") return BYTES.has(name) ? fromBase64(value) : value;
  if (Array.isArray(value)) return value.map((each) => held(each));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).reverse().map(([key, field]) => [key, held(field, key)]));
}

interface Evidence {
  readonly seeds: Readonly<Record<string, string>>;
  readonly files: readonly {
    readonly text: string;
    readonly signed: readonly string[];
    readonly chains: readonly string[];
  }[];
}

test("evidence is written as Python writes it, whatever the order of fields here", async () => {
  const shared = given<Evidence>("evidence");
  for (const { text, signed, chains } of shared.files) {
    const file = held(JSON.parse(text)) as evidence.Evidence;
    assert.equal(new TextDecoder().decode(evidence.encode(file)), text);
    for (const [i, exhibit] of file.exhibits.entries()) {
      assert.equal(hex(evidence.toBeSigned(exhibit)), signed[i]);
      assert.equal(hex(evidence.probeChain(exhibit.number, exhibit.beats, exhibit.receipts)), chains[i]);
      const key = await SigningKey.fromSeed(unhex(shared.seeds[hex(exhibit.key)] ?? ""));
      const unsigned = { ...exhibit, signature: new Uint8Array(0) };
      const made = await evidence.signed(unsigned, (label, data) => key.sign(labeled(label, data)));
      assert.deepEqual(made, exhibit);
      await evidence.verifySigned(exhibit);
      await refused(() => evidence.verifySigned({ ...exhibit, at: exhibit.at - 1 }), AuthenticationError);
      await refused(() => evidence.verifySigned({ ...exhibit, key: exhibit.server_key }), AuthenticationError);
    }
  }
});

test("texts are cut where Python cuts them, and no number is half", async () => {
  assert.equal(evidence.clipped("x".repeat(501)), "x".repeat(500));
  assert.equal(evidence.clipped("🐶".repeat(501)), "🐶".repeat(500));
  const file = held(JSON.parse(given<Evidence>("evidence").files[0]?.text ?? "")) as evidence.Evidence;
  const [exhibit] = file.exhibits;
  assert.ok(exhibit);
  await refused(() => evidence.toBeSigned({ ...exhibit, at: 1.5 }), StateError);
  // half a surrogate pair has no UTF-8: it must not make what was signed differ from what is read
  const odd = { ...exhibit, origin: "\ud83d" };
  assert.deepEqual(evidence.toBeSigned(odd), evidence.toBeSigned({ ...exhibit, origin: "\ufffd" }));
});

interface Reports {
  readonly host_seed: string;
  readonly group_id: string;
  readonly cases: readonly {
    readonly accused: Readonly<
      Record<"tbs" | "signature" | "signature_key" | "admission", string> & { invite: number }
    >;
    readonly outcome: Outcome;
  }[];
  readonly file: string;
}
const reports = given<Reports>("reports");
const host = await SigningKey.fromSeed(unhex(reports.host_seed));

test("a message proves what it proves for Python, and nothing else does", async () => {
  for (const [at, { accused, outcome }] of reports.cases.entries()) {
    const here = {
      tbs: unhex(accused.tbs),
      signature: unhex(accused.signature),
      signature_key: unhex(accused.signature_key),
      invite: accused.invite,
      admission: unhex(accused.admission),
    };
    const found = await outcomeOf(async () => {
      const proven = await report.verifyMessage(here, host.public);
      return {
        signature_key: hex(proven.signatureKey),
        host_public: hex(proven.hostPublic),
        group_id: hex(proven.groupId),
        epoch: proven.epoch,
        invite: proven.invite,
        claims_host: proven.claimsHost,
        data: hex(proven.data),
      };
    });
    assert.deepEqual(found, outcome, `case ${at}`);
  }
});

test("a report is written as Python writes it, and holds only for its host", async () => {
  const made = held(JSON.parse(reports.file)) as report.Report;
  assert.equal(new TextDecoder().decode(report.encode(made)), reports.file);
  const proven = await report.verifyReport(made, host.public);
  assert.equal(proven.length, made.messages.length);
  const other = await SigningKey.fromSeed(new Uint8Array(32));
  await refused(() => report.verifyReport(made, other.public), AuthenticationError, /another host/);
  const claiming = { ...made, host_public: other.public };
  await refused(() => report.verifyReport(claiming, other.public), AuthenticationError, /another host/);
});

test("a message listed 64 times counts as no 64 messages", async () => {
  const made = held(JSON.parse(reports.file)) as report.Report;
  const [once] = made.messages;
  assert.ok(once);
  const repeated = { ...made, messages: Array.from({ length: report.MESSAGES_MAX }, () => once) };
  await refused(() => report.verifyReport(repeated, host.public), MalformedError, /twice/);
});

test("a host's admission is of one key, one group and one invite", async () => {
  const [first] = reports.cases;
  assert.ok(first);
  const [group, key] = [unhex(reports.group_id), unhex(first.accused.signature_key)];
  const admission = await signAdmission(host, group, key, 3);
  assert.equal(hex(admission), first.accused.admission);
  await verifyAdmission(host.public, group, key, 3, admission);
  const wrong = [
    [utf8("elsewhere"), key, 3],
    [group, host.public, 3],
    [group, key, 4],
  ] as const;
  for (const [g, k, invite] of wrong)
    await refused(() => verifyAdmission(host.public, g, k, invite, admission), AuthenticationError);
  await refused(() => signAdmission(host, group, key.slice(1), 3), MalformedError);
  await refused(() => signAdmission(host, group, key, 2 ** 16), MalformedError);
});
