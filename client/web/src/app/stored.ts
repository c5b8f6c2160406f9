/** Small values in the browser's storage, as JSON: choices of the person, and unspent tokens. */

/** Return what is stored under that name; null: nothing, or nothing that can be read. */
export function stored(storage: Storage | null, name: string): unknown {
  try {
    return JSON.parse(storage?.getItem(name) ?? "null");
  } catch {
    return null;
  }
}

/** Store a value, unless the browser stores nothing: then it lasts as long as the page. */
export function store(storage: Storage | null, name: string, value: unknown): void {
  try {
    storage?.setItem(name, JSON.stringify(value));
  } catch {
    // the next visit starts from the beginning
  }
}
