import { useRef } from "preact/hooks";
import { duration, type Key, word } from "../../words/index";
import type { KeptMeeting } from "../../kept";
import type { Model } from "../model";
import { OwnLevel, OwnPicture } from "./devices";
import { Heading } from "./heading";

/** The kinds of waiting that a lobby reports. */
const KINDS = ["waiting", "knocking", "away"] as const;
/** Seconds after which somebody who comes back can do something else. */
const ANSWERED = 8;
/** Seconds without a sign of a host after which the link may be of no use. */
const NOBODY = 60;

/** The view of a guest who waits: for a host, for an answer, or for the server. */
export function Waiting({ model }: { readonly model: Model }) {
  const waiting = model.waiting.value;
  /** When there was a sign of a host, or of trouble on the way to one. */
  const sign = useRef(waiting?.since ?? 0);
  if (waiting === null) return null;
  if (waiting.back !== undefined) return <Returning model={model} waiting={waiting} back={waiting.back} />;
  // no host for a while can also mean that this device has a wrong date: then the session says so
  const alone = waiting.kind === "waiting" || waiting.text.key === "status.clock.date";
  const kind = alone ? "waiting" : KINDS.find((known) => known === waiting.kind);
  const heading: Key = kind === undefined ? "waiting.other" : `waiting.${kind}`;
  const now = model.now.value;
  const gone = now - waiting.since;
  if (!alone) sign.current = now;
  const nobody = now - sign.current >= NOBODY;
  return (
    <div class="waiting">
      <div class="stack">
        <OwnPicture model={model} />
        <OwnLevel model={model} />
      </div>
      <div class="stack">
        <Heading>{word(heading)}</Heading>
        <div role="status" class="stack tight">
          {waiting.kind === "waiting" || kind === "knocking" ? null : <p>{word(waiting.text)}</p>}
          {kind === undefined ? null : <p class="muted">{word(`waiting.${kind}_note`)}</p>}
          {nobody ? <p>{word("waiting.nobody")}</p> : null}
          {nobody ? <p class="muted">{word("waiting.nobody_way")}</p> : null}
        </div>
        {gone < 5 ? null : <p class="muted figures">{word("waiting.since", { time: duration(gone) })}</p>}
        <div>
          <button type="button" class="button" onClick={() => model.do.giveUp()}>
            {word("waiting.give_up")}
          </button>
        </div>
      </div>
    </div>
  );
}

/** The view of somebody who comes back to a meeting that this device keeps. */
function Returning(props: {
  readonly model: Model;
  readonly waiting: NonNullable<Model["waiting"]["value"]>;
  readonly back: KeptMeeting;
}) {
  const { model, waiting, back } = props;
  const unanswered = model.now.value - waiting.since >= ANSWERED;
  return (
    <div class="narrow stack">
      <Heading>{word(waiting.text)}</Heading>
      <p class="muted">{back.title}</p>
      <p role="status">{word(unanswered ? "waiting.nobody_answers" : "waiting.returning_note")}</p>
      <div class="row">
        {unanswered && back.host ? (
          <button type="button" class="button primary" onClick={() => model.do.comeBack(back.id, true)}>
            {word("waiting.open_again")}
          </button>
        ) : null}
        {unanswered ? (
          <button type="button" class="button" onClick={() => model.do.knock()}>
            {word("waiting.knock")}
          </button>
        ) : null}
        <button type="button" class="button quiet" onClick={() => model.do.again()}>
          {word("waiting.give_up")}
        </button>
      </div>
    </div>
  );
}
