import type { Unable } from "../../../client/web/src/app/model";
import type { KeptMeeting } from "../../../client/web/src/kept";
import { sentence, verbatim } from "../../../client/web/src/words/sentence";
import { fake, NOW } from "./fake";
import { painted } from "./pictures";
import type { Story } from "./story";

const going = { as: "guest", origin: "https://meet.example" } as const;

const waiting = (kind: string, text: string, seconds: number) => () =>
  fake({
    place: "waiting",
    going,
    name: "Bo",
    waiting: { kind, text: verbatim(text), since: NOW - seconds },
    preview: painted(3),
    ownLevel: 0.4,
  });

export const KEPT: KeptMeeting = {
  id: "1", at: NOW - 60, name: "Bo", title: "Thursday seminar", link: "", origin: "https://meet.example", host: false, founded: false, alone: false,
  mic: true, camera: true,
};

const returning = (seconds: number, host: boolean) =>
  fake({
    place: "waiting",
    going,
    name: "Bo",
    waiting: { kind: "returning", text: sentence("waiting.returning", { name: "Bo" }), since: NOW - seconds, back: { ...KEPT, host } },
  });

const ended = (reason: string, text: string, canSaveEvidence = false) => () =>
  fake({ place: "ended", ended: { reason, text: verbatim(text), canSaveEvidence, knock: reason === "left" || reason === "refused" } });

const unable = (why: Unable): Story => ({
  name: `unable-${why.replace("_", "-")}`,
  model: () =>
    fake({
      place: "unable",
      unable: why,
      where: { origin: null, pageOrigin: "https://meet.example", own: false, proven: false, hash: null, lecture: false, peers: [] },
    }),
});

const offline = (kept: readonly KeptMeeting[]) =>
  fake({ place: "unable", unable: "offline", kept, where: { ...fake().where.value, kept: true } });

export default [
  { name: "waiting-knocking", model: waiting("knocking", "You knocked. Waiting for the host's answer...", 84) },
  { name: "waiting-no-host", model: waiting("waiting", "Waiting for a host to open the door...", 3900) },
  {
    name: "waiting-wrong-date",
    model: () =>
      fake({
        place: "waiting",
        going,
        name: "Bo",
        waiting: { kind: "clock", text: sentence("status.clock.date", { seconds: 30, date: "2026-09-21" }), since: NOW - 70 },
      }),
  },
  {
    name: "waiting-away",
    model: waiting("away", "The connection to the server was lost (the connection ended); your network may have changed. Trying again...", 8),
  },
  { name: "returning", model: () => returning(2, false) },
  { name: "returning-host-unanswered", model: () => returning(20, true) },
  { name: "returning-guest-unanswered", model: () => returning(20, false) },
  { name: "ended-left", model: ended("left", "You left.") },
  { name: "ended-refused", model: ended("refused", "The host did not let you in.") },
  { name: "ended-removed", model: ended("removed", "Ada removed you from the meeting.") },
  {
    name: "ended-replaced",
    model: ended("replaced", "Somebody with your program's keys came back in its place. No host removed you."),
  },
  { name: "ended-over", model: ended("ended", "Ada has ended the meeting.") },
  {
    name: "ended-dropped",
    model: ended(
      "dropped",
      "The server dropped you; nobody in the room did. It still serves others, and has signed that. Your program gave up trying " +
        "to get back in.",
      true,
    ),
  },
  { name: "ended-failed", model: ended("failed", "The host's answer can't be used: it is of another meeting.") },
  ...(
    ["insecure", "old_browser", "no_transform", "second_tab", "server_gone", "page_changed", "worker"] as const
  ).map(unable),
  { name: "unable-offline", model: () => offline([]) },
  { name: "unable-offline-kept", model: () => offline([KEPT]) },
] satisfies Story[];
