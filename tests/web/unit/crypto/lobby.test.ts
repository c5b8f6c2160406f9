import assert from "node:assert/strict";
import { test } from "node:test";
import { type Bytes, concat, type Rng, utf8 } from "../../../../client/web/src/crypto/bytes";
import { SnugError, StateError } from "../../../../client/web/src/crypto/errors";
import { padded } from "../../../../client/web/src/crypto/fields";
import { Exporter } from "../../../../client/web/src/crypto/hpke";
import { IdentityKey } from "../../../../client/web/src/crypto/proof/identity";
import { HostKeys, HostSeed } from "../../../../client/web/src/crypto/entry/invite";
import { H, SEAL_OVERHEAD, seal } from "../../../../client/web/src/crypto/kdf";
import { checkText } from "../../../../client/web/src/crypto/agreed/names";
import * as hostsLobby from "../../../../client/web/src/crypto/entry/hostsLobby";
import * as lobby from "../../../../client/web/src/crypto/entry/lobby";
import { encodeAnswer, readAnswer, type ReplyBody } from "../../../../client/web/src/crypto/entry/answers";
import { Knocks } from "../../../../client/web/src/crypto/entry/knocks";
import type { Card, Knock } from "../../../../client/web/src/crypto/entry/lobby";
import { decode, encode } from "../../../../client/web/src/wire/layout";
import { CARD } from "../../../../client/web/src/wire/layouts/lobby";
import { compareWithPython } from "./cases";
import { seeded } from "./given";

const DAY = 20_000;
const NOW = DAY * 86_400 + 3_600;
const ORIGIN = "https://meet.example";
const SECRET = seeded("secret")(16);
const keysOf = async (seeds: readonly Bytes[]): Promise<HostKeys> =>
  new HostKeys(await Promise.all(seeds.map((seed) => HostSeed.from(seed))));
const hosts = keysOf([seeded("host seed")(32), seeded("second host seed")(32)]);

const pairOf = (rng: Rng): Promise<hostsLobby.CardSecret> => hostsLobby.makeCardSecret(NOW + 0.7, rng);

const cardOf = async (secret: hostsLobby.CardSecret): Promise<Card> =>
  hostsLobby.makeCard(await hosts, ORIGIN, secret, [seeded("nonce")(16)]);

const knockOf = async (card: Card, seed: HostSeed, index: number, keyPackage: Bytes, name: string, greeting: string, own: Bytes | null, rng: Rng) =>
  lobby.knock(seed.invite(ORIGIN, SECRET, index), card, keyPackage, name, greeting, {
    identity: own && (await IdentityKey.fromPrivate(own)),
    rng,
  });

/** Python's shows every knock with its type. */
const opened = async (secret: hostsLobby.CardSecret, knock: Knock) => {
  const keys = await hosts;
  return hostsLobby.openKnock(secret, knock, (index) => keys.tokens(index));
};

