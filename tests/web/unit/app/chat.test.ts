/** The chat keeps the data of images and files within bounds, and an address in the browser for as few as it can. */
import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import { Chat, KEPT_ALL_MAX, KEPT_MAX } from "../../../../client/web/src/app/chat";
import type { Shrunk } from "../../../../client/web/src/app/shrink";
import type { ChatLine } from "../../../../client/web/src/app/model";

const FILE = 8 * 1024 * 1024;
const [make, free] = [URL.createObjectURL, URL.revokeObjectURL];
let urls = new Set<string>();
let chat: Chat;
let asked: string[] = [];
let toasts: string[] = [];
let shrunk: Shrunk | null = null;

describe("the chat", () => {
  beforeEach(() => {
    urls = new Set();
    asked = [];
    toasts = [];
    let count = 0;
    URL.createObjectURL = () => {
      urls.add(`blob:${++count}`);
      return `blob:${count}`;
    };
    URL.revokeObjectURL = (url) => void urls.delete(url);
    chat = new Chat({
      ask: async ({ type }) => {
        asked.push(type);
        return null;
      },
      toast: ({ key }) => void toasts.push(key),
      shrink: async () => shrunk,
      own: () => ({ leaf: 0, name: "Ada" }),
      inRoom: () => true,
      isShown: () => true,
    });
  });

  afterEach(() => {
    [URL.createObjectURL, URL.revokeObjectURL] = [make, free];
  });

  const image = (id: string, leaf = 1): void =>
    chat.told({ type: "Image", leaf, name: `P${leaf}`, id, mime: "image/png", data: new Uint8Array(100) }, 0);

  const file = (id: string, leaf = 1, size = FILE): void => {
    chat.told({ type: "FileOffered", leaf, name: `P${leaf}`, id, filename: `${id}.txt`, mime: "text/plain", size }, 0);
    chat.told({ type: "FileDone", id, data: new Uint8Array(size) }, 0);
  };

  const states = (): string[] =>
    chat.lines.value.map((line: ChatLine) => (line.kind === "file" ? line.state : line.kind === "image" ? String(line.url) : ""));

  it("an image that leaves the list leaves the browser", () => {
    image("one");
    image("two");
    assert.equal(urls.size, 2);
    for (let i = 0; i < 1999; i++) chat.told({ type: "Said", leaf: 1, name: "Bo", id: `say ${i}`, text: "x" }, 0);
    assert.equal(chat.lines.value.length, 2000);
    assert.deepEqual([...urls], ["blob:2"]);
    chat.clear();
    assert.equal(urls.size, 0);
  });

  it("a member who sends many files pushes out their own, and nobody else's", () => {
    file("bo", 2);
    const most = KEPT_MAX / FILE;
    for (let i = 0; i < most + 2; i++) file(`mallory ${i}`);
    assert.deepEqual(states(), ["here", "dropped", "dropped", ...Array.from({ length: most }, () => "here")]);
    image("last");
    assert.deepEqual(states().slice(3, 5), ["dropped", "here"], "images count with them");
    chat.save("mallory 0"); // nothing to save
  });

  it("of all members together, the oldest go first", () => {
    const each = KEPT_MAX / FILE;
    for (let leaf = 1; leaf <= 4; leaf++) for (let i = 0; i < each; i++) file(`${leaf}.${i}`, leaf);
    assert.equal(states().filter((state) => state === "here").length, KEPT_ALL_MAX / FILE);
    file("one more", 9);
    assert.deepEqual(states().slice(0, 2), ["dropped", "here"]);
  });

  it("a file has an address from the click on, for a minute", (t) => {
    t.mock.timers.enable({ apis: ["setTimeout"] });
    const clicked: { href: string; download: string }[] = [];
    const link = { href: "", download: "", click: () => void clicked.push({ ...link }) };
    Object.defineProperty(globalThis, "document", { value: { createElement: () => link }, configurable: true });
    try {
      file("plan", 1, 10);
      assert.equal(urls.size, 0);
      chat.save("plan");
      assert.deepEqual(clicked.map(({ href, download }) => [href, download]), [["blob:1", "plan.txt"]]);
      assert.equal(urls.size, 1);
      t.mock.timers.tick(60_000);
      assert.equal(urls.size, 0);
    } finally {
      Reflect.deleteProperty(globalThis, "document");
    }
  });

  describe("an image that is sent", () => {
    const small = (exact: boolean): Shrunk => ({ data: new Uint8Array(9), mime: "image/webp", exact });
    const photo = (size: number, type = "image/jpeg"): File => new File([new Uint8Array(size)], "photo.jpg", { type });

    it("goes out as it was made smaller, and the original is offered", async () => {
      shrunk = small(false);
      await chat.sendFiles([photo(500_000), photo(10, "text/plain")]);
      assert.deepEqual(asked, ["SendImage", "SendFile"]);
      const [offer] = chat.offers.value;
      assert.ok(offer?.shown);
      await chat.answerOffer(offer, true);
      assert.deepEqual([asked.at(-1), asked.length, chat.offers.value], ["SendFile", 3, []]);
    });

    it("goes out alone where it is exact, or where the original is too large for a file", async () => {
      shrunk = small(true);
      await chat.sendFiles([photo(500)]);
      shrunk = small(false);
      await chat.sendFiles([photo(FILE + 1)]);
      assert.deepEqual([asked, chat.offers.value, toasts], [["SendImage", "SendImage"], [], []]);
    });

    it("is offered as a file where it is none, and goes out only then", async () => {
      shrunk = null;
      await chat.sendFiles([photo(500_000)]);
      const [offer] = chat.offers.value;
      assert.deepEqual([asked, offer?.shown], [[], false]);
      assert.ok(offer);
      await chat.answerOffer(offer, false);
      assert.deepEqual([asked, chat.offers.value], [[], []]);
      await chat.sendFiles([photo(FILE + 1)]);
      assert.deepEqual([asked, chat.offers.value, toasts], [[], [], ["meet.chat_too_large"]]);
    });

    it("is offered no more in another meeting, nor are many", async () => {
      shrunk = small(false);
      await chat.sendFiles(Array.from({ length: 6 }, () => photo(500)));
      assert.equal(chat.offers.value.length, 4);
      chat.clear();
      assert.deepEqual(chat.offers.value, []);
    });
  });
});
