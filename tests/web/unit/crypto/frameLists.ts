/** A sender of frames and of signed lists of them, and a receiver who compares. */
import { type Bytes, utf8 } from "../../../../client/web/src/crypto/bytes";
import { H, SigningKey } from "../../../../client/web/src/crypto/kdf";
import { labeled } from "../../../../client/web/src/crypto/labels";
import { certified, DIGEST_SIZE, FrameList, type FrameName, MEDIA_KEY_LABEL, scope, Signer } from "../../../../client/web/src/crypto/media/signatures";
import { FrameVerifier, GRACE } from "../../../../client/web/src/crypto/media/verifier";

export const EPOCH = 5;
export const [AUDIO, VIDEO, LARGE] = [0x15, 0x25, 0x35];
/** Return the announced stream of a key id; `LARGE` is a layer of the video. */
export const streamOf = (kid: number): number => (kid === AUDIO ? 0 : 1);
export const bound = scope(new Uint8Array(16), 3, utf8("authenticator"));
export const leafKey = await SigningKey.fromSeed(new Uint8Array(32).fill(1));

export async function signer(media = 9, by = leafKey, to = bound): Promise<Signer> {
  const key = await SigningKey.fromSeed(new Uint8Array(32).fill(media), true);
  return new Signer(2, to, key, await by.sign(labeled(MEDIA_KEY_LABEL, certified(to, 2, key.public))));
}

export type Frame = readonly [kid: number, counter: number, data: Bytes];

/** How lists name a frame. */
export const named = ([kid, counter, data]: Frame): FrameName => ({ kid, counter, hash: H(data).slice(0, DIGEST_SIZE) });

/** A sender who lists what it seals, and a receiver who compares. */
export class Bo {
  signer: Signer;
  readonly checker = new FrameVerifier();
  readonly counters = new Map<number, number>();
  now = 100;

  constructor(made: Signer) {
    this.signer = made;
  }

  static async make(): Promise<Bo> {
    return new Bo(await signer());
  }

  frame(kid = AUDIO): Frame {
    const counter = this.counters.get(kid) ?? 0;
    this.counters.set(kid, counter + 1);
    return [kid, counter, utf8(`frame ${counter} of ${kid}`)];
  }

  seal(kid = AUDIO): Frame {
    const sealed = this.frame(kid);
    this.signer.add(streamOf(kid), 700, named(sealed), this.now);
    return sealed;
  }

  play(frame: Frame, epoch = EPOCH): void {
    this.checker.opening(epoch, named(frame), this.now);
    this.checker.opened(epoch, named(frame), this.now);
  }

  async hear(data: Bytes, to = bound, key = leafKey): Promise<void> {
    await this.checker.receive(EPOCH, to, FrameList.decode(data), key.public, this.now);
  }

  async lists(): Promise<Bytes[]> {
    return (await this.signer.take()).map(({ data }) => data);
  }

  async passOn(): Promise<void> {
    for (const data of await this.lists()) await this.hear(data);
  }

  /** Sound at 50 frames a second, a list every half second, a look every 100 ms; up to a doubt. */
  async run(seconds: number, listed = true): Promise<void> {
    for (let n = 0; n < Math.round(seconds * 50); n++) {
      this.play(this.seal());
      if (n % 25 === 24) {
        if (listed) await this.passOn();
        else await this.signer.take();
      }
      this.now += 0.02;
      if (n % 5 === 4) {
        this.checker.tick(this.now);
        if (this.checker.doubt !== null) return;
      }
    }
  }

  /** The findings once the grace of late lists is over. */
  reported(): string[] {
    this.now += GRACE;
    this.checker.tick(this.now);
    return this.found;
  }

  get found(): string[] {
    return this.checker.findings.splice(0);
  }
}
