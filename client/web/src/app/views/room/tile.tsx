import { useComputed, useSignal, useSignalEffect } from "@preact/signals";
import { useEffect, useMemo, useRef } from "preact/hooks";
import { type Key, word } from "../../../words";
import { Icon } from "../../icons";
import { canFlip, isMirrored, type Tile, type TileState } from "../../model";
import { fills } from "./layout";
import { later } from "./load";
import { Menu } from "./menu";
import { Monogram } from "./monogram";
import { useUi } from "./ui";

/** From this level on the member speaks; below it may be breathing. */
const SPEAKS = 0.08;

const PICTURE: Readonly<Record<Exclude<TileState, "live">, Key>> = {
  connecting: "meet.connecting",
  not_decrypting: "meet.not_decrypting",
  stalled: "meet.stalled",
  spared: "meet.spared",
  off: "meet.camera_is_off",
};
const SOUND: Readonly<Partial<Record<TileState, Key>>> = {
  connecting: "meet.sound_connecting",
  not_decrypting: "meet.sound_not_decrypting",
  stalled: "meet.sound_stalled",
};

/** States without video, not even a frozen frame. */
const UNSEEN: readonly TileState[] = ["off", "connecting", "spared"];

/** Return the title of a tile: the member's name, or the owner of the screen. */
export function tileName(tile: Tile): string {
  if (tile.kind === "screen") return tile.self ? word("meet.screen_own") : word("meet.screen_of", { name: tile.name });
  return tile.self ? word("meet.you", { name: tile.name }) : tile.name;
}

function stateWords(tile: Tile): string | null {
  const { pictureState: state } = tile;
  if (tile.away) return word("meet.away");
  if (state === "live") return null;
  return word(state === "off" && tile.kind === "screen" ? "meet.screen_off" : PICTURE[state]);
}

/** The video of one member or of a screen, with its state in words. `width` and `height` in px. */
export function TileView(props: {
  readonly tile: Tile;
  readonly width: number;
  readonly height: number;
  readonly large?: boolean;
}) {
  const { tile, width, height } = props;
  const { model } = useUi();
  const { leaf, mic } = tile;
  const speaking = useComputed(() => (model.levels.value.get(leaf) ?? 0) > SPEAKS);
  const speaks = mic && tile.kind === "camera" && speaking.value;
  const name = tileName(tile);
  const volume = model.call.volumes.value.get(leaf);
  const silenced = volume !== undefined && (volume.muted || volume.volume === 0);
  const state = stateWords(tile);
  const sound = !tile.away && tile.kind === "camera" && mic && !tile.self ? SOUND[tile.soundState] : undefined;
  const ownCamera = tile.self && tile.kind === "camera";
  const showsPicture = !tile.away && tile.picture !== null && !UNSEEN.includes(tile.pictureState);
  // a frozen frame must not pass for live video: it is blurred, with the state in words on it
  const old = showsPicture && tile.pictureState !== "live";
  const size = height < 116 || width < 150 ? "small" : width < 300 ? "middle" : "big";
  const { lettered, worded } = placeFor(tile, state, sound !== undefined, showsPicture, width, height);
  return (
    <li
      class={`tile ${tile.kind} ${size}`}
      data-speaking={speaks}
      data-old={old}
      data-away={tile.away}
      data-large={props.large}
      data-sound={sound}
      data-tile={tile.id}
      style={{ width: `${width}px`, height: `${height}px` }}
    >
      {showsPicture && (
        <Picture stream={tile.picture} mirrored={ownCamera && isMirrored(model.devices.value)} id={tile.id} shape={width / height} />
      )}
      {lettered && <Monogram name={tile.name} />}
      {!showsPicture && tile.kind === "screen" && <Icon name="monitor" size={40} />}
      {state !== null && <p class={worded ? "tile-state" : "unseen"}>{state}</p>}
      <div class="tile-marks">
        {tile.hand !== null && (
          <span class="mark hand" title={word("meet.hand_nth", { n: tile.hand })}>
            <Icon name="hand" size={16} />
            <span aria-hidden="true">{tile.hand}</span>
            <span class="unseen">{word("meet.hand_nth", { n: tile.hand })}</span>
          </span>
        )}
        {tile.recording && (
          <span class="mark recording">
            <Icon name="circle-dot" size={16} />
            <span class={size === "big" ? "" : "unseen"}>{word("meet.is_recording")}</span>
          </span>
        )}
        {tile.kind === "camera" && silenced && (
          <span class="mark" title={word("meet.muted_for_me")}>
            <Icon name="volume-x" size={16} />
            <span class="unseen">{word("meet.muted_for_me")}</span>
          </span>
        )}
        {tile.weakNetwork && (
          <span class="mark" title={word("meet.weak")}>
            <Weak />
            <span class={size === "big" ? "" : "unseen"}>{word("meet.weak")}</span>
          </span>
        )}
      </div>
      <div class="tile-foot">
        {sound !== undefined && <p class="tile-sound">{word(sound)}</p>}
        <div class="tile-name">
          {tile.kind === "camera" &&
            (mic ? (
              <Level leaf={leaf} />
            ) : (
              <span class="muted-mark" title={word("meet.muted")}>
                <Icon name="mic-off" size={16} />
                <span class="unseen">{word("meet.muted")}</span>
              </span>
            ))}
          <bdi>{name}</bdi>
          {speaks && <span class="unseen">{word("meet.speaking")}</span>}
        </div>
      </div>
      {ownCamera && showsPicture && canFlip(model.devices.value) && (
        <button type="button" class="tile-button flip" aria-label={word("meet.flip")} title={word("meet.flip")} onClick={() => model.do.flipCamera()}>
          <Icon name="switch-camera" />
        </button>
      )}
      <TileMenu tile={tile} name={name} />
    </li>
  );
}

