/** Entry point of the landlord's window. */
import { render } from "preact";
import "./landlord.css";
import { Store } from "./store";
import { Window } from "./views";

const root = document.getElementById("app");
if (root === null) throw new Error("no place for the window");
// the token stays behind the `#`, which browsers send to no server, so that the page can be reloaded
const store = new Store(location.hash.slice(1), navigator.languages);
render(<Window model={store} />, root);
void store.run();
addEventListener("hashchange", () => location.reload());
