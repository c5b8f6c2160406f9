/** Adds the icons of views that come later. */
import { here } from "./icons";
import { shapes } from "./iconShapesLater";

Object.assign(here, shapes);
