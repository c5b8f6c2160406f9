/** The commands of a person that go to the session, or to the devices, as they are. */
import { effect, type ReadonlySignal } from "@preact/signals";
import type { Command } from "../session/events";
import type { Chat } from "./chat";
import { download } from "./download";
import { type Sentence, sentence } from "../words/sentence";
import type { MediaSide } from "./mediaSide";
import type { Commands } from "./model";

type DeviceCommands = Pick<
  Commands,
  | "chooseCamera" | "chooseMicrophone" | "chooseSpeaker" | "flipCamera" | "retryDevices" | "testSpeaker"
  | "toggleMic" | "toggleCamera" | "toggleShare"
>;

/** Return the commands; `quietly` shows what goes wrong. */
export const deviceCommands = (media: MediaSide, quietly: (work: Promise<unknown>) => void): DeviceCommands => ({
  chooseCamera: (id) => quietly(media.chooseCamera(id)),
  chooseMicrophone: (id) => quietly(media.chooseMicrophone(id)),
  chooseSpeaker: (id) => quietly(media.chooseSpeaker(id)),
  flipCamera: () => quietly(media.flipCamera()),
  retryDevices: () => quietly(media.begin()),
  testSpeaker: () => quietly(media.testSpeaker()),
  toggleMic: () => media.toggleMic(),
  toggleCamera: () => quietly(media.toggleCamera()),
  toggleShare: () => quietly(media.toggleShare()),
});

/** Return the commands of the chat. */
export const chatCommands = (chat: Chat): Pick<Commands, "say" | "sendFiles" | "answerOffer" | "saveFile"> => ({
  say: (text) => void chat.say(text),
  sendFiles: (files) => void chat.sendFiles(files),
  answerOffer: (offer, send) => void chat.answerOffer(offer, send),
  saveFile: (id) => chat.save(id),
});

type SessionCommands = Pick<
  Commands,
  | "react" | "report" | "remove" | "deputise" | "undeputise" | "handOver" | "lock" | "nameServers" | "allowServers" | "endMeeting" | "leave"
  | "newInvite" | "revoke" | "refreshInvites" | "compare" | "compared" | "vouch" | "know" | "verified" | "override"
  | "sendHeld"
  | "saveEvidence" | "saveCalendar"
>;

/** Return the commands; `ask` runs one. */
export function sessionCommands(ask: (command: Command) => Promise<unknown>): SessionCommands {
  const tell = (command: Command): void => void ask(command);
  const refreshInvites = (): void => tell({ type: "ListInvites" });
  return {
    react: (reaction) => tell({ type: "React", reaction }),
    report: (messages) => tell({ type: "SaveReport", messages }),
    remove: (leaf) => tell({ type: "Remove", leaf }),
    deputise: (leaf) => tell({ type: "Deputise", leaf }),
    undeputise: (leaf) => tell({ type: "Undeputise", leaf }),
    handOver: (leaf) => tell({ type: "HandOver", leaf }),
    lock: (on) => tell({ type: "Lock", on }),
    nameServers: (origins) => tell({ type: "NameServers", origins }),
    allowServers: (origins) => origins.forEach((origin) => tell({ type: "AllowServer", origin })),
    endMeeting: () => tell({ type: "EndMeeting" }),
    leave: () => tell({ type: "Leave" }),
    newInvite: (label, once) => void ask({ type: "NewInvite", label, once }).then(refreshInvites),
    revoke: (index) => void ask({ type: "Revoke", index }).then(refreshInvites),
    refreshInvites,
    compare: () => tell({ type: "Compare" }),
    compared: (same, how) => tell({ type: "Compared", same, digits: how === "short" ? null : "" }),
    vouch: (leaf) => tell({ type: "Vouch", leaf }),
    know: (leaf) => tell({ type: "Know", leaf, name: null }),
    verified: (leaf) => tell({ type: "Verified", leaf }),
    override: () => tell({ type: "Override" }),
    sendHeld: () => tell({ type: "SendHeld" }),
    saveCalendar: (text) => download(new Blob([text], { type: "text/calendar" }), "meeting.ics"),
    saveEvidence: (names) => tell({ type: "SaveEvidence", names }),
  };
}

/** Begin a recording; or end it, and return it with a name for its file. */
export async function toggleRecording(media: MediaSide): Promise<readonly [Blob, string] | null> {
  const file = media.recording.value ? await media.stopRecording() : (await media.startRecording(), null);
  return file && [file, `snug-${new Date().toISOString().slice(0, 16).replace(":", ".")}.webm`];
}

/** Copy a text; returns what to say about it. */
export const copy = (text: string): Promise<Sentence> =>
  navigator.clipboard.writeText(text).then(
    () => sentence("note.copied"),
    () => sentence("note.not_copied"),
  );

/** Hand the meeting over, and leave when that is done; null: leave at once. `ask` returns whether it was accepted. */
export async function leaveTo(
  leaf: number | null,
  ask: (command: Command) => Promise<boolean>,
  amHost: ReadonlySignal<boolean>,
  leave: () => void,
): Promise<void> {
  if (leaf === null) return leave();
  if (!(await ask({ type: "HandOver", leaf }))) return;
  const stop = effect(() => {
    if (!amHost.value) queueMicrotask(() => (stop(), leave()));
  });
}
