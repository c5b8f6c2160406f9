// @ts-check
// A robot in JavaScript: it joins by the link in a file, and answers each "hello" until the meeting is over.
// node greeter.mjs LINK_FILE
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";

/** @typedef {import("../reference/events.js").SnugEvent} SnugEvent */
/** @typedef {import("../reference/events.js").SnugCommand} SnugCommand */

const [, , file = "link"] = process.argv;
const snug = spawn("snug", ["join", "-", "--name", "Greeter", "--no-video", "--json"], {
  stdio: ["pipe", "pipe", "inherit"],
});

/** @param {SnugCommand} command */
function send(command) {
  snug.stdin.write(`${JSON.stringify(command)}\n`);
}

// other users of this machine can see arguments, so the link goes through the input
snug.stdin.write(`${readFileSync(file, "utf8").trim()}\n`);
for await (const line of createInterface({ input: snug.stdout })) {
  /** @type {SnugEvent} */
  const event = JSON.parse(line);
  switch (event.event) {
    case "chat":
      if (event.text === "hello") send({ chat: `Hello, ${event.from}!` });
      break;
    case "alarm":
    case "error":
      console.error(event.text);
      break;
    case "end":
      console.log(event.reason);
      break;
  }
}
