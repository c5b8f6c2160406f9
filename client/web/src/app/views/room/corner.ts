/** The corner of the stage where the own video floats: pure. */

/** In the order in which presses go through them. */
const CORNERS = ["bottom-right", "bottom-left", "top-left", "top-right"] as const;

export type Corner = (typeof CORNERS)[number];

const corner = (top: boolean, left: boolean): Corner => `${top ? "top" : "bottom"}-${left ? "left" : "right"}`;

/** Return the corner of an area of this size that is nearest to a point in it. */
export const cornerAt = (x: number, y: number, width: number, height: number): Corner => corner(y < height / 2, x < width / 2);

/** Return the corner to which an arrow key leads; null for any other key. */
export function cornerBy(from: Corner, key: string): Corner | null {
  const [top, left] = [from.startsWith("top"), from.endsWith("left")];
  switch (key) {
    case "ArrowUp":
    case "ArrowDown":
      return corner(key === "ArrowUp", left);
    case "ArrowLeft":
    case "ArrowRight":
      return corner(top, key === "ArrowLeft");
    default:
      return null;
  }
}

/** Return the next corner, around the stage. */
export const cornerAfter = (from: Corner): Corner => CORNERS[(CORNERS.indexOf(from) + 1) % CORNERS.length] ?? from;
