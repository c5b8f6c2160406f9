/** A calendar's file has the form of RFC 5545. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { calendar } from "../../../../client/web/src/app/calendar";

const entry = (title: string): string =>
  calendar(
    { title, link: "https://meet.example/#2-" + "A".repeat(100), start: new Date("2026-12-01T17:30:00+01:00"), minutes: 90 },
    "a-uid", new Date("2026-11-29T08:00:00.123Z"),
  );
const unfolded = (text: string): string[] => text.replaceAll("\r\n ", "").split("\r\n");

test("times are in UTC, and the end is the start and the length", () => {
  const lines = unfolded(entry("Tea"));
  for (const line of ["DTSTAMP:20261129T080000Z", "DTSTART:20261201T163000Z", "DTEND:20261201T180000Z", "UID:a-uid"])
    assert.ok(lines.includes(line), line);
  assert.ok(lines.includes(`URL:https://meet.example/#2-${"A".repeat(100)}`));
  assert.equal(lines[0], "BEGIN:VCALENDAR");
  assert.deepEqual(lines.slice(-3), ["END:VEVENT", "END:VCALENDAR", ""]);
});

test("a title adds no line of its own", () => {
  const lines = unfolded(entry("Tea; cake, and \\ more\nATTACH:https://evil.example"));
  assert.ok(lines.includes("SUMMARY:Tea\\; cake\\, and \\\\ more\\nATTACH:https://evil.example"));
  assert.equal(lines.filter((line) => line.startsWith("ATTACH")).length, 0);
});

test("no line is longer than 75 bytes, and no letter is cut", () => {
  const title = "茶会".repeat(40) + "\u{1f375}".repeat(20);
  const text = entry(title);
  for (const line of text.split("\r\n")) assert.ok(new TextEncoder().encode(line).length <= 75);
  assert.ok(unfolded(text).includes(`SUMMARY:${title}`));
});
