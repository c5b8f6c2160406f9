/** The addresses in what a person typed. */
export const addresses = (text: string): string[] => text.split(/[\s,]+/).filter((each) => each !== "");
