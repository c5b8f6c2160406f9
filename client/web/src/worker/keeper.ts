/** Keeps one meeting on this device while the session lasts. */
import { MemberRecoveryData } from "../crypto/entry/memberRecovery";
import { type KeptMeetings, keptId } from "../kept";
import type { OwnState } from "../session/events";

/** Milliseconds after which the meeting goes on although the browser has not kept the record. */
const PATIENCE = 1000;

export class Keeper {
  readonly #kept: KeptMeetings;
  #last: MemberRecoveryData | null = null;
  #mic = false;
  #camera = false;
  #stopped = false;
  #founded: boolean;
  /** The last change of the database: each waits for the one before. */
  #changed: Promise<unknown> = Promise.resolve();

  /** `founded`: whether we open the meeting. */
  constructor(kept: KeptMeetings, founded: boolean) {
    this.#kept = kept;
    this.#founded = founded;
  }

  /** Return what is kept of a meeting; null if that is nothing. Errors as of `MemberRecoveryData.from`. */
  async read(id: string, now: number): Promise<MemberRecoveryData | null> {
    const found = await this.#kept.read(id, now);
    if (found === null) return null;
    [{ mic: this.#mic, camera: this.#camera, founded: this.#founded }] = found;
    this.#last = await MemberRecoveryData.from(found[1]);
    return this.#last;
  }

  /** Keep this, or (null) forget the meeting. Never fails: without it, the person cannot come back. */
  async keep(data: MemberRecoveryData | null, now: number): Promise<void> {
    if (this.#stopped) return;
    const before = this.#last;
    this.#last = data;
    const work = this.#next(() => (data === null ? this.#forget(before) : this.#write(data, now)));
    const patience = new Promise<void>((go) => setTimeout(go, PATIENCE));
    await Promise.race([work.catch((error: unknown) => console.warn(error)), patience]);
  }

  /** Keep what our microphone and camera are, for the return. */
  shows({ mic, camera, away }: OwnState, now: number): void {
    if (away || (mic === this.#mic && camera === this.#camera)) return;
    [this.#mic, this.#camera] = [mic, camera];
    if (this.#last !== null) void this.keep(this.#last, now);
  }

  /** Forget the meeting, and keep nothing of it from now on. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#next(() => this.#forget(this.#last));
  }

  #next(change: () => Promise<void>): Promise<void> {
    const done = this.#changed.then(change);
    this.#changed = done.catch(() => undefined);
    return done;
  }

  async #forget(data: MemberRecoveryData | null): Promise<void> {
    if (data !== null) await this.#kept.forget(keptId(data.fields.invite.secret, this.#founded));
  }

  async #write(data: MemberRecoveryData, now: number): Promise<void> {
    const { name, invite, standing, hostKeys } = data.fields;
    const view = {
      name,
      title: standing.fields.policy.title,
      link: invite.link(),
      origin: invite.origin,
      host: hostKeys !== null,
      founded: this.#founded,
      alone: standing.others.length === 0,
      mic: this.#mic,
      camera: this.#camera,
    };
    await this.#kept.keep(keptId(invite.secret, this.#founded), view, data.record(), now);
  }
}
