/** A question for the class: its answers, the way in for phones, and the count once the lecturer shows it. */
import { QrCode } from "../app/qr";
import { speaker } from "../words/own";
import { predictions } from "../words/predictions";
import { possible, type State, typed, type Voting } from "./state";
import type { Story } from "./store";
import { say } from "./words";

type PredictionKey = keyof typeof predictions.en;
const predict = speaker<PredictionKey>(predictions);

/** Return a sentence whose key is made of a question's name; the key, if this page does not have it. */
const sentence = (key: string): string => (key in predictions.en ? predict(key as PredictionKey) : key);

/** Pixels of the code before the page fits it to the screen. */
const CODE = 300;

interface Props {
  readonly model: Story;
  readonly votes: Voting;
  readonly questions: readonly string[];
}

/** Shows the prediction or hides it; nothing for a step without a question. */
export function PredictionSwitch({ model, state, questions }: { readonly model: Story; readonly state: State | null; readonly questions: readonly string[] }) {
  const first = questions[0];
  if (state === null || state.votes === null || first === undefined) return null;
  if (!possible(state, "vote", { do: "open" })) return null;
  const { question, voted } = state.votes;
  const asked = question !== null && questions.includes(question);
  const shown = model.predicting.value;
  const turn = (): void => {
    model.predicting.value = !shown;
    model.do("vote", shown ? { do: "close" } : { do: "open", question: typed(state, "vote", "question") ?? (asked ? question : first) });
  };
  return (
    <button type="button" class="button" data-predict aria-pressed={shown} onClick={turn}>
      {say(shown ? "vote_hide" : "vote_show")}
      {!shown && asked && ` (${voted})`}
    </button>
  );
}

export function Prediction({ model, votes, questions }: Props) {
  const { question, stage, voted, phones, counts, right } = votes;
  if (question === null || stage === undefined || !questions.includes(question)) return <p role="status">{say("waiting")}</p>;
  return (
    <div class="halves prediction" data-stage={stage}>
      <div class="stack">
        <h2>{sentence(`ask_${question}`)}</h2>
        <ol class="picks">
          {Array.from({ length: votes.choices ?? 0 }, (_, i) => (
            <li key={i} data-pick={i + 1} data-right={right === i + 1}>
              <span>
                {sentence(`pick_${question}_${i + 1}`)} {right === i + 1 && <b>({say("vote_right")})</b>}
              </span>
              {counts !== null && <Bar count={counts[i] ?? 0} all={voted} />}
            </li>
          ))}
        </ol>
        <div class="row">
          {stage !== "revealed" && (
            <button type="button" class="button primary" data-reveal onClick={() => model.do("vote", { do: "reveal" })}>
              {say("vote_reveal")}
            </button>
          )}
          {stage !== "open" && (
            <button type="button" class="button" data-again onClick={() => model.do("vote", { do: "again" })}>
              {say("vote_again")}
            </button>
          )}
          {questions.length > 1 && <Which model={model} questions={questions} question={question} />}
          <span class="figures" role="status">
            {say("vote_count", { voted, phones })} {stage === "closed" && say("vote_closed")}
          </span>
        </div>
      </div>
      {votes.address !== "" && (
        <section class="side way-in" aria-labelledby="way-in">
          <h2 id="way-in">{say("vote_scan")}</h2>
          <QrCode text={votes.address} size={CODE} />
          <p class="figures address">{votes.address}</p>
        </section>
      )}
    </div>
  );
}

/** Chooses one of the step's questions. */
function Which({ model, questions, question }: { readonly model: Story; readonly questions: readonly string[]; readonly question: string }) {
  return (
    <span class="select">
      <select
        class="input"
        aria-label={say("vote_which")}
        value={question}
        onChange={(event) => model.do("vote", { do: "open", question: event.currentTarget.value })}
      >
        {questions.map((each) => (
          <option key={each} value={each}>
            {sentence(`ask_${each}`)}
          </option>
        ))}
      </select>
    </span>
  );
}

function Bar({ count, all }: { readonly count: number; readonly all: number }) {
  return (
    <span class="bar">
      <meter min={0} max={Math.max(1, all)} value={count} aria-hidden="true" />
      <span class="figures">{say("vote_bar", { count, all })}</span>
    </span>
  );
}
