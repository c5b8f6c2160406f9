/** The chat: plain text, images and files. Nothing in it becomes a link or a program. */
import { useSignal } from "@preact/signals";
import { useLayoutEffect, useRef } from "preact/hooks";
import { clock, size, word } from "../../../words";
import { CONTENT_FILE_MAX, CONTENT_TEXT_MAX } from "../../../wire/limits";
import { Icon } from "../../icons";
import type { ChatLine } from "../../model";
import { useUi } from "./ui";

/** Auto-scroll when within this many pixels of the bottom. */
const NEAR = 80;
/** Seconds between two messages of one member that share a heading. */
const TOGETHER = 120;

export function Chat() {
  const { model } = useUi();
  const lines = model.chat.value;
  const list = useRef<HTMLDivElement>(null);
  const atEnd = useRef(true);
  const top = useRef(0);
  const below = useSignal(false);
  const over = useSignal(0);
  const trouble = useSignal<string | null>(null);

  const send = (files: readonly File[]) => {
    const large = files.filter((file) => file.size > CONTENT_FILE_MAX);
    trouble.value = large[0] === undefined ? null : word("meet.chat_too_large", { name: large[0].name });
    const fit = files.filter((file) => file.size <= CONTENT_FILE_MAX);
    if (fit.length > 0) model.do.sendFiles(fit);
  };
  const toEnd = () => {
    const { current } = list;
    if (current !== null) current.scrollTop = current.scrollHeight;
    below.value = false;
  };
  const last = lines.at(-1);
  const ownLast = last !== undefined && last.kind !== "note" && last.self;
  useLayoutEffect(() => {
    if (atEnd.current || ownLast) toEnd();
    else below.value = true;
  }, [lines.length]);

  // when an image has loaded or a keyboard has opened, a list that showed its end still shows it
  useLayoutEffect(() => {
    const { current } = list;
    if (current === null) return undefined;
    const observer = new ResizeObserver(() => {
      if (atEnd.current) toEnd();
    });
    observer.observe(current);
    return () => observer.disconnect();
  }, []);

  return (
    <div
      class="chat"
      data-over={over.value > 0}
      onDragEnter={(event) => {
        if (event.dataTransfer?.types.includes("Files")) over.value += 1;
      }}
      onDragLeave={() => {
        over.value = Math.max(0, over.value - 1);
      }}
      onDragOver={(event) => event.preventDefault()}
      onDrop={(event) => {
        event.preventDefault();
        over.value = 0;
        send([...(event.dataTransfer?.files ?? [])]);
      }}
    >
      <div
        class="chat-lines"
        ref={list}
        role="log"
        aria-label={word("meet.chat")}
        tabIndex={0}
        onLoadCapture={() => {
          if (atEnd.current) toEnd();
        }}
        onScroll={(event) => {
          const { scrollHeight, scrollTop, clientHeight } = event.currentTarget;
          // only scrolling up leaves the end: when an image has loaded, the end moves down by itself
          if (scrollHeight - scrollTop - clientHeight < NEAR) atEnd.current = true;
          else if (scrollTop < top.current) atEnd.current = false;
          top.current = scrollTop;
          if (atEnd.current) below.value = false;
        }}
      >
        {lines.length === 0 && <p class="note chat-empty">{word("meet.chat_empty")}</p>}
        {lines.map((line, place) => (
          <Line key={line.id} line={line} before={lines[place - 1]} />
        ))}
      </div>
      {below.value && (
        <button type="button" class="button small chat-below" onClick={toEnd}>
          <Icon name="chevron-down" size={16} />
          {word("meet.chat_below")}
        </button>
      )}
      <Composer send={send} trouble={trouble.value} clear={() => (trouble.value = null)} />
      {over.value > 0 && <p class="chat-drop">{word("meet.chat_drop")}</p>}
    </div>
  );
}

function Line({ line, before }: { readonly line: ChatLine; readonly before: ChatLine | undefined }) {
  if (line.kind === "note") {
    return (
      <p class="chat-note">
        {word(line.text)} <time>{clock(line.at)}</time>
      </p>
    );
  }
  const goesOn =
    before !== undefined && before.kind !== "note" && before.leaf === line.leaf && before.name === line.name && line.at - before.at < TOGETHER;
  return (
    <article class="chat-line" data-own={line.self} data-waits={line.waits ?? false} data-goes-on={goesOn} aria-label={word("meet.chat_from", { name: line.name, time: clock(line.at) })}>
      {!goesOn && (
        <p class="chat-head" aria-hidden="true">
          <strong>
            <bdi>{line.self ? word("meet.you", { name: line.name }) : line.name}</bdi>
          </strong>
          <time class="figures">{clock(line.at)}</time>
        </p>
      )}
      <Said line={line} />
    </article>
  );
}

