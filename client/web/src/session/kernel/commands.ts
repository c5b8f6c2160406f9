/** Commands of a person inside the room, each to the part that carries it out. */
import { CommandError, sentence } from "../../words/sentence";
import type { Input } from "../events";
import { Absence } from "../features/absence";
import { Subscriptions } from "../features/subscriptions";
import { CollectedEvidence } from "../features/collectedEvidence";
import { Comparing } from "../features/comparing";
import { Ending } from "../features/ending";
import { Files } from "../features/filesharing";
import { Vouching } from "../features/identity";
import { Images } from "../features/images";
import { Moves } from "../features/moves";
import { Roles } from "../features/roles";
import { Reporting } from "../features/reporting";
import { Reactions, States } from "../features/states";
import { Monitor } from "../monitor/monitor";
import { load } from "./load";
import type { RoomSession } from "./room";

/** Carry out a command; CommandError if that is impossible. */
export async function carryOut(room: RoomSession, what: Input, now: number): Promise<void> {
  switch (what.type) {
    case "Say":
      return await room.messages.say(what.text, now);
    case "SendImage":
      return await room.feature(Images).send(what.data, now);
    case "SendFile":
      return await room.feature(Files).send(what.name, what.mime, what.data, now);
    case "SendHeld": {
      const held = room.messages.release();
      if (!room.feature(Files).sendAnyway() && !held) throw new CommandError(sentence("cannot.nothing_held"));
      return;
    }
    case "DiscardHeld": {
      const held = room.messages.discard();
      if (held.length === 0) throw new CommandError(sentence("cannot.nothing_held"));
      for (const message of held) if (message.type === "file") room.feature(Files).discard(message.id);
      return;
    }
    case "SelectStreams":
      return room.feature(Subscriptions).subscribe(what.ssrcs, what.maxLayers ?? [], now);
    case "SetState":
      return await room.feature(States).set(what.state, now);
    case "React":
      return await room.feature(Reactions).react(what.reaction, now);
    case "SaveReport":
      return await room.feature(Reporting).save(what.messages);
    case "SaveEvidence":
      return await room.feature(CollectedEvidence).save(what.names, now);
    case "Remove":
      return await room.remove(what.leaf, now);
    case "Deputise":
      return await room.feature(Roles).deputise(what.leaf, now);
    case "Undeputise":
      return await room.feature(Roles).undeputise(what.leaf, now);
    case "HandOver":
      return await room.feature(Roles).handOver(what.leaf, now);
    case "Lock":
      return await room.feature(Roles).lock(what.on, now);
    case "NameServers":
      return await (await load()).nameServers(room, what.origins, now);
    case "ListServers":
      return (await load()).listServers(room, now);
    case "AllowServer":
      return await room.feature(Moves).allow(what.origin, now);
    case "Move":
      return await room.feature(Moves).move(what.origin, now);
    case "RemoveAbsent":
      return await (await load()).removeAbsent(room, now);
    case "Withdraw":
      return await room.feature(Absence).withdraw(what.name, now);
    case "Vouch":
      return room.feature(Vouching).vouch(what.leaf, now);
    case "Know":
      return room.feature(Vouching).know(what.leaf, what.name, now);
    case "Verified":
      return room.feature(Vouching).verify(what.leaf, now);
    case "Override":
      return room.feature(Monitor).override(now);
    case "Compare":
      return await room.feature(Comparing).compare(now);
    case "Compared":
      return await room.feature(Comparing).compared(what.same, what.digits, now);
    case "ShowCode":
      return room.feature(Comparing).show();
    case "EndMeeting":
      return await room.feature(Ending).end(now);
  }
}
