import { useSignal } from "@preact/signals";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import { word } from "../../../words";
import type { Places, Tile } from "../../model";
import { Icon } from "../../icons";
import { largeTile, otherOfTwo, type Wish, weigh } from "./large";
import { capacity, grid, speakerLayout, visible } from "./layout";
import { Pages } from "./paging";
import { Pair } from "./pair";
import { Reactions } from "./reactions";
import { TileView } from "./tile";
import { useUi } from "./ui";

/** Gap between tiles, in px. */
const GAP = 8;

/** All tiles, each as large as possible. */
export function Stage() {
  const { model, lastSpeaker, selfHidden } = useUi();
  const place = useRef<HTMLDivElement>(null);
  const size = useSignal({ width: 0, height: 0 });
  useLayoutEffect(() => {
    const { current } = place;
    if (current === null) return undefined;
    const measure = () => {
      const { clientWidth: width, clientHeight: height } = current;
      const before = size.peek();
      if (width !== before.width || height !== before.height) size.value = { width, height };
    };
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(current);
    return () => observer.disconnect();
  }, [size]);

  const onPage = model.shown.value;
  const all = model.tiles.value.filter(({ self, kind, leaf }) => self || kind === "screen" || (onPage?.has(leaf) ?? true));
  // hidden from the person alone: the others see it as before
  const tiles = selfHidden.value ? all.filter(({ self, kind }) => !self || kind === "screen") : all;
  const wish: Wish = {
    pinned: model.pinned.value,
    layout: model.layout.value,
    speaker: model.speaker.value,
    lastSpeaker: lastSpeaker.value,
  };
  const { width, height } = size.value;
  const large = largeTile(tiles, wish);
  const other = otherOfTwo(all, wish.pinned);
  const sized = { tiles, wish, width, height };
  return (
    <main class="stage" aria-label={word("meet.stage")}>
      <div class="stage-place" ref={place}>
        {width === 0 ? null : other !== null ? <Two {...sized} other={other} /> : large === null ? <Grid {...sized} /> : <Large {...sized} large={large} />}
      </div>
      <Pages />
      <Alone />
      <Reactions />
    </main>
  );
}

interface Sized {
  readonly tiles: readonly Tile[];
  readonly wish: Wish;
  readonly width: number;
  readonly height: number;
}

/** Report the sizes of tiles, so that no larger video is sent than is shown. */
function useMeasured({ each, large, voice }: Places): void {
  const { model } = useUi();
  const dots = window.devicePixelRatio;
  const at = [each, large?.height ?? 0, voice ?? 0].map((height) => Math.round(height * dots));
  useEffect(() => {
    const [low = 0, high = 0, spoken = 0] = at;
    model.do.measured({
      each: low,
      large: large === null ? null : { id: large.id, height: high },
      voice: voice === null ? null : spoken,
    });
  }, [model, large?.id, voice === null, ...at]);
}

function Two({ tiles, width, height, other }: Sized & { readonly other: Tile }) {
  useMeasured({ each: height, large: null, voice: null });
  return <Pair other={other} own={tiles.find(({ self }) => self) ?? null} width={width} height={height} />;
}

function Grid({ tiles, wish, width, height }: Sized) {
  const { shown, more } = visible(tiles, capacity(tiles.length, width, height, GAP), (tile) => weigh(tile, wish));
  const each = grid(shown.length + (more > 0 ? 1 : 0), width, height, GAP);
  useMeasured({ each: each.height, large: null, voice: null });
  const across = each.columns * each.width + (each.columns - 1) * GAP;
  return (
    <ul class="grid" style={{ width: `${across}px` }}>
      {shown.map((tile) => (
        <TileView key={tile.id} tile={tile} width={each.width} height={each.height} />
      ))}
      {more > 0 && <More count={more} width={each.width} height={each.height} />}
    </ul>
  );
}

function Large({ tiles, wish, width, height, large }: Sized & { readonly large: string }) {
  const others = tiles.filter((tile) => tile.id !== large);
  const plan = speakerLayout(others.length, width, height, GAP);
  const { shown, more } = visible(others, plan.shown, (tile) => weigh(tile, wish));
  const { each } = plan;
  const tile = tiles.find((one) => one.id === large);
  // the large tile without regard to the speaker: a place that follows the voice is reported separately
  const chosen = largeTile(tiles, { ...wish, layout: "grid" });
  useMeasured({
    each: each.height,
    large: chosen === null ? null : { id: chosen, height: plan.height },
    voice: chosen === null ? plan.height : null,
  });
  if (tile === undefined) return null;
  // a camera's video may be cropped a little, but not so much that only a slice of a face is visible
  const most = tile.kind === "camera" ? Math.min(plan.width, plan.height * 1.78) : plan.width;
  const least = tile.kind === "camera" ? Math.min(plan.height, plan.width * 1.25) : plan.height;
  return (
    <ul class={`large ${plan.strip}`}>
      <TileView key={tile.id} tile={tile} width={Math.floor(most)} height={Math.floor(least)} large />
      {others.length > 0 && (
        <li class="strip">
          <ul>
            {shown.map((one) => (
              <TileView key={one.id} tile={one} width={each.width} height={each.height} />
            ))}
            {more > 0 && <More count={more} width={each.width} height={each.height} />}
          </ul>
        </li>
      )}
    </ul>
  );
}

/** The number of members without a tile; leads to the list of all. */
function More({ count, width, height }: { readonly count: number; readonly width: number; readonly height: number }) {
  const { model } = useUi();
  return (
    <li class="tile more" style={{ width: `${width}px`, height: `${height}px` }}>
      <button
        type="button"
        onClick={() => {
          model.panel.value = "people";
        }}
      >
        <Icon name="users" size={24} />
        {word("meet.more_people", { n: count })}
      </button>
    </li>
  );
}

/** Shown to the only member of a room: how to invite others. */
function Alone() {
  const { model } = useUi();
  if (model.people.value.length !== 1) return null;
  const open = model.invites.value.filter(({ label, once }) => label === "" && !once);
  const invite = open.at(-1) ?? model.invites.value[0]; // earlier ones name keys that former hosts know
  return (
    <section class="alone">
      <p>
        <strong>{word("meet.alone")}</strong>
        {model.amHost.value && <span> {word("meet.alone_host")}</span>}
      </p>
      {model.amHost.value && (
        <div class="row">
          {invite !== undefined && (
            <button type="button" class="button primary" onClick={() => model.do.copy(invite.link)}>
              <Icon name="copy" />
              {word("meet.alone_copy")}
            </button>
          )}
          <button
            type="button"
            class="button"
            onClick={() => {
              model.panel.value = "people";
            }}
          >
            {word("meet.alone_invites")}
          </button>
        </div>
      )}
    </section>
  );
}
