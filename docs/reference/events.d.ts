// Written by `python -m tests.docs.generate`; `snug schema --typescript` prints it.

export interface InviteEvent {
  readonly event: "invite";
  readonly link: string;
  readonly index: number;
  readonly label: string;
  readonly once: boolean;
  readonly replaces: number | null;
}

export interface InviteRow {
  readonly index: number;
  readonly label: string | null;
  readonly once: boolean;
  readonly used_by: readonly string[];
  readonly revoked: boolean;
}

export interface InvitesEvent {
  readonly event: "invites";
  readonly invites: readonly InviteRow[];
}

export interface PolicyEvent {
  readonly event: "policy";
  readonly by: number;
  readonly kind: "host" | "mode" | "no_host" | "servers" | "title";
  readonly leaf: number | null;
  readonly mode: "all" | "ask" | "locked" | null;
  readonly text: string;
}

export interface KnockEvent {
  readonly event: "knock";
  readonly id: number;
  readonly name: string;
  readonly greeting: string;
  readonly invite: number;
  readonly looks_like: string | null;
  readonly label: string | null;
  readonly standing: "known" | "new" | "none" | "verified";
  readonly contact: string | null;
  readonly fingerprint: string | null;
  readonly warnings: readonly string[];
  readonly older: boolean;
  readonly returning: boolean;
  readonly silent: boolean;
  readonly proof: "identity" | "invite" | null;
}

export interface AdmissionEvent {
  readonly event: "admission";
  readonly inside: number;
  readonly of: number;
  readonly refused: number;
  readonly left: number;
}

export interface Member {
  readonly leaf: number;
  readonly name: string;
  readonly host: boolean;
}

export interface Newcomer {
  readonly leaf: number;
  readonly name: string;
  readonly host: boolean;
  readonly invite: number | null;
  readonly label: string | null;
}

export interface RosterEvent {
  readonly event: "roster";
  readonly epoch: number;
  readonly members: readonly Member[];
  readonly added: readonly Newcomer[];
  readonly removed: readonly Member[];
  readonly by: number | null;
  readonly rejoined: boolean;
  readonly left: readonly number[];
}

export interface CodeEvent {
  readonly event: "code";
  readonly epoch: number;
  readonly digits: string;
}

export interface ShortCodeEvent {
  readonly event: "short_code";
  readonly epoch: number;
  readonly emoji: readonly string[];
  readonly words: readonly string[];
  readonly members: readonly Member[];
  readonly by: number | null;
}

export interface Known {
  readonly leaf: number;
  readonly name: string;
  readonly host: boolean;
  readonly new_since: boolean;
}

export interface ComparisonEvent {
  readonly event: "comparison";
  readonly epoch: number;
  readonly compared: number;
  readonly how: "digits" | "short";
  readonly same: boolean;
  readonly news: boolean;
  readonly members: readonly Known[];
  readonly changes: readonly string[];
  readonly text: string;
}

export interface Answered {
  readonly leaf: number;
  readonly name: string;
  readonly same: boolean | null;
  readonly both: boolean;
}

export interface CodeAnswersEvent {
  readonly event: "code_answers";
  readonly epoch: number;
  readonly by: number | null;
  readonly members: readonly Answered[];
  readonly text: string;
}

export interface ChatEvent {
  readonly event: "chat";
  readonly from: string;
  readonly leaf: number;
  readonly text: string;
  readonly id: string;
}

export interface ImageEvent {
  readonly event: "image";
  readonly from: string;
  readonly leaf: number;
  readonly id: string;
  readonly bytes: number;
  readonly mime: string;
  readonly path: string | null;
}

export interface HeldMessage {
  readonly text: string;
  readonly why: string;
}

export interface HeldEvent {
  readonly event: "held";
  readonly messages: readonly HeldMessage[];
}

export interface FileEvent {
  readonly event: "file";
  readonly leaf: number;
  readonly name: string;
  readonly id: string;
  readonly filename: string;
  readonly mime: string;
  readonly size: number;
}

export interface FileProgressEvent {
  readonly event: "file_progress";
  readonly id: string;
  readonly done: number;
  readonly size: number;
}

export interface FileFailedEvent {
  readonly event: "file_failed";
  readonly id: string;
  readonly why: string;
}

