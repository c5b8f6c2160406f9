import { word } from "../../words/index";
import { Icon } from "../icons";
import type { Model } from "../model";

/** A sentence with text to type between backticks. */
export function Prose({ text }: { readonly text: string }) {
  return <>{text.split("`").map((part, i) => (i % 2 === 1 ? <code key={i}>{part}</code> : part))}</>;
}

/** A line to type in a terminal, with a copy button. */
export function Command({ model, text }: { readonly model: Model; readonly text: string }) {
  return (
    <div class="command">
      <code>{text}</code>
      <button
        type="button"
        class="button quiet small"
        aria-label={word("app.copy_what", { what: text })}
        onClick={() => model.do.copy(text)}
      >
        <Icon name="copy" size={18} />
      </button>
    </div>
  );
}

/** Digits or hex in groups of `every`; a line does not break within a group. */
export function Groups({ text, every }: { readonly text: string; readonly every: number }) {
  const groups = text.match(new RegExp(`.{1,${every}}`, "g")) ?? [];
  return (
    <span class="groups">
      {groups.map((group, i) => (
        <span key={i}>{group}</span>
      ))}
    </span>
  );
}
