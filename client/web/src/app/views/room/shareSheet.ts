/** The system's share sheet: it hands an invite's link to another app. Phones have one, and some computers. */
export const canShareLink = (): boolean => typeof navigator.share === "function";

/** Open the sheet, for a tap of the person; return false if this browser refuses to. */
export const shareLink = (title: string, text: string, url: string): Promise<boolean> =>
  navigator.share({ title, text, url }).then(
    () => true,
    // the person has closed the sheet: nothing is to be done
    (error: unknown) => error instanceof DOMException && error.name === "AbortError",
  );
