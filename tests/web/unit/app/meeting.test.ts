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

test("the members' evidence is offered in the line of the drop, with the last count", () => {
  const noted: unknown[] = [];
  const chat = { note: (text: unknown) => noted.push(text) } as unknown as Chat;
  const meeting = new Meeting({ chat, toast: (text) => noted.push(text), listInvites: () => undefined });
  meeting.told({ type: "Alarm", kind: "dropped", text: sentence("alarm.dropped") });
  meeting.told(counted(2));
  meeting.told(counted(3));
  const shown = meeting.incidents.value.map(({ kind, rule, text }) => [kind, rule.action, text.args?.["count"]]);
  assert.deepEqual(shown, [["evidence", "evidence", 3]]);
  assert.deepEqual(noted, []);
});

test("a move is a line, and the list knows where the meeting is", () => {
  const noted: unknown[] = [];
  const chat = { note: (text: unknown) => noted.push(text) } as unknown as Chat;
  const meeting = new Meeting({ chat, toast: () => undefined, listInvites: () => undefined });
  const [a, b] = ["https://a.example", "https://b.example"];
  meeting.entered({ ownLeaf: 1, at: a, title: "", locked: false, servers: [b], mirrored: false, reports: false });
  meeting.told({ type: "Status", kind: "moving", text: sentence("status.moving", { who: "Ada", origin: b }) });
  assert.deepEqual([meeting.servers.value.at, noted], [a, []]);
  const moved = sentence("status.back.moved", { origin: b });
  meeting.told({ type: "Status", kind: "back", text: moved });
  assert.deepEqual(meeting.incidents.value.map(({ text }) => text), [moved]);
  assert.deepEqual([meeting.servers.value, noted], [{ at: b, listed: [b], mirrored: false, unmirrored: null }, [moved]]);
});

test("a mirror that is missing is one line, and the list says since when, until it is back", () => {
  const chat = { note: () => undefined } as unknown as Chat;
  const meeting = new Meeting({ chat, toast: () => undefined, listInvites: () => undefined });
  const [here, origin] = ["https://a.example", "https://b.example"];
  const room = { ownLeaf: 1, at: here, title: "", locked: false, servers: [origin], mirrored: true, reports: false };
  meeting.entered(room);
  for (let times = 0; times < 2; times++)
    meeting.told({ type: "Status", kind: "mirror", text: sentence("status.mirror", { origin, here, seconds: 30 }) });
  const since = meeting.servers.value.unmirrored ?? 0;
  assert.ok(Math.abs(Date.now() / 1000 - 30 - since) < 5);
  assert.deepEqual(meeting.incidents.value.map(({ cause, severity }) => [cause, severity]), [["mirror", "calm"]]);
  meeting.entered(room);
  assert.equal(meeting.servers.value.unmirrored, since, "a rejoin does not bring it back");
  meeting.told({ type: "Status", kind: "cleared", text: sentence("status.cleared.mirror", { origin }) });
  assert.deepEqual([meeting.servers.value.unmirrored, meeting.incidents.value], [null, []]);
});

test("a code opens with its answers, which go with it, and another member's doubt ends no run", () => {
  const chat = { note: () => undefined } as unknown as Chat;
  const meeting = new Meeting({ chat, toast: () => undefined, listInvites: () => undefined });
  const short = (by: number): Event => ({ type: "ShortCode", epoch: 3, emoji: [], words: [], indices: [], members: [], by });
  const text = sentence("compared.answers", { same: 1, of: 1 });
  meeting.told({ type: "Code", epoch: 3, digits: "1".repeat(40) });
  meeting.told({ type: "Status", kind: "comparing", text: sentence("status.comparing") });
  meeting.told({ type: "Alarm", kind: "code_disputed", text: sentence("alarm.code_disputed", { name: "Bo" }) });
  assert.equal(meeting.code.value?.running, true);
  meeting.told(short(1));
  meeting.told({ type: "CodeAnswers", epoch: 3, by: 1, members: [{ leaf: 1, name: "Bo", same: true, both: false }], text });
  assert.deepEqual([meeting.code.value?.running, meeting.code.value?.answers?.members[0]?.same], [false, true]);
  meeting.told({ type: "Code", epoch: 4, digits: "2".repeat(40) });
  assert.deepEqual([meeting.code.value?.short, meeting.code.value?.answers?.epoch], [null, 3], "an answer outlives the words");
  meeting.told(short(2));
  assert.equal(meeting.code.value?.answers, null);
});
