/** node:test in a browser: tests are kept, and run when asked for. */
export const tests: { readonly name: string; readonly run: () => unknown }[] = [];

export const test = (name: string, run: () => unknown): void => {
  tests.push({ name, run });
};
