/** The session in its worker: commands, their answers, and the worker's end. */
import type { Command } from "../session/events";
import type { FromWorker, ToWorker } from "../worker/messages";
import type { Sentence } from "../words/sentence";

/** Milliseconds for which a worker may still send its last messages. */
const LAST_WORDS = 2000;

export class WorkerLink {
  #worker: Worker | null = null;
  #asks = 0;
  readonly #waitingFor = new Map<number, (why: Sentence | null) => void>();

  /** The worker; null outside of a meeting. */
  get worker(): Worker | null {
    return this.#worker;
  }

  /** Take a new worker. `broken` is told whether the worker has sent anything before. */
  start(worker: Worker, hear: (message: FromWorker) => void, broken: (ran: boolean) => void): void {
    this.#worker = worker;
    let runs = false;
    worker.addEventListener("message", ({ data }: MessageEvent<FromWorker>) => {
      runs = true;
      // a worker of an earlier meeting may still post its last messages
      if (this.#worker === worker) hear(data);
    });
    worker.addEventListener("error", () => {
      if (this.#worker === worker) broken(runs);
    });
  }

  post(message: ToWorker): void {
    this.#worker?.postMessage(message);
  }

  /** Run a command; returns null, or the reason for its refusal. */
  async ask(command: Command): Promise<Sentence | null> {
    if (this.#worker === null) return null;
    const ask = ++this.#asks;
    return await new Promise((answered) => {
      this.#waitingFor.set(ask, answered);
      this.post({ type: "command", ask, command });
    });
  }

  /** Process the worker's answer to a command: null, or the reason for its refusal. */
  answered(ask: number, why: Sentence | null): void {
    this.#waitingFor.get(ask)?.(why);
    this.#waitingFor.delete(ask);
  }

  /** End the worker now. */
  terminate(): void {
    this.#worker?.terminate();
    this.#worker = null;
  }

  /** End the worker when it has sent its last messages; commands without an answer count as done. */
  leave(): void {
    const worker = this.#worker;
    this.#worker = null;
    setTimeout(() => worker?.terminate(), LAST_WORDS);
    for (const answered of this.#waitingFor.values()) answered(null);
    this.#waitingFor.clear();
  }
}
