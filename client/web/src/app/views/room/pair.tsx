/** A conversation of two: the other fills the stage, and the own video floats in a corner of it. */
import { useSignal } from "@preact/signals";
import type { TargetedPointerEvent } from "preact";
import { useRef } from "preact/hooks";
import { word } from "../../../words";
import { Icon } from "../../icons";
import type { Tile } from "../../model";
import { cornerAfter, cornerAt, cornerBy } from "./corner";
import { floatSize } from "./layout";
import { TileView } from "./tile";
import { useUi } from "./ui";

/** A pointer that moves less than this, in px, presses and does not drag. */
const DRAG = 6;

export function Pair(props: { readonly other: Tile; readonly own: Tile | null; readonly width: number; readonly height: number }) {
  const { other, own, width, height } = props;
  return (
    <ul class="pair">
      <TileView key={other.id} tile={other} width={width} height={height} large />
      {own !== null && <Floating tile={own} width={width} height={height} />}
    </ul>
  );
}

/** The own video: dragged to a corner, or moved there with arrow keys or presses. */
function Floating({ tile, width, height }: { readonly tile: Tile; readonly width: number; readonly height: number }) {
  const { corner } = useUi();
  const float = useRef<HTMLLIElement>(null);
  const start = useRef<{ readonly x: number; readonly y: number } | null>(null);
  const dragged = useSignal(false);
  const size = floatSize(width, height);

  const down = (event: TargetedPointerEvent<HTMLLIElement>) => {
    const { target } = event;
    // its buttons, and the menu that belongs to it, are pressed and not dragged
    if (event.button !== 0 || !(target instanceof Element) || target.closest("button, [popover]") !== null) return;
    start.current = { x: event.clientX, y: event.clientY };
    event.currentTarget.setPointerCapture(event.pointerId);
  };
  const move = (event: TargetedPointerEvent<HTMLLIElement>) => {
    if (start.current === null) return;
    const [x, y] = [event.clientX - start.current.x, event.clientY - start.current.y];
    if (Math.hypot(x, y) >= DRAG) dragged.value = true;
    if (dragged.value) event.currentTarget.style.transform = `translate(${x}px, ${y}px)`;
  };
  const up = (event: TargetedPointerEvent<HTMLLIElement>) => {
    const { current } = float;
    const stage = current?.parentElement?.getBoundingClientRect();
    if (start.current === null || current === null || stage === undefined) return;
    const at = current.getBoundingClientRect();
    start.current = null;
    current.style.transform = "";
    dragged.value = false;
    // taken away by the system: it goes back
    if (event.type === "pointercancel") return;
    corner.value = cornerAt(at.x + at.width / 2 - stage.x, at.y + at.height / 2 - stage.y, stage.width, stage.height);
  };

  return (
    <li
      ref={float}
      class="float"
      data-corner={corner.value}
      data-dragged={dragged.value}
      onPointerDown={down}
      onPointerMove={move}
      onPointerUp={up}
      onPointerCancel={up}
    >
      <ul>
        <TileView tile={tile} width={size.width} height={size.height} />
      </ul>
      <button
        type="button"
        class="float-move"
        aria-label={word("meet.self_move")}
        title={word("meet.self_move")}
        onClick={() => {
          corner.value = cornerAfter(corner.value);
        }}
        onKeyDown={(event) => {
          const to = cornerBy(corner.value, event.key);
          if (to === null) return;
          event.preventDefault();
          corner.value = to;
        }}
      >
        <Icon name="move" size={18} />
      </button>
    </li>
  );
}
