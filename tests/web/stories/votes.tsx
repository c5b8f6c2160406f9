/** The page of a phone in a class: each state of a question. */
import { signal } from "@preact/signals";
import type { Model } from "../../../client/web/src/app/model";
import type { Asked, Ballot, Trouble } from "../../../client/web/src/phone/store";
import { Phone } from "../../../client/web/src/phone/view";
import { predictions } from "../../../client/web/src/words/predictions";
import { asked, fake } from "./fake";
import type { Story } from "./story";

interface Values {
  readonly now: Asked | null;
  readonly chosen?: number;
  readonly trouble?: Trouble;
}

const view = ({ now, chosen, trouble }: Values) => (model: Model) => {
  const shown: Ballot = {
    language: model.language, texts: signal({ first: "en", words: predictions }), asked: signal(now), trouble: signal(trouble ?? null),
    chosen: signal(chosen === undefined ? {} : { act_forge: chosen }),
    choose: (question, choice) => asked.push(["choose", question, choice]),
  };
  return <Phone model={shown} />;
};

const question = (stage: "open" | "closed" | "revealed"): Asked => ({ question: "act_forge", stage, choices: 3, right: stage === "revealed" ? 2 : null });
const story = (name: string, values: Values): Story => ({ name: `votes-${name}`, style: "phone", model: () => fake(), view: view(values) });

export default [
  story("waiting", { now: { question: null } }),
  story("open", { now: question("open") }),
  story("counted", { now: question("open"), chosen: 3 }),
  story("refused", { now: question("open"), trouble: "address" }),
  story("closed", { now: question("closed"), chosen: 1 }),
  story("right", { now: question("revealed"), chosen: 2 }),
  story("wrong", { now: question("revealed"), chosen: 1 }),
  story("gone", { now: null, trouble: "gone" }),
] satisfies Story[];
