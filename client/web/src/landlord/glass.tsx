/** One connection: a shape behind frosted glass, and beside it in clear print all that the server knows about it. */
import { memo } from "preact/compat";
import { duration, number, size } from "../words";
import { Rate } from "./graphs";
import type { Person, Seat, Stream } from "./now";
import type { OperatorWindow } from "./store";
import { say } from "./words";

/** Number of characters of a handle that are shown: enough to distinguish a few. */
const SHORT = 8;
export const short = (hex: string): string => hex.slice(0, SHORT);

const FLUTES = 15;
const WIDTH = 150;
const HEIGHT = 150;
/** How much wider than itself the section behind each flute is: this makes the shape unrecognisable. */
const SPREAD = 3.4;

/** A person behind fluted glass: the same drawing for everyone, because the server knows nothing to tell them apart. */
export const Glass = memo(function Glass() {
  const flute = WIDTH / FLUTES;
  const seen = flute * SPREAD;
  return (
    <svg class="glass" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="xMidYMid slice" role="img" aria-label={say("glass")}>
      <g class="glass-behind">
        {Array.from({ length: FLUTES }, (_, i) => (
          <svg
            key={i}
            x={i * flute}
            y={0}
            width={flute + 0.3}
            height={HEIGHT}
            viewBox={`${(i + 0.5) * flute - seen / 2} 0 ${seen} ${HEIGHT}`}
            preserveAspectRatio="none"
          >
            <rect class="glass-wall" x={-WIDTH} y={0} width={3 * WIDTH} height={HEIGHT} />
            <rect class="glass-lamp" x={WIDTH * 0.68} y={8} width={26} height={HEIGHT * 0.46} rx={8} />
            <path class="glass-body" d="M18 150C18 108 44 92 75 92s57 16 57 58z" />
            <ellipse class="glass-head" cx={75} cy={58} rx={25} ry={31} />
          </svg>
        ))}
      </g>
      {Array.from({ length: FLUTES }, (_, i) => (
        <g key={i}>
          <rect class="glass-light" x={i * flute} y={0} width={flute * 0.22} height={HEIGHT} />
          <rect class="glass-shade" x={(i + 0.8) * flute} y={0} width={flute * 0.2} height={HEIGHT} />
        </g>
      ))}
    </svg>
  );
});

interface PaneProps {
  readonly model: OperatorWindow;
  readonly handle: string;
  readonly seat: Seat | null;
  readonly person: Person | undefined;
  readonly streams: readonly Stream[];
}

export function Pane({ model, handle, seat, person, streams }: PaneProps) {
  const points = model.history.points(handle);
  const last = model.history.pace(handle);
  const kinds = [...new Set(streams.map(({ kind }) => kind))].sort();
  return (
    <li class="pane">
      <Glass />
      <div class="pane-facts">
        <h3>
          <code>{short(handle)}</code>
        </h3>
        <dl>
          <dt>{say("address")}</dt>
          <dd>{person?.address ?? say("not_told")}</dd>
          {seat !== null && (
            <>
              <dt>{say("since")}</dt>
              <dd class="figures">{duration(seat.age)}</dd>
            </>
          )}
          <dt>{say("streams")}</dt>
          <dd>{kinds.length === 0 ? say("stream_none") : kinds.map((kind) => say(`stream_${kind}`)).join(", ")}</dd>
          {last !== null && (
            <>
              <dt>{say("rate")}</dt>
              <dd class="figures">
                {say("per_second", { packets: number(Math.round(last.packets)), bytes: size(Math.round(last.bytes)) })}
              </dd>
            </>
          )}
        </dl>
      </div>
      {seat !== null && <Rate points={points} />}
    </li>
  );
}
