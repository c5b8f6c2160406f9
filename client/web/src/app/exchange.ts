/**
 * Exchanging a voucher for tokens, over a WebSocket of its own. The page loads this file when a person has a voucher.
 *
 * It reads two messages by itself: with the codec of all messages, every page would be larger.
 */
import type { Bytes } from "../crypto/bytes";
import type { Token } from "../crypto/entry/permission";
import { Exchange, Voucher } from "../crypto/entry/voucher";
import { MalformedError } from "../crypto/errors";
import { VOUCHER_TOKENS } from "../wire/limits";
import { sentence } from "../words/sentence";

/** Tries in all, and milliseconds for each: the server gives the same tokens to the same request. */
const TRIES = 3;
const TIME = 5000;
const REFUSALS: Readonly<Record<string, string>> = { voucher: "foreign", spent: "spent", week: "week", full: "full" };

const toBase64 = (bytes: Uint8Array): string => btoa(String.fromCharCode(...bytes));
const fromBase64 = (text: string): Bytes => Uint8Array.from(atob(text), (each) => each.charCodeAt(0));

/** The server's messages, as far as they are read here; `finish` and `check` refuse wrong bytes. */
interface Message {
  readonly type?: string;
  readonly code?: string;
  readonly evaluated?: readonly string[];
  readonly permission?: { readonly kind?: string; readonly keys?: readonly { readonly week: number; readonly key: string }[] } | null;
}

/** Return the tokens for a voucher's text. SnugError, with a sentence, if there are none. */
export async function exchange(origin: string, text: string): Promise<readonly Token[]> {
  const voucher = Voucher.parse(text);
  let asked: Exchange | null = null;
  for (let i = 0; i < TRIES; i++) {
    const answer = await converse(`${origin.replace(/^http/, "ws")}/ws`, (challenge) => {
      asked ??= begin(challenge, voucher);
      return { type: "exchange", voucher: toBase64(voucher.sent), blinded: asked.blinded.map(toBase64) };
    });
    const begun = asked as Exchange | null; // the closure has set it
    if (answer?.type === "exchanged" && begun !== null) return begun.finish((answer.evaluated ?? []).map(fromBase64));
    const why = answer?.type === "refused" ? REFUSALS[answer.code ?? ""] : undefined;
    if (why !== undefined) throw new MalformedError(sentence(`voucher.${why}`));
  }
  throw new MalformedError(sentence("voucher.unanswered"));
}

function begin({ permission }: Message, voucher: Voucher): Exchange {
  if (permission?.kind !== "tokens") throw new MalformedError(sentence("voucher.unasked"));
  const key = permission.keys?.find(({ week }) => week === voucher.week)?.key;
  if (key === undefined) throw new MalformedError(sentence("voucher.week"));
  return new Exchange(voucher, fromBase64(key), VOUCHER_TOKENS);
}

/** Send what `ask` makes of the challenge, and return the answer; null without one. */
function converse(url: string, ask: (challenge: Message) => object): Promise<Message | null> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url);
    const end = (answer: Message | null): void => {
      clearTimeout(timer);
      socket.onclose = null;
      resolve(answer);
      socket.close();
    };
    const timer = setTimeout(() => end(null), TIME);
    socket.onclose = () => end(null);
    socket.onmessage = ({ data }: MessageEvent<unknown>) => {
      try {
        const message = JSON.parse(String(data)) as Message;
        if (message.type === "challenge") socket.send(JSON.stringify(ask(message)));
        else end(message);
      } catch (error) {
        reject(error instanceof Error ? error : new Error(String(error)));
        end(null);
      }
    };
  });
}
