/** Entry point of the lecture's projector. */
import { render } from "preact";
import "./projector.css";
import { Store } from "./store";
import { Projector } from "./views";

const root = document.getElementById("app");
if (root === null) throw new Error("no place for the projector");
// the token stays behind the `#`, which browsers send to no server, so that the page can be reloaded
const [token = "", step = "0"] = location.hash.slice(1).split(".");
const store = new Store(token, navigator.languages, Number(step));
store.step.subscribe((at) => {
  history.replaceState(null, "", `#${token}.${at}`);
  store.turned(at);
});
render(<Projector model={store} />, root);
void store.run();
