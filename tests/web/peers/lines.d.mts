export function lines(): Generator<string>;
export function answer(value: unknown): void;