compareWithPython("lobby", {
  card: async (seeds: readonly Bytes[], origin: string, answers: readonly Bytes[], rng: Rng) =>
    hostsLobby.makeCard(await keysOf(seeds), origin, await pairOf(rng), answers),
  check_card: async (raw: Bytes, hostPublic: Bytes, origin: string, asked: readonly Bytes[]) => {
    const card = decode(CARD, raw);
    assert.deepEqual(encode(CARD, card), raw);
    await lobby.verifyCard(card, hostPublic, origin, asked);
  },
  text: checkText,
  knock: async (cardRng: Rng, seed: Bytes, index: number, keyPackage: Bytes, name: string, greeting: string, own: Bytes | null, rng: Rng) => {
    const card = await cardOf(await pairOf(cardRng));
    const { knock } = await knockOf(card, await HostSeed.from(seed), index, keyPackage, name, greeting, own, rng);
    return [knock.enc, knock.ciphertext];
  },
  open_knock: async (cardRng: Rng, enc: Bytes, ciphertext: Bytes) => ({
    type: "OpenedKnock",
    ...(await opened(await pairOf(cardRng), { type: "Knock", enc, ciphertext })),
  }),
  reply: async (cardRng: Rng, rng: Rng, answer: ReplyBody, replyRng: Rng) => {
    const secret = await pairOf(cardRng);
    const { knock, pending } = await knockOf(await cardOf(secret), (await hosts).first, 0, utf8("package"), "Ada", "", null, rng);
    const reply = await hostsLobby.reply(await opened(secret, knock), answer, replyRng);
    return [reply.id, reply.sealed, await pending.open(reply)];
  },
  answer: (body: Bytes) => {
    const answer = readAnswer(body);
    assert.deepEqual(encodeAnswer(answer), body);
    return answer;
  },
  post: async (envelopeKey: Bytes, message: lobby.LobbyMessage, rng: Rng) => {
    const blob = await lobby.post(envelopeKey, message, rng);
    assert.deepEqual(await lobby.read(envelopeKey, blob), message);
    return [blob.length, H(blob), blob.slice(0, 64)];
  },
  under: async (inner: Bytes, size: number) => {
    const key = new Uint8Array(32);
    const sealed = await seal(key, padded(inner, size - SEAL_OVERHEAD), utf8("snug 1 posted"), seeded("veil"));
    return lobby.read(key, sealed);
  },
  read: lobby.read,
  book: (each: number, steps: readonly (readonly [string, ...never[]])[]) => {
    const book = new Knocks(each);
    const exporter = new Exporter(new Uint8Array(32));
    const take = ([step, ...given]: readonly [string, ...never[]]): unknown => {
      const [index, keyPackage, expiry, now] = given;
      switch (step) {
        case "issue":
          return book.issue(index as never, keyPackage as never);
        case "consider": {
          const knock = { index, keyPackage, expiry, name: "Ada", greeting: "", exporter, identity: null };
          return book.consider(knock as never, now as never);
        }
        case "renew": {
          const [number, index, keyPackage, expiry, now] = given as readonly unknown[];
          const knock = { index, keyPackage, expiry, name: "Ada", greeting: "", exporter, identity: null };
          return book.renew(number as never, knock as never, now as never);
        }
        case "waiting":
          return book.waiting(index as never).map(({ id, knock, since }) => [id, knock.index, since]);
        case "take":
          return book.take(index as never, keyPackage as never).keyPackage;
        case "use":
          return book.use(index as never);
        default:
          return book.revoke(index as never);
      }
    };
    return steps.map((step) => {
      try {
        return take(step);
      } catch (error) {
        if (!(error instanceof SnugError)) throw error;
        return { error: error.name, text: error.message };
      }
    });
  },
});

test("an erased card opens nothing", async () => {
  const secret = await pairOf(seeded("card"));
  const { knock } = await knockOf(await cardOf(secret), (await hosts).first, 0, utf8("package"), "Ada", "", null, seeded("knock"));
  assert.equal((await opened(secret, knock)).name, "Ada");
  assert.ok(!secret.expired(NOW + 599) && secret.expired(NOW + 600));
  secret.erase();
  await assert.rejects(opened(secret, knock), StateError);
});

test("a reply is nobody's but its knock's, and the same size as any near it", async () => {
  const secret = await pairOf(seeded("card"));
  const [one, other] = [
    await knockOf(await cardOf(secret), (await hosts).first, 0, utf8("package"), "Ada", "", null, seeded("one")),
    await knockOf(await cardOf(secret), (await hosts).current, 1, utf8("package"), "Bo", "Hello, it is me", seeded("bo")(32), seeded("other")),
  ];
  assert.equal(one.knock.ciphertext.length, other.knock.ciphertext.length);
  const reply = await hostsLobby.reply(await opened(secret, one.knock), { type: "Refusal", reason: "later" });
  assert.ok(one.pending.owns(reply) && !other.pending.owns(reply));
  assert.deepEqual(await one.pending.open(reply), { type: "Refusal", reason: "later" });
  await assert.rejects(other.pending.open(reply), /another knock/);
  const changed = { ...reply, sealed: concat(reply.sealed.slice(0, -1), Uint8Array.of((reply.sealed.at(-1) ?? 0) ^ 1)) };
  await assert.rejects(one.pending.open(changed), /not sealed under this key/);
});
