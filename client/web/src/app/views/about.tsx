import { word } from "../../words/index";
import { Icon } from "../icons";
import type { Model } from "../model";
import { Command, Groups, Prose } from "./prose";

/** Return an origin without the scheme, if it is https. */
export const hostOf = (origin: string): string => origin.replace(/^https:\/\//, "");

/** The origin of this page in one line; it opens to show ways to check the page. */
export function About({ model }: { readonly model: Model }) {
  const { own, proven, pageOrigin, kept } = model.where.value;
  const from = proven ? "about.own" : own ? "about.unproven" : kept ? "about.kept" : "about.served";
  return (
    <details class="about" onToggle={(event) => event.currentTarget.open && model.do.learnHash()}>
      <summary>
        <Icon name="info" size={18} />
        <span>
          <Prose text={word(from, { origin: hostOf(pageOrigin) })} />
        </span>
        <Icon name="chevron-down" size={18} />
      </summary>
      <AboutText model={model} />
    </details>
  );
}

/** The hash of the page, and ways to avoid the server's copy. */
export function AboutText({ model }: { readonly model: Model }) {
  const { proven, pageOrigin, hash } = model.where.value;
  return (
    <div class="about-text stack">
      <div class="stack tight">
        <strong>{word("about.hash")}</strong>
        <p>{hash === null ? <span class="muted">{word("about.hash_wait")}</span> : <Groups text={hash} every={8} />}</p>
        <p class="muted">{word(proven ? "about.hash_own" : "about.hash_why")}</p>
      </div>
      {proven ? null : (
        <div class="about-ways">
          <div class="stack tight">
            <p class="muted">{word("about.lie")}</p>
            <Command model={model} text={`snug verify-page ${pageOrigin}`} />
          </div>
          <div class="stack tight">
            <p class="muted">
              <Prose text={word("about.self")} />
            </p>
            <Command model={model} text="snug page" />
          </div>
        </div>
      )}
    </div>
  );
}