export interface FileDoneEvent {
  readonly event: "file_done";
  readonly id: string;
  readonly bytes: number;
  readonly path: string | null;
}

export interface StateEvent {
  readonly event: "state";
  readonly leaf: number;
  readonly name: string;
  readonly mic: boolean;
  readonly camera: boolean;
  readonly screen: boolean;
  readonly hand: boolean;
  readonly recording: boolean;
  readonly away: boolean;
}

export interface ReactionEvent {
  readonly event: "reaction";
  readonly from: string;
  readonly leaf: number;
  readonly reaction: "applause" | "heart" | "laugh" | "party" | "surprise" | "yes";
}

export interface RunsPage {
  readonly leaf: number;
  readonly name: string;
  readonly hash: string;
}

export interface PagesEvent {
  readonly event: "pages";
  readonly pages: readonly RunsPage[];
}

export interface VouchedEvent {
  readonly event: "vouched";
  readonly leaf: number;
  readonly name: string;
  readonly standing: "known" | "new" | "none" | "verified";
  readonly contact: string | null;
  readonly fingerprint: string;
  readonly warnings: readonly string[];
}

export interface ContactEvent {
  readonly event: "contact";
  readonly name: string;
  readonly fingerprint: string;
  readonly verified: boolean;
}

export interface AlarmEvent {
  readonly event: "alarm";
  readonly kind: string;
  readonly text: string;
  readonly count: number;
}

export interface StatusEvent {
  readonly event: "status";
  readonly kind: string;
  readonly text: string;
}

export interface EndEvent {
  readonly event: "end";
  readonly reason: "dropped" | "ended" | "failed" | "left" | "refused" | "removed" | "replaced" | "unopened" | "unserved" | "untrusted";
  readonly text: string;
}

export interface MediaEvent {
  readonly event: "media";
  readonly leaf: number | null;
  readonly stream: "audio" | "video";
  readonly opened: number;
  readonly decoded: number;
  readonly failed: number;
  readonly unkeyed: number;
  readonly lost: number;
  readonly concealed: number;
  readonly recovered: number;
  readonly asked: number;
  readonly bitrate: number;
  readonly layer: number | null;
  readonly frozen: number;
  readonly from: string;
}

export interface SendingEvent {
  readonly event: "sending";
  readonly stream: "audio" | "video";
  readonly layer: number | null;
  readonly sealed: number;
  readonly key_frames: number;
  readonly packets: number;
  readonly resent: number;
  readonly bitrate: number;
  readonly target: number;
  readonly loss: number;
  readonly round_trip: number | null;
}

export interface LandlordEvent {
  readonly event: "landlord";
  readonly text: string;
  readonly state: "ended" | "listening" | "starting";
  readonly origin: string | null;
  readonly pid: number | null;
}

export interface RecordingEvent {
  readonly event: "recording";
  readonly text: string;
  readonly path: string;
}

export interface SavedEvent {
  readonly event: "saved";
  readonly text: string;
  readonly what: "evidence" | "report";
  readonly path: string;
}

export interface ErrorEvent {
  readonly event: "error";
  readonly text: string;
  readonly status: number;
}

export interface JoinTimes {
  readonly p50: number;
  readonly p90: number;
  readonly max: number;
}

export interface HeardPairs {
  readonly stream: "audio" | "chat" | "video";
  readonly pairs: number;
  readonly of: number;
}

export interface Unheard {
  readonly stream: "audio" | "chat" | "video";
  readonly by: string;
  readonly speaker: string;
}

export interface AlarmCount {
  readonly kind: string;
  readonly count: number;
  readonly participants: number;
}

export interface EndCount {
  readonly reason: string;
  readonly participants: number;
}

export interface CrowdEvent {
  readonly event: "crowd";
  readonly text: string;
  readonly asked: number;
  readonly joined: number;
  readonly inside: number;
  readonly join_seconds: JoinTimes | null;
  readonly seconds: number;
  readonly heard: readonly HeardPairs[];
  readonly unheard: readonly Unheard[];
  readonly alarms: readonly AlarmCount[];
  readonly ended: readonly EndCount[];
  readonly cpu_joining: number;
  readonly cpu: number;
}

export interface AdmitCommand {
  readonly admit: number | "all";
}

