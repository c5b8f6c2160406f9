import assert from "node:assert/strict";
import { test } from "node:test";
import { contentTable, type Contents, Feature } from "../../../../client/web/src/session/kernel/feature";
import type { Room } from "../../../../client/web/src/session/kernel/ports";
import { Session } from "../../../../client/web/src/session/kernel/session";
import { AnyContentNames, schemas } from "../../../../client/web/src/wire/content";
import { ORIGIN } from "./hub";
import { seeded, START } from "./rooms";

const nowhere = {} as Room;
const own = (): void => undefined;

class Owner extends Feature {
  override contents(): Contents {
    return { page: own };
  }
}

const heard = (): void => undefined;

class Listener extends Feature {
  override overheard(): Contents {
    return { page: heard };
  }
}

test("each content type has an owner", async () => {
  const session = await Session.host({ origin: ORIGIN, name: "Ada", title: "", now: START, rng: seeded("ada") });
  const owned = [...session.room!.messages.handlers.keys()];
  assert.deepEqual(owned.toSorted(), AnyContentNames.map((name) => schemas[name]!.tag).toSorted());
});

test("a content type with two owners is refused", () => {
  assert.throws(() => contentTable({ page: own }, [new Owner(nowhere)]), /two owners: page/);
});

test("the owner comes before those that overhear", () => {
  const table = contentTable({}, [new Listener(nowhere), new Owner(nowhere)]);
  assert.deepEqual(table.get("page"), [own, heard]);
});
