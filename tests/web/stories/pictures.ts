/** Pictures for stories: painted, and nobody's. */

/** How much smaller the pictures are than a camera's: painting and showing them takes time, and tests don't look. */
const SCALE = new URLSearchParams(location.search).has("small") ? 1 / 8 : 1;

/** A still, soft picture that goes on like a camera's: hills in mist in the colours that `seed` chooses. */
export function painted(seed: number, width = 640, height = 360): MediaStream {
  const canvas = document.createElement("canvas");
  canvas.width = width * SCALE;
  canvas.height = height * SCALE;
  const context = canvas.getContext("2d");
  if (context === null) throw new Error("no canvas");
  context.scale(SCALE, SCALE);
  paint(context, seed, width, height);
  // a stream of a canvas has a frame only when something is drawn: one sign of it will do
  const corner = context.getImageData(0, 0, 1, 1);
  const touch = () => context.putImageData(corner, 0, 0);
  // often until it has been seen, so that nobody waits for it
  touch();
  painting.set(touch, setInterval(touch, 30));
  return canvas.captureStream(30);
}

/** The painters of the story that is shown. */
const painting = new Map<() => void, ReturnType<typeof setInterval>>();

/** All pictures have been seen: they go on at leisure. */
export function seen(): void {
  for (const [touch, each] of painting) {
    clearInterval(each);
    painting.set(touch, setInterval(touch, 500));
  }
}

/** The pictures of the story before stand still. */
export function still(): void {
  for (const each of painting.values()) clearInterval(each);
  painting.clear();
}

function paint(context: CanvasRenderingContext2D, seed: number, width: number, height: number): void {
  const hue = (seed * 47 + 20) % 360;
  const sky = context.createLinearGradient(0, 0, 0, height);
  sky.addColorStop(0, `hsl(${hue} 32% 62%)`);
  sky.addColorStop(1, `hsl(${(hue + 40) % 360} 38% 78%)`);
  context.fillStyle = sky;
  context.fillRect(0, 0, width, height);
  context.fillStyle = `hsl(${hue} 60% 90% / 0.8)`;
  context.beginPath();
  context.arc(width * (0.25 + ((seed * 0.37) % 0.5)), height * 0.32, height * 0.1, 0, 2 * Math.PI);
  context.fill();
  for (let row = 0; row < 4; row++) {
    context.fillStyle = `hsl(${(hue + 150 + row * 8) % 360} 26% ${58 - row * 11}%)`;
    context.beginPath();
    context.moveTo(0, height);
    for (let x = 0; x <= width; x += 8) {
      const at = (x / width) * (2 + row) * Math.PI + seed * 1.7 + row * 2.1;
      context.lineTo(x, height * (0.52 + row * 0.12) + Math.sin(at) * height * 0.07);
    }
    context.lineTo(width, height);
    context.fill();
  }
}
