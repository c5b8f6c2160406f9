import type { Words } from "../entry";

export default {} satisfies Words;
