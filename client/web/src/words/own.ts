/** Words of a part that is loaded by itself, and brings its languages along. */
import type { Language } from "../app/model";
import { render, speaking } from "./index";
import type { Arg } from "./sentence";

/** Says that part's words in the language that the page speaks; whoever calls it is drawn anew when that changes. */
export const speaker =
  <K extends string>(tables: Readonly<Record<Language, Readonly<Record<K, string>>>>) =>
  (key: NoInfer<K>, args: Readonly<Record<string, Arg>> = {}): string => {
    const language = speaking();
    return render(tables[language], language, key, args);
  };
