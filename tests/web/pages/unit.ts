/** The unit tests of crypto/ that hold it against Python's vectors, in a browser. */
import { files } from "./node/files";
import { tests } from "./node/test";

/**
 * Fetches the vectors, changed as told for one that must fail, and runs all tests but those whose names begin with `without`:
 * how many, and which failed.
 */
async function run(
  names: readonly string[], change?: readonly [name: string, from: string, to: string], without: readonly string[] = [],
) {
  for (const name of names) {
    const text = await (await fetch(`/shared/${name}.json`)).text();
    files.set(`${name}.json`, change?.[0] === name ? text.replace(change[1], change[2]) : text);
  }
  await import("../unit/crypto/kdf.test");
  await import("../unit/crypto/hpke.test");
  await import("../unit/crypto/invite.test");
  await import("../unit/crypto/roomState.test");
  await import("../unit/crypto/envelope.test");
  await import("../unit/crypto/lobby.test");
  await import("../unit/crypto/recovery.test");
  await import("../unit/crypto/identity.test");
  await import("../unit/crypto/names.test");
  const failed: string[] = [];
  for (const test of tests) {
    if (without.some((begin) => test.name.startsWith(begin))) continue;
    try {
      await test.run();
    } catch (error) {
      failed.push(`${test.name}: ${error}`);
    }
  }
  return { count: tests.length, failed };
}

Object.assign(globalThis, { run });
