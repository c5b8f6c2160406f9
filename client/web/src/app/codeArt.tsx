import { word } from "../words/index";
import { DEPTH, EYE, PROFILES, RING, type CodeArtShape, SHEAR, codeArtOf, TIP } from "./codeArtShape";

export { type CodeArtShape, codeArtOf } from "./codeArtShape";

/** Number of lines of the weave: in code art of window size, of ordinary size, and as small as an icon. */
const MANY_LINES = 18;
const LINES = 9;
const FEW_LINES = 3;
const SAMPLES = 20;

/**
 * The picture of a code: the same on every screen. It turns when the digits change.
 *
 * `size` in px; below 64 it is drawn with fewer, stronger lines. Without `label` it is decoration beside the written
 * code.
 */
export function CodeArt({ digits, size = 160, label = true }: CodeArtProps) {
  const shape = codeArtOf(digits);
  const name = word("code_art.label", {
    petals: shape.petals,
    weave: { key: `code_art.${shape.weave}` },
    mark: shape.mark,
  });
  return (
    <svg
      // a new element for each code, so that its entry is animated
      key={digits}
      class="code-art"
      data-tint={shape.tint}
      width={size}
      height={size}
      viewBox="-100 -100 200 200"
      {...(label ? { role: "img", "aria-label": name } : { "aria-hidden": true })}
      focusable="false"
    >
      <Rosette shape={shape} small={size < 64} lines={size < 64 ? FEW_LINES : size < 400 ? LINES : MANY_LINES} />
    </svg>
  );
}

interface CodeArtProps {
  readonly digits: string;
  readonly size?: number;
  readonly label?: boolean;
}

interface RosetteProps {
  readonly shape: CodeArtShape;
  readonly small: boolean;
  readonly lines: number;
}

function Rosette({ shape, small, lines: count }: RosetteProps) {
  const turned = shape.turn === "upright" ? 0 : 0.5;
  const filled = shape.fill === "petals" || shape.fill === "both";
  const lines: string[] = [];
  const winds = shape.weave === "crossed" ? [-1, 1] : [shape.weave === "left" ? -1 : shape.weave === "right" ? 1 : 0];
  for (let i = 1; i < count; i++) {
    for (const wind of winds) lines.push(outline(shape, i / count, turned + wind * SHEAR * (1 - i / count)));
  }
  return (
    <g class={small ? "code-art-small" : "code-art-full"}>
      <path class="code-art-mark" d={markAt(shape.mark, small)} />
      <path class="code-art-edge" d={edgePath(shape, small)} />
      <path class={filled ? "code-art-petals code-art-filled" : "code-art-petals"} d={outline(shape, 1, turned)} />
      <path class="code-art-weave" d={lines.join("")} />
      {small ? null : <path class="code-art-gaps" d={gapsPath(shape, turned)} />}
      {small ? null : <path class="code-art-ring" d={ringPath(shape)} />}
      <path class={shape.fill === "eye" || shape.fill === "both" ? "code-art-eye code-art-filled" : "code-art-eye"} d={eyePath(shape)} />
    </g>
  );
}

const fixed = (value: number): string => String(Math.round(value * 10) / 10);

/** Return a point, by its distance from the centre and its angle from the top, in whole turns, clockwise. */
const point = (radius: number, turn: number): string => {
  const angle = (turn - 0.25) * 2 * Math.PI;
  return `${fixed(radius * Math.cos(angle))} ${fixed(radius * Math.sin(angle))}`;
};

const polygon = (points: readonly string[]): string => `M${points.join("L")}Z`;

const circle = (radius: number, around = "0 0"): string => {
  const [x = 0, y = 0] = around.split(" ").map(Number);
  const r = fixed(radius);
  return `M${fixed(x - radius)} ${fixed(y)}a${r} ${r} 0 1 0 ${fixed(2 * radius)} 0a${r} ${r} 0 1 0 ${fixed(-2 * radius)} 0Z`;
};

const around = (count: number, draw: (turn: number) => string): string =>
  Array.from({ length: count }, (_, i) => draw(i / count)).join("");