/**
 * Return whether a tile has room for the monogram and for the words of its state. In a tile too small for both, the
 * monogram stands for a camera that is off, and words for every other state. Sizes as in room-tile.css, in px.
 */
function placeFor(tile: Tile, state: string | null, sound: boolean, showsPicture: boolean, width: number, height: number) {
  if (showsPicture || tile.kind === "screen") return { lettered: false, worded: true };
  const free = height - 36 - (sound ? 30 : 0);
  const letters = Math.min(140, Math.max(40, Math.min(width, height) * 0.34 * 1.25));
  const words = state === null ? 0 : 8 + (state.length * 7.5 > width - 24 ? 36 : 18);
  if (free >= letters + words) return { lettered: true, worded: true };
  // a camera is off, or not subscribed to, by choice: there the monogram is enough
  const chosen = tile.pictureState === "off" || tile.pictureState === "spared";
  return { lettered: chosen && free >= 40, worded: !chosen };
}

function TileMenu({ tile, name }: { readonly tile: Tile; readonly name: string }) {
  const Items = later.value?.TileItems;
  return (
    <Menu label={word("meet.tile_menu", { name })} class="tile-button">
      {Items !== undefined && <Items tile={tile} />}
    </Menu>
  );
}

interface PictureProps {
  readonly stream: MediaStream | null;
  readonly mirrored: boolean;
  readonly id: string;
  /** Width by height of the tile. */
  readonly shape: number;
}

/** The video, which is not drawn again with its tile. */
const Picture = ({ stream, mirrored, id, shape }: PictureProps) =>
  useMemo(() => <Video stream={stream} mirrored={mirrored} id={id} shape={shape} />, [stream, mirrored, id, shape]);

/** The video element. The stream is set as an object, because it has no URL. */
function Video(props: PictureProps) {
  const video = useRef<HTMLVideoElement>(null);
  const own = useSignal(0);
  const { stream } = props;
  useEffect(() => {
    const { current } = video;
    if (current === null) return undefined;
    const resized = () => {
      own.value = current.videoHeight === 0 ? 0 : current.videoWidth / current.videoHeight;
    };
    current.addEventListener("resize", resized);
    current.srcObject = stream;
    // refused before the first user gesture: the store asks for one then
    void current.play().catch(() => undefined);
    return () => {
      current.removeEventListener("resize", resized);
      current.srcObject = null;
    };
  }, [stream, own]);
  const shown = `${props.mirrored ? "mirrored" : ""} ${fills(own.value, props.shape) ? "" : "whole"}`.trim();
  return <video ref={video} class={shown} data-picture={props.id} autoplay muted playsInline aria-hidden="true" />;
}

/** Three bars, one of them full. */
const Weak = () => (
  <svg class="weak" width={16} height={16} viewBox="0 0 16 16" aria-hidden="true">
    <path d="M2 10h3v4H2z" />
    <path class="gone" d="M7 6h3v8H7zM12 2h3v12h-3z" />
  </svg>
);

/** The audio level, updated ten times a second without rendering the tile again. */
function Level({ leaf }: { readonly leaf: number }) {
  const { model } = useUi();
  const bars = useRef<HTMLSpanElement>(null);
  useSignalEffect(() => {
    bars.current?.style.setProperty("--level", String(Math.min(1, model.levels.value.get(leaf) ?? 0)));
  });
  return (
    <span ref={bars} class="bars" aria-hidden="true">
      <i />
      <i />
      <i />
    </span>
  );
}
