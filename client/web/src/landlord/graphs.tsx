/** Graphs of sizes and times. */
import { number, size } from "../words";
import { BUCKETS } from "../wire/limits";
import { type Blob, bucketOf, type Point, SPAN } from "./history";
import { say } from "./words";

const WIDTH = 300;
const HEIGHT = 60;
/** Height for the words in the corner. */
const HEAD = 20;

/** Bytes a second of one connection over the last minute, newest on the right. */
export function Rate({ points }: { readonly points: readonly Point[] }) {
  const end = points.at(-1);
  const most = Math.max(1, ...points.map(({ bytes }) => bytes));
  const label = say("graph_label", { bytes: size(Math.round(end?.bytes ?? 0)), most: size(Math.round(most)) });
  const x = (at: number): number => WIDTH - ((end?.at ?? at) - at) * (WIDTH / SPAN);
  const y = (bytes: number): number => HEIGHT - 1 - (bytes / most) * (HEIGHT - HEAD);
  const line = points.map(({ at, bytes }) => `${x(at).toFixed(1)} ${y(bytes).toFixed(1)}`).join("L");
  return (
    <figure class="rate">
      <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" role="img" aria-label={label}>
        <line class="axis" x1={0} x2={WIDTH} y1={HEIGHT - 0.5} y2={HEIGHT - 0.5} />
        {end !== undefined && points.length > 1 && (
          <>
            <path class="area" d={`M${line}L${WIDTH} ${HEIGHT}L${x(points[0]?.at ?? end.at).toFixed(1)} ${HEIGHT}Z`} />
            <path class="line" d={`M${line}`} />
          </>
        )}
      </svg>
      <figcaption class="note figures" aria-hidden="true">
        {say("most", { most: `${size(Math.round(most))}/s` })}
      </figcaption>
    </figure>
  );
}

const ROW = 20;
const LEFT = 64;
const WIDE = 640;
const TOP = 6;

/** Blobs of the last minute: time from left to right, one row for each size bucket. */
export function Timeline({ blobs, at }: { readonly blobs: readonly Blob[]; readonly at: number }) {
  const highest = Math.max(3, ...blobs.map(({ bytes }) => bucketOf(bytes)));
  const rows = BUCKETS.slice(0, highest + 1);
  const bottom = TOP + rows.length * ROW;
  const x = (when: number): number => WIDE - 12 - ((at - when) / SPAN) * (WIDE - LEFT - 24);
  const y = (row: number): number => bottom - (row + 0.5) * ROW;
  return (
    <figure class="timeline">
      <svg
        viewBox={`0 0 ${WIDE} ${bottom + 22}`}
        role="img"
        aria-label={say("timeline_label", { count: blobs.length })}
      >
        {rows.map((bytes, row) => (
          <g key={bytes}>
            <line class="axis" x1={LEFT} x2={WIDE} y1={y(row)} y2={y(row)} />
            <text x={LEFT - 8} y={y(row) + 4} text-anchor="end">
              {bytes < 1024 ? `${bytes} B` : `${bytes / 1024} KiB`}
            </text>
          </g>
        ))}
        {[60, 40, 20, 0].map((ago) => (
          <text key={ago} x={x(at - ago)} y={bottom + 16} text-anchor={ago === 0 ? "end" : "middle"}>
            {ago === 0 ? say("at_now") : say("seconds_ago", { n: number(ago) })}
          </text>
        ))}
        {blobs.map((blob) => {
          const [cx, cy] = [x(blob.at), y(bucketOf(blob.bytes))];
          const key = `${blob.room} ${blob.kind} ${blob.number}`;
          return blob.kind === "commit" ? (
            <path key={key} class="commit" d={`M${cx} ${cy - 7}l7 7l-7 7l-7 -7z`} />
          ) : (
            <circle key={key} class="relay" cx={cx} cy={cy} r={4} />
          );
        })}
      </svg>
      <figcaption class="legend note">
        <span>
          <svg viewBox="0 0 14 14" width={14} height={14} aria-hidden="true">
            <path class="commit" d="M7 0l7 7l-7 7l-7 -7z" />
          </svg>
          {say("commit")}
        </span>
        <span>
          <svg viewBox="0 0 14 14" width={14} height={14} aria-hidden="true">
            <circle class="relay" cx={7} cy={7} r={4} />
          </svg>
          {say("relay")}
        </span>
      </figcaption>
    </figure>
  );
}
