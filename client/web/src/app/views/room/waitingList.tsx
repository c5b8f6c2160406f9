/** All who wait at the door: find them, choose some of them, answer them at once, and see how many are in. */
import { batch, type Signal, useSignal, useSignalEffect } from "@preact/signals";
import { word } from "../../../words";
import { speaker } from "../../../words/own";
import { waiting } from "../../../words/waiting";
import { Icon } from "../../icons";
import type { Model } from "../../model";
import { inviteWords } from "./inviteWords";
import { Monogram } from "./monogram";
import { type Question, useUi } from "./ui";

export type Knock = Model["knocks"]["value"][number];

const say = speaker<keyof typeof waiting.en>(waiting);

/** From so many people who wait, there is a field to search, and the list has the person on the card as well. */
const MANY = 8;
/** Milliseconds for which the progress stays when all are in, and after the last change: a rule may keep somebody out. */
const DONE_STAYS = 3_000;
const PROGRESS_STAYS = 20_000;

/** People who were let in with one answer, and those of them who have come in. */
interface Batch {
  readonly names: ReadonlySet<string>;
  readonly inside: ReadonlySet<string>;
}

/** What a person has typed and chosen: it outlives the card of one knock. */
export interface WaitingState {
  readonly search: Signal<string>;
  readonly chosen: Signal<ReadonlySet<Knock>>;
  readonly admitted: Signal<Batch | null>;
}

/** Return the state of the list, and follow who has come in. */
export function useWaitingList(): WaitingState {
  const { model } = useUi();
  const search = useSignal("");
  const chosen = useSignal<ReadonlySet<Knock>>(new Set());
  const admitted = useSignal<Batch | null>(null);
  useSignalEffect(() => {
    const now = admitted.value;
    const people = model.people.value;
    if (now === null) return;
    const came = people.map(({ name }) => name).filter((name) => now.names.has(name) && !now.inside.has(name));
    if (came.length > 0) admitted.value = { ...now, inside: new Set([...now.inside, ...came]) };
    const over = setTimeout(() => (admitted.value = null), now.inside.size === now.names.size ? DONE_STAYS : PROGRESS_STAYS);
    return () => clearTimeout(over);
  });
  return { search, chosen, admitted };
}

/** How many of those who were let in at once are in. `alone`: nobody waits any more. */
export function Progress({ list, alone = false }: { readonly list: WaitingState; readonly alone?: boolean }) {
  const now = list.admitted.value;
  if (now === null) return null;
  const [inside, of] = [now.inside.size, now.names.size];
  const progress = (
    <div class="stack tight" role="status">
      <span>{say("inside", { inside, of })}</span>
      <progress max={of} value={inside} aria-hidden="true" />
    </div>
  );
  return alone ? <section class="admission">{progress}</section> : progress;
}

/** Reasons to look twice at who knocks. */
export const doubtsOf = ({ warnings }: Knock): readonly string[] => warnings.map((warning) => word(warning));

export const Doubts = ({ doubts }: { readonly doubts: readonly string[] }) =>
  doubts.length === 0 ? null : (
    <ul class="doubts">
      {doubts.map((doubt) => (
        <li key={doubt}>
          <Icon name="triangle-alert" />
          <span>{doubt}</span>
        </li>
      ))}
    </ul>
  );

interface ListProps {
  /** The knock whose card is shown, and the others. */
  readonly knock: Knock;
  readonly others: readonly Knock[];
  readonly list: WaitingState;
  show(other: Knock): (event: MouseEvent) => void;
}

