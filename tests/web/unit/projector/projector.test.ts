/** The projector: the keys that turn its story, and the lines that members see. */
import { deepEqual, equal } from "node:assert/strict";
import { test } from "node:test";
import { linesOf, possible, type Told, typed } from "../../../../client/web/src/projector/state";
import { questionsOf, STEPS, turnOf, within } from "../../../../client/web/src/projector/steps";

test("space, arrows and the keys of a remote control turn the story", () => {
  deepEqual([" ", "ArrowRight", "PageDown"].map((key) => turnOf(key, false, false)), [1, 1, 1]);
  deepEqual(["ArrowLeft", "PageUp"].map((key) => turnOf(key, false, false)), [-1, -1]);
  deepEqual(["a", "Enter", "Tab", "Escape"].map((key) => turnOf(key, false, false)), [0, 0, 0, 0]);
});

test("a key that is meant for a field or a button does not", () => {
  deepEqual([" ", "ArrowRight", "ArrowLeft"].map((key) => turnOf(key, true, false)), [0, 0, 0]);
  equal(turnOf(" ", false, true), 0, "space presses the button");
  equal(turnOf("ArrowRight", false, true), 1);
});

test("the story has a first step and a last one", () => {
  deepEqual([-1, 0, 3, STEPS.length, 99].map(within), [0, 0, 3, STEPS.length - 1, STEPS.length - 1]);
  deepEqual([Number.NaN, 1.5].map(within), [0, 0], "an address that somebody has changed");
  equal(STEPS[0], "who", "the story comes before the tree");
});

test("a line on several screens is one, with the names of those who see it", () => {
  const told = (member: string, severity: Told["severity"], key: string, who = ""): Told => ({
    member, number: 1, kind: "any", severity, text: { key, args: { who } },
  });
  const lines = linesOf([
    told("Ada", "calm", "c"), told("Ada", "attention", "b", "Cem"), told("Bo", "attention", "b", "Ada"),
    told("Bo", "attack", "a"), told("Cem", "attack", "a"),
  ]);
  deepEqual(
    lines.map(({ severity, members, text }) => [severity, members, text.args?.["who"]]),
    [["attack", ["Bo", "Cem"], ""], ["attention", ["Ada"], "Cem"], ["attention", ["Bo"], "Ada"], ["calm", ["Ada"], ""]],
  );
  deepEqual(linesOf([]), []);
});

test("a step has its question, and acts have one each", () => {
  deepEqual(questionsOf("find", ["forge"]), ["find"]);
  deepEqual(questionsOf("who", ["forge"]), [], "nothing can be predicted there");
  deepEqual(questionsOf("acts", ["forge", "drop"]), ["act_forge", "act_drop"]);
});

test("in a recording, what was done can be done", () => {
  const played = [{ deed: "join", told: { name: "Dana" } }, { deed: "kill", told: {} }];
  for (const state of [{ played: null }, { played }]) {
    equal(possible(state, "kill"), true);
    equal(possible(state, "join", { name: "Dana" }), true);
    equal(possible(state, "join", { name: "Emil" }), state.played === null);
    equal(possible(state, "remove"), state.played === null);
  }
  equal(typed({ played }, "join", "name"), "Dana");
  equal(typed({ played }, "word", "text"), null);
  equal(typed({ played: null }, "join", "name"), null);
});
