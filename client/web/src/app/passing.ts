/** Lists whose entries disappear after some seconds. */
import { type Signal, signal } from "@preact/signals";

export class Passing<T extends { readonly id: number }> {
  readonly list: Signal<readonly T[]> = signal<readonly T[]>([]);
  readonly #time: number;
  #numbers = 0;

  /** `time`: milliseconds for which an entry is shown. */
  constructor(time: number) {
    this.#time = time;
  }

  add(what: Omit<T, "id">): void {
    const id = ++this.#numbers;
    this.list.value = [...this.list.peek(), { ...what, id } as T];
    setTimeout(() => this.remove(id), this.#time);
  }

  remove(id: number): void {
    this.list.value = this.list.value.filter((each) => each.id !== id);
  }
}
