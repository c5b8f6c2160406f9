/** The ratchet tree, drawn: for the lecture's panel and for its projector. */
import { listed } from "../../../words";
import { lecture } from "../../../words/lecture";
import { speaker } from "../../../words/own";
import type { TreeView } from "../../../worker/messages";
import { Icon } from "../../icons";
import { fresh, holders, layout } from "./lectureTree";

/** The lecture's own words, in the language of the page. */
export const say = speaker<keyof typeof lecture.en>(lecture);

const COLUMN = 46;
const ROW = 64;
const RADIUS = 17;
const MARGIN = 34;

export function Drawn(props: {
  readonly view: TreeView;
  readonly before: TreeView | null;
  readonly chosen: number | null;
  choose(node: number): void;
}) {
  const { view, before, chosen, choose } = props;
  const { rows, placed } = layout(view.nodes);
  const changed = fresh(before, view);
  const x = (column: number): number => MARGIN + column * COLUMN;
  const y = (row: number): number => MARGIN + row * ROW;
  const width = 2 * MARGIN + (placed.length - 1) * COLUMN;
  const height = 2 * MARGIN + (rows - 1) * ROW + 14;
  const holding = chosen === null ? [] : holders(view, chosen);
  return (
    <div class="tree" tabIndex={0} role="group" aria-label={say("tree_label", { epoch: view.epoch, fresh: changed.size })}>
      <svg viewBox={`0 0 ${width} ${height}`} width={width} height={height}>
        {placed.flatMap(({ index, column, row, children }) =>
          (children ?? []).map((child) => {
            const below = placed[child];
            return (
              below !== undefined && (
                <line
                  key={`${index}-${child}`}
                  data-fresh={changed.has(index) && changed.has(child)}
                  x1={x(column)}
                  y1={y(row)}
                  x2={x(below.column)}
                  y2={y(below.row)}
                />
              )
            );
          }),
        )}
        {placed.map(({ index, column, row, node }) => {
          const isHeld = node !== null && (node.held || index === 2 * view.ownLeaf);
          return (
            <g
              key={index}
              class="tree-node"
              data-blank={node === null}
              data-fresh={changed.has(index)}
              data-held={isHeld}
              role="button"
              tabIndex={node === null ? -1 : 0}
              aria-pressed={chosen === index}
              aria-label={labelOf(view, index, changed.has(index))}
              aria-disabled={node === null}
              onClick={() => node !== null && choose(index)}
              onKeyDown={(event) => {
                if (node === null || (event.key !== "Enter" && event.key !== " ")) return;
                event.preventDefault();
                choose(index);
              }}
            >
              {isHeld && <circle class="tree-ring" cx={x(column)} cy={y(row)} r={RADIUS + 4} />}
              <circle cx={x(column)} cy={y(row)} r={RADIUS} />
              <text x={x(column)} y={y(row) + 4}>
                {node === null ? "∅" : node.key.slice(0, 4)}
              </text>
            </g>
          );
        })}
        {placed.map(
          ({ index, column, row, node, children }) =>
            children === null &&
            node !== null && (
              <text
                key={index}
                class="tree-name"
                data-holding={holding.includes(index / 2)}
                x={x(column)}
                y={y(row) + RADIUS + 20}
                aria-hidden="true"
              >
                {index === 2 * view.ownLeaf ? say("you") : cut(node.name ?? "?")}
              </text>
            ),
        )}
      </svg>
    </div>
  );
}

/** Return as much of a name as fits below a leaf. */
const cut = (name: string): string => ([...name].length > 10 ? `${[...name].slice(0, 9).join("")}…` : name);

const namesOf = (view: TreeView, leaves: readonly number[]): readonly string[] =>
  leaves.map((leaf) => (leaf === view.ownLeaf ? say("you") : (view.nodes[2 * leaf]?.name ?? "?")));

function labelOf(view: TreeView, index: number, changed: boolean): string {
  const node = view.nodes[index] ?? null;
  if (node === null) return say("node_blank");
  const names = listed(namesOf(view, holders(view, index)));
  return say(changed ? "node_fresh" : "node", { key: node.key.slice(0, 4), names });
}

/** The members who hold the private key of the chosen node. */
export function Holds({ view, node }: { readonly view: TreeView; readonly node: number | null }) {
  if (node === null) return <p class="note">{say("choose")}</p>;
  const here = view.nodes[node] ?? null;
  if (here === null) return <p class="note">{say("node_blank")}</p>;
  const names = listed(namesOf(view, holders(view, node)));
  const unmerged = namesOf(view, here.unmerged);
  return (
    <div class="notice" role="status">
      <Icon name="info" />
      <p>
        <code>{here.key.slice(0, 16)}…</code> {say("holds", { names })}
        {unmerged.length > 0 && ` ${say("unmerged", { names: listed(unmerged) })}`}
      </p>
    </div>
  );
}
