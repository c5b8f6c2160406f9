import { plural, type Words } from "../entry";

/** What a member's room tells: as `client/session/*.py` says it, word for word. */
export default {
  "room.a_file": "(a file)",
  "room.a_host": "A host",
  "room.a_picture": "(a picture)",
  "room.back_by_own_key": "{name} is back as a host, by the host's own key. {who}'s program let them in.",
  "room.back_by_shared_key": "{name} is back as a host, by the key that all hosts have. {who}'s program let them in.",
  "room.ended_by": "{name} ended the meeting.",
  "room.ended_unheard":
    "You ended the meeting and left it. The server did not pass it on in time: others may still be in it.",
  "room.hand_to_oneself": "you can't hand over to yourself",
  "room.handing_already": "you are handing over to {name} already",
  "room.handover_gone": "{name} went before the meeting was theirs; you are a host as before.",
  "room.handover_unshown": "{name} has not shown that it can host; you are a host as before.",
  "room.host_only": "only a host can do that",
  "room.hosts_max": "a room has at most {most} hosts",
  "room.is_no_host": "{name} is no host",
  "room.laid_down": "{who} has laid down the host's powers.",
  "room.locked_already": "the room is locked",
  "room.made_host": "{who} made {whom} a host.",
  "room.member_or_server": "a member or the server",
  "room.mode_changed_all": "{who} changed who comes in: whoever has a good invite comes in.",
  "room.mode_changed_ask": "{who} changed who comes in: a host is asked about everybody.",
  "room.mode_locked": "{who} locked the room: nobody new.",
  "room.mode_unlocked_all": "{who} unlocked the room: whoever has a good invite comes in.",
  "room.mode_unlocked_ask": "{who} unlocked the room: a host is asked about everybody.",
  "room.name_another": "there would be no host left: name another host first",
  "room.no_picture": "a picture is a PNG, JPEG, WebP or GIF file",
  "room.nobody_else_there": "there is nobody else at leaf {leaf}",
  "room.nobody_there": "there is nobody at leaf {leaf}",
  "room.not_locked": "the room is not locked",
  "room.out_of_step": "We fell out of step with the others.",
  "room.picture_size": "a picture has at most {most:n} bytes, and this has {size:n}",
  "room.picture_soon": "one picture every {seconds} seconds: try again in a moment",
  "room.removed_by": "You were removed by {by}.",
  "room.ruled": "{rule}: {why}",
  "room.servers": "{who} changed the servers that the meeting may move to.",
  "room.somebody": "somebody",
  "room.somebody_else": "somebody who is not in the room",
  "room.text_size": "a message has 1 to {most} characters",
  "room.titled": "{who} named the meeting “{title}”.",
  "room.took_powers": "{who} took the host's powers from {whom}.",
  "room.void_no_commit": "a message that is no commit took a slot",
  "room.void_of_no_member": "a commit that is not a member's: {why}",
  "room.void_unreadable": "a commit that nobody can read: by a member or the server",
  "room.you_ended": "You ended the meeting.",
  "room.you_left": "You left.",

  "alarm.false_end": "{name} tried to end the meeting: {why}",
  "alarm.maybe_lost":
    "The server went away right after you said “{text}”. It may not have reached everybody; say it again if it matters.",
  "alarm.missed":
    "{count} messages of others went by and can't be read here any more; some may have been said in the chat. Ask what you missed.",
  "alarm.not_done": "That could not be done: {why}",
  "alarm.receipt": "The server did not sign what it told us. Compare codes by phone.",
  "alarm.refused": "The server refused something: {why}.",
  "alarm.stuck": "{who}'s last change can't be read here. Nothing is sent until that is settled.",
  "alarm.two_stories":
    "The server told two stories of this meeting (at slot {slot}). What you say may not reach everybody. Compare codes by phone, or open a new room.",
  "alarm.two_stories.by":
    "By the word of {who} the meeting went on in another way than here (at slot {slot}): the server told two stories of it, or that word is false. What you say may not reach everybody. Compare codes by phone, or open a new room.",
  "alarm.void_commit":
    "A change to the meeting was not valid and was ignored: {why}. It came from {who} (slot {slot}).",

  "status.asks_again":
    "{name} was a host, and may still be able to make links to this meeting. So nobody is waved in any more: you are asked about everybody.",
  "status.away": "The server is away ({why}). Trying again...",
  "status.back": "The server is back.",
  "status.closing": "The server says: {text}",
  "status.handing_over": "Handing the meeting over to {name}...",
  "status.revoked.by": (a, n) =>
    `${a.name} has ${plural(n("count"), `invite ${a.invite}`, `${a.count} invites`)} taken back.`,
} satisfies Words;