export function WaitingList({ knock, others, list, show }: ListProps) {
  const { model, question } = useUi();
  const all = [knock, ...others];
  const wanted = list.search.value.trim().toLocaleLowerCase();
  const found = all.filter(({ name }) => name.toLocaleLowerCase().includes(wanted));
  const shown = all.length < MANY ? others : found;
  const chosen = all.filter((each) => list.chosen.value.has(each));
  const some = chosen.length > 0 ? chosen : all;
  const choose = (knocks: readonly Knock[], on: boolean): void => {
    const next = new Set(chosen);
    for (const each of knocks) if (on) next.add(each); else next.delete(each);
    list.chosen.value = next;
  };
  const ask = (admit: boolean) => () => {
    question.value = questionAbout(model, list, admit ? able : some, admit, chosen.length === 0);
  };
  const n = some.length;
  // nobody comes in beside a member with the same name
  const able = some.filter(({ looksLike }) => looksLike === null);
  return (
    <div class="stack tight waiting-list">
      {all.length >= MANY && (
        <>
          <input
            type="search"
            class="input"
            aria-label={say("search")}
            placeholder={say("search")}
            value={list.search.value}
            onInput={(event) => (list.search.value = event.currentTarget.value)}
          />
          <p class="note" role="status">
            {wanted !== "" && say("found", { n: shown.length, of: all.length })}
          </p>
        </>
      )}
      <div class="two">
        <button type="button" class="button" onClick={ask(false)}>
          {say(chosen.length === 0 ? "refuse_all" : "refuse_some", { n })}
        </button>
        <button type="button" class="button" disabled={able.length === 0} onClick={ask(true)}>
          {chosen.length === 0 ? word("meet.admit_all", { n: able.length }) : say("admit_some", { n: able.length })}
        </button>
      </div>
      {all.length >= MANY && found.length > 0 && (
        <label class="choice">
          <input
            type="checkbox"
            checked={found.every((each) => list.chosen.value.has(each))}
            onChange={(event) => choose(found, event.currentTarget.checked)}
          />
          {say("choose_all", { n: found.length })}
        </label>
      )}
      <ul class="queue" aria-label={word("meet.knock_more", { n: others.length })}>
        {shown.map((each) => (
          <li key={each.knock}>
            {all.length >= MANY && (
              <label class="choice">
                <input
                  type="checkbox"
                  aria-label={say("choose", { name: each.name })}
                  checked={list.chosen.value.has(each)}
                  onChange={(event) => choose([each], event.currentTarget.checked)}
                />
              </label>
            )}
            <Waiting knock={each} show={show(each)} />
          </li>
        ))}
      </ul>
    </div>
  );
}

function Waiting({ knock, show }: { readonly knock: Knock; show(event: MouseEvent): void }) {
  const doubts = doubtsOf(knock);
  return (
    <button type="button" class="item" onClick={show}>
      <Monogram name={knock.name} />
      <span>
        <bdi>{knock.name}</bdi>
        {!knock.returning && <small>{word("meet.knock_by", { invite: inviteWords(knock.invite, knock.label) })}</small>}
        <span class="unseen">{doubts.join(" ")}</span>
      </span>
      {doubts.length > 0 && <Icon name="triangle-alert" />}
    </button>
  );
}

/**
 * Return the question that names all whom an answer is about. Nobody else comes in by it: not even under a name of
 * theirs.
 */
function questionAbout(
  model: Model,
  list: WaitingState,
  knocks: readonly Knock[],
  admit: boolean,
  all: boolean,
): Question {
  const n = knocks.length;
  return {
    title: !admit
      ? say("refuse_title", { n })
      : all
        ? word("meet.admit_all_title", { n })
        : say("admit_some_title", { n }),
    text: admit ? word("meet.admit_all_text") : say("refuse_text"),
    more: (
      <ul class="queue">
        {knocks.map((knock) => (
          <li key={knock.knock}>
            <bdi>{knock.name}</bdi>
            <Doubts doubts={doubtsOf(knock)} />
          </li>
        ))}
      </ul>
    ),
    yes: word(admit ? "meet.admit_all_yes" : "meet.refuse"),
    act: () =>
      batch(() => {
        const waiting = new Set(model.knocks.peek());
        // another host may have answered some of them meanwhile
        const left = knocks.filter((knock) => waiting.has(knock));
        for (const { knock } of left) {
          if (admit) model.do.admit(knock);
          else model.do.refuse(knock);
        }
        list.chosen.value = new Set();
        list.search.value = "";
        const names = new Set(left.filter(({ returning }) => !returning).map(({ name }) => name));
        if (admit && names.size > 1) list.admitted.value = { names, inside: new Set() };
      }),
  };
}
