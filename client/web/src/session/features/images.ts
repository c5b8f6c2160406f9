/**
 * Images in the chat: small files of four types, recognised by their content and not by their name.
 *
 * Nothing here decodes an image: the headers and the size are checked, and the data is passed on.
 */
import { type Bytes, hex } from "../../crypto/bytes";
import { CommandError, sentence } from "../../words/sentence";
import { type Contents, Feature } from "../kernel/feature";
import { MESSAGE_ID_DIGITS, IMAGE_MAX, IMAGE_PIXELS_MAX, type Image, messageId } from "../catalogue/content";
import type { Room } from "../kernel/ports";
import { SeenDigests } from "../kernel/outbox";
import { imageSize } from "./imageSize";
import { status } from "../catalogue/sentences";

/** Seconds between two images of ours: they share the server's store for catching up with the chat. */
export const EVERY = 3;

/** Return the MIME type of PNG, JPEG, WebP or GIF data by its first bytes; null for other data. */
export function mimeOf(data: Bytes): Image["mime"] | null {
  const start = String.fromCharCode(...data.subarray(0, 12));
  if (start.startsWith("\x89PNG\r\n\x1a\n")) return "image/png";
  if (start.startsWith("\xff\xd8\xff")) return "image/jpeg";
  if (start.startsWith("RIFF") && start.startsWith("WEBP", 8)) return "image/webp";
  if (start.startsWith("GIF87a") || start.startsWith("GIF89a")) return "image/gif";
  return null;
}

/** Sends our images, and shows each image of the others once. */
export class Images extends Feature {
  #seen = new SeenDigests();
  #sentAt: number | null = null;

  override carryOver(old: Room): void {
    const before = old.feature(Images);
    this.#seen = before.#seen;
    this.#sentAt = before.#sentAt;
  }

  /** Send an image; CommandError if it is no image, too large, or too soon after the last one. */
  async send(data: Bytes, now: number): Promise<void> {
    const size = imageSize(data);
    const mime = mimeOf(data);
    if (mime === null || size === null) throw new CommandError(sentence("room.not_an_image"));
    if (data.length > IMAGE_MAX)
      throw new CommandError(sentence("room.image_size", { most: IMAGE_MAX, size: data.length }));
    const [width, height] = size;
    if (width * height > IMAGE_PIXELS_MAX) throw new CommandError(sentence("room.image_pixels", { width, height }));
    if (this.#sentAt !== null && now - this.#sentAt < EVERY)
      throw new CommandError(sentence("room.image_soon", { seconds: EVERY }));
    this.#sentAt = now;
    await this.room.post({ type: "image", id: this.room.rng(16), mime, data, number: 0 }, now);
  }

  override contents(): Contents {
    return { image: ({ sender }, what) => this.#heard(sender, what) };
  }

  #heard(leaf: number, what: Image): void {
    const { membership: m } = this.room;
    const known = messageId(what, m.signatureKey(leaf) ?? new Uint8Array());
    if (this.#seen.has(known)) return;
    this.#seen.add(known);
    const { mime, data } = what;
    const size = imageSize(data);
    if (mimeOf(data) !== mime || size === null) return; // not an image of that type: nothing to show
    const name = m.name(leaf);
    const [width, height] = size;
    if (width * height > IMAGE_PIXELS_MAX) this.room.tell(status("image_pixels", { name, width, height }));
    else this.room.tell({ type: "Image", leaf, name, id: hex(known).slice(0, MESSAGE_ID_DIGITS), mime, data });
  }
}
