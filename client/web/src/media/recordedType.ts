/** What a recording is made of, if this browser can record. */

const TYPES = ["video/webm;codecs=vp8,opus", "video/webm", "video/mp4"];

/** Return the media type of a recording; undefined: this browser cannot record. */
export const recordedType = (): string | undefined =>
  typeof MediaRecorder === "function" ? TYPES.find((type) => MediaRecorder.isTypeSupported(type)) : undefined;
