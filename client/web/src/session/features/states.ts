/**
 * The state that members show: microphone, camera, screen, raised hand, recording; and reactions.
 *
 * Each member reports its own, sealed like all messages: the server learns none of it. A state is sent again to
 * newcomers, as announcements are; a reaction is sent once, and shown only to present members.
 */
import type { ApplicationMessage } from "../../mls";
import { CommandError, sentence } from "../../words/sentence";
import { type Contents, Feature } from "../kernel/feature";
import type { State } from "../catalogue/content";
import type { OwnState, ReactionKind } from "../events";
import type { Change } from "../kernel/verdict";
import type { Room } from "../kernel/ports";

/** Minimum seconds between two states of ours: the last one is sent. */
export const EVERY = 1;
/** Seconds between two members' states sent to a newcomer, as with announcements. */
export const STEP = 0.01;
/** Minimum seconds between two reactions of ours. */
export const REACTION_EVERY = 0.5;
/** Reactions of one member that are shown in ten seconds: more are noise. */
export const REACTIONS_MAX = 20;
const NOISE = 10;

const equal = (one: OwnState | undefined | null, other: OwnState): boolean =>
  !!one &&
  one.mic === other.mic &&
  one.camera === other.camera &&
  one.screen === other.screen &&
  one.hand === other.hand &&
  one.recording === other.recording &&
  (one.away ?? false) === (other.away ?? false);

const bare = ({ mic, camera, screen, hand, recording, away = false, since = 0 }: OwnState): Required<OwnState> => ({
  mic,
  camera,
  screen,
  hand,
  recording,
  away,
  since,
});

/** Sends our state, and reports the others'. */
export class States extends Feature {
  /** What we show. */
  own: Required<OwnState> | null = null;
  #sayAt: number | null = null;
  #saidAt = -Infinity;
  /** What the others show, by leaf. */
  readonly heard = new Map<number, OwnState>();
  /** leaf -> (epoch, generation) of its newest state */
  readonly #saidAs = new Map<number, readonly [number, number]>();
  /** Members whose programs have ended, by their own word, and since when. */
  readonly away = new Map<number, number>();

  override carryOver(old: Room): void {
    this.own = old.feature(States).own;
  }

  /** Show this state from now on. */
  async set(state: OwnState, now: number): Promise<void> {
    if (equal(this.own, state)) return;
    const { mic = false, since = 0 } = this.own ?? {};
    this.own = bare({ ...state, since: state.mic === mic ? since : Math.floor(now) });
    this.#sayAt = this.own.away ? now : Math.max(now, this.#saidAt + EVERY); // a page that closes has no time
    await this.#say(now);
    this.#tell(this.room.membership.ownLeaf, this.own);
  }

  /** A member says that its program ends. */
  goes(leaf: number, now: number): void {
    if (!this.away.has(leaf)) this.away.set(leaf, now);
  }

  override synced(now: number): void {
    this.#sayAt = now;
  }

  override adopted(change: Change, now: number): void {
    for (const { leaf } of change.removed) {
      this.heard.delete(leaf);
      this.#saidAs.delete(leaf);
      this.away.delete(leaf);
    }
    if (change.added.length > 0) this.#sayAt = now + STEP * this.room.memberIndex;
  }

  override async tick(now: number): Promise<void> {
    await this.#say(now);
  }

  async #say(now: number): Promise<void> {
    if (this.own === null || this.#sayAt === null || now < this.#sayAt || !this.room.speaks(now)) return;
    this.#sayAt = null;
    this.#saidAt = now;
    await this.room.relay({ type: "state", ...this.own });
  }

  override contents(): Contents {
    return { state: (received, what, now) => this.#stateReceived(received, what, now) };
  }

  #stateReceived({ sender: leaf, epoch, generation }: ApplicationMessage, what: State, now: number): void {
    const [lastEpoch, last] = this.#saidAs.get(leaf) ?? [0, 0];
    // Catching up brings older ones.
    if (epoch < lastEpoch || (epoch === lastEpoch && generation < last)) return;
    this.#saidAs.set(leaf, [epoch, generation]);
    if (!equal(this.heard.get(leaf), what)) {
      this.heard.set(leaf, bare(what));
      if (!what.away) this.away.delete(leaf);
      else this.goes(leaf, now);
      this.#tell(leaf, bare(what));
    }
  }

  #tell(leaf: number, state: OwnState): void {
    this.room.tell({ type: "StateTold", leaf, name: this.room.membership.name(leaf), state });
  }
}

/** Reactions, our own and the others'. */
export class Reactions extends Feature {
  #saidAt = -Infinity;
  readonly #shown = new Map<number, number[]>();

  /** Send a reaction; CommandError if nobody would see it, or too soon after the last one. */
  async react(reaction: ReactionKind, now: number): Promise<void> {
    if (!this.room.isSynced(now)) throw new CommandError(sentence("cannot.react_away"));
    const held = this.room.holdReason(now);
    if (held !== null) throw new CommandError(held);
    if (now - this.#saidAt < REACTION_EVERY) throw new CommandError(sentence("cannot.react_soon"));
    this.#saidAt = now;
    await this.room.relay({ type: "reaction", reaction });
    this.#tell(this.room.membership.ownLeaf, reaction);
  }

  override contents(): Contents {
    return {
      reaction: ({ sender }, what, now) => {
        const recent = (this.#shown.get(sender) ?? []).filter((at) => now - at < NOISE);
        if (this.room.catchingUp || recent.length >= REACTIONS_MAX) return;
        this.#shown.set(sender, [...recent, now]);
        this.#tell(sender, what.reaction);
      },
    };
  }

  #tell(leaf: number, reaction: ReactionKind): void {
    this.room.tell({ type: "Reacted", leaf, name: this.room.membership.name(leaf), reaction });
  }
}
