import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";

let shown = false;

/** The heading of a view. It takes the focus when its view replaces another one, so that screen readers announce it. */
export function Heading({ children }: { readonly children: ComponentChildren }) {
  const ref = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    if (shown) ref.current?.focus();
    shown = true;
  }, []);
  return (
    <h1 ref={ref} tabIndex={-1}>
      {children}
    </h1>
  );
}