/** Return one line of the rosette: from the ring (0) to the petals' edge (1), turned by `turned` petals. */
function outline(shape: CodeArtShape, part: number, turned: number): string {
  const profile = PROFILES[shape.outline];
  const deep = DEPTH[shape.depth];
  const points: string[] = [];
  for (let i = 0; i < shape.petals * SAMPLES; i++) {
    const across = (i % SAMPLES) / SAMPLES - 0.5;
    const edge = TIP - deep + deep * profile(across);
    points.push(point(RING + (edge - RING) * part, (i / SAMPLES - 0.5 + turned) / shape.petals));
  }
  return polygon(points);
}

function markAt(hour: number, small: boolean): string {
  const turn = hour / 12;
  const half = small ? 0.034 : 0.022;
  return polygon([point(small ? 76 : 82, turn), point(99, turn - half), point(99, turn + half)]);
}

function edgePath(shape: CodeArtShape, small: boolean): string {
  const many = shape.petals < 10 ? shape.petals * 6 : shape.petals * 4;
  const few = Math.max(24, Math.round(many / 2));
  switch (shape.edge) {
    case "line":
      return circle(92);
    case "double":
      return circle(95) + circle(small ? 84 : 89);
    case "beads":
      return around(small ? few / 2 : few, (turn) => circle(small ? 3 : 2.2, point(92, turn)));
    case "teeth":
      return polygon(Array.from({ length: few * 2 }, (_, i) => point(i % 2 === 0 ? 95 : 88, i / few / 2)));
    case "scallops":
      return `M${point(88, 0)}${around(few, (turn) => {
        const r = fixed((Math.PI * 88) / few);
        return `A${r} ${r} 0 0 1 ${point(88, turn + 1 / few)}`;
      })}Z`;
    case "rays":
      return around(small ? few : many, (turn) => `M${point(88, turn)}L${point(96, turn)}`);
  }
}

function gapsPath(shape: CodeArtShape, turned: number): string {
  const from = TIP - DEPTH[shape.depth];
  const at = Math.max(from + 7, 72);
  const big = Math.min(3.4, 36 / shape.petals);
  return around(shape.petals, (turn) => {
    const middle = turn + (0.5 + turned) / shape.petals;
    switch (shape.gaps) {
      case "none":
        return "";
      case "dots":
        return circle(big * 0.6, point(at, middle));
      case "rings":
        return circle(big, point(at, middle));
      case "spears":
        return `M${point(from + 3, middle)}L${point(84, middle)}`;
    }
  });
}

function ringPath(shape: CodeArtShape): string {
  switch (shape.ring) {
    case "none":
      return circle(RING);
    case "double":
      return circle(RING) + circle(RING - 4);
    case "beads":
      return circle(RING) + around(24, (turn) => circle(1.7, point(RING - 4.5, turn)));
    case "dashes":
      return circle(RING) + around(16, (turn) => `M${point(RING - 4.5, turn)}A26.5 26.5 0 0 1 ${point(RING - 4.5, turn + 0.035)}`);
    case "rope":
      return circle(RING) + wavy(12, 0) + wavy(12, 0.5);
    case "spokes":
      return circle(RING) + around(36, (turn) => `M${point(RING, turn)}L${point(RING - 6, turn)}`);
  }
}

/** Return a wave around the centre, inside the ring. */
const wavy = (count: number, phase: number): string =>
  polygon(
    Array.from({ length: count * 10 }, (_, i) =>
      point(RING - 4.5 + 2.6 * Math.sin(2 * Math.PI * (i / 10 + phase)), i / count / 10),
    ),
  );

function eyePath(shape: CodeArtShape): string {
  const count = shape.points;
  switch (shape.eye) {
    case "star":
      return polygon(Array.from({ length: count * 2 }, (_, i) => point(i % 2 === 0 ? EYE : EYE * 0.34, i / count / 2)));
    case "polygon":
      return polygon(Array.from({ length: count }, (_, i) => point(EYE, i / count)));
    case "flower":
      return around(count, (turn) => circle(EYE * 0.34, point(EYE * 0.62, turn)));
    case "wheel":
      // slices with a gap between them, so that they can be counted when filled, too
      return around(count, (turn) => {
        const [from, to] = [point(EYE, turn + 0.02), point(EYE, turn + 1 / count - 0.02)];
        return `M${point(3, turn + 0.5 / count)}L${from}A${EYE} ${EYE} 0 0 1 ${to}Z`;
      });
  }
}
