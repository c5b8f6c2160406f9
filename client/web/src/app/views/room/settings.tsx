/** Settings: devices, the view of the room, and the page itself. */
import type { ComponentChildren } from "preact";
import { useId } from "preact/hooks";
import { type Key, LANGUAGES, word } from "../../../words";
import { Icon } from "../../icons";
import type { Device, DeviceTrouble, Language, Theme } from "../../model";
import { About } from "../about";
import { RoomServers } from "../servers";
import { IdentitySettings } from "./identity";
import { NoticeSettings } from "./noticeSettings";
import { pressDevice, useUi } from "./ui";

export function Settings() {
  const { model, keys } = useUi();
  const { call } = model;
  const { cameras, microphones, speakers, camera, microphone, speaker, cameraTrouble, microphoneTrouble } = model.devices.value;
  return (
    <>
      <section class="panel-part" aria-labelledby="devices-title">
        <h3 id="devices-title">{word("meet.devices")}</h3>
        <Picker label={word("meet.microphone")} devices={microphones} chosen={microphone} choose={(id) => model.do.chooseMicrophone(id)} />
        <Trouble of="microphone" trouble={microphoneTrouble} />
        <Picker label={word("meet.camera")} devices={cameras} chosen={camera} choose={(id) => model.do.chooseCamera(id)} />
        <Trouble of="camera" trouble={cameraTrouble} />
        <Switch
          on={call.blur.value}
          words={word("prejoin.blur")}
          note={word(`blur.${call.blurred.value}`)}
          turn={(on) => {
            call.blur.value = on;
          }}
        />
        {speakers.length > 0 && (
          <Picker label={word("meet.speakers")} devices={speakers} chosen={speaker} choose={(id) => model.do.chooseSpeaker(id)} />
        )}
        <button type="button" class="button" onClick={() => model.do.testSpeaker()}>
          <Icon name="volume-2" />
          {word("prejoin.test_speaker")}
        </button>
        <Switch
          on={call.pushToTalk.value}
          words={word("meet.talk")}
          note={word("meet.talk_text")}
          turn={(on) => {
            call.pushToTalk.value = on;
          }}
        />
        <Switch
          on={call.mutedHint.value}
          words={word("meet.hint_setting")}
          note={word("meet.hint_text")}
          turn={(on) => {
            call.mutedHint.value = on;
          }}
        />
      </section>
      <section class="panel-part" aria-labelledby="view-title">
        <h3 id="view-title">{word("meet.view")}</h3>
        <fieldset class="stack tight">
          <legend class="unseen">{word("meet.view")}</legend>
          {(["grid", "speaker"] as const).map((layout) => (
            <label key={layout} class="choice">
              <input
                type="radio"
                name="layout"
                checked={model.layout.value === layout}
                onChange={() => {
                  model.layout.value = layout;
                }}
              />
              {word(layout === "grid" ? "meet.layout_grid" : "meet.layout_speaker")}
              {layout === "speaker" && <span class="note">{word("meet.layout_speaker_text")}</span>}
            </label>
          ))}
        </fieldset>
        <Switch
          on={model.onlySpeaker.value}
          words={word("meet.only_speaker")}
          note={word("meet.only_speaker_text")}
          turn={(on) => {
            model.onlySpeaker.value = on;
            // a layout in which the only video is visible
            if (on) model.layout.value = "speaker";
          }}
        />
        <DataSaver />
        <Switch
          on={call.manyVideos.value}
          words={word("meet.many_videos")}
          note={word("meet.many_videos_text")}
          turn={(on) => {
            call.manyVideos.value = on;
          }}
        />
        <Switch
          on={keys.value}
          words={word("meet.keys")}
          note={word("meet.keys_text")}
          turn={(on) => {
            keys.value = on;
          }}
        />
      </section>
      <NoticeSettings />
      <section class="panel-part" aria-labelledby="id-title">
        <h3 id="id-title">{word("meet.id_title")}</h3>
        <IdentitySettings model={model} />
      </section>
      <RoomServers model={model} />
      <section class="panel-part" aria-labelledby="page-title">
        <h3 id="page-title">{word("meet.page")}</h3>
        <Select
          label={word("meet.language")}
          value={model.language.value}
          options={LANGUAGES}
          choose={(language) => {
            model.language.value = language as Language;
          }}
        />
        <Select
          label={word("meet.theme")}
          value={model.theme.value}
          options={[
            ["system", word("theme.system")],
            ["light", word("theme.light")],
            ["dark", word("theme.dark")],
          ]}
          choose={(theme) => {
            model.theme.value = theme as Theme;
          }}
        />
        <div class="field">
          {model.kept.value === null ? (
            <p class="note">{word("note.nothing_kept")}</p>
          ) : (
            <>
              <button type="button" class="button" onClick={() => model.do.forget(null)}>
                {word("meet.forget")}
              </button>
              <p class="note">{word("meet.forget_text")}</p>
            </>
          )}
        </div>
        <About model={model} />
      </section>
    </>
  );
}

/** The choice to be sent less than the tiles have room for. */
export function DataSaver() {
  const { dataSaver } = useUi().model.call;
  return (
    <Switch
      on={dataSaver.value}
      words={word("meet.saver")}
      note={word("meet.saver_text")}
      turn={(on) => {
        dataSaver.value = on;
      }}
    />
  );
}

function Switch(props: { readonly on: boolean; readonly words: string; readonly note: string; turn(on: boolean): void }) {
  return (
    <label class="choice">
      <input
        type="checkbox"
        role="switch"
        checked={props.on}
        onChange={(event) => props.turn(event.currentTarget.checked)}
      />
      {props.words}
      <span class="note">{props.note}</span>
    </label>
  );
}

function Select(props: {
  readonly label: string;
  readonly value: string;
  readonly options: readonly (readonly [string, string])[];
  readonly disabled?: boolean;
  choose(value: string): void;
  readonly children?: ComponentChildren;
}) {
  const id = useId();
  return (
    <div class="field">
      <label for={id}>{props.label}</label>
      <span class="select">
        <select id={id} value={props.value} disabled={props.disabled ?? false} onChange={(event) => props.choose(event.currentTarget.value)}>
          {props.options.map(([value, words]) => (
            <option key={value} value={value}>
              {words}
            </option>
          ))}
        </select>
        <Icon name="chevron-down" size={16} />
      </span>
    </div>
  );
}

function Picker(props: { readonly label: string; readonly devices: readonly Device[]; readonly chosen: string | null; choose(id: string): void }) {
  const { devices, chosen } = props;
  const named = devices.map(({ id, label }, place) => [id, label || word("prejoin.unnamed", { number: place + 1 })] as const);
  const options = devices.length === 0 ? [["", word("prejoin.none")] as const] : chosen === null ? [["", word("prejoin.default")] as const, ...named] : named;
  return <Select label={props.label} value={chosen ?? ""} options={options} disabled={devices.length === 0} choose={props.choose} />;
}

function Trouble({ of, trouble }: { readonly of: "camera" | "microphone"; readonly trouble: DeviceTrouble }) {
  const ui = useUi();
  if (trouble === null) return null;
  const key: Key = `trouble.${of}.${trouble}`;
  return (
    <div class="notice">
      <Icon name="info" />
      <p>{word(key)}</p>
      <button type="button" class="button small" onClick={() => pressDevice(ui, of)}>
        {word("meet.try_again")}
      </button>
    </div>
  );
}
