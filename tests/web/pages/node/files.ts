/** node:fs and node:path, for the shared vectors, which a page fetches before. */
export const files = new Map<string, string>();

export const join = (...parts: readonly string[]): string => parts.join("/");

export function readFileSync(path: string): string {
  const text = files.get(path.split("/").at(-1) ?? "");
  if (text === undefined) throw new Error(`${path} was not fetched`);
  return text;
}
