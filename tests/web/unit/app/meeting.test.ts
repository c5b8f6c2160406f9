/** What the page makes of the session's events about the meeting as a whole. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Chat } from "../../../../client/web/src/app/chat";
import { Meeting } from "../../../../client/web/src/app/meeting";
import type { Event } from "../../../../client/web/src/session/events";
import { sentence } from "../../../../client/web/src/words/sentence";

const counted = (count: number): Event => ({
  type: "Status",
  kind: "evidence",
  text: sentence("status.evidence", { count, of: 3, origin: "https://a.example", proof: sentence("dropped.proof") }),
});

test("the members' evidence is offered beside the alarm of the drop, with the last count", () => {
  const noted: unknown[] = [];
  const chat = { note: (text: unknown) => noted.push(text) } as unknown as Chat;
  const meeting = new Meeting({ chat, toast: (text) => noted.push(text), listInvites: () => undefined });
  meeting.told({ type: "Alarm", kind: "dropped", text: sentence("alarm.dropped") });
  meeting.told(counted(2));
  meeting.told(counted(3));
  const shown = meeting.alarms.value.map(({ kind, text }) => [kind, text.args?.["count"]]);
  assert.deepEqual(shown, [["dropped", undefined], ["evidence", 3]]);
  assert.deepEqual([meeting.banner.value, noted], [null, []]);
});
