import type { ComponentChildren, TargetedKeyboardEvent } from "preact";
import { useId, useRef } from "preact/hooks";
import { Icon, type IconName } from "../../icons";

/** A button and its popover menu; the browser closes it on Escape and on a click outside. */
export function Menu(props: {
  readonly label: string;
  readonly icon?: IconName;
  readonly class?: string;
  /** For tests of other projects (docs/how-to/test-with-snug.md). */
  readonly handle?: string;
  /** Shown on the button instead of its icon. */
  readonly face?: ComponentChildren;
  /** Items stand in a row, and arrow keys left and right move between them. */
  readonly row?: boolean;
  readonly children: ComponentChildren;
}) {
  const id = useId();
  const button = useRef<HTMLButtonElement>(null);
  const menu = useRef<HTMLDivElement>(null);

  /** Place the menu beside its button, on the side with more room; its size is unknown until it is shown. */
  const place = (opening: boolean) => {
    const at = button.current?.getBoundingClientRect();
    const { current: box } = menu;
    if (!opening || at === undefined || box === null) return;
    const { innerWidth, innerHeight } = window;
    const bar = button.current?.closest(".controls");
    if (bar && bar.clientHeight > bar.clientWidth) {
      // the bar stands on the right, and the menu beside it
      box.style.inset = `auto ${innerWidth - at.left + 4}px 8px auto`;
      box.style.maxHeight = `${innerHeight - 16}px`;
      return;
    }
    const above = at.top + at.height / 2 > innerHeight / 2;
    const left = at.left + at.width / 2 < innerWidth / 2;
    const middle = Math.abs(at.left + at.width / 2 - innerWidth / 2) < innerWidth / 6;
    box.style.inset = "auto";
    if (above) box.style.bottom = `${innerHeight - at.top + 8}px`;
    else box.style.top = `${at.bottom + 8}px`;
    if (left) box.style.left = `${Math.max(8, at.left)}px`;
    else box.style.right = `${Math.max(8, innerWidth - at.right)}px`;
    if (middle && props.row === true) {
      box.style.right = "auto";
      box.style.left = `${at.left + at.width / 2}px`;
    }
    box.classList.toggle("centred", middle && props.row === true);
    box.style.maxHeight = `${(above ? at.top : innerHeight - at.bottom) - 16}px`;
  };

  const items = () => [...(menu.current?.querySelectorAll<HTMLElement>("[role^=menuitem]:not(:disabled)") ?? [])]
    .filter((item) => item.offsetParent !== null || item.getClientRects().length > 0);

  const move = (event: TargetedKeyboardEvent<HTMLDivElement>) => {
    const all = items();
    const here = all.indexOf(document.activeElement as HTMLElement);
    const to = {
      ArrowDown: here + 1, ArrowRight: here + 1, ArrowUp: here - 1, ArrowLeft: here - 1, Home: 0, End: all.length - 1,
    }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    all[(to + all.length) % all.length]?.focus();
  };

  return (
    <>
      <button
        ref={button}
        type="button"
        class={props.class ?? "icon-button"}
        data-testid={props.handle}
        aria-label={props.label}
        title={props.label}
        aria-haspopup="menu"
        popovertarget={id}
      >
        {props.face ?? <Icon name={props.icon ?? "ellipsis"} />}
      </button>
      <div
        ref={menu}
        id={id}
        popover="auto"
        role="menu"
        aria-label={props.label}
        class={props.row === true ? "menu across" : "menu"}
        onBeforeToggle={(event) => place(event.newState === "open")}
        onToggle={(event) => {
          if (event.newState === "open") items()[0]?.focus();
        }}
        onKeyDown={move}
        onClick={(event) => {
          if (event.target instanceof Element && event.target.closest("[role^=menuitem]") !== null) {
            menu.current?.hidePopover();
          }
        }}
      >
        {props.children}
      </div>
    </>
  );
}

/** One item of a menu. */
export function Item(props: {
  readonly icon?: IconName;
  readonly words: string;
  readonly hint?: string;
  readonly label?: string;
  readonly class?: string;
  readonly face?: ComponentChildren;
  act(): void;
}) {
  return (
    <button
      type="button"
      role="menuitem"
      class={props.class ?? "item"}
      tabIndex={-1}
      aria-label={props.label}
      title={props.label}
      onClick={props.act}
    >
      {props.face ?? (
        <>
          {props.icon !== undefined && <Icon name={props.icon} />}
          <span>
            {props.words}
            {props.hint !== undefined && <small>{props.hint}</small>}
          </span>
        </>
      )}
    </button>
  );
}
