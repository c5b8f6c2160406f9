import type { Words } from "../entry";

/** What is told between people's words, and in passing: src/app/notes.ts, src/app/store.ts. */
export default {
  "note.came": "{name} came in.",
  "note.came_by": "{name} came in. {by} let {name} in.",
  "note.came_by_open": "{name} came in. {by} let {name} in, with the open invite.",
  "note.came_by_label": "{name} came in. {by} let {name} in, with the invite for {label}.",
  "note.back": "{name} is back.",
  "note.left": "{name} left.",
  "note.removed": "{by} removed {name}. {name} sees and hears nothing from here on.",
  "note.records": "{name} is recording.",
  "note.records_no_more": "{name} records no more.",
  "note.shows": "{name} shows a screen.",
  "note.copied": "Copied.",
  "note.not_copied": "The browser did not let it be copied. Mark it, and copy it by hand.",
  "note.saved": "It is among your downloads. Nobody else has it.",
  "note.vouched": "{name} shows you who they are. Their digits: {digits}",
  "note.other_server": "This link leads to another server. A page meets only at the server it comes from: open {origin} itself, or run `snug page`.",
  "note.in_meeting": "You are in a meeting here. Leave it first, then open the link.",
  "note.no_server": "There is no server here to open a room at. Start `snug page` with --server, or follow a link.",
  "note.picture_too_large": "That picture has more than 128 KiB: it goes out as a file.",
  "note.unreadable": "{name} can't be read.",
} satisfies Words;
