/** The chat: plain text, images and files. Nothing in it becomes a program, and a link leads nowhere without a question. */
import { useSignal } from "@preact/signals";
import { useLayoutEffect, useMemo, useRef } from "preact/hooks";
import { clock, size, word } from "../../../words";
import { CONTENT_FILE_MAX, CONTENT_TEXT_MAX } from "../../../wire/limits";
import { Icon } from "../../icons";
import { type Link, linked } from "../../links";
import type { ChatLine } from "../../model";
import { type Question, useUi } from "./ui";

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
    // a photo of any size is made small enough
    const fit = files.filter((file) => file.size <= CONTENT_FILE_MAX || file.type.startsWith("image/"));
    const large = files.find((file) => !fit.includes(file));
    trouble.value = large === undefined ? null : word("meet.chat_too_large", { name: large.name });
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
      <Offers />
      <Report />
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
      <Pick line={line} />
    </article>
  );
}

function Said({ line }: { readonly line: Exclude<ChatLine, { kind: "note" }> }) {
  const { enlarged } = useUi();
  switch (line.kind) {
    case "text":
      return <Text text={line.text} />;
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

/** While messages are chosen for a report: whether this one is among them. */
function Pick({ line }: { readonly line: Exclude<ChatLine, { kind: "note" }> }) {
  const { reporting } = useUi();
  const chosen = reporting.value;
  if (chosen === null || line.self || line.kind === "file") return null;
  return (
    <label class="choice">
      <input
        type="checkbox"
        checked={chosen.has(line.id)}
        onChange={(event) => {
          const others = [...chosen].filter((id) => id !== line.id);
          reporting.value = new Set(event.currentTarget.checked ? [...others, line.id] : others);
        }}
      />
      {word("meet.report_pick")}
    </label>
  );
}

/** Reports, in a meeting that keeps signatures for them. */
function Report() {
  const { model, reporting } = useUi();
  const chosen = reporting.value;
  if (!model.reportable.value) return null;
  const close = () => {
    reporting.value = null;
  };
  if (chosen === null) {
    return (
      <button type="button" class="button quiet small" onClick={() => (reporting.value = new Set())}>
        <Icon name="circle-alert" size={16} />
        {word("meet.report")}
      </button>
    );
  }
  return (
    <section class="offers" aria-label={word("meet.report")}>
      <div>
        <p class="note">{word("meet.report_text")}</p>
        <div class="row">
          <button
            type="button"
            class="button small"
            disabled={chosen.size === 0}
            onClick={() => {
              model.do.report([...chosen]);
              close();
            }}
          >
            {word("meet.report_save", { count: chosen.size })}
          </button>
          <button type="button" class="button small quiet" onClick={close}>
            {word("meet.report_cancel")}
          </button>
        </div>
      </div>
    </section>
  );
}

function Text({ text }: { readonly text: string }) {
  const parts = useMemo(() => linked(text), [text]);
  return (
    <p class="chat-text" data-testid="message" dir="auto">
      {parts.map((part, place) => (typeof part === "string" ? part : <LinkText key={place} link={part} />))}
    </p>
  );
}

/** No address for the browser, which might prepare for it: nothing is fetched before the person says so. */
function LinkText({ link }: { readonly link: Link }) {
  const { question } = useUi();
  const ask = () => {
    question.value = openQuestion(link);
  };
  return (
    <span
      class="chat-link"
      role="link"
      tabIndex={0}
      onClick={ask}
      onKeyDown={(event) => {
        if (event.key !== "Enter") return;
        event.preventDefault(); // the question takes the focus: this press must not answer it
        ask();
      }}
    >
      {link.text}
    </span>
  );
}

/** Return the question before a link is opened: it names the host, in the letters that decide where it leads. */
const openQuestion = ({ url, written }: Link): Question => ({
  title: word("meet.link_title", { host: url.host }),
  text: word("meet.link_text"),
  more: (
    <>
      {written !== null && <p class="wrong">{word("meet.link_written", { text: written })}</p>}
      <p class="link-address">{url.href}</p>
    </>
  ),
  yes: word("meet.link_yes"),
  act: () => void open(url, "_blank", "noopener,noreferrer"),
});

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

/** Files that can also be sent as they are. */
function Offers() {
  const { model } = useUi();
  return (
    <div class="offers" role="status">
      {model.offers.value.map((offer) => (
        <div key={offer.file}>
          <p class="note">{word(offer.shown ? "meet.offer_shown" : "meet.offer_not_shown", { name: offer.file.name })}</p>
          <div class="row">
            <button type="button" class="button small" onClick={() => model.do.answerOffer(offer, true)}>
              {word(offer.shown ? "meet.offer_original" : "meet.offer_file")}
            </button>
            <button type="button" class="button small quiet" onClick={() => model.do.answerOffer(offer, false)}>
              {word("meet.offer_no")}
            </button>
          </div>
        </div>
      ))}
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
          data-testid="write"
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
        <button type="submit" class="button round primary" data-testid="send" aria-label={word("meet.chat_send")} title={word("meet.chat_send")}>
          <Icon name="send-horizontal" />
        </button>
      </div>
      <p class="note" id="chat-limits">
        {word("meet.chat_limits")}
      </p>
    </form>
  );
}
