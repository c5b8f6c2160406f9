/** One relayed frame: its bytes, its clear fields, and the result of decoding it. */
import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { hex, type Bytes } from "../crypto/bytes";
import { number, size } from "../words";
import type { Verdict } from "./decoder";
import { entropy, entropyOfNoise, type Frame } from "./frame";
import { short } from "./glass";
import type { Stream } from "./now";
import type { OperatorWindow } from "./store";
import { say } from "./words";

export function Look({ model }: { readonly model: OperatorWindow }) {
  const chosen = useSignal<number | null>(null);
  const streams = model.now.value?.streams ?? [];
  const stream = streams.find(({ ssrc }) => ssrc === chosen.value) ?? streams.find(({ kind }) => kind === "video") ?? streams[0];
  const look = model.look.value;
  return (
    <section class="card stack" aria-labelledby="look-title">
      <h2 id="look-title">{say("look")}</h2>
      <p class="muted">{say("look_text")}</p>
      {stream !== undefined && (
        <div class="row">
          <span class="select">
            <select
              aria-label={say("take_which")}
              value={stream.ssrc}
              onChange={(event) => {
                chosen.value = Number(event.currentTarget.value);
              }}
            >
              {streams.map((one) => (
                <option key={one.ssrc} value={one.ssrc}>
                  {nameOf(one)}
                </option>
              ))}
            </select>
          </span>
          <button type="button" class="button primary" data-take onClick={() => model.take(stream)}>
            {say("take")}
          </button>
        </div>
      )}
      <div role="status">
        {look !== null && (look.frame === null ? <p>{say("look_empty")}</p> : <Seen frame={look.frame} verdict={look.verdict} />)}
      </div>
    </section>
  );
}

const nameOf = ({ kind, handle }: Stream): string => say("stream_of", { kind: say(`stream_${kind}`), handle: short(handle) });

/**
 * Return the clear VP8 header of a frame: 10 bytes for a key frame, 3 for a delta frame
 * (docs/reference/protocol.md).
 */
const clearHeaderOf = ({ kind, payload }: Frame): Bytes | null =>
  kind === "audio" ? null : payload.slice(0, (payload[0] ?? 0) & 1 ? 3 : 10);

function Seen({ frame, verdict }: { readonly frame: Frame; readonly verdict: Verdict | null }) {
  const [first] = frame.headers;
  const clearHeader = clearHeaderOf(frame);
  const sealed = frame.payload.subarray(clearHeader?.length ?? 0);
  const two = (value: number): string => value.toFixed(2);
  return (
    <div class="seen">
      <div class="stack tight">
        <Squares bytes={frame.payload} />
        <p class="note figures">{say("bits", { bits: two(entropy(sealed)), noise: two(entropyOfNoise(sealed.length)) })}</p>
      </div>
      <div class="stack">
        <div class="stack tight">
          <h3>{say("in_clear")}</h3>
          <ul class="facts figures">
            <li>{say("clear_packets", { n: frame.headers.length, size: size(frame.size) })}</li>
            {first !== undefined && (
              <>
                <li>{say("clear_number", { sequence: first.sequence, timestamp: first.timestamp })}</li>
                <li>{say("clear_source", { ssrc: first.ssrc.toString(16), type: first.payloadType })}</li>
              </>
            )}
            <li>{clearHeader === null ? say("no_clear_header") : say("clear_header", { header: hex(clearHeader) })}</li>
          </ul>
        </div>
        <div class="stack tight">
          <h3>{say("decoder")}</h3>
          {verdict !== null && <Made verdict={verdict} />}
        </div>
      </div>
    </div>
  );
}

const ACROSS = 48;

function Squares({ bytes }: { readonly bytes: Bytes }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    const context = canvas.current?.getContext("2d");
    if (!context) return;
    const height = Math.max(1, Math.ceil(bytes.length / ACROSS));
    context.canvas.width = ACROSS;
    context.canvas.height = height;
    const image = context.createImageData(ACROSS, height);
    bytes.forEach((byte, i) => image.data.set([byte, byte, byte, 255], 4 * i));
    context.putImageData(image, 0, 0);
  }, [bytes]);
  return <canvas ref={canvas} class="squares" role="img" aria-label={say("bytes_label", { n: number(bytes.length) })} />;
}

function Made({ verdict }: { readonly verdict: Verdict }) {
  switch (verdict.type) {
    case "refused":
      return <p>{say("decoder_refused", { why: verdict.why })}</p>;
    case "nothing":
      return <p>{say("decoder_nothing")}</p>;
    case "none":
      return <p>{say("decoder_none")}</p>;
    case "sound":
      return (
        <>
          <Wave samples={verdict.samples} />
          <p>{say("decoder_sound", { n: number(verdict.samples.length) })}</p>
        </>
      );
    case "picture":
      return (
        <>
          <Painted image={verdict.image} />
          <p>{say("decoder_picture", { width: verdict.image.width, height: verdict.image.height })}</p>
        </>
      );
  }
}

function Painted({ image }: { readonly image: ImageBitmap }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => canvas.current?.getContext("2d")?.drawImage(image, 0, 0), [image]);
  return <canvas ref={canvas} class="squares" width={image.width} height={image.height} />;
}

function Wave({ samples }: { readonly samples: Float32Array }) {
  const most = samples.reduce((max, sample) => Math.max(max, Math.abs(sample)), 1e-6);
  const step = Math.max(1, Math.floor(samples.length / 240));
  const points = Array.from({ length: Math.floor(samples.length / step) }, (_, i) => 30 - 28 * ((samples[i * step] ?? 0) / most));
  return (
    <svg class="wave" viewBox="0 0 240 60" preserveAspectRatio="none" role="img" aria-label={say("decoder_sound_label")}>
      <path class="line" d={`M${points.map((y, i) => `${((i * 240) / points.length).toFixed(1)} ${y.toFixed(1)}`).join("L")}`} />
    </svg>
  );
}
