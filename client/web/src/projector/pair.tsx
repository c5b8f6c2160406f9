/** The same second of one meeting twice: as a member sees it, and as its server does, row by row. */
import type { ComponentChildren } from "preact";
import { Icon } from "../app/icons";
import { groups } from "../app/views/room/digits";
import { Monogram } from "../app/views/room/monogram";
import { Glass, short } from "../landlord/glass";
import type { Now, Room } from "../landlord/now";
import { say as window } from "../landlord/words";
import { number, size } from "../words";
import type { MemberView, State } from "./state";
import { say } from "./words";

const ROWS = ["people", "called", "said", "shown", "code"] as const;
type Row = (typeof ROWS)[number];

/** Shapes behind glass that have room beside each other. */
const GLASSES = 6;
/** Sizes of blobs that are shown, the last ones. */
const SIZES = 4;

export function Pair({ state, sides }: { readonly state: State; readonly sides: "member" | "both" }) {
  const { member, server } = state;
  const room = server?.disclosure.rooms[0];
  return (
    <table class="second" data-sides={sides}>
      <caption class="unseen">{say("pair", { name: member.name })}</caption>
      <thead>
        <tr>
          <td />
          <th scope="col">{say("member_sees")}</th>
          {sides === "both" && <th scope="col">{say("server_sees")}</th>}
        </tr>
      </thead>
      <tbody>
        {ROWS.map((row) => (
          <tr key={row} data-row={row}>
            <th scope="row">{say(`row_${row}`)}</th>
            <td data-side="member">{ofMember(row, member)}</td>
            {sides === "both" && (
              <td data-side="server">{server === null || room === undefined ? <Frosted text={say("server_silent")} /> : ofServer(row, server, room)}</td>
            )}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** The names of the room, as its members read them. */
export function People({ member }: { readonly member: MemberView }) {
  return (
    <ul class="names">
      {member.people.map(({ leaf, name, host }) => (
        <li key={leaf}>
          <Monogram name={name} />
          <span>{name}</span>
          {host && <Icon name="crown" size={22} />}
        </li>
      ))}
    </ul>
  );
}

function ofMember(row: Row, member: MemberView): ComponentChildren {
  switch (row) {
    case "people":
      return <People member={member} />;
    case "called":
      return <q>{member.title}</q>;
    case "said": {
      const last = member.chat.at(-1);
      return last === undefined ? say("said_none") : <span>{say("said_line", { name: last.name, text: last.text })}</span>;
    }
    case "shown":
      return say("shown_member", { videos: member.videos, sounds: member.sounds, frames: number(member.opened) });
    case "code":
      return <Code digits={member.code} />;
  }
}

function Code({ digits }: { readonly digits: string | null }) {
  if (digits === null) return <>{say("said_none")}</>;
  return (
    <span class="groups figures">
      {groups(digits).map((group, i) => (
        <span key={i}>{group}</span>
      ))}
    </span>
  );
}

function ofServer(row: Row, { disclosure, streams }: Now, room: Room): ComponentChildren {
  switch (row) {
    case "people": {
      const addresses = new Set(disclosure.people.filter(({ handle }) => room.handles.includes(handle)).map(({ address }) => address));
      return (
        <>
          <ul class="glasses">
            {room.handles.slice(0, GLASSES).map((handle) => (
              <li key={handle}>
                <Glass />
                <code>{short(handle)}</code>
              </li>
            ))}
          </ul>
          <p class="note">{say("server_people", { n: room.handles.length, addresses: [...addresses].join(", ") })}</p>
        </>
      );
    }
    case "called":
      return say("server_number", { number: short(room.number) });
    case "said": {
      const blobs = [...room.commits, ...room.relays];
      const sizes = room.relays.slice(-SIZES).map(({ bytes }) => size(bytes));
      return (
        <>
          {say("server_blobs", { n: blobs.length, size: size(blobs.reduce((sum, { bytes }) => sum + bytes, 0)) })}
          {sizes.length > 0 && <p class="note figures">{say("server_sizes", { sizes: sizes.join(", ") })}</p>}
        </>
      );
    }
    case "shown":
      return say("server_packets", {
        packets: number(disclosure.sealed_media.packets),
        size: size(disclosure.sealed_media.bytes),
        streams: streams.length,
      });
    case "code":
      return <Frosted text={window("unknown_word")} />;
  }
}

const Frosted = ({ text }: { readonly text: string }) => <span class="frosted">{text}</span>;
