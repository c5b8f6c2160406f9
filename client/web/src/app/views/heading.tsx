import type { ComponentChildren, RefObject } from "preact";
import { useEffect, useRef } from "preact/hooks";

let shown = false;

/**
 * Return the reference for the heading of a view. It takes the focus when its view replaces another one, so that screen
 * readers announce it, unless the person is writing by then.
 */
export function useHeading(): RefObject<HTMLHeadingElement | null> {
  const ref = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    if (shown && document.activeElement?.matches("input, textarea, select") !== true) ref.current?.focus();
    shown = true;
  }, []);
  return ref;
}

/** The heading of a view. */
export function Heading({ children }: { readonly children: ComponentChildren }) {
  const ref = useHeading();
  return (
    <h1 ref={ref} tabIndex={-1}>
      {children}
    </h1>
  );
}
