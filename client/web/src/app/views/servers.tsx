/** Where the meeting can continue: the servers that its host names, before the room and inside. */
import type { Signal } from "@preact/signals";
import { useSignal } from "@preact/signals";
import { useId } from "preact/hooks";
import { clock, word } from "../../words/index";
import type { Model } from "../model";
import { addresses } from "../addresses";
import { hostOf } from "./about";

/** The field for the addresses, and what the page's own server suggests. */
export function ServersField({ model, text, label }: { readonly model: Model; readonly text: Signal<string>; readonly label: string }) {
  const id = useId();
  const suggested = model.where.value.peers.filter((peer) => !addresses(text.value).includes(peer));
  return (
    <div class="field">
      <label for={id}>
        {label}
        <span class="note">{word("prejoin.optional")}</span>
      </label>
      <input
        id={id}
        class="input"
        type="text"
        inputMode="url"
        autocomplete="off"
        autocapitalize="off"
        spellcheck={false}
        placeholder="https://meet.example"
        value={text.value}
        aria-describedby={`${id}-note`}
        onInput={(event) => {
          text.value = event.currentTarget.value;
        }}
      />
      <p id={`${id}-note`} class="note">
        {word("servers.hint")}
      </p>
      {suggested.map((peer) => (
        <div key={peer} class="stack tight">
          <p class="note">{word("servers.suggested", { origin: hostOf(peer) })}</p>
          <button
            type="button"
            class="button small"
            onClick={() => {
              text.value = [...addresses(text.value), peer].join(" ");
            }}
          >
            {word("servers.add", { origin: hostOf(peer) })}
          </button>
        </div>
      ))}
    </div>
  );
}

/** The list of the meeting that we are in; a host changes it. */
export function RoomServers({ model }: { readonly model: Model }) {
  const { at, listed, mirrored, unmirrored } = model.roomServers.value;
  const others = listed.filter((origin) => origin !== at);
  const text = useSignal(listed.join(" "));
  return (
    <section class="panel-part stack tight" aria-labelledby="servers-title">
      <h3 id="servers-title">{word("servers.title")}</h3>
      {listed.includes(at) && <p class="note">{word("servers.now", { origin: hostOf(at) })}</p>}
      {listed.length === 0 && <p class="note">{word("servers.none")}</p>}
      {others.length > 0 && (
        <ol>
          {others.map((origin) => (
            <li key={origin}>{hostOf(origin)}</li>
          ))}
        </ol>
      )}
      {others.length > 0 && mirrored && (
        <p class="note">{unmirrored === null ? word("servers.mirrored") : word("servers.unmirrored", { time: clock(unmirrored) })}</p>
      )}
      {model.amHost.value && (
        <form
          class="stack tight"
          onSubmit={(event) => {
            event.preventDefault();
            model.do.nameServers(addresses(text.value));
          }}
        >
          <ServersField model={model} text={text} label={word("servers.label")} />
          <button type="submit" class="button" disabled={addresses(text.value).join(" ") === listed.join(" ")}>
            {word("servers.save")}
          </button>
        </form>
      )}
    </section>
  );
}
