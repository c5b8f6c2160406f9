/** The newest message, shortly, beside the button of the chat that is closed. Screen readers hear it from the announcer. */
import { useSignal, useSignalEffect } from "@preact/signals";
import { useRef } from "preact/hooks";
import { word } from "../../../words";
import type { ChatLine } from "../../model";
import { useUi } from "./ui";

/** Milliseconds for which it is shown. */
const TIME = 5000;
/** Characters of a message that are shown; the stylesheet cuts what is wider. */
const FIRST = 80;

type Message = Exclude<ChatLine, { kind: "note" }>;

export function Bubble() {
  const { model } = useUi();
  const shown = useSignal<Message | null>(null);
  const last = useRef<ChatLine | null | undefined>(null);
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  useSignalEffect(() => {
    const newest = model.chat.value.findLast((line) => line.kind !== "note");
    const isNew = last.current !== null && newest?.id !== last.current?.id;
    last.current = newest;
    if (model.panel.value === "chat" || !model.attention.on.value.has("unread")) shown.value = null;
    else if (isNew && newest !== undefined && !newest.self) {
      shown.value = newest;
      clearTimeout(timer.current);
      timer.current = setTimeout(() => {
        shown.value = null;
      }, TIME);
    }
  });
  const message = shown.value;
  if (message === null) return null;
  return (
    <div
      class="bubble"
      aria-hidden="true"
      onClick={() => {
        model.panel.value = "chat";
      }}
    >
      <strong dir="auto">{message.name}</strong> <span dir="auto">{words(message)}</span>
    </div>
  );
}

function words(message: Message): string {
  if (message.kind === "text") return [...message.text.slice(0, 2 * FIRST)].slice(0, FIRST).join("");
  return message.kind === "image" ? word("meet.bubble_picture") : message.filename;
}
