import type { Words } from "../entry";

/** What the page's own shell tells: of its connections, its media, its worker. */
export default {
  "shell.no_answer": "it does not answer",
  "shell.nobody_there": "nobody listens there",
  "shell.ended": "the connection ended",
  "shell.alien": "the server sent something that is not of this protocol",
  "shell.network_changed": "the network has changed",
  "shell.cannot_connect": "The server at {origin} does not answer.",
  "shell.media_no_answer":
    "neither UDP nor TCP port {port} of {addresses} answers: something between here and there lets neither through",
  "shell.media_no_answer_udp":
    "UDP port {port} of {addresses} does not answer: something between here and there lets no UDP through",
  "shell.media_no_answer_inside":
    "the media server did not answer at {address}, which is this machine's own inside. Firefox reaches no such address: use Chromium, or set media_address on the server",
  "shell.media_gone": "the media server has stopped answering",
  "shell.media_refused": "this browser does not do what it must ({why})",
  "shell.sizes_vary":
    "Much of your sound is not sent: this browser makes packets that can't be brought to one size, and sizes would show who speaks.",
  "shell.broken":
    "Something happened that should not ({why}). Nothing is sent or shown any more: leave, and come in again.",
  "alarm.version": "The server speaks version {theirs} of the protocol, and this program version {ours}.",
  "alarm.media_lost": "The media connection is gone ({why}). Trying again...",
  "alarm.media_unreachable": "No media connection: {why}. Trying again...",
  "alarm.media_failed": "sending stopped: {why}",
  "tree.now": "So it stands now.",
  "tree.added": "{names} came in.",
  "tree.removed": "{names} went.",
  "tree.rejoined": "{names} came back in step.",
  "tree.healed": "Fresh keys, and nobody new.",
  "media.sound_blocked": "Your browser plays no sound before a click: click anywhere.",
  "media.no_share": "Your browser does not share the screen ({why}).",
  "media.no_pip": "Your browser shows no picture in a window of its own.",
  "media.no_recording": "Your browser can't record.",
} satisfies Words;
