import type { Model } from "../../../client/web/src/app/model";
import { CodeArt } from "../../../client/web/src/app/codeArt";
import { fake } from "./fake";
import type { Story } from "./story";

const codes = (from: number, count: number) =>
  Array.from({ length: count }, (_, i) => String((from + i) * 7919).padStart(40, "2718281828459045235360287471352662497757"));

export default [
  {
    name: "code-art-many",
    model: () => fake(),
    view: () => (
      <main class="row">
        <h1 class="unseen">Code art</h1>
        {codes(1, 24).map((digits) => (
          <CodeArt key={digits} digits={digits} size={210} />
        ))}
      </main>
    ),
  },
  {
    name: "code-art-small",
    model: () => fake(),
    view: () => (
      <main class="row">
        <h1 class="unseen">Code art</h1>
        {codes(1, 24).map((digits) => (
          <CodeArt key={digits} digits={digits} size={40} />
        ))}
        {codes(1, 24).map((digits) => (
          <CodeArt key={digits} digits={digits} size={28} />
        ))}
        {codes(1, 8).map((digits) => (
          <CodeArt key={digits} digits={digits} size={96} />
        ))}
      </main>
    ),
  },
  {
    name: "code-art-one",
    model: () => fake({ code: { epoch: 1, digits: "1".repeat(40), short: null, answers: null, comparison: null, running: false } }),
    view: (model) => <One model={model} />,
  },
] satisfies Story[];

function One({ model }: { readonly model: Model }) {
  return (
    <main>
      <h1 class="unseen">Code art</h1>
      <CodeArt digits={model.code.value?.digits ?? ""} size={320} />
    </main>
  );
}
