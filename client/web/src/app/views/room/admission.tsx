/** The knocks: a card for one of them, the first until the person chooses another, and a list of the others. */
import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { clock, type Key, word } from "../../../words";
import type { Standing } from "../../../session/events";
import { Icon } from "../../icons";
import { groups } from "./digits";
import { inviteWords } from "./inviteWords";
import { Monogram } from "./monogram";
import { NotifyOffer } from "./noticeSettings";
import { ADMISSION, useUi } from "./ui";
import { Doubts, doubtsOf, type Knock, Progress, useWaitingList, WaitingList, type WaitingState } from "./waitingList";

const STANDING: Readonly<Record<Standing, Key>> = {
  none: "meet.knock_none",
  new: "meet.knock_new",
  known: "meet.knock_known",
  verified: "meet.knock_verified",
};

export function Admission() {
  const { model } = useUi();
  const chosen = useSignal<Knock | null>(null);
  const first = useRef<number | null>(null);
  const list = useWaitingList();
  const knocks = model.knocks.value;
  const knock = knocks.find((each) => each === chosen.value) ?? knocks[0];
  if (!model.amHost.value) return null;
  if (knock === undefined) return <Progress list={list} alone />;
  first.current ??= knock.knock;
  return (
    <Card
      key={knock.knock}
      knock={knock}
      others={knocks.filter((each) => each !== knock)}
      offers={knock.knock === first.current}
      list={list}
      show={(other) => {
        chosen.value = other;
      }}
    />
  );
}

interface CardProps {
  readonly knock: Knock;
  readonly others: readonly Knock[];
  /** Whether it offers to notify the person of further knocks. */
  readonly offers: boolean;
  readonly list: WaitingState;
  show(other: Knock): void;
}

function Card({ knock, others, offers, list, show }: CardProps) {
  const { model } = useUi();
  const card = useRef<HTMLElement>(null);
  const invite = inviteWords(knock.invite, knock.label);
  const doubts = doubtsOf(knock);
  const mayEnter = knock.looksLike === null || knock.proof !== null;
  // after an answer by keyboard the focus moves on to the next card; otherwise the card takes no focus
  useEffect(() => {
    if (answeredByKey) card.current?.focus();
    answeredByKey = false;
  }, []);
  const answer = (act: () => void) => (event: MouseEvent) => {
    // only the first click of a double click counts: the second would answer the next knock
    if (event.detail > 1) return;
    answeredByKey = event.detail === 0;
    act();
  };
  return (
    <section
      ref={card}
      class="admission"
      id={ADMISSION}
      role="dialog"
      aria-modal="false"
      aria-labelledby="admission-title"
      tabIndex={-1}
    >
      <p class="admission-head">
        <span>{word("meet.knock")}</span>
        {others.length > 0 && <span class="badge brass">{word("meet.knock_more", { n: others.length })}</span>}
      </p>
      <div class="admission-who">
        <Monogram name={knock.name} />
        <div>
          <h2 id="admission-title">
            <bdi>{knock.name}</bdi>
          </h2>
          {!knock.returning && <p>{word("meet.knock_by", { invite })}</p>}
        </div>
      </div>
      {knock.greeting !== "" && (
        <blockquote>
          <span class="unseen">{word("meet.knock_greeting")}: </span>
          <bdi>{knock.greeting}</bdi>
        </blockquote>
      )}
      <Doubts doubts={doubts} />
      <p class="standing">
        <Icon name={knock.standing === "none" || knock.standing === "new" ? "circle-question-mark" : "user-check"} />
        <span>
          {knock.contact !== null && knock.standing !== "none" && knock.standing !== "new"
            ? word(knock.standing === "known" ? "meet.knock_known_as" : "meet.knock_verified_as", { contact: knock.contact })
            : word(STANDING[knock.standing], { name: knock.name })}
        </span>
      </p>
      {knock.fingerprint !== null && (
        <div class="digits">
          <p class="note">{word("meet.knock_fingerprint")}</p>
          <p class="code-digits">
            {groups(knock.fingerprint).map((group, place) => (
              <span key={place}>{group}</span>
            ))}
          </p>
        </div>
      )}
      <div class="admission-foot">
        <div class="two">
          <button
            type="button"
            class="button"
            data-testid="refuse"
            onClick={answer(() => model.do.refuse(knock.knock))}
          >
            {word("meet.refuse")}
          </button>
          {mayEnter && (
            <button
              type="button"
              class="button"
              data-testid="admit"
              // people press Enter without looking
              onKeyDown={(event) => {
                if (event.key === "Enter") event.preventDefault();
              }}
              aria-describedby="admission-note"
              onClick={answer(() => model.do[knock.proof === null ? "admit" : "replace"](knock.knock))}
            >
              {knock.proof === null ? word("meet.admit") : word("meet.replace", { name: knock.looksLike })}
            </button>
          )}
        </div>
        <p class="note" id="admission-note">
          {word("meet.knock_waits", { time: clock(knock.at) })}
          {mayEnter && <span class="keyboard-only"> {word("meet.knock_enter")}</span>}
        </p>
        {offers && <NotifyOffer />}
      </div>
      <Progress list={list} />
      {others.length > 0 && <WaitingList knock={knock} others={others} list={list} show={(other) => answer(() => show(other))} />}
    </section>
  );
}

let answeredByKey = false;
