/** The messages between the page and the worker that blurs. */

/** First the files that the page has fetched and compared; then a frame for each `next`, null: there is none yet. */
export type ToBlur = { readonly wasm: ArrayBuffer; readonly model: ArrayBuffer } | VideoFrame | null;

/** `loaded`: this script runs. `next`: it is time for a frame. An image: the last frame, blurred. */
export type FromBlur = "loaded" | "next" | ImageBitmap;
