/** Shows the story that the address asks for: ?story=NAME&theme=dark&language=de; without a name, a list of all. */
import { h, render } from "preact";
import { loadEnglish, speak } from "../../../client/web/src/words/index";
import { App } from "../../../client/web/src/app/views/app";
import { loadLater } from "../../../client/web/src/app/views/room/load";
import type { Language, Model, Theme } from "../../../client/web/src/app/model";
import { asked } from "./fake";
import { seen, still } from "./pictures";
import type { Story } from "./story";

declare global {
  interface Window {
    /** The names of all stories. */
    stories: readonly string[];
    /** Done once the one that was asked for is drawn. */
    drawn: Promise<void>;
    asked: unknown[][];
    /** Another story in the place of this one, without a new page; done once it is drawn. */
    turn(name: string, language: string): Promise<void>;
    /** Of the story that is shown, so that a test can have something happen. */
    model: Model;
  }
}

export function show(stories: readonly Story[]): void {
  window.stories = stories.map((story) => story.name);
  window.asked = asked;
  window.drawn = draw(stories, new URLSearchParams(location.search));
  window.turn = async (name, language) => {
    await window.drawn;
    const root = document.getElementById("app");
    if (root !== null) render(null, root);
    still();
    getSelection()?.removeAllRanges();
    scrollTo(0, 0);
    await (window.drawn = draw(stories, new URLSearchParams({ story: name, language })));
  };
}

async function draw(stories: readonly Story[], wish: URLSearchParams): Promise<void> {
  const root = document.getElementById("app");
  const story = stories.find((one) => one.name === wish.get("story"));
  if (root === null) throw new Error("no place to draw in");
  if (story === undefined) {
    const link = (name: string) => h("li", {}, h("a", { href: `?story=${name}` }, name));
    render(h("ul", {}, window.stories.map(link)), root);
    return;
  }
  const language = (wish.get("language") ?? "en") as Language;
  const model = story.model();
  window.model = model;
  model.language.value = language;
  model.theme.value = (wish.get("theme") ?? "system") as Theme;
  await Promise.all([speak(language), loadEnglish(), loadLater()]);
  await dressed(story.style);
  render(story.view ? story.view(model) : h(App, { model }), root);
  await frames(3);
  await story.play?.(root);
  await frames(3);
  await Promise.all(Array.from(document.querySelectorAll("video"), pictured));
  seen();
  await frames(2);
}

/** Have the sheets of one page apply, and no other's. */
async function dressed(style: Story["style"]): Promise<void> {
  const wanted = style === undefined ? ["main", "later"] : [style];
  const named = (name: string) => document.querySelector<HTMLLinkElement>(`link[href$="${name}.css"]`);
  for (const name of wanted) {
    if (named(name) !== null) continue;
    const link = Object.assign(document.createElement("link"), { rel: "stylesheet", href: `/${name}.css` });
    document.head.append(link);
    await new Promise((done) => link.addEventListener("load", done));
  }
  for (const name of ["main", "later", "landlord", "projector", "phone"]) {
    const sheet = named(name)?.sheet;
    if (sheet) sheet.disabled = !wanted.includes(name);
  }
}

/** Effects of views come a frame after them, and what signals change there another one later. */
async function frames(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise(requestAnimationFrame);
}

/** A picture of the stream has been put on the screen, where it can be seen at all. */
const pictured = (video: HTMLVideoElement): Promise<unknown> =>
  video.srcObject === null || !video.checkVisibility()
    ? Promise.resolve()
    : new Promise((done) => video.requestVideoFrameCallback(done));
