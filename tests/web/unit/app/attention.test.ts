/** Sounds and notifications: when, for whom, and with which words. */
import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import { type Signal, signal } from "@preact/signals";
import { Attention } from "../../../../client/web/src/app/attention";
import type { Model, Person } from "../../../../client/web/src/app/model";
import { Chimes } from "../../../../client/web/src/media/chime";

// Node 20 has none
if (!("navigator" in globalThis)) Object.assign(globalThis, { navigator: { languages: ["en"] } });

type Knocks = Model["knocks"]["value"];

const knock = (number: number, name: string): Knocks[number] => ({
  type: "Knocked", knock: number, name, greeting: "let me in", invite: 0, looksLike: null, silent: false, proof: null, label: "", standing: "none",
  contact: "somebody else", fingerprint: "12345", warnings: [], older: false, returning: false, at: 0,
});
const people = (...leaves: number[]): readonly Person[] => leaves.map((leaf) => ({ leaf }) as Person);

/** A browser's storage. */
class Kept {
  readonly items = new Map<string, string>();
  getItem = (name: string): string | null => this.items.get(name) ?? null;
  setItem = (name: string, value: string): void => void this.items.set(name, value);
}

/** Stands in for the browser's notifications; the person answers `answer`. */
class FakeNotification {
  static permission: NotificationPermission = "default";
  static answer: NotificationPermission = "granted";
  static shown: FakeNotification[] = [];
  closed = false;
  constructor(readonly title: string, readonly options: NotificationOptions) {
    FakeNotification.shown.push(this);
  }
  close(): void {
    this.closed = true;
  }
  static async requestPermission(): Promise<NotificationPermission> {
    return (this.permission = this.answer);
  }
}

const page = { hidden: true };

describe("attention", () => {
  let kept: Kept;
  let played: string[];
  let room: { knocks: Signal<Knocks>; amHost: Signal<boolean>; people: Signal<readonly Person[]> };
  let attention: Attention;

  const begin = (): void => {
    attention = new Attention(kept as unknown as Storage);
    room = { knocks: signal([]), amHost: signal(true), people: signal([]) };
    played = [];
    attention.attend(room, (kind) => void played.push(kind));
  };

  beforeEach(() => {
    kept = new Kept();
    FakeNotification.permission = "default";
    FakeNotification.answer = "granted";
    FakeNotification.shown = [];
    page.hidden = true;
    Object.assign(globalThis, { Notification: FakeNotification, document: page });
    begin();
  });
  afterEach(() => {
    Reflect.deleteProperty(globalThis, "Notification");
    Reflect.deleteProperty(globalThis, "document");
  });

  it("a knock sounds once, and only at a host's", () => {
    room.knocks.value = [knock(1, "Bo")];
    room.knocks.value = [knock(1, "Bo"), knock(2, "Cem")];
    room.knocks.value = [knock(2, "Cem")];
    assert.deepEqual(played, ["knock", "knock"]);
    room.amHost.value = false;
    room.knocks.value = [knock(3, "Dana")];
    assert.deepEqual(played, ["knock", "knock"]);
  });

  it("who comes and goes is heard by those who want it, and not when we come or go ourselves", () => {
    room.people.value = people(0, 1);
    room.people.value = people(0, 1, 2);
    assert.deepEqual(played, [], "off at first");
    attention.turn("came", true);
    attention.turn("left", true);
    room.people.value = people(0, 1, 2, 3);
    room.people.value = people(0, 1, 2, 3);
    room.people.value = people(0, 2, 3);
    assert.deepEqual(played, ["came", "left"]);
    room.people.value = [];
    room.people.value = people(0, 5, 6);
    assert.deepEqual(played, ["came", "left"]);
  });

  it("choices are kept, and nothing before one was made", () => {
    assert.equal(kept.items.size, 0);
    attention.turn("knock", false);
    attention.turn("came", true);
    begin();
    assert.deepEqual([...attention.on.value].toSorted(), ["came", "unread"]);
    room.knocks.value = [knock(1, "Bo")];
    assert.deepEqual(played, []);
    kept.items.set("snug-notices", "{nonsense");
    begin();
    assert.deepEqual([...attention.on.value], ["knock", "unread"]);
  });

  it("a hidden page notifies of names and nothing else, once the person has allowed it", async () => {
    room.knocks.value = [knock(1, "Bo")];
    attention.turn("notify", true);
    await new Promise(setImmediate);
    assert.deepEqual([attention.permission.value, attention.on.value.has("notify")], ["granted", true]);
    assert.equal(FakeNotification.shown.length, 0);
    room.knocks.value = [...room.knocks.value, knock(2, "Cem")];
    const [shown] = FakeNotification.shown;
    assert.deepEqual([shown?.title, shown?.options.body], ["Somebody wants to come in", "Bo and Cem"]);
    room.knocks.value = [];
    assert.ok(shown?.closed, "it goes with the last who waits");
    page.hidden = false;
    room.knocks.value = [knock(3, "Dana")];
    assert.equal(FakeNotification.shown.length, 1, "the page is seen");
    assert.equal(played.length, 3);
  });

  it("a phone's browser notifies through the service worker, if this device has one", async () => {
    class Refusing extends FakeNotification {
      constructor(title: string, options: NotificationOptions) {
        super(title, options);
        throw new TypeError("Illegal constructor: use the service worker");
      }
    }
    Object.assign(Refusing, { permission: "granted" });
    Object.assign(globalThis, { Notification: Refusing });
    const shown: { title: string; body: string | undefined; open: boolean; close(): void }[] = [];
    const registration = {
      showNotification: async (title: string, { body }: NotificationOptions) =>
        void shown.push({ title, body, open: true, close() { this.open = false; } }),
      getNotifications: async () => shown,
    };
    let found: typeof registration | undefined = registration;
    const serviceWorker = { getRegistration: async () => found };
    Object.defineProperty(globalThis.navigator, "serviceWorker", { value: serviceWorker, configurable: true });
    try {
      kept.items.set("snug-notices", '["notify"]');
      begin();
      room.knocks.value = [knock(1, "Bo")];
      await new Promise(setImmediate);
      assert.deepEqual(shown.map(({ title, body, open }) => [title, body, open]), [["Somebody wants to come in", "Bo", true]]);
      room.knocks.value = [];
      await new Promise(setImmediate);
      assert.deepEqual(shown.map(({ open }) => open), [false]);
      found = undefined;
      room.knocks.value = [knock(2, "Cem")];
      await new Promise(setImmediate);
      assert.equal(shown.length, 1);
    } finally {
      Reflect.deleteProperty(globalThis.navigator, "serviceWorker");
    }
  });

  it("without the browser's permission, the choice stays as it was", async () => {
    FakeNotification.answer = "denied";
    attention.turn("notify", true);
    await new Promise(setImmediate);
    assert.deepEqual([attention.permission.value, attention.on.value.has("notify")], ["denied", false]);
    room.knocks.value = [knock(1, "Bo")];
    assert.equal(FakeNotification.shown.length, 0);
    assert.equal(kept.items.size, 0);
  });
});