function Said({ line }: { readonly line: Exclude<ChatLine, { kind: "note" }> }) {
  const { enlarged } = useUi();
  switch (line.kind) {
    case "text":
      return (
        <p class="chat-text" dir="auto">
          {line.text}
        </p>
      );
    case "image":
      if (line.url === null) return <p class="chat-text muted">{word("meet.chat_dropped")}</p>;
      return (
        <button
          type="button"
          class="chat-picture"
          aria-label={word("meet.chat_enlarge", { name: line.name })}
          onClick={() => {
            if (line.url !== null) enlarged.value = { url: line.url, label: word("meet.chat_picture", { name: line.name }) };
          }}
        >
          <img src={line.url} alt={word("meet.chat_picture", { name: line.name })} />
        </button>
      );
    case "file":
      return <FileLine line={line} />;
  }
}

function FileLine({ line }: { readonly line: Extract<ChatLine, { kind: "file" }> }) {
  const { model } = useUi();
  const coming = line.failed === null && line.state === "coming" && line.done < line.size;
  return (
    <div class="chat-file" data-failed={line.failed !== null}>
      <Icon name={line.mime.startsWith("image/") ? "image" : "file"} size={24} />
      <div>
        <p class="filename" dir="auto">
          {line.filename}
        </p>
        {line.failed !== null ? (
          <p class="note">{word("meet.chat_failed", { why: line.failed })}</p>
        ) : line.state === "dropped" ? (
          <p class="note">{word("meet.chat_dropped")}</p>
        ) : (
          <p class="note figures">
            {coming ? word("meet.chat_file_progress", { done: size(line.done), size: size(line.size) }) : size(line.size)}
          </p>
        )}
        {coming && <progress max={line.size} value={line.done} aria-label={line.filename} />}
      </div>
      {line.state === "here" && line.failed === null && (
        <button
          type="button"
          class="button small"
          aria-label={word("meet.chat_save_of", { name: line.filename })}
          onClick={() => model.do.saveFile(line.id)}
        >
          <Icon name="download" size={16} />
          {word("meet.chat_save")}
        </button>
      )}
    </div>
  );
}

function Composer(props: {
  send(files: readonly File[]): void;
  readonly trouble: string | null;
  clear(): void;
}) {
  const { model, draft } = useUi();
  const field = useRef<HTMLTextAreaElement>(null);
  const files = useRef<HTMLInputElement>(null);
  // code points, as Python and the wire count them
  const excess = [...draft.value].length - CONTENT_TEXT_MAX;
  const say = () => {
    const text = draft.value.trim();
    if (text === "" || excess > 0) return;
    model.do.say(text);
    draft.value = "";
  };
  // the field grows with its text, up to a few lines
  useLayoutEffect(() => {
    const { current } = field;
    if (current === null) return;
    current.style.height = "auto";
    current.style.height = `${Math.min(current.scrollHeight + 2, 144)}px`;
  }, [draft.value]);
  const trouble = excess > 0 ? word("meet.chat_too_long", { n: excess }) : props.trouble;
  return (
    <form
      class="composer"
      onSubmit={(event) => {
        event.preventDefault();
        say();
      }}
    >
      <div role="alert">{trouble !== null && <p class="wrong">{trouble}</p>}</div>
      <div class="composer-row">
        <input
          ref={files}
          type="file"
          multiple
          hidden
          onChange={(event) => {
            props.send([...(event.currentTarget.files ?? [])]);
            event.currentTarget.value = "";
          }}
        />
        <button
          type="button"
          class="button round quiet"
          aria-label={word("meet.chat_attach")}
          title={word("meet.chat_attach")}
          onClick={() => files.current?.click()}
        >
          <Icon name="paperclip" />
        </button>
        <textarea
          ref={field}
          class="input"
          rows={1}
          dir="auto"
          data-first
          aria-label={word("meet.chat_write")}
          aria-describedby="chat-limits"
          placeholder={word("meet.chat_write")}
          value={draft.value}
          onInput={(event) => {
            draft.value = event.currentTarget.value;
            props.clear();
          }}
          onKeyDown={(event) => {
            // while an input method composes, Enter selects a candidate
            if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
            event.preventDefault();
            say();
          }}
          onPaste={(event) => {
            const pasted = [...(event.clipboardData?.files ?? [])];
            if (pasted.length === 0) return;
            event.preventDefault();
            props.send(pasted);
          }}
        />
        <button type="submit" class="button round primary" aria-label={word("meet.chat_send")} title={word("meet.chat_send")}>
          <Icon name="send-horizontal" />
        </button>
      </div>
      <p class="note" id="chat-limits">
        {word("meet.chat_limits")}
      </p>
    </form>
  );
}
