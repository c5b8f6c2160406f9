/** The chat: its lines, the images and files in them, and notes about events in the room. */
import { type Signal, signal } from "@preact/signals";
import type { Bytes } from "../crypto/bytes";
import type { Command, EventOf, HeldMessage } from "../session/events";
import { CONTENT_IMAGE_MAX } from "../wire/limits";
import { type Sentence, sentence } from "../words/sentence";
import type { ChatLine } from "./model";

const CHAT_MAX = 2000;
/** Milliseconds before an image that was refused as too soon is sent again. */
const SOON = 500;
/** Types that the chat shows as images; other types are files. */
const IMAGES = ["image/png", "image/jpeg", "image/webp", "image/gif"];

/** What the chat needs of its surroundings. */
export interface ChatPlace {
  /** Run a command; returns null, or the reason for its refusal. */
  ask(command: Command): Promise<Sentence | null>;
  toast(text: Sentence): void;
  own(): { readonly leaf: number; readonly name: string };
  /** Whether we are in the room. */
  inRoom(): boolean;
  /** Whether the person sees the chat. */
  isShown(): boolean;
}

export class Chat {
  readonly lines: Signal<readonly ChatLine[]> = signal<readonly ChatLine[]>([]);
  readonly unread = signal(0);
  readonly #place: ChatPlace;
  #numbers = 0;
  #urls: string[] = [];

  constructor(place: ChatPlace) {
    this.#place = place;
  }

  /** Forget everything before another meeting. */
  clear(): void {
    for (const url of this.#urls) URL.revokeObjectURL(url);
    this.#urls = [];
    this.lines.value = [];
    this.unread.value = 0;
  }

  // -- sending ---------------------------------------------------------------------------------------------

  async say(text: string): Promise<void> {
    const why = await this.#place.ask({ type: "Say", text });
    if (why === null) this.#line({ kind: "text", ...this.#own(), text });
    else this.#place.toast(why);
  }

  async sendFiles(files: readonly File[]): Promise<void> {
    for (const file of files) {
      let data: Bytes;
      try {
        data = new Uint8Array(await file.arrayBuffer());
      } catch {
        this.#place.toast(sentence("note.unreadable", { name: file.name }));
        continue;
      }
      if (IMAGES.includes(file.type) && data.length <= CONTENT_IMAGE_MAX) {
        if (await this.#sendImage(data))
          this.#line({ kind: "image", ...this.#own(), url: this.#url(data, file.type), mime: file.type });
      } else {
        const mime = /^[a-z0-9.+-]{1,40}\/[a-z0-9.+-]{1,60}$/.test(file.type) ? file.type : "application/octet-stream";
        const why = await this.#place.ask({ type: "SendFile", name: file.name, mime, data });
        if (why !== null) this.#place.toast(why);
      }
    }
  }

  /** Send an image. The session accepts one every few seconds: one that is too soon waits. */
  async #sendImage(data: Bytes): Promise<boolean> {
    for (;;) {
      const why = await this.#place.ask({ type: "SendImage", data });
      if (why?.key !== "room.image_soon") {
        if (why !== null) this.#place.toast(why);
        return why === null && this.#place.inRoom();
      }
      await new Promise((wait) => setTimeout(wait, SOON));
    }
  }

  #own(): { readonly id: string; readonly at: number; readonly leaf: number; readonly name: string; readonly self: true } {
    return { id: `own ${++this.#numbers}`, at: Date.now() / 1000, ...this.#place.own(), self: true };
  }

  // -- events ----------------------------------------------------------------------------------------------

  note(text: Sentence): void {
    this.#line({ kind: "note", id: `note ${++this.#numbers}`, at: Date.now() / 1000, text });
  }

  /** Show a message, an image or a file of the chat. */
  told(event: EventOf<"Said" | "Image" | "FileOffered" | "FileProgress" | "FileDone" | "FileFailed">, at: number): void {
    switch (event.type) {
      case "Said":
        return this.#line({ kind: "text", id: event.id, at, leaf: event.leaf, name: event.name, self: false, text: event.text });
      case "Image":
        return this.#line({
          kind: "image", id: event.id, at, leaf: event.leaf, name: event.name, self: false,
          url: this.#url(event.data, event.mime), mime: event.mime,
        });
      case "FileOffered":
        return this.#line({
          kind: "file", id: event.id, at, leaf: event.leaf, name: event.name, self: event.leaf === this.#place.own().leaf,
          filename: event.filename, mime: event.mime, size: event.size, done: 0, url: null, failed: null,
        });
      case "FileProgress":
        return this.#file(event.id, { done: event.done });
      case "FileDone":
        return this.#file(event.id, { url: this.#url(event.data, "application/octet-stream"), done: event.data.length });
      case "FileFailed":
        return this.#file(event.id, { failed: event.why });
    }
  }

  /** Mark our messages that wait: texts by what they say, images and files from the end. */
  held(messages: readonly HeldMessage[]): void {
    const texts = new Set(messages.flatMap(({ text }) => (typeof text === "string" ? [text] : [])));
    let images = messages.filter(({ text }) => typeof text !== "string" && text.key === "room.an_image").length;
    const marked = this.lines.value.toReversed().map((line): ChatLine => {
      if (line.kind === "note" || line.kind === "file" || !line.self) return line;
      const waits = line.kind === "text" ? texts.has(line.text) : images-- > 0;
      return waits === (line.waits ?? false) ? line : { ...line, waits };
    });
    this.lines.value = marked.toReversed();
  }

  /** Remove our messages that wait: the person has discarded them. */
  discard(): void {
    this.lines.value = this.lines.value.filter((line) => line.kind === "note" || line.waits !== true);
  }

  #line(line: ChatLine): void {
    this.lines.value = [...this.lines.value, line].slice(-CHAT_MAX);
    if (line.kind !== "note" && !line.self && !this.#place.isShown()) this.unread.value++;
  }

  #file(id: string, change: Partial<Extract<ChatLine, { kind: "file" }>>): void {
    this.lines.value = this.lines.value.map((line) => (line.kind === "file" && line.id === id ? { ...line, ...change } : line));
  }

  #url(data: Bytes, mime: string): string {
    // data of others never opens as a page of our origin: it is an image, or a file to save
    const url = URL.createObjectURL(new Blob([data], { type: IMAGES.includes(mime) ? mime : "application/octet-stream" }));
    this.#urls.push(url);
    return url;
  }
}
