/** The contents of MLS application messages between members: one JSON object each. */
import { type Bytes, utf8 } from "../../crypto/bytes";
import { MalformedError } from "../../crypto/errors";
import { H } from "../../crypto/kdf";
import { Codec } from "../../wire/codec";
import { type AnyContent, AnyContentNames, type File, type Image, type Say, schemas } from "../../wire/content";

export type * from "../../wire/content";
export {
  CONTENT_AGAIN_MAX as AGAIN_MAX,
  CONTENT_ANNOUNCEMENTS_MAX as ANNOUNCEMENTS_MAX,
  CONTENT_COMPARING_MAX as COMPARING_MAX,
  CONTENT_FILE_MAX as FILE_MAX,
  CONTENT_MESSAGE_ID_DIGITS as MESSAGE_ID_DIGITS,
  CONTENT_IMAGE_MAX as IMAGE_MAX,
  CONTENT_IMAGE_PIXELS_MAX as IMAGE_PIXELS_MAX,
  CONTENT_PIECE_SIZE as PIECE_SIZE,
  CONTENT_REVOKED_MAX as REVOKED_MAX,
  CONTENT_SECRETS_MAX as SECRETS_MAX,
  CONTENT_TEXT_MAX as TEXT_MAX,
} from "../../wire/limits";

/** Contents that are resent after a lost connection until all can have them: each has an id. */
export type Posted = Say | Image | File;

const codec = new Codec<AnyContent>(schemas, AnyContentNames);
const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Encode a content as UTF-8 JSON. */
export const encode = (content: AnyContent): Bytes => utf8(codec.encode(content));

/** Decode a content; MalformedError if it is no content of this version. */
export function decode(data: Bytes): AnyContent {
  try {
    return codec.decode(strict.decode(data));
  } catch (error) {
    throw new MalformedError(`a message whose content can't be read: ${String(error).slice(0, 120)}`);
  }
}

/**
 * Return a message's identifier, 32 bytes: a hash of its id, the sender's key and the content.
 *
 * The sender chooses the id. By the id alone, a harmless message could lend its identity, and its place among the
 * messages that can be reported, to another.
 */
export function messageId(what: Say | Image, signatureKey: Bytes): Bytes {
  if (what.type === "say") return H(utf8("say"), what.id, signatureKey, H(utf8(what.text)));
  return H(utf8("picture"), what.id, signatureKey, H(utf8(what.mime), new Uint8Array(1), what.data));
}
