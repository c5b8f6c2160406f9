import { word } from "../words/index";
import { qr } from "./qrModules";

/** Modules of quiet zone around a code, as the standard requires. */
const QUIET = 4;

/** A QR code, dark on light in every theme, because many readers accept nothing else. `size` in px. */
export function QrCode({ text, size = 200 }: { readonly text: string; readonly size?: number }) {
  const rows = qr(text);
  const whole = rows.length + 2 * QUIET;
  const path = rows
    .map((row, y) => {
      let line = "";
      for (let x = 0; x < row.length; x++) {
        if (!row[x]) continue;
        const from = x;
        while (row[x + 1]) x++;
        line += `M${from + QUIET} ${y + QUIET}h${x - from + 1}v1h${from - x - 1}z`;
      }
      return line;
    })
    .join("");
  return (
    <svg class="qr" width={size} height={size} viewBox={`0 0 ${whole} ${whole}`} role="img" aria-label={word("qr.label")}>
      <path class="qr-light" d={`M0 0h${whole}v${whole}h${-whole}z`} />
      <path class="qr-dark" d={path} />
    </svg>
  );
}
