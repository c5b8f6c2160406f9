/** The call on this device: volumes of members, and choices that the browser keeps. */
import { computed, effect, type ReadonlySignal, type Signal, signal } from "@preact/signals";
import type { Around, MediaSide } from "./mediaSide";
import type { Counts } from "../worker/messages";
import type { Call, Commands, Person, Place, Quality, Tile, Volume } from "./model";
import { qualityOf } from "./quality";
import { store, stored } from "./stored";

/** The parts of the store that it depends on. */
interface Parts {
  readonly people: ReadonlySignal<readonly Person[]>;
  readonly place: ReadonlySignal<Place>;
  readonly tiles: ReadonlySignal<readonly Tile[]>;
  readonly counts: ReadonlySignal<Counts>;
  readonly useful: ReadonlySignal<ReadonlyMap<number, number>>;
}

/** Where the browser keeps the choices that are not as at the beginning. */
const KEPT = "snug-call";

const AS_IT_COMES: Volume = { volume: 1, muted: false };

export class OwnCall implements Call {
  /** The name stands for the member: another one may come to the same leaf. */
  readonly #chosen = signal<ReadonlyMap<number, Volume & { readonly name: string }>>(new Map());
  readonly volumes: ReadonlySignal<ReadonlyMap<number, Volume>> = this.#chosen;
  readonly #media: MediaSide;
  readonly #parts = signal<Parts | null>(null);
  readonly speaksMuted;
  readonly mutedHint;
  readonly pushToTalk;
  readonly dataSaver;
  readonly manyVideos;
  readonly blur;
  readonly blurred;
  readonly quality: ReadonlySignal<readonly Quality[]> = computed(() => {
    const parts = this.#parts.value;
    if (parts === null) return [];
    const measured = {
      rates: this.#media.rates.value, counts: parts.counts.value.streams, useful: parts.useful.value, dataSaver: this.dataSaver.value,
    };
    return parts.tiles.value.map((tile) => qualityOf(tile, measured));
  });

  readonly commands: Pick<Commands, "setVolume" | "muteForMe"> = {
    setVolume: (leaf, volume) => this.#choose(leaf, { volume: Math.min(1, Math.max(0, volume)), muted: false }),
    muteForMe: (leaf, muted) => this.#choose(leaf, { muted }),
  };

  constructor({ media, kept }: Pick<Around, "media" | "kept">) {
    this.#media = media;
    this.speaksMuted = media.speaksMuted;
    const choices = new Choices(kept);
    this.mutedHint = choices.of("mutedHint", true);
    this.pushToTalk = choices.of("pushToTalk", false);
    this.dataSaver = choices.of("dataSaver", false);
    this.manyVideos = choices.of("manyVideos", false);
    this.blur = choices.of("blur", false);
    this.blurred = media.blurred;
    // at once: before the first camera is asked for
    this.blur.subscribe((on) => media.blurCamera(on));
  }

  /** Keep media up to date from now on. */
  follow(parts: Parts): void {
    const { people, place } = parts;
    this.#parts.value = parts;
    effect(() => this.#media.noticeMuted(this.mutedHint.value && place.value === "room"));
    effect(() => {
      const names = new Map(people.value.map(({ leaf, name }) => [leaf, name]));
      const stay = [...this.#chosen.value].filter(([leaf, { name }]) => names.get(leaf) === name);
      if (stay.length < this.#chosen.value.size) this.#chosen.value = new Map(stay);
      else this.#media.setVolumes(new Map(stay.map(([leaf, { volume, muted }]) => [leaf, muted ? 0 : volume])));
    });
  }

  #choose(leaf: number, change: Partial<Volume>): void {
    const name = this.#parts.value?.people.value.find((person) => person.leaf === leaf && !person.self)?.name;
    if (name === undefined) return;
    const chosen = { ...AS_IT_COMES, ...this.#chosen.value.get(leaf), ...change, name };
    this.#chosen.value = new Map([...this.#chosen.value, [leaf, chosen]]);
  }
}

/** Switches that the browser keeps, if it keeps anything: those that the person has turned. */
class Choices {
  readonly #storage: Storage | null;
  readonly #turned: Map<string, boolean>;

  constructor(storage: Storage | null) {
    this.#storage = storage;
    this.#turned = read(storage);
  }

  of(name: string, otherwise: boolean): Signal<boolean> {
    const choice = signal(this.#turned.get(name) ?? otherwise);
    choice.subscribe((on) => {
      if (on === (this.#turned.get(name) ?? otherwise)) return;
      if (on === otherwise) this.#turned.delete(name);
      else this.#turned.set(name, on);
      store(this.#storage, KEPT, Object.fromEntries(this.#turned));
    });
    return choice;
  }
}

function read(storage: Storage | null): Map<string, boolean> {
  const value = stored(storage, KEPT);
  const entries = typeof value === "object" && value !== null ? Object.entries(value) : [];
  return new Map(entries.filter((entry): entry is [string, boolean] => typeof entry[1] === "boolean"));
}
