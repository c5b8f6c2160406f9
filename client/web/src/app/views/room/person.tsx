/** Menu items for actions on a member, in the menu of a tile and of a row in the list of people. */
import { word } from "../../../words";
import type { Person } from "../../model";
import { Item } from "./menu";
import { useUi } from "./ui";

export function PersonItems({ person }: { readonly person: Person }) {
  const { model, question, removal, reporting, volumeOf } = useUi();
  const { name, leaf } = person;
  if (person.self) return null;
  const host = model.amHost.value;
  const own = model.identity.own.value !== null;
  const muted = model.call.volumes.value.get(leaf)?.muted ?? false;
  return (
    <>
      {own && <Item icon="user-check" words={word("meet.vouch")} act={() => model.do.vouch(leaf)} />}
      {own && person.standing === "new" && (
        <Item icon="user-plus" words={word("meet.know")} act={() => model.do.know(leaf)} />
      )}
      {own && (person.standing === "new" || person.standing === "known") && (
        <Item icon="user-check" words={word("meet.mark_verified")} act={() => model.do.verified(leaf)} />
      )}
      {model.reportable.value && (
        <Item
          icon="circle-alert"
          words={word("meet.report")}
          act={() => {
            reporting.value = new Set();
            model.panel.value = "chat";
          }}
        />
      )}
      {host && (
        <>
          {person.host ? (
            <Item icon="user-minus" words={word("meet.undeputise")} act={() => model.do.undeputise(leaf)} />
          ) : (
            <Item icon="crown" words={word("meet.deputise")} act={() => model.do.deputise(leaf)} />
          )}
          <Item
            icon="arrow-right"
            words={word("meet.hand_over")}
            act={() => {
              question.value = {
                title: word("meet.hand_over_title", { name }),
                text: word("meet.hand_over_text", { name }),
                yes: word("meet.hand_over_yes"),
                act: () => model.do.handOver(leaf),
              };
            }}
          />
        </>
      )}
      <Item
        icon={muted ? "volume-2" : "volume-x"}
        words={word(muted ? "meet.unmute_for_me" : "meet.mute_for_me")}
        act={() => model.do.muteForMe(leaf, !muted)}
      />
      <Item
        icon="volume-2"
        words={word("meet.volume")}
        act={() => {
          volumeOf.value = leaf;
        }}
      />
      {/* last, for it is the one that hurts */}
      {host && (
        <Item
          icon="log-out"
          words={word("meet.remove")}
          act={() => {
            removal.value = person;
          }}
        />
      )}
    </>
  );
}

/** How loud a member is played here. */
export function VolumeField({ leaf }: { readonly leaf: number }) {
  const { model } = useUi();
  const name = model.people.value.find((person) => person.leaf === leaf)?.name ?? "";
  const { volume, muted } = model.call.volumes.value.get(leaf) ?? { volume: 1, muted: false };
  const percent = muted ? 0 : Math.round(volume * 100);
  return (
    <>
      <div class="field">
        <label for="volume">{word("meet.volume_of", { name })}</label>
        <input
          id="volume"
          type="range"
          min={0}
          max={100}
          step={5}
          value={percent}
          aria-valuetext={`${percent} %`}
          aria-describedby="volume-note"
          onInput={(event) => model.do.setVolume(leaf, event.currentTarget.valueAsNumber / 100)}
        />
        <output for="volume" class="figures">{`${percent} %`}</output>
        <p id="volume-note" class="note">
          {word("meet.volume_text", { name })}
        </p>
      </div>
      <label class="choice">
        <input type="checkbox" checked={muted} onChange={(event) => model.do.muteForMe(leaf, event.currentTarget.checked)} />
        {word("meet.mute_for_me")}
      </label>
    </>
  );
}
