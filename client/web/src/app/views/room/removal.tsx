/** The question before a member is removed: what becomes of the invite; and afterwards, in its place, the new link. */
import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { word } from "../../../words";
import { speaker } from "../../../words/own";
import { removal } from "../../../words/removal";
import { Icon } from "../../icons";
import type { Person } from "../../model";
import { Decision } from "./dialog";
import { useUi } from "./ui";

const say = speaker<keyof typeof removal.en>(removal);

export function Removal({ person, close }: { readonly person: Person; close(): void }) {
  const { model } = useUi();
  const { leaf, name } = person;
  /** The links before the removal; null: it is not decided yet. */
  const before = useSignal<ReadonlySet<string> | null>(null);
  const invites = model.inviteRows.value.filter(({ revoked, usedBy }) => !revoked && usedBy.includes(name));
  // without a row, we don't know by which invite they came
  const shared = useRef(false);
  if (before.value === null) shared.current = invites.some(({ once }) => !once);
  useEffect(() => model.do.refreshInvites(), []);
  if (before.value !== null) return <Removed person={person} before={before.value} close={close} />;
  return (
    <>
      <h2>{word("meet.remove_title", { name })}</h2>
      <p>{say("text", { name })}</p>
      <p>{say(shared.current ? "shared" : invites.length > 0 ? "once" : "invite", { name })}</p>
      <Decision
        yes={say("yes")}
        cancel={close}
        act={() => {
          if (shared.current) before.value = new Set(model.invites.peek().map(({ link }) => link));
          else close();
          model.do.remove(leaf);
        }}
      />
    </>
  );
}

function Removed({ person, before, close }: { readonly person: Person; readonly before: ReadonlySet<string>; close(): void }) {
  const { model } = useUi();
  const { leaf, name } = person;
  const button = useRef<HTMLButtonElement>(null);
  useEffect(() => button.current?.focus(), []);
  const here = model.people.value.some((each) => each.leaf === leaf && each.name === name);
  const fresh = model.invites.value.find(({ link, once }) => !once && !before.has(link));
  return (
    <>
      <div class="stack tight" role="status">
        <h2>{say(here ? "under_way" : "done", { name })}</h2>
        {!here && <p>{say(fresh === undefined ? "done_no_link" : "done_link")}</p>}
        {!here && fresh !== undefined && <p class="link-address">{fresh.link}</p>}
      </div>
      <div class="two">
        <button ref={button} type="button" class="button" onClick={close}>
          {word("meet.close")}
        </button>
        {!here && (
          <button
            type="button"
            class="button primary"
            onClick={() => {
              if (fresh !== undefined) return model.do.copy(fresh.link);
              close();
              model.panel.value = "people";
            }}
          >
            {fresh !== undefined && <Icon name="copy" size={16} />}
            {word(fresh === undefined ? "meet.invites" : "meet.invite_copy")}
          </button>
        )}
      </div>
    </>
  );
}
