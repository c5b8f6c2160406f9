/** The chat: its lines, the images and files in them, and notes about events in the room. */
import { type Signal, signal } from "@preact/signals";
import type { Bytes } from "../crypto/bytes";
import type { Command, EventOf, HeldMessage } from "../session/events";
import { CONTENT_FILE_MAX } from "../wire/limits";
import { type Sentence, sentence } from "../words/sentence";
import type { ChatLine, FileOffer } from "./model";
import type { Shrunk } from "./shrink";

const CHAT_MAX = 2000;
/** Maximum bytes of images and files that are kept of one sender, and of all: older ones are dropped for newer ones. */
export const KEPT_MAX = 64 * 1024 * 1024;
export const KEPT_ALL_MAX = 4 * KEPT_MAX;
/** Milliseconds for which a file can be read after a click: the browser saves it meanwhile. */
const SAVE_TIME = 60_000;
/** Milliseconds before an image that was refused as too soon is sent again. */
const SOON = 500;
/** Maximum number of files that are offered as they are. */
const OFFERS_MAX = 4;
/** Types that the chat shows as images; other types are files. */
const IMAGES = ["image/png", "image/jpeg", "image/webp", "image/gif"];

/** What the chat needs of its surroundings. */
export interface ChatPlace {
  /** Run a command; returns null, or the reason for its refusal. */
  ask(command: Command): Promise<Sentence | null>;
  toast(text: Sentence): void;
  /** Return a file as an image that others may be sent; null if it cannot become one. */
  shrink(file: File): Promise<Shrunk | null>;
  own(): { readonly leaf: number; readonly name: string };
  /** Whether we are in the room. */
  inRoom(): boolean;
  /** Whether the person sees the chat. */
  isShown(): boolean;
}

/** The data of one line, and for an image the address under which the page shows it. */
interface Kept {
  readonly leaf: number;
  readonly blob: Blob;
  readonly url: string | null;
}

export class Chat {
  readonly lines: Signal<readonly ChatLine[]> = signal<readonly ChatLine[]>([]);
  readonly unread = signal(0);
  readonly offers = signal<readonly FileOffer[]>([]);
  readonly #place: ChatPlace;
  #numbers = 0;
  /** The data of images and files, by the id of their line, oldest first. */
  readonly #kept = new Map<string, Kept>();

  constructor(place: ChatPlace) {
    this.#place = place;
  }

