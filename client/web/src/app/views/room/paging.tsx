import { word } from "../../../words";
import { Icon } from "../../icons";
import { useUi } from "./ui";

/** The current page of tiles, with buttons for the others, when the members fill more than one page. */
export function Pages() {
  const { model } = useUi();
  const { value: pages } = model.pages;
  if (pages < 2 || model.shown.value === null) return null;
  const { value: page } = model.page;
  const turn = (by: number) => () => model.do.turnPage(page + by);
  return (
    <nav class="pages" aria-label={word("meet.pages")}>
      <button type="button" class="button round quiet" aria-label={word("meet.page_before")} title={word("meet.page_before")} onClick={turn(-1)}>
        <Icon name="arrow-left" />
      </button>
      <span aria-live="polite">{word("meet.page_of", { n: page + 1, of: pages })}</span>
      <button type="button" class="button round quiet" aria-label={word("meet.page_after")} title={word("meet.page_after")} onClick={turn(1)}>
        <Icon name="arrow-right" />
      </button>
    </nav>
  );
}
