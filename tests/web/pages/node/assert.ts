/** The part of node:assert/strict that the unit tests of crypto/ use, for a browser. */

function alike(one: unknown, other: unknown): boolean {
  if (Object.is(one, other)) return true;
  if (typeof one !== "object" || typeof other !== "object" || one === null || other === null) return false;
  if (Object.getPrototypeOf(one) !== Object.getPrototypeOf(other)) return false;
  const keys = Object.keys(one);
  if (keys.length !== Object.keys(other).length) return false;
  const [left, right] = [one, other] as Record<string, unknown>[];
  return keys.every((key) => Object.hasOwn(other, key) && alike(left?.[key], right?.[key]));
}

const shown = (value: unknown): string => `${JSON.stringify(value)}`.slice(0, 200);

function must(holds: boolean, why: string): asserts holds {
  if (!holds) throw new Error(why);
}

type Expected = RegExp | ((error: never) => unknown);

/** A class, a check that gives true, or what the error's words match. */
function asExpected(error: unknown, expected?: Expected): void {
  if (expected === undefined) return;
  if (expected instanceof RegExp) return must(expected.test(String(error)), `${error} is not ${expected}`);
  const isClass = expected.prototype instanceof Error;
  must(isClass ? error instanceof expected : expected(error as never) === true, `another error: ${error}`);
}

export default {
  ok: (value: unknown, why = "not so"): asserts value => must(Boolean(value), why),
  equal: (one: unknown, other: unknown, why = ""): void =>
    must(Object.is(one, other), `${why} ${shown(one)} is not ${shown(other)}`),
  deepEqual: (one: unknown, other: unknown, why = ""): void =>
    must(alike(one, other), `${why} ${shown(one)} is not ${shown(other)}`),
  fail: (why: string): never => {
    throw new Error(why);
  },
  match: (text: string, pattern: RegExp): void => must(pattern.test(text), `${text} is not ${pattern}`),
  throws: (attempt: () => unknown, expected?: Expected): void => {
    try {
      attempt();
    } catch (error) {
      return asExpected(error, expected);
    }
    throw new Error("nothing was thrown");
  },
  rejects: async (attempt: Promise<unknown> | (() => Promise<unknown>), expected?: Expected): Promise<void> => {
    try {
      await (typeof attempt === "function" ? attempt() : attempt);
    } catch (error) {
      return asExpected(error, expected);
    }
    throw new Error("nothing was thrown");
  },
};