  /** Forget everything before another meeting. */
  clear(): void {
    for (const id of [...this.#kept.keys()]) this.#drop(id);
    this.lines.value = [];
    this.unread.value = 0;
    this.offers.value = [];
  }

  // -- sending ---------------------------------------------------------------------------------------------

  async say(text: string): Promise<void> {
    const why = await this.#place.ask({ type: "Say", text });
    if (why === null) this.#line({ kind: "text", ...this.#own(), text });
    else this.#place.toast(why);
  }

  /** Send files; what the browser can show as an image goes as an image, which it makes small enough. */
  async sendFiles(files: readonly File[]): Promise<void> {
    for (const file of files) await (file.type.startsWith("image/") ? this.#sendPicture(file) : this.#sendFile(file));
  }

  async #sendPicture(file: File): Promise<void> {
    const image = await this.#place.shrink(file);
    if (image !== null && (await this.#sendImage(image.data))) this.#image(this.#own(), image.data, image.mime);
    if (file.size <= CONTENT_FILE_MAX) {
      const offer = { file, shown: image !== null };
      if (image?.exact !== true) this.offers.value = [...this.offers.value, offer].slice(-OFFERS_MAX);
    } else if (image === null) this.#place.toast(sentence("meet.chat_too_large", { name: file.name }));
  }

  /** Send a file that was offered as it is, or drop the offer. */
  async answerOffer(offer: FileOffer, send: boolean): Promise<void> {
    this.offers.value = this.offers.value.filter((each) => each !== offer);
    if (send) await this.#sendFile(offer.file);
  }

  async #sendFile(file: File): Promise<void> {
    let data: Bytes;
    try {
      data = new Uint8Array(await file.arrayBuffer());
    } catch {
      return this.#place.toast(sentence("note.unreadable", { name: file.name }));
    }
    const mime = /^[a-z0-9.+-]{1,40}\/[a-z0-9.+-]{1,60}$/.test(file.type) ? file.type : "application/octet-stream";
    const why = await this.#place.ask({ type: "SendFile", name: file.name, mime, data });
    if (why !== null) this.#place.toast(why);
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
        return this.#image({ id: event.id, at, leaf: event.leaf, name: event.name, self: false }, event.data, event.mime);
      case "FileOffered":
        return this.#line({
          kind: "file", id: event.id, at, leaf: event.leaf, name: event.name, self: event.leaf === this.#place.own().leaf,
          filename: event.filename, mime: event.mime, size: event.size, done: 0, state: "coming", failed: null,
        });
      case "FileProgress":
        return this.#file(event.id, { done: event.done });
      case "FileDone":
        return this.#fileDone(event.id, event.data);
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
    const lines = [...this.lines.value, line];
    for (const old of lines.splice(0, lines.length - CHAT_MAX)) this.#drop(old.id);
    this.lines.value = lines;
    if (line.kind !== "note" && !line.self && !this.#place.isShown()) this.unread.value++;
  }

  #file(id: string, change: Partial<Extract<ChatLine, { kind: "file" }>>): void {
    this.lines.value = this.lines.value.map((line) => (line.kind === "file" && line.id === id ? { ...line, ...change } : line));
  }

  #image(of: Omit<Extract<ChatLine, { kind: "image" }>, "kind" | "url" | "mime">, data: Bytes, mime: string): void {
    const blob = blobOf(data, mime);
    const url = URL.createObjectURL(blob);
    this.#line({ kind: "image", ...of, url, mime });
    this.#keep(of.id, { leaf: of.leaf, blob, url });
  }

  #fileDone(id: string, data: Bytes): void {
    const line = this.lines.value.find((each) => each.kind === "file" && each.id === id);
    if (line === undefined || line.kind !== "file") return; // its line is gone: nobody can ask for it
    this.#file(id, { state: "here", done: data.length });
    this.#keep(id, { leaf: line.leaf, blob: blobOf(data, "application/octet-stream"), url: null });
  }

  /** Let the person save a file of the chat. It has an address only now, and only for a while. */
  save(id: string): void {
    const line = this.lines.value.find((each) => each.kind === "file" && each.id === id);
    const kept = this.#kept.get(id);
    if (kept === undefined || line?.kind !== "file") return;
    const link = document.createElement("a");
    link.href = URL.createObjectURL(kept.blob);
    link.download = line.filename;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), SAVE_TIME);
  }

  /** Keep the data of a line, and drop the oldest of the same sender, and of all, beyond what is kept. */
  #keep(id: string, kept: Kept): void {
    this.#kept.set(id, kept);
    this.#limit(([, { leaf }]) => leaf === kept.leaf, KEPT_MAX);
    this.#limit(() => true, KEPT_ALL_MAX);
  }

  #limit(counts: (entry: readonly [string, Kept]) => boolean, most: number): void {
    const all = [...this.#kept].filter(counts);
    let total = all.reduce((sum, [, { blob }]) => sum + blob.size, 0);
    for (const [id, { blob }] of all) {
      if (total <= most) return;
      total -= blob.size;
      this.#drop(id);
      this.lines.value = this.lines.value.map((line) => (line.id === id ? withoutData(line) : line));
    }
  }

  /** Free the data of a line. */
  #drop(id: string): void {
    const url = this.#kept.get(id)?.url ?? null;
    if (url !== null) URL.revokeObjectURL(url);
    this.#kept.delete(id);
  }
}

const withoutData = (line: ChatLine): ChatLine =>
  line.kind === "image" ? { ...line, url: null } : line.kind === "file" ? { ...line, state: "dropped" } : line;

/** Data of others never opens as a page of our origin: it is an image, or a file to save. */
const blobOf = (data: Bytes, mime: string): Blob =>
  new Blob([data], { type: IMAGES.includes(mime) ? mime : "application/octet-stream" });
