/** The room's small rules: which tile is large, which key does what, what a name's letters are, what is read out. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { signal } from "@preact/signals";
import type { Model, Person, Tile } from "../../../../client/web/src/app/model";
import { groups } from "../../../../client/web/src/app/views/room/digits";
import { hear, news } from "../../../../client/web/src/app/views/room/announce";
import { actOf, KEYS, type Pressed } from "../../../../client/web/src/app/views/room/keys";
import { largeTile, type Wish, weigh } from "../../../../client/web/src/app/views/room/large";
import { initials, tint } from "../../../../client/web/src/app/views/room/monogram";

const tile = (leaf: number, over: Partial<Tile> = {}): Tile => ({
  id: `${leaf} camera`, leaf, kind: "camera", name: `N${leaf}`, self: leaf === 0, picture: null, pictureState: "live",
  soundState: "live", mic: true, hand: null, recording: false, away: false, weakNetwork: false, ...over,
});
const screen = (leaf: number, over: Partial<Tile> = {}): Tile => tile(leaf, { id: `${leaf} screen`, kind: "screen", ...over });
const wish = (over: Partial<Wish> = {}): Wish => ({ pinned: null, layout: "grid", speaker: null, lastSpeaker: null, ...over });
const THREE = [tile(0), tile(1), tile(2)];

describe("the large tile", () => {
  it("is none while all are alike", () => {
    assert.equal(largeTile(THREE, wish({ speaker: 1 })), null);
  });

  it("is what was chosen, before anything else, and only while it is there", () => {
    const all = [...THREE, screen(1)];
    assert.equal(largeTile(all, wish({ pinned: "2 camera", layout: "speaker", speaker: 1 })), "2 camera");
    assert.equal(largeTile(THREE, wish({ pinned: "7 camera" })), null);
  });

  it("is a screen that somebody shares, the newest, in either layout", () => {
    assert.equal(largeTile([...THREE, screen(1), screen(2)], wish()), "2 screen");
    assert.equal(largeTile([...THREE, screen(1)], wish({ layout: "speaker", speaker: 2 })), "1 screen");
    assert.equal(largeTile([...THREE, screen(1), screen(0)], wish()), "1 screen", "others' before one's own");
    assert.equal(largeTile([...THREE, screen(0)], wish()), "0 screen");
  });

  it("is who speaks, stays with who spoke last, and never is oneself", () => {
    const speaking = (over: Partial<Wish>) => largeTile(THREE, wish({ layout: "speaker", ...over }));
    assert.equal(speaking({ speaker: 2, lastSpeaker: 1 }), "2 camera");
    assert.equal(speaking({ speaker: null, lastSpeaker: 2 }), "2 camera");
    assert.equal(speaking({ speaker: 0, lastSpeaker: 2 }), "2 camera");
    assert.equal(speaking({ lastSpeaker: 9 }), "1 camera");
    assert.equal(largeTile([tile(0)], wish({ layout: "speaker" })), null);
  });

  it("comes first where there is no place for all; then who speaks, then hands", () => {
    const order = [tile(3), tile(1, { hand: 1 }), tile(2), screen(3)].toSorted(
      (a, b) => weigh(b, wish({ speaker: 2 })) - weigh(a, wish({ speaker: 2 })),
    );
    assert.deepEqual(order.map((one) => one.id), ["3 screen", "2 camera", "1 camera", "3 camera"]);
  });
});

describe("keys", () => {
  const press = (key: string, over: Partial<Pressed> = {}) =>
    actOf({ key, code: "", ctrlKey: false, metaKey: false, altKey: false, repeat: false, isComposing: false, ...over });

  it("do what the list says, in either case", () => {
    for (const [key, act] of KEYS) {
      assert.equal(press(key), act);
      assert.equal(press(key.toLowerCase()), act);
    }
    assert.equal(press("x"), null);
    assert.equal(press("Enter"), null);
  });

  it("leave the browser's and the input method's alone, and do nothing again while held", () => {
    for (const over of [{ ctrlKey: true }, { metaKey: true }, { altKey: true }, { repeat: true }, { isComposing: true }]) {
      assert.equal(press("m", over), null);
    }
  });

  it("are where they are on keyboards that write no Latin letters, and by letter on all others", () => {
    assert.equal(press("ь", { code: "KeyM" }), "mic");
    assert.equal(press("ㄇ", { code: "KeyA" }), "admission");
    assert.equal(press(",", { code: "KeyM" }), "settings", "a French M stands where others have it; its letter counts");
    assert.equal(press("x", { code: "KeyM" }), null);
  });

  it("are each given once", () => {
    assert.equal(new Set(KEYS.map(([key]) => key)).size, KEYS.length);
  });
});

describe("a name's letters", () => {
  it("are those of its first and last word", () => {
    assert.equal(initials("Ada"), "A");
    assert.equal(initials("finn okafor"), "FO");
    assert.equal(initials("Ana de la Cruz"), "AC");
    assert.equal(initials("\u201cBo\u201d (phone)"), "BP");
  });

  it("are one character where names are so known, and one whole sign of what is written in several", () => {
    assert.equal(initials("王 小明"), "王");
    assert.equal(initials("佐藤はな"), "佐");
    assert.equal(initials("नेहा"), "ने");
  });

  it("are a question where there is no letter", () => {
    assert.equal(initials("!?"), "?");
    assert.equal(initials(""), "?");
  });

  it("have the same tint everywhere", () => {
    assert.equal(tint("Ada"), tint("Ada"));
    assert.ok(new Set(["Ada", "Bo", "Cem", "Dana", "Eve", "Finn", "Gül"].map(tint)).size >= 3);
  });
});

it("digits stand in groups of five, whatever spaces they came with", () => {
  assert.deepEqual(groups("12345 678901 2"), ["12345", "67890", "12"]);
});

describe("what is read out", () => {
  const person = (leaf: number, over: Partial<Person> = {}): Person => ({
    leaf, name: ["Ada", "Bo", "Cem"][leaf] ?? "?", host: false, self: leaf === 0, mic: true, camera: true, sharing: false, hand: null,
    recording: false, away: false, since: 0, admittedBy: null, invite: null, standing: "none", contact: null, newSinceCompared: null, compared: false, unverified: false, page: null,
    ...over,
  });
  const knock = (number: number) => ({
    type: "Knocked" as const, knock: number, name: "Dana", greeting: "", invite: 2, looksLike: null, silent: false, proof: null, label: "Dana",
    standing: "none" as const, contact: null, fingerprint: null, warnings: [], older: false, returning: false, at: 0,
  });
  const text = (id: string, leaf: number) => ({
    kind: "text" as const, id, at: 0, leaf, name: person(leaf).name, self: leaf === 0, text: "Hello",
  });
  const make = () =>
    ({
      knocks: signal([knock(1)]),
      reactions: signal([] as Model["reactions"]["value"]),
      chat: signal([text("a", 1)] as Model["chat"]["value"]),
      people: signal([person(0), person(1)] as Model["people"]["value"]),
      panel: signal("none" as Model["panel"]["value"]),
      code: signal(null as Model["code"]["value"]),
    }) as unknown as Model & { [K in "knocks" | "reactions" | "chat" | "people" | "code"]: { value: Model[K]["value"] } };
  const after = (change: (model: ReturnType<typeof make>) => void): string[] => {
    const model = make();
    const before = hear(model);
    change(model);
    return news(model, before, hear(model));
  };

  it("is nothing where nothing is new", () => {
    assert.deepEqual(after(() => undefined), []);
  });

  it("is who knocks, comes, goes, has a hand up, reacts", () => {
    assert.deepEqual(
      after((model) => {
        model.knocks.value = [knock(1), knock(2)];
        model.people.value = [person(0, { hand: 1 }), person(2, { hand: 2 })];
        model.reactions.value = [{ id: 1, leaf: 2, name: "Cem", reaction: "heart" }];
      }),
      [
        "Dana waits to be let in, with the invite for \u201cDana\u201d.", "Cem came in.", "Bo left.", "Cem raised a hand.", "Cem: Heart",
      ],
    );
  });

  it("is what others write, but for who has the chat open", () => {
    const write = (model: ReturnType<typeof make>) => {
      model.chat.value = [text("a", 1), text("b", 0), text("c", 1)];
    };
    assert.deepEqual(after(write), ["Bo: Hello"]);
    assert.deepEqual(
      after((model) => {
        write(model);
        model.panel.value = "chat";
      }),
      [],
    );
  });

  it("is who has asked for a code, unless it is oneself", () => {
    const asks = (by: number | null) => (model: ReturnType<typeof make>) => {
      const short = { type: "ShortCode" as const, epoch: 1, emoji: [], words: [], indices: [], members: [], by };
      model.code.value = { epoch: 1, digits: "", short, answers: null, comparison: null, running: false };
    };
    assert.deepEqual(after(asks(1)), ["Bo is comparing codes: read these to each other."]);
    assert.deepEqual([after(asks(0)), after(asks(null))], [[], []]);
  });
});
