import { fake } from "./fake";
import type { Story } from "./story";

export default [{ name: "start", model: () => fake() }] satisfies Story[];
