import { useSignal } from "@preact/signals";
import { useEffect, useId } from "preact/hooks";
import { whole, word } from "../../words/index";
import { Icon } from "../icons";
import type { Model } from "../model";
import { CodeArt } from "../codeArt";
import { hostOf } from "./about";
import { MARK } from "./frame";
import { Heading } from "./heading";
import type { Scan } from "./scan";

/** Open a room, or follow a link, pasted or scanned. */
export function Start({ model }: { readonly model: Model }) {
  const link = useSignal("");
  /** The scanner while it is open: its file is loaded on demand. */
  const scanner = useSignal<{ readonly Scan: typeof Scan } | null>(null);
  /** The code art's many lines are drawn after text and buttons have been painted. */
  const painted = useSignal(false);
  useEffect(() => {
    const frame = requestAnimationFrame(() => {
      painted.value = true;
    });
    return () => cancelAnimationFrame(frame);
  }, []);
  const close = () => {
    scanner.value = null;
  };
  const id = useId();
  const { origin } = model.where.value;
  const trouble = model.linkTrouble.value;
  return (
    <div class="start">
      <div class="start-text stack">
        <Heading>{word("start.heading")}</Heading>
        <p class="start-lede">{word("start.lede")}</p>
        <div class="start-ways">
          {origin === null ? (
            <p class="muted">{word("start.no_origin")}</p>
          ) : (
            <div class="start-open">
              <button type="button" class="button primary" onClick={() => model.do.openRoom()}>
                <Icon name="door-open" />
                {word("start.open")}
              </button>
              <p class="note">{word("start.open_at", { origin: hostOf(origin) })}</p>
            </div>
          )}
          <form
            class="field"
            noValidate
            onSubmit={(event) => {
              event.preventDefault();
              model.do.follow(link.value.trim());
            }}
          >
            <label for={id}>{word("start.link")}</label>
            <div class="start-link">
              <input
                id={id}
                class="input"
                type="text"
                inputMode="url"
                autocomplete="off"
                autocapitalize="off"
                spellcheck={false}
                placeholder="https://meet.example/#1..."
                value={link.value}
                aria-invalid={trouble !== null}
                aria-describedby={trouble === null ? undefined : `${id}-wrong`}
                onInput={(event) => {
                  link.value = event.currentTarget.value;
                }}
              />
              <button type="submit" class="button" disabled={link.value.trim() === ""}>
                {word("start.follow")}
                <Icon name="arrow-right" size={18} />
              </button>
            </div>
            <p id={`${id}-wrong`} class="wrong" role="alert">
              {trouble === null ? null : whole(trouble)}
            </p>
            {model.can.scan ? (
              <button
                type="button"
                class="button quiet small start-scan"
                onClick={() => {
                  void import("./scan").then((loaded) => {
                    scanner.value = loaded;
                  });
                }}
              >
                <Icon name="scan-qr-code" size={18} />
                {word("start.scan")}
              </button>
            ) : null}
          </form>
        </div>
      </div>
      <div class="start-window" aria-hidden="true">
        {painted.value ? <CodeArt digits={MARK} size={560} label={false} /> : null}
      </div>
      {scanner.value === null ? null : (
        <scanner.value.Scan
          onFound={(found) => {
            close();
            model.do.follow(found);
          }}
          onClose={close}
        />
      )}
    </div>
  );
}
