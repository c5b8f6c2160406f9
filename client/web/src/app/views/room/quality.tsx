/** The quality of every tile: what comes of it, what is lost, and why it is no sharper. */
import { type Key, number, word } from "../../../words";
import type { Quality as TileQuality, Why } from "../../model";
import { DataSaver } from "./settings";
import { tileName } from "./tile";
import { useUi } from "./ui";

const WHY: Readonly<Record<Why, Key>> = {
  sharpest: "meet.why_sharpest",
  saver: "meet.why_saver",
  tile: "meet.why_tile",
  network: "meet.why_network",
  own: "meet.why_own",
  cpu: "meet.why_cpu",
  uplink: "meet.why_uplink",
};

export function Quality() {
  const { model } = useUi();
  return (
    <>
      <ul class="qualities">
        {model.call.quality.value.map((quality) => (
          <Row key={quality.tile.id} quality={quality} />
        ))}
      </ul>
      <DataSaver />
    </>
  );
}

function Row({ quality: { tile, bits, loss, video, layer, layers, why } }: { readonly quality: TileQuality }) {
  const facts: readonly (readonly [Key, string])[] = [
    ...(bits === null ? [] : [["meet.quality_rate", `${number(Math.round(bits / 1000))} kbit/s`] as const]),
    ...(loss === null ? [] : [["meet.quality_lost", `${number(Math.round(loss * 1000) / 10)} %`] as const]),
    ...(video === null || video.height === 0
      ? []
      : [["meet.quality_video", word("meet.quality_shape", { width: video.width, height: video.height, n: Math.round(video.frames) })] as const]),
    ...(layer === null ? [] : [["meet.quality_size", word("meet.quality_of", { n: layer + 1, of: layers })] as const]),
  ];
  return (
    <li>
      <h3>
        <bdi>{tileName(tile)}</bdi>
      </h3>
      {facts.length === 0 ? (
        <p class="note">{word("meet.quality_none")}</p>
      ) : (
        <dl class="figures">
          {facts.map(([key, text]) => (
            <div key={key}>
              <dt>{word(key)}</dt>
              <dd>{text}</dd>
            </div>
          ))}
        </dl>
      )}
      {why !== null && <p class="note">{word(WHY[why], { name: tile.name })}</p>}
    </li>
  );
}
