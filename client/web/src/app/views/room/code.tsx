/** The code, which is the same for every member: its picture, its digits, and four emoji to read out. */
import { useSignal } from "@preact/signals";
import { word } from "../../../words";
import { Icon } from "../../icons";
import type { CodeView } from "../../model";
import { CodeArt } from "../../codeArt";
import { Digits, groups } from "./digits";
import { PastIncidents } from "./pastIncidents";
import { asker, useUi } from "./ui";

export function Code() {
  const { model } = useUi();
  const code = model.code.value;
  if (code === null) return <p class="note">{word("meet.code_none")}</p>;
  const { short } = code;
  const alone = model.people.value.length < 2;
  return (
    <>
      {/* what is read out now comes first */}
      {short !== null && !alone && <Compare code={code} />}
      <figure class="code">
        <CodeArt digits={code.digits} size={184} />
        <figcaption>
          <Digits digits={code.digits} />
        </figcaption>
      </figure>
      <p class="code-why">{word("meet.code_why")}</p>
      {alone ? <p class="note">{word("meet.code_alone")}</p> : <Compared code={code} />}
      {short === null && !alone && <Compare code={code} />}
      <PastIncidents />
    </>
  );
}

/** The result of the last comparison, and the changes since then. */
function Compared({ code }: { readonly code: CodeView }) {
  const { model } = useUi();
  const { comparison } = code;
  if (comparison === null) return null;
  if (!comparison.same) {
    return (
      <section class="alarm differ" aria-labelledby="differ-title">
        <Icon name="triangle-alert" />
        <div class="stack tight">
          <h3 id="differ-title">{word("meet.differ_title")}</h3>
          <ol>
            <li>{word("meet.differ_1")}</li>
            <li>{word("meet.differ_2")}</li>
            <li>{word("meet.differ_3")}</li>
          </ol>
          <div class="row">
            <button type="button" class="button small alarming" onClick={() => model.do.compare()}>
              {word("meet.differ_again")}
            </button>
            <button type="button" class="button small alarming" onClick={() => model.do.leave()}>
              {word("meet.leave_only")}
            </button>
          </div>
        </div>
      </section>
    );
  }
  const news = comparison.members.filter((member) => member.newSince).map((member) => member.name);
  return (
    <section class="compared" data-news={news.length > 0}>
      <h3>
        <Icon name={news.length > 0 ? "info" : "check"} />
        {word("meet.compared_same")}
      </h3>
      <p class="note">
        {word(comparison.how === "short" ? "meet.compared_short" : "meet.compared_digits")}
      </p>
      {comparison.changes.length > 0 && (
        <>
          <p class="label">{word("meet.compared_changed")}</p>
          <ul class="changes">
            {comparison.changes.map((change, place) => (
              <li key={place}>{word(change)}</li>
            ))}
          </ul>
        </>
      )}
      <p>{news.length > 0 ? word("meet.compared_new", { names: news }) : word("meet.compared_covers")}</p>
    </section>
  );
}

/** The comparison run with four emoji, and the digits as the alternative. */
function Compare({ code }: { readonly code: CodeView }) {
  const { model } = useUi();
  const digits = useSignal(false);
  const { short, running, comparison } = code;
  const words = word("code.words").split(" ");
  const name = asker(model, code);
  const answer = (how: "short" | "digits") => (
    <div class="stack tight">
      <button type="button" class="button wide" onClick={() => model.do.compared(true, how)}>
        {word(how === "short" ? "meet.same" : "meet.same_digits")}
      </button>
      <button type="button" class="button wide" onClick={() => model.do.compared(false, how)}>
        {word("meet.differ")}
      </button>
    </div>
  );
  return (
    <section class="compare panel-part">
      {short !== null && (
        <>
          <p class="label">{name === null ? word("meet.compare_short") : word("meet.compares", { name })}</p>
          <ol class="signs">
            {short.emoji.map((emoji, place) => (
              <li key={place}>
                <span class="emoji" aria-hidden="true">
                  {emoji}
                </span>
                <span>{words[short.indices[place] ?? 0]}</span>
              </li>
            ))}
          </ol>
          {answer("short")}
        </>
      )}
      <Answers code={code} />
      <div role="status">{running && <p class="running">{word("meet.compare_running")}</p>}</div>
      {short === null && !running && (
        <>
          <button
            type="button"
            class={comparison === null ? "button primary wide" : "button wide"}
            onClick={() => model.do.compare()}
          >
            <Icon name="volume-2" />
            {word("meet.compare")}
          </button>
          <p class="note">{word("meet.compare_text")}</p>
        </>
      )}
      <details
        open={digits.value}
        onToggle={(event) => {
          digits.value = event.currentTarget.open;
        }}
      >
        <summary>{word("meet.compare_digits")}</summary>
        <p class="note">{word("meet.compare_digits_text")}</p>
        {answer("digits")}
        <button type="button" class="button quiet wide" onClick={() => model.do.copy(groups(code.digits).join(" "))}>
          <Icon name="copy" />
          {word("meet.code_copy")}
        </button>
      </details>
    </section>
  );
}

/** Everybody's answer to the last short code. */
function Answers({ code: { answers } }: { readonly code: CodeView }) {
  if (answers === null) return null;
  const { members } = answers;
  const same = members.filter((member) => member.same === true).length;
  return (
    <section class="panel-part" aria-labelledby="answers-title">
      <h3 id="answers-title">{word("meet.answers_title")}</h3>
      <p role="status">{word("meet.answers", { same, of: members.length })}</p>
      <ul class="answers">
        {members.map((member) => (
          <li key={member.leaf} class="with-icon" data-same={String(member.same)}>
            <Icon name={member.same === null ? "ellipsis" : member.same ? "check" : "x"} size={16} />
            <bdi>{member.name}</bdi>
            <span class="note">
              {word(member.same === null ? "meet.answer_none" : member.same ? "meet.answer_same" : "meet.answer_differs")}
            </span>
          </li>
        ))}
      </ul>
      <p class="note">{word("meet.answers_note")}</p>
    </section>
  );
}
