import { word } from "../../words/index";
import { Icon, type IconName } from "../icons";
import type { Model, Unable as Why } from "../model";
import { Heading } from "./heading";
import { Command, Prose } from "./prose";
import { Kept } from "./start";

interface Way {
  readonly icon: IconName;
  /** The command to type, with the page's origin for "{origin}". */
  readonly command?: string;
  readonly button?: "retry" | "reload";
}

const WAYS: Readonly<Record<Why, Way>> = {
  insecure: { icon: "video-off", command: "snug page" },
  old_browser: { icon: "refresh-cw" },
  no_transform: { icon: "video-off" },
  second_tab: { icon: "copy", button: "retry" },
  server_gone: { icon: "signal-low", button: "retry" },
  offline: { icon: "circle-alert", button: "reload" },
  page_changed: { icon: "refresh-cw", command: "snug verify-page {origin}", button: "reload" },
  worker: { icon: "triangle-alert", button: "reload" },
};

/** Why no meeting can be held here: the cause, its meaning, and a way out. */
export function Unable({ model }: { readonly model: Model }) {
  const why = model.unable.value;
  if (why === null) return null;
  const way = WAYS[why];
  return (
    <div class="narrow stack unable">
      <Icon name={way.icon} size={32} />
      <Heading>{word(`unable.${why}`)}</Heading>
      <p>
        <Prose text={word(`unable.${why}_why`)} />
      </p>
      <p>
        <Prose text={word(`unable.${why}_way`)} />
      </p>
      {way.command === undefined ? null : (
        <Command model={model} text={way.command.replace("{origin}", model.where.value.pageOrigin)} />
      )}
      {way.button === undefined ? null : (
        <div>
          <button
            type="button"
            class="button primary"
            onClick={() => (way.button === "reload" ? location.reload() : model.do.again())}
          >
            {word(why === "offline" ? "unable.retry" : `unable.${way.button}`)}
          </button>
        </div>
      )}
      {why === "offline" ? <Kept model={model} /> : null}
    </div>
  );
}
