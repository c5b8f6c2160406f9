/** The knocks: one card at a time, in order of arrival, until each is answered. */
import { useEffect, useRef } from "preact/hooks";
import { clock, type Key, word } from "../../../words";
import type { Standing } from "../../../session/events";
import { Icon } from "../../icons";
import type { Model } from "../../model";
import { inviteWords } from "./invites";
import { Monogram } from "./monogram";
import { useUi } from "./ui";

type Knock = Model["knocks"]["value"][number];

const STANDING: Readonly<Record<Standing, Key>> = {
  none: "meet.knock_none",
  new: "meet.knock_new",
  known: "meet.knock_known",
  verified: "meet.knock_verified",
};

/** Return digits in groups of five. */
export const groups = (digits: string): readonly string[] => digits.replace(/\s/g, "").match(/.{1,5}/gu) ?? [];

/** Id of the card, for the shortcut that focuses it. */
export const ADMISSION = "admission";

export function Admission() {
  const { model } = useUi();
  const [knock, ...others] = model.knocks.value;
  if (knock === undefined || !model.amHost.value) return null;
  return <Card key={knock.knock} knock={knock} others={others.length} />;
}

function Card({ knock, others }: { readonly knock: Knock; readonly others: number }) {
  const { model } = useUi();
  const card = useRef<HTMLElement>(null);
  const invite = inviteWords(knock.invite, knock.label);
  const doubts = [
    ...(knock.looksLike === null ? [] : [word("meet.knock_looks_like", { name: knock.looksLike })]),
    ...knock.warnings.map((warning) => word(warning)),
  ];
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
        {others > 0 && <span class="badge brass">{word("meet.knock_more", { n: others })}</span>}
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
      {doubts.length > 0 && (
        <ul class="doubts">
          {doubts.map((doubt) => (
            <li key={doubt}>
              <Icon name="triangle-alert" />
              <span>{doubt}</span>
            </li>
          ))}
        </ul>
      )}
      <p class="standing">
        <Icon name={knock.standing === "none" || knock.standing === "new" ? "circle-question-mark" : "user-check"} />
        <span>
          {knock.contact !== null && knock.standing !== "none" && knock.standing !== "new"
            ? word(knock.standing === "known" ? "meet.knock_known_as" : "meet.knock_verified_as", { contact: knock.contact })
            : word(STANDING[knock.standing])}
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
            onClick={answer(() => model.do.refuse(knock.knock))}
          >
            {word("meet.refuse")}
          </button>
          <button
            type="button"
            class="button"
            data-admit
            // people press Enter without looking
            onKeyDown={(event) => {
              if (event.key === "Enter") event.preventDefault();
            }}
            aria-describedby="admission-note"
            onClick={answer(() => model.do.admit(knock.knock))}
          >
            {word("meet.admit")}
          </button>
        </div>
        <p class="note" id="admission-note">
          {word("meet.knock_waits", { time: clock(knock.at) })} <span class="keyboard-only">{word("meet.knock_enter")}</span>
        </p>
      </div>
    </section>
  );
}

let answeredByKey = false;