describe("chimes", () => {
  let tones: { stop: number; peak: number }[];
  let context: { currentTime: number } | null;
  const used = { hasBeenActive: false };

  beforeEach(() => {
    tones = [];
    context = null;
    used.hasBeenActive = false;
    Object.defineProperty(globalThis.navigator, "userActivation", { value: used, configurable: true });
    class FakeContext {
      currentTime = 0;
      constructor() {
        context = this;
      }
      async resume(): Promise<void> {}
      createOscillator() {
        const tone = { stop: 0, peak: 0 };
        tones.push(tone);
        return {
          frequency: { value: 0 }, start: () => undefined, stop: (at: number) => void (tone.stop = at),
          connect: (volume: { tone: typeof tone }) => Object.assign(volume, { tone }),
        };
      }
      createGain() {
        const volume: { tone?: { peak: number }; gain: object; connect(): void } = {
          gain: {
            setValueAtTime: () => undefined, exponentialRampToValueAtTime: () => undefined,
            linearRampToValueAtTime: (peak: number) => queueMicrotask(() => volume.tone && (volume.tone.peak = peak)),
          },
          connect: () => undefined,
        };
        return volume;
      }
    }
    Object.assign(globalThis, { AudioContext: FakeContext });
  });
  afterEach(() => {
    Reflect.deleteProperty(globalThis, "AudioContext");
    Reflect.deleteProperty(globalThis.navigator, "userActivation");
  });

  it("nothing plays before the person has used the page", () => {
    const chimes = new Chimes();
    chimes.play("knock");
    assert.equal(context, null);
    used.hasBeenActive = true;
    chimes.play("knock");
    assert.ok(tones.length > 0);
  });

  it("they are short, one at a time, and loudest for a knock", async () => {
    used.hasBeenActive = true;
    const chimes = new Chimes();
    const peaks = new Map<string, number>();
    for (const [at, kind] of (["knock", "came", "left"] as const).entries()) {
      if (context !== null) (context as { currentTime: number }).currentTime = at;
      tones = [];
      chimes.play(kind);
      chimes.play(kind);
      await new Promise(setImmediate);
      assert.equal(tones.length, 2, "the second waits for no end: it is left out");
      assert.ok(tones.every(({ stop }) => stop - at < 0.7));
      peaks.set(kind, Math.max(...tones.map(({ peak }) => peak)));
    }
    const [knocked, came, left] = ["knock", "came", "left"].map((kind) => peaks.get(kind) ?? 0);
    assert.ok(knocked !== undefined && came !== undefined && left !== undefined);
    assert.ok(knocked <= 0.2 && came < knocked / 2 && came > 0 && left === came);
  });
});
