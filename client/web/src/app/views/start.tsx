import { useSignal } from "@preact/signals";
import { useEffect, useId } from "preact/hooks";
import { loadEnglish, whole, word } from "../../words/index";
import { Icon } from "../icons";
import type { Model } from "../model";
import { CodeArt } from "../codeArt";
import { hostOf } from "./about";
import { MARK } from "./frame";
import { Heading } from "./heading";
import type { IdentityDialog } from "./room/identity";
import type { Scan } from "./scan";

/** The meetings that this device keeps: the person can come back, or have them forgotten. */
export function Kept({ model }: { readonly model: Model }) {
  const kept = model.kept.value ?? [];
  if (kept.length === 0) return null;
  return (
    <section class="card stack" aria-labelledby="kept">
      <h2 id="kept">{word("start.kept")}</h2>
      {kept.map(({ id, title, name }) => (
        <div key={id} class="row">
          <span>{title === "" ? word("start.kept_untitled", { name }) : word("start.kept_as", { title, name })}</span>
          <button type="button" class="button" onClick={() => model.do.comeBack(id, false)}>
            {word("start.come_back")}
          </button>
          <button type="button" class="button quiet small" onClick={() => model.do.forget(id)}>
            {word("start.forget")}
          </button>
        </div>
      ))}
    </section>
  );
}

/** Open a room, or follow a link, pasted or scanned. */
export function Start({ model }: { readonly model: Model }) {
  const link = useSignal("");
  /** The scanner while it is open: its file is loaded on demand. */
  const scanner = useSignal<{ readonly Scan: typeof Scan } | null>(null);
  const identity = useSignal<{ readonly IdentityDialog: typeof IdentityDialog } | null>(null);
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
        <Kept model={model} />
        <div class="start-ways">
          {origin === null ? (
            <p class="muted">{word("start.no_origin")}</p>
          ) : (
            <div class="start-open">
              <button type="button" class="button primary" data-testid="open" onClick={() => model.do.openRoom()}>
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
                placeholder="https://meet.example/#2..."
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
          <button
            type="button"
            class="button quiet small start-scan"
            onClick={() => {
              void Promise.all([import("./room/later"), loadEnglish()]).then(([loaded]) => {
                identity.value = loaded;
              });
            }}
          >
            <Icon name="user-check" size={18} />
            {word("start.identity")}
          </button>
        </div>
      </div>
      <div class="start-window" aria-hidden="true">
        {painted.value ? <CodeArt digits={MARK} size={560} label={false} /> : null}
      </div>
      {identity.value === null ? null : (
        <identity.value.IdentityDialog
          model={model}
          onClose={() => {
            identity.value = null;
          }}
        />
      )}
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
