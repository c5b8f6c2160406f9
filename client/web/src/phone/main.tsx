/** Entry point of the page for phones: the question of a lecture's projector, and one vote. */
import { render } from "preact";
import "./phone.css";
import { Store } from "./store";
import { Phone } from "./view";

const root = document.getElementById("app");
if (root === null) throw new Error("no place for the question");
const store = new Store(sessionStorage);
render(<Phone model={store} />, root);
void store.run();
