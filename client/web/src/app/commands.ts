/** The commands of a person that go to the session as they are. */
import type { Command } from "../session/events";
import type { Commands } from "./model";

type SessionCommands = Pick<
  Commands,
  | "react" | "report" | "remove" | "deputise" | "undeputise" | "handOver" | "lock" | "nameServers" | "endMeeting" | "leave"
  | "newInvite" | "revoke" | "refreshInvites" | "compare" | "compared" | "vouch" | "know" | "verified" | "override"
  | "sendHeld"
  | "saveEvidence"
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
    saveEvidence: (names) => tell({ type: "SaveEvidence", names }),
  };
}