export interface RefuseCommand {
  readonly refuse: number | "all";
}

export interface ReplaceCommand {
  readonly replace: number;
}

export interface ChatCommand {
  readonly chat: string;
}

export interface RemoveCommand {
  readonly remove: number;
}

export interface DeputyCommand {
  readonly deputy: number;
}

export interface UndeputyCommand {
  readonly undeputy: number;
}

export interface HandoverCommand {
  readonly handover: number;
}

export interface LockCommand {
  readonly lock: boolean;
}

export interface ServersCommand {
  readonly servers: true | readonly string[];
}

export interface AllowCommand {
  readonly allow: string;
}

export interface MoveCommand {
  readonly move: true | string;
}

export interface HereCommand {
  readonly here: true;
}

export interface WithdrawCommand {
  readonly withdraw: string;
}

export interface Invite {
  readonly for?: string;
  readonly once?: boolean;
}

export interface InviteCommand {
  readonly invite: Invite;
}

export interface InvitesCommand {
  readonly invites: true;
}

export interface RevokeCommand {
  readonly revoke: number;
}

export interface VouchCommand {
  readonly vouch: number;
}

export interface Know {
  readonly leaf: number;
  readonly name?: string | null;
}

export interface KnowCommand {
  readonly know: Know;
}

export interface VerifiedCommand {
  readonly verified: number;
}

export interface CompareCommand {
  readonly compare: true;
}

export interface ComparedCommand {
  readonly compared: boolean;
}

export interface SameCommand {
  readonly same: string;
}

export interface DifferentCommand {
  readonly different: string;
}

export interface CodeCommand {
  readonly code: true;
}

export interface OverrideCommand {
  readonly override: true;
}

export interface SendCommand {
  readonly send: true;
}

export interface DiscardCommand {
  readonly discard: true;
}

export interface ImageCommand {
  readonly image: string;
}

export interface FileCommand {
  readonly file: string;
}

export interface HandCommand {
  readonly hand: boolean;
}

export interface ReactCommand {
  readonly react: "applause" | "heart" | "laugh" | "party" | "surprise" | "yes";
}

export interface Report {
  readonly messages: readonly string[];
  readonly file: string;
}

export interface ReportCommand {
  readonly report: Report;
}

export interface Evidence {
  readonly file: string;
  readonly names?: boolean;
}

export interface EvidenceCommand {
  readonly evidence: string | Evidence;
}

export interface LeaveCommand {
  readonly leave: true;
}

export interface EndCommand {
  readonly end: true;
}

export type SnugEvent =
  | InviteEvent
  | InvitesEvent
  | PolicyEvent
  | KnockEvent
  | AdmissionEvent
  | RosterEvent
  | CodeEvent
  | ShortCodeEvent
  | ComparisonEvent
  | CodeAnswersEvent
  | ChatEvent
  | ImageEvent
  | HeldEvent
  | FileEvent
  | FileProgressEvent
  | FileFailedEvent
  | FileDoneEvent
  | StateEvent
  | ReactionEvent
  | PagesEvent
  | VouchedEvent
  | ContactEvent
  | AlarmEvent
  | StatusEvent
  | EndEvent
  | MediaEvent
  | SendingEvent
  | LandlordEvent
  | RecordingEvent
  | SavedEvent
  | ErrorEvent
  | CrowdEvent;

export type SnugCommand =
  | AdmitCommand
  | RefuseCommand
  | ReplaceCommand
  | ChatCommand
  | RemoveCommand
  | DeputyCommand
  | UndeputyCommand
  | HandoverCommand
  | LockCommand
  | ServersCommand
  | AllowCommand
  | MoveCommand
  | HereCommand
  | WithdrawCommand
  | InviteCommand
  | InvitesCommand
  | RevokeCommand
  | VouchCommand
  | KnowCommand
  | VerifiedCommand
  | CompareCommand
  | ComparedCommand
  | SameCommand
  | DifferentCommand
  | CodeCommand
  | OverrideCommand
  | SendCommand
  | DiscardCommand
  | ImageCommand
  | FileCommand
  | HandCommand
  | ReactCommand
  | ReportCommand
  | EvidenceCommand
  | LeaveCommand
  | EndCommand;
