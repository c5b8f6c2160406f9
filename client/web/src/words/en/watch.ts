import type { Texts, Words } from "../entry";

const raised = (text: string | undefined = ""): string => text.slice(0, 1).toUpperCase() + text.slice(1);

const leaked = (a: Texts, what: string, todo: string): string =>
  `${raised(a.invite)} was used twice: it has leaked. ${what}. It opens nothing any more. ${todo}`;

const differs = (a: Texts, several: boolean, than: string): string =>
  `${a.names} ${several ? "run" : "runs"} another page than ${than}: ${a.most} of ${a.of} here run the same one. ` +
  `Whoever served ${several ? "them" : "it"} could have changed it, and what it shows or sends. Ask which page that ` +
  "is; snug verify-page compares what a server serves with what was released.";

/** What a session tells outside the room's own affairs: as `client/session/*.py` says it, word for word. */
export default {
  // what can't be done
  "cant.another_code": "another code has come just now: look again",
  "cant.book_full": "a book holds at most {most} contacts",
  "cant.compare_many": "the short code is for up to {most}: compare the long one, /code",
  "cant.contact_name": "a new contact needs a name",
  "cant.digits_few": "which digits? Type at least the first {least} of the code",
  "cant.digits_new":
    "somebody has just come in, and the digits are others now: type the first {least} of those that you have compared, as in /same digits 12345 67890",
  "cant.digits_none": "no code of the last epochs begins with these digits",
  "cant.digits_two": "two codes of the last epochs begin with these digits: type more of them",
  "cant.file_name": "that can't be a file's name for others",
  "cant.file_size": "a file has 1 to {most:n} bytes, and this has {size:n}",
  "cant.files_many": "{most} files are on their way: wait until one has arrived",
  "cant.in_book": "that key is in the book already: {petname}",
  "cant.invite_over": "invite {index} opens nothing any more",
  "cant.invite_unknown": "no invite {index} is known here: /invites lists them",
  "cant.invites": "{most} invites are as many as one host makes in one meeting",
  "cant.invites_all": "nearly all invites of this meeting have been made: open another meeting",
  "cant.known_as": "you know somebody else as {petname}: choose another name",
  "cant.label": "a label has at most {most} bytes, and no control characters",
  "cant.leaf_taken":
    "{name} is at leaf {leaf} since a moment ago, where {before} was: if you mean who is there now, say it again",
  "cant.no_book": "there is no contact book here: start with --contacts BOOK",
  "cant.no_code_yet": "there is no code to compare yet: type /compare",
  "cant.no_contact": "there is no contact named '{what}'",
  "cant.no_evidence": "there is nothing to show yet: you have not been in the room",
  "cant.no_identity": "{name} has shown you no identity: there is no key to keep",
  "cant.no_key": "that is neither a fingerprint ({digits} digits) nor a public key (64 hex digits)",
  "cant.nobody_else": "there is nobody else at leaf {leaf}",
  "cant.nobody_to_compare": "there is nobody here to compare with",
  "cant.nobody_waits": "nobody waits under the number {number}",
  "cant.not_inside": "you are not in the room yet",
  "cant.not_paused": "sound and pictures are not paused",
  "cant.own_key": "that is your own key",
  "cant.petname": "that is no name for a contact: {why}",
  "cant.react_away": "the server is away: nobody would see it",
  "cant.react_soon": "one at a time: try again in a moment",
  "cant.report_count": "a report is of 1 to {most} messages, each once",
  "cant.report_no_admission": "{name} has not shown the host's admission, so nothing can be proven",
  "cant.report_off": "this meeting keeps no signatures for reports: its host has not asked for that",
  "cant.report_proves_nothing": "a report of that would prove nothing: {why}",
  "cant.report_unknown": "no message '{name}' is among the last {most} that others wrote",

  // invites, names and contacts
  "invite.label": "the invite for “{label}” (no. {index})",
  "invite.number": "invite {index}",
  "invite.open": "the open invite",
  "invite.other": "an invite that another host made (no. {index})",
  "look.alike.no_key":
    "This name looks like that of your contact {petname}, and comes without {petname}'s key: it may be somebody else.",
  "look.alike.other_key":
    "This name looks like that of your contact {petname}, and comes with another key than {petname}'s: it may be somebody else.",
  "look.alike_waits": "This name looks like that of {name}, who waits too (knock {knock}).",
  "look.here.no_key": "A contact named {petname} is here without {petname}'s key: it may be somebody else.",
  "look.here.other_key":
    "A contact named {petname} is here with another key than {petname}'s: it may be somebody else.",
  "look.knocks.no_key": "A contact named {petname} knocks without {petname}'s key: it may be somebody else.",
  "look.knocks.other_key":
    "A contact named {petname} knocks with another key than {petname}'s: it may be somebody else.",
  "look.known_as": "You know this key as {petname}.",
  "look.same_waits": "Somebody else who waits (knock {knock}) calls itself {name} too.",
  "refusal.full": "So many people have been in this meeting that nobody new can be told all of it.",
  "refusal.locked": "The room is locked: nobody new is let in now.",
  "refusal.no": "The host did not let you in.",
  "refusal.not_added": "You could not be let in: {why}. Knock again with another name, or ask the host.",
  "refusal.not_added.yet": "You could not be let in: {why}.",
  "refusal.not_by_host": "The answer is not by a host of the meeting that the link names.",
  "refusal.over": "This invite has been used or taken back. Ask for another one.",
  "refusal.unusable": "The host's answer can't be used: {why}",

  // codes
  "compared.different": "You said that the codes are not the same. Leave, and meet anew in another room.",
  "compared.same": "Since you compared codes nobody has come in or gone.",
  "compared.since": "Since you compared codes: {changes}.",
  "compared.since.new":
    "Since you compared codes: {changes}. {names} is not in what you compared: type /compare to compare anew.",
  "compared.since.news":
    "Since you compared codes: {changes}. {names} are not in what you compared: type /compare to compare anew.",
  "since.and": "{before}; {next}",
  "since.came": "{name} came in (let in by {by})",
  "since.came_by": "{name} came in (let in by {by}, {invite})",
  "since.came_meanwhile": "{name} came in while you were out of step",
  "since.left": "{name} left",
  "since.policy": ({ text = "" }) => text.replace(/\.$/, ""),
  "since.removed": "{name} was removed by {by}",
  "since.went_meanwhile": "{name} went while you were out of step",
  "nocode.anew": "your program had to come in anew meanwhile",
  "nocode.anew_out": "your program had to come in anew in the middle of it",
  "nocode.broke": "your own connection broke",
  "nocode.changed": "somebody came, went or changed keys meanwhile",
  "nocode.keys_out": "{who} changed the meeting's keys in the middle of it",
  "nocode.not_passed": "the server did not pass it on",
  "nocode.nothing": "nothing came for {seconds} seconds",
  "nocode.nothing_from": "nothing came from {names}",
  "nocode.this_participant": "this participant",
  "nocode.unreachable": "the server can't be reached",

  // sound, pictures and files
  "file.sender_gone": "Who sent it has gone before all of it was here.",
  "file.stopped": "It stopped coming. Ask for it again.",
  "file.too_many": "Too many files come at a time: ask for it again.",
  "file.wrong": "What came is not what was sent: pieces of it were false. Ask for it again.",
  "signing.away": "Sound and pictures wait until the server is back.",
  "signing.out_of_step": "Sound and pictures wait: what was sent last can't be signed: we are out of step.",
  "stream.own.pictures": "your pictures",
  "stream.own.screen": "your screen",
  "stream.own.screen_sound": "your screen's sound",
  "stream.own.sound": "your sound",
  "stream.pictures": "{whose}'s pictures",
  "stream.screen": "{whose}'s screen",
  "stream.screen_sound": "{whose}'s screen's sound",
  "stream.sound": "{whose}'s sound",
  "watch.paused_stale":
    "Sound and pictures are paused: too few of the others have lately confirmed who is in the room.",
  "watch.paused_withheld":
    "Sound and pictures are paused: the meeting has moved on, and the change has not come here.",
  "watch.server_itself": "the server itself",
  "watch.you": "you",

  // the end
  "dropped.forgotten":
    "The server knows nothing of this meeting any more. Either everybody has left while we were away, or the server ended it.",
  "dropped.gave_up": "{what} We gave up trying to get back in.",
  "dropped.proof": "/evidence FILE keeps what can be shown of it.",
  "dropped.refuses":
    "The server dropped us; nobody in the room did. It answers, but opens no new room either: it may be refusing everybody.",
  "dropped.restarted":
    "The server dropped us; nobody in the room did. It was started anew, and does not let this meeting back in.",
  "dropped.saved": "Evidence is in {file}.",
  "dropped.serves": "The server dropped us; nobody in the room did. It still serves others, and has signed that.",

  "alarm.code_aborted":
    "There is no code, for {names} did not show a part of it when others had: {why}. Once can be an accident; if it happens again, somebody is trying out codes, with or without the server. Type /compare to try again.",
  "alarm.code_cheat":
    "{name} did not keep to what {name}'s program had promised while the code was made. Only who wants to choose the code has a use for that. There is no code; speak with the others about removing {name}.",
  "alarm.code_different":
    "The codes are not the same: you are not in one room with those you compared with, and somebody may stand between you. Leave, say nothing more here, and meet anew in another room, by another way.",
  "alarm.code_fork":
    "{name} was told other things than you while the code was made, or says so: the server may be telling two stories, or {name} lies. There is no code. Compare the long code (/code) by phone.",
  "alarm.double_beat":
    "{who} has signed two different accounts of the same moment: their program lies to some of you, or two programs use one key.",
  "alarm.double_beat.host":
    "{who} has signed two different accounts of the same moment: their program lies to some of you, or two programs use one key. /remove {leaf} takes them out.",
  "alarm.dropped": "{what} {proof} Trying to get back in; agree by phone where to go on otherwise.",
  "alarm.dropped.often":
    "The connection to this meeting was lost {count} times within a minute, and each time the server let us in again. Nobody in the room did that: it is the server, or the network to it.",
  "alarm.forged_media":
    "Somebody sent sound or pictures in {name}'s name. Only a member can do that, with the server's help. What you heard and saw of {name} just now may be false; from here on only what {name} has signed is played.",
  "alarm.gone":
    "{who} has been silent for {seconds} s and still has the meeting's keys. /remove {leaf} takes them out; they can knock again.",
  "alarm.invite_leaked.both_wait": (a) =>
    leaked(
      a,
      `“${a.earlier}” and “${a.name}” knock with it, and it was for one of them at most`,
      "Make another one, and hand it over by another way.",
    ),
  "alarm.invite_leaked.came_in": (a) =>
    leaked(
      a,
      `${a.earlier} came in by it, and now somebody who says “${a.name}” knocks with it`,
      `Ask ${a.earlier} something that only the right one can know, or remove them.`,
    ),
  "alarm.invite_leaked.somebody_in": (a) =>
    leaked(
      a,
      `Somebody came in by it, and now somebody who says “${a.name}” knocks with it`,
      "Ask who came in something that only the right one can know, or remove them.",
    ),
  "alarm.not_admitted": "{name} could not be let in: {why}",
  "alarm.not_reaching":
    "By the word of {whom} this is sent and does not come there: {streams}. Chat still works; if it lasts, use another network or server.",
  "alarm.not_reaching.blamed":
    "Sent, but not reaching {whom}: {streams}. The server drops that, or the network to the server does. Chat still works; if it lasts, use another network or server.",
  "alarm.page_differs": (a, n) => differs(a, n("names") > 1, "you"),
  "alarm.page_differs.others": (a, n) => differs(a, n("names") > 1, "the others"),
  "alarm.refused.lobby": "The server refused something in the lobby: {why}.",
  "alarm.rejoining": "This participant fell out of step, and asks to be let in again.",
  "alarm.removed_knocks":
    "Somebody who says “{name}” knocks with {invite}, by which {removed} had come in, who was removed. It may be the same person, or somebody who was given the link. It opens nothing any more; whoever you still want here needs another invite.",
  "alarm.reordered":
    "The server gave {who} other messages, or in another order, than you. Do not rely on having read all that was said, or on the order of it.",
  "alarm.reordered.held_back":
    "The server has given {who} messages that it has not given you. Do not rely on having read all that was said.",
  "alarm.reordered.renumbered":
    "The server gave you two different messages under one number. Do not rely on having read all that was said, or on the order of it.",
  "alarm.silent":
    "Nothing has come from {who} for {seconds} s. The connection may be lost, or the server keeps it from you.",
  "alarm.stale":
    "{who} did not confirm who is in the room lately. Somebody may have been removed without your being told, so sound and pictures are paused. /override sends them anyway.",
  "alarm.stale.no_host":
    "No host has been heard; {who} did not confirm who is in the room lately. Somebody may have been removed without your being told, so sound and pictures are paused. /override sends them anyway.",
  "alarm.unheard.everybody":
    "The others do not hear you: what this program signs does not arrive there. The server may keep it back. What you say may not be heard; ask by another way.",
  "alarm.unheard.many":
    "{who} do not hear you: what this program signs does not arrive there. The server may keep it back. What you say may not be heard; ask by another way.",
  "alarm.unheard.one":
    "{who} does not hear you: what this program signs does not arrive there. The server may keep it back. What you say may not be heard; ask by another way.",
  "alarm.unreadable_commit":
    "Two members could not read {who}'s last change and had to come in anew. {who}'s program may do that on purpose. /remove {leaf} takes them out.",
  "alarm.unreadable_commit.again":
    "{victim} could not read two of {who}'s changes, which all others could, and had to come in anew. One of their two programs may do that on purpose: ask both. /remove {leaf} takes out {who}, /remove {victimLeaf} takes out {victim}.",
  "alarm.unreportable":
    "{name} has not shown the host's signature for coming in: what {name} writes can't be reported. Their program shows it at once, if it is honest and the host's has given it; ask, or have a host remove them.",
  "alarm.unverified_media":
    "Nothing says whether sound and pictures in the name of {names} are theirs: the signatures don't come. The server may hold them back, or somebody else speaks. From here on they are played only once signed; ask by another way.",
  "alarm.withheld":
    "The meeting has moved on to change {slot}, by the word of {who}, and the server does not hand that change over. It may be a removal. Sound and pictures are paused until it comes; if it doesn't, leave and join again, or ask by another way.",

  "status.away.restarted":
    "The server was started anew and knows nothing of this meeting until a host is back there.",
  "status.away.unreachable":
    "The server can't be reached at all: it may be down, or the way to it. Nothing that came here says that anybody ended the meeting. Trying again...",
  "status.cleared.fresh":
    "The others confirm again who is in the room. Sound and pictures may flow.",
  "status.cleared.handed_over": "The change that was missing here has come.",
  "status.cleared.heard": "{who} can be heard again.",
  "status.cleared.messages": "The messages that were missing here have come.",
  "status.cleared.reaches": "What you send reaches {who} again.",
  "status.cleared.reaching": "Reaching {whom} again: {streams}.",
  "status.comparing": "A code is being made with everybody in the room...",
  "status.host": "You are a host of this meeting now.",
  "status.knocking": "Knocked. Waiting for the host's answer...",
  "status.no_admission":
    "The host has not signed that it let you in. What you write here can't be reported, and others may be told that you hold the signature back. Ask the host, and come in again.",
  "status.no_code": "There is no code this time: {why}. Type /compare to try again.",
  "status.no_host": "You are no host of this meeting any more.",
  "status.not_yet": "You can't come back in yet: {why} This program goes on trying.",
  "status.override": "Sound and pictures go on by your word. Somebody who has been removed may be listening.",
  "status.removal_reach":
    "The removal of {names} has reached {reached} of {total}: not {missing}. Until it does, {names} may still hear and see what comes from there.",
  "status.removal_reach.all": "The removal of {names} has reached everybody ({total} of {total}).",
  "status.reports":
    "What you write here can be proven to others afterwards: this meeting keeps signatures for reports.",
  "status.returning": "Looking for members who can let the host in again...",
  "status.revoked": ({ invite }) => `${raised(invite)} opens nothing any more.`,
  "status.verified": "Sound and pictures of {names} are signed again.",
  "status.vouched": "{name} can see now who you are, and can prove it to nobody else.",
  "status.waiting": "Waiting for a host to open the door...",
} satisfies Words;
