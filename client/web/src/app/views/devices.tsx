/** The participant's own camera and microphone, before the room is entered. */
import { useSignalEffect } from "@preact/signals";
import { useId, useRef } from "preact/hooks";
import { type Key, word } from "../../words/index";
import { Icon, type IconName } from "../icons";
import { canFlip, type Device, type DeviceTrouble, isMirrored, type Model } from "../model";
import { Prose } from "./prose";

/** The camera's video, mirrored, with the two switches on it. */
export function OwnPicture({ model }: { readonly model: Model }) {
  const video = useRef<HTMLVideoElement>(null);
  useSignalEffect(() => {
    const stream = model.preview.value;
    if (video.current !== null && video.current.srcObject !== stream) video.current.srcObject = stream;
  });
  const on = model.camera.value;
  const trouble = model.devices.value.cameraTrouble !== null;
  const seen = on && !trouble && model.preview.value !== null;
  return (
    <div class="own-picture">
      <video ref={video} class={isMirrored(model.devices.value) ? "mirrored" : ""} hidden={!seen} muted autoplay playsInline aria-label={word("prejoin.preview")} />
      {seen ? null : (
        <div class="own-off">
          <Icon name={on && !trouble ? "video" : "video-off"} size={32} />
          <p>{trouble ? null : word(on ? "prejoin.starting" : "prejoin.off")}</p>
        </div>
      )}
      <div class="own-switches">
        <Switch
          on={model.mic.value && model.devices.value.microphoneTrouble === null}
          icons={["mic", "mic-off"]}
          words={["prejoin.mute", "prejoin.unmute"]}
          onPress={() => model.do.toggleMic()}
        />
        <Switch
          on={on && !trouble}
          icons={["video", "video-off"]}
          words={["prejoin.camera_off", "prejoin.camera_on"]}
          onPress={() => model.do.toggleCamera()}
        />
        {seen && canFlip(model.devices.value) && (
          <Switch on icons={["switch-camera", "switch-camera"]} words={["meet.flip", "meet.flip"]} onPress={() => model.do.flipCamera()} />
        )}
      </div>
    </div>
  );
}

/** A press on the switch of a device that gives nothing asks for the device again: the reason stands below it. */
function Switch({ on, icons, words, onPress }: SwitchProps) {
  return (
    <button
      type="button"
      class={on ? "button round on-picture" : "button round on-picture is-off"}
      aria-label={word(words[on ? 0 : 1])}
      title={word(words[on ? 0 : 1])}
      onClick={onPress}
    >
      <Icon name={icons[on ? 0 : 1]} />
    </button>
  );
}

interface SwitchProps {
  readonly on: boolean;
  readonly icons: readonly [IconName, IconName];
  readonly words: readonly [Key, Key];
  readonly onPress: () => void;
}

/** The level of the own microphone, as a bar. */
export function OwnLevel({ model }: { readonly model: Model }) {
  if (model.devices.value.microphoneTrouble !== null) return null;
  const on = model.mic.value;
  const level = on ? Math.min(1, Math.max(0, model.ownLevel.value)) : 0;
  return (
    <div class="own-level">
      <Icon name={on ? "mic" : "mic-off"} size={18} />
      <div
        class="level"
        role="meter"
        aria-label={word("prejoin.level")}
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuenow={Math.round(level * 100)}
        style={{ "--level": level }}
      />
      <span class="note">{word(on ? "prejoin.speak" : "prejoin.muted")}</span>
    </div>
  );
}

/** The troubles of camera and microphone, each with a way out. */
export function Troubles({ model }: { readonly model: Model }) {
  const { cameraTrouble, microphoneTrouble } = model.devices.value;
  const both = cameraTrouble === microphoneTrouble && (cameraTrouble === "insecure" || cameraTrouble === "refused");
  return (
    <>
      <Trouble model={model} of={both ? "both" : "camera"} what={cameraTrouble} />
      {both ? null : <Trouble model={model} of="microphone" what={microphoneTrouble} />}
    </>
  );
}

/** Troubles for which another attempt on the same page can help. */
const CAN_RETRY: readonly DeviceTrouble[] = ["none_found", "refused", "in_use", "failed"];

function Trouble({ model, of, what }: TroubleProps) {
  if (what === null) return null;
  const key =
    of === "both" && (what === "insecure" || what === "refused")
      ? (`trouble.both.${what}` as const)
      : of === "microphone"
        ? (`trouble.microphone.${what}` as const)
        : (`trouble.camera.${what}` as const);
  return (
    <div class="notice" role="status">
      <Icon name={of === "microphone" ? "mic-off" : "video-off"} />
      <p>
        <Prose text={word(key)} />
      </p>
      {CAN_RETRY.includes(what) ? (
        <button type="button" class="button small" onClick={() => model.do.retryDevices()}>
          {word("prejoin.retry")}
        </button>
      ) : null}
    </div>
  );
}

interface TroubleProps {
  readonly model: Model;
  readonly of: "camera" | "microphone" | "both";
  readonly what: DeviceTrouble;
}

/** The selection of camera, microphone and speakers. If the browser lists no speakers, there is no choice of them. */
export function DeviceChoices({ model }: { readonly model: Model }) {
  const devices = model.devices.value;
  return (
    <div class="device-choices">
      <Choice
        label="prejoin.camera"
        devices={devices.cameras}
        chosen={devices.camera}
        onChoose={(id) => model.do.chooseCamera(id)}
      />
      <Choice
        label="prejoin.microphone"
        devices={devices.microphones}
        chosen={devices.microphone}
        onChoose={(id) => model.do.chooseMicrophone(id)}
      />
      {devices.speakers.length === 0 ? null : (
        <Choice
          label="prejoin.speaker"
          devices={devices.speakers}
          chosen={devices.speaker}
          onChoose={(id) => model.do.chooseSpeaker(id)}
        />
      )}
      <button type="button" class="button" onClick={() => model.do.testSpeaker()}>
        <Icon name="volume-2" />
        {word("prejoin.test_speaker")}
      </button>
      <div role="status">
        {model.toasts.value.map(({ id, text }) => (
          <p key={id} class="wrong">
            {word(text)}
          </p>
        ))}
      </div>
    </div>
  );
}

function Choice({ label, devices, chosen, onChoose }: ChoiceProps) {
  const id = useId();
  return (
    <div class="field">
      <label for={id}>{word(label)}</label>
      <span class="select">
        <select
          id={id}
          disabled={devices.length === 0}
          value={chosen ?? ""}
          onChange={(event) => onChoose(event.currentTarget.value)}
        >
          {chosen === null ? <option value="">{word(devices.length === 0 ? "prejoin.none" : "prejoin.default")}</option> : null}
          {devices.map((device, i) => (
            <option key={device.id} value={device.id}>
              {device.label || word("prejoin.unnamed", { number: i + 1 })}
            </option>
          ))}
        </select>
        <Icon name="chevron-down" size={18} />
      </span>
    </div>
  );
}

interface ChoiceProps {
  readonly label: Key;
  readonly devices: readonly Device[];
  readonly chosen: string | null;
  readonly onChoose: (id: string) => void;
}
