// JSON lines over stdin and stdout, read and written at once: no answer waits for a turn of the event loop.
import { readSync, writeSync } from "node:fs"

/** The lines of stdin, each once it is whole. */
export function* lines() {
  const buffer = Buffer.alloc(1 << 20)
  let begun = []
  for (;;) {
    const size = readSync(0, buffer)
    if (size === 0) return
    let start = 0
    for (let end = buffer.indexOf(10, start); end >= 0 && end < size; end = buffer.indexOf(10, start)) {
      begun.push(Buffer.from(buffer.subarray(start, end)))
      yield Buffer.concat(begun).toString("utf8")
      begun = []
      start = end + 1
    }
    if (start < size) begun.push(Buffer.from(buffer.subarray(start, size)))
  }
}

/** One value as a line of stdout. */
export function answer(value) {
  let left = Buffer.from(`${JSON.stringify(value)}\n`)
  while (left.length > 0) left = left.subarray(writeSync(1, left))
}
