/** An entry for a calendar, as a file (RFC 5545). */

export interface CalendarEntry {
  readonly title: string;
  readonly link: string;
  readonly start: Date;
  readonly minutes: number;
}

/** Return the file. `uid` distinguishes the entry from all others. */
export function calendar({ title, link, start, minutes }: CalendarEntry, uid: string, now: Date): string {
  const lines = [
    "BEGIN:VCALENDAR",
    "VERSION:2.0",
    "PRODID:-//Snug//Snug//EN",
    "BEGIN:VEVENT",
    `UID:${uid}`,
    `DTSTAMP:${utc(now)}`,
    `DTSTART:${utc(start)}`,
    `DTEND:${utc(new Date(start.getTime() + minutes * 60_000))}`,
    `SUMMARY:${escaped(title)}`,
    `DESCRIPTION:${escaped(link)}`,
    `URL:${link}`,
    "END:VEVENT",
    "END:VCALENDAR",
  ];
  return lines.map((line) => `${folded(line)}\r\n`).join("");
}

/** 3.3.5, form 2. */
const utc = (at: Date): string => at.toISOString().replace(/[-:]|\.\d+/g, "");

/** 3.3.11. */
const escaped = (text: string): string => text.replace(/[\\;,]/g, "\\$&").replace(/\r?\n|\r/g, "\\n");

/** 3.1: at most 75 bytes a line. */
function folded(line: string): string {
  const encoder = new TextEncoder();
  let [text, size] = ["", 0];
  for (const letter of line) {
    const more = encoder.encode(letter).length;
    if (size + more > 75) [text, size] = [`${text}\r\n `, 1];
    text += letter;
    size += more;
  }
  return text;
}
