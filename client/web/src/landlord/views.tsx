/** The landlord's window: everything that the operator of a server can see, and the facts hidden from them. */
import { useSignalEffect } from "@preact/signals";
import { Icon } from "../app/icons";
import { Head, usePreferences } from "../app/views/frame";
import { duration, number, size } from "../words";
import { Find } from "./finder";
import { Pane, short } from "./glass";
import { Timeline } from "./graphs";
import { Known, Unknown } from "./known";
import { Look } from "./look";
import type { Hostile, Now } from "./now";
import type { OperatorWindow } from "./store";
import { say } from "./words";

export function Window({ model }: { readonly model: OperatorWindow }) {
  usePreferences(model);
  useSignalEffect(() => {
    document.title = `${say("title")} · Snug`;
  });
  const now = model.now.value;
  const trouble = model.trouble.value;
  const hostile = now?.hostile ?? null;
  return (
    <div class="landlord">
      <Head model={model} />
      <main class="stack">
        <div class="landlord-top">
          <div class="stack tight">
            <h1>{say("title")}</h1>
            {hostile === null ? <p class="muted">{say("lead")}</p> : <HostileNotice hostile={hostile} />}
          </div>
          {now !== null && <Pulse model={model} now={now} />}
        </div>
        <div role="alert">
          {trouble !== null && (
            <p class="notice">
              <Icon name="info" />
              <span>{say(`trouble_${trouble}`)}</span>
            </p>
          )}
        </div>
        {now === null ? trouble === null && <p role="status">{say("waiting")}</p> : <Held model={model} now={now} />}
      </main>
    </div>
  );
}

function Pulse({ model, now }: { readonly model: OperatorWindow; readonly now: Now }) {
  const paused = model.paused.value;
  return (
    <div class="row pulse">
      <span class="badge figures" data-live={!paused}>
        {say(paused ? "paused" : "live")} · {duration(now.disclosure.uptime)}
      </span>
      <button
        type="button"
        class="button small"
        onClick={() => {
          model.paused.value = !paused;
        }}
      >
        {say(paused ? "go_on" : "pause")}
      </button>
    </div>
  );
}

function Held({ model, now }: { readonly model: OperatorWindow; readonly now: Now }) {
  const { disclosure: held } = now;
  const files = held.files_open_for_writing;
  return (
    <>
      <div class="first">
        <Find hunt={model.hunt.value} search={model.search} />
        <Unknown />
      </div>
      <section aria-label={say("holds")}>
        <dl class="counts">
          <Count n={held.rooms.length} name={say("rooms", { n: held.rooms.length })} />
          <Count n={held.connections} name={say("connections", { n: held.connections })} />
          <Count n={held.blobs} name={say("blobs", { n: held.blobs })} more={size(held.blob_bytes)} />
          <Count
            n={held.sealed_media.packets}
            name={say("packets", { n: held.sealed_media.packets })}
            more={size(held.sealed_media.bytes)}
          />
          <Count n={files < 0 ? null : files} name={say("files", { n: Math.max(0, files) })} />
        </dl>
      </section>
      <div class="landlord-columns">
        <div class="stack">
          <Rooms model={model} now={now} />
          <Look model={model} />
        </div>
        <div class="stack">
          <Known now={now} />
        </div>
      </div>
      <section class="stack tight">
        <details class="card">
          <summary>{say("aloud")}</summary>
          <div class="stack tight aloud" lang="en">
            {now.sentences.map((sentence) => (
              <p key={sentence}>{sentence}</p>
            ))}
          </div>
        </details>
        <details class="card">
          <summary>{say("whole")}</summary>
          <p class="note">{say("whole_text", { command: "snug-server disclose --identifiers" })}</p>
          <pre tabIndex={0} aria-label={say("whole")} lang="en">
            {JSON.stringify(held, null, 2)}
          </pre>
        </details>
      </section>
    </>
  );
}

/** Said by a server that can turn against its meetings: an honest one has nothing of it in its process. */
function HostileNotice({ hostile: { acts, playing } }: { readonly hostile: Hostile }) {
  const now = Object.entries(playing);
  return (
    <div class={now.length === 0 ? "notice" : "notice warning"} role="status" data-hostile>
      <Icon name="triangle-alert" />
      <p>
        {say("hostile", { acts: acts.join(", ") })}{" "}
        {now.map(([act, left]) => (
          <b key={act}>{left === null ? say("hostile_now", { act }) : say("hostile_left", { act, left: Math.ceil(left) })} </b>
        ))}
      </p>
    </div>
  );
}

function Count({ n, name, more }: { readonly n: number | null; readonly name: string; readonly more?: string }) {
  return (
    <div class="count">
      <dt>{name}</dt>
      <dd class="figures">
        <b>{n === null ? say("not_told") : number(n)}</b>
        {more !== undefined && <span class="note"> {more}</span>}
      </dd>
    </div>
  );
}

function Rooms({ model, now }: { readonly model: OperatorWindow; readonly now: Now }) {
  const { rooms, lobbies, people } = now.disclosure;
  const personOf = (handle: string) => people.find((person) => person.handle === handle);
  if (rooms.length === 0 && lobbies.length === 0)
    return (
      <section class="card stack">
        <p class="muted">{say("nobody")}</p>
      </section>
    );
  const outside = lobbies.filter(({ handles }) => handles.length > 0);
  return (
    <>
      {rooms.map((room) => (
        <section key={room.number} class="card stack" aria-labelledby={`room-${room.number} room-facts-${room.number}`}>
          <div class="stack tight">
            <h2 id={`room-${room.number}`}>{say("room")}</h2>
            <p class="note figures" id={`room-facts-${room.number}`}>
              {room.slot === null
                ? say("room_facts_new", { number: short(room.number) })
                : say("room_facts", { number: short(room.number), slot: number(room.slot) })}
            </p>
          </div>
          <ul class="panes">
            {room.handles.map((handle, i) => (
              <Pane
                key={handle}
                model={model}
                handle={handle}
                seat={room.seats[i] ?? null}
                person={personOf(handle)}
                streams={now.streams.filter((stream) => stream.handle === handle)}
              />
            ))}
          </ul>
          <h3>{say("timeline")}</h3>
          <p class="note">{say("timeline_text")}</p>
          <Timeline blobs={model.history.blobs().filter((blob) => blob.room === room.number)} at={now.at} />
        </section>
      ))}
      {outside.map((lobby) => (
        <section key={lobby.number} class="card stack" aria-labelledby={`lobby-${lobby.number} lobby-facts-${lobby.number}`}>
          <div class="stack tight">
            <h2 id={`lobby-${lobby.number}`}>{say("lobby")}</h2>
            <p class="note figures" id={`lobby-facts-${lobby.number}`}>{say("lobby_facts", { number: short(lobby.number) })}</p>
          </div>
          <ul class="panes">
            {lobby.handles.map((handle) => (
              <Pane key={handle} model={model} handle={handle} seat={null} person={personOf(handle)} streams={[]} />
            ))}
          </ul>
        </section>
      ))}
    </>
  );
}
