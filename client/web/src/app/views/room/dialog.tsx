/** A modal dialog, and the two buttons of a question. */
import type { ComponentChildren } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";
import { word } from "../../../words";

export function Dialog(props: { readonly label: string; readonly class?: string; close(): void; readonly children: ComponentChildren }) {
  const dialog = useRef<HTMLDialogElement>(null);
  // before the next key press
  useLayoutEffect(() => {
    const { current } = dialog;
    const before = document.activeElement;
    current?.showModal();
    return () => {
      current?.close();
      if (before instanceof HTMLElement && before.isConnected) before.focus();
    };
  }, []);
  return (
    <dialog
      ref={dialog}
      class={props.class ?? ""}
      aria-label={props.label}
      onClose={() => {
        // this event comes a frame late: after the removal it would close the next dialog
        if (dialog.current !== null) props.close();
      }}
      onClick={(event) => {
        // the click hits the dialog element itself only outside of its content
        if (event.target === dialog.current) props.close();
      }}
    >
      <div class="dialog-body">{props.children}</div>
    </dialog>
  );
}

/** The buttons of a question. The harmless one comes first, because the first one gets the focus. */
export const Decision = (props: { readonly yes: string; cancel(): void; act(): void }) => (
  <div class="two">
    <button type="button" class="button" onClick={() => props.cancel()}>
      {word("meet.cancel")}
    </button>
    <button type="button" class="button" data-yes onClick={() => props.act()}>
      {props.yes}
    </button>
  </div>
);
