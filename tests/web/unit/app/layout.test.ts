import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  capacity,
  grid,
  MOST_TILES,
  speakerLayout,
  visible,
} from "../../../../client/web/src/app/views/room/layout";

const GAP = 8;

describe("the grid", () => {
  it("fits, whatever the place and the number", () => {
    for (const [width, height] of [[1440, 760], [1060, 760], [390, 620], [844, 250], [320, 400], [2560, 1300]]) {
      for (let count = 1; count <= MOST_TILES; count += 1) {
        const { columns, rows, width: w, height: h } = grid(count, width!, height!, GAP);
        assert.ok(columns * rows >= count, `${count} in ${width}x${height}`);
        assert.ok(columns * w + (columns - 1) * GAP <= width!);
        assert.ok(rows * h + (rows - 1) * GAP <= height!);
        assert.ok((columns - 1) * rows < count || rows === Math.ceil(count / columns), "no column stays empty");
      }
    }
  });

  it("is the best there is, to a few parts in a hundred", () => {
    for (let count = 1; count <= MOST_TILES; count += 1) {
      const best = Math.max(
        ...Array.from({ length: count }, (_, i) => {
          const rows = Math.ceil(count / (i + 1));
          let w = (1440 - GAP * i) / (i + 1);
          let h = (760 - GAP * (rows - 1)) / rows;
          if (w > (h * 16) / 9) w = (h * 16) / 9;
          else if (w < h) h = w;
          return w * h;
        }),
      );
      const got = grid(count, 1440, 760, GAP);
      assert.ok(got.width * got.height >= best * 0.95, `${count}: ${got.width * got.height} of ${best}`);
    }
  });

  it("puts two side by side on a wide screen and few above each other on a phone", () => {
    assert.deepEqual([grid(2, 1440, 760, GAP).columns, grid(2, 390, 620, GAP).columns], [2, 1]);
    assert.equal(grid(4, 1440, 760, GAP).columns, 2);
    assert.equal(grid(9, 1440, 760, GAP).columns, 3);
    assert.equal(grid(16, 1440, 760, GAP).columns, 4);
    for (let count = 4; count <= 12; count += 1) assert.equal(grid(count, 390, 620, GAP).columns, 2);
  });

  it("keeps faces' shape: never flatter than 16:9, nor slimmer than a square", () => {
    for (let count = 1; count <= MOST_TILES; count += 1) {
      const { width, height } = grid(count, 1440, 760, GAP);
      assert.ok(width / height < 1.8 && width / height > 0.98, `${width}x${height}`);
    }
  });
});

describe("what can be shown", () => {
  it("is everybody on a wide screen, up to 49", () => {
    assert.equal(capacity(49, 1440, 760, GAP), 49);
    assert.equal(capacity(80, 1440, 760, GAP), 49);
  });

  it("is fewer on a phone, but of a size to see", () => {
    const shown = capacity(30, 374, 620, GAP);
    assert.ok(shown >= 8 && shown < 30, `${shown}`);
    assert.ok(grid(shown, 374, 620, GAP).height >= 92);
  });

  it("is one, however small the place", () => {
    assert.equal(capacity(5, 60, 40, GAP), 1);
    assert.equal(capacity(1, 0, 0, GAP), 1);
  });

  const tiles = "abcdefgh".split("").map((id) => ({ id }));
  it("keeps the order, prefers who weighs more, and counts the others", () => {
    const { shown, more } = visible(tiles, 4, (tile) => (tile.id === "g" ? 2 : tile.id === "b" ? 1 : 0));
    assert.deepEqual(shown.map((tile) => tile.id), ["a", "b", "g"]);
    assert.equal(more, 5);
  });

  it("leaves nobody out when all fit", () => {
    assert.deepEqual(visible(tiles, 8, () => 0), { shown: tiles, more: 0 });
  });
});

describe("one large and a strip", () => {
  it("has the strip beside on a wide screen and below on a phone", () => {
    assert.equal(speakerLayout(4, 1440, 700, GAP).strip, "beside");
    assert.equal(speakerLayout(4, 374, 620, GAP).strip, "below");
  });

  it("fits, and shows at least one of the others", () => {
    for (const [width, height] of [[1440, 760], [1060, 760], [390, 620], [844, 250]]) {
      for (let others = 1; others < 30; others += 1) {
        const { width: w, height: h, strip, shown, each } = speakerLayout(others, width!, height!, GAP);
        assert.ok(shown >= 1 && shown <= others);
        if (strip === "beside") {
          assert.ok(w + GAP + each.width <= width! && shown * (each.height + GAP) - GAP <= height!);
        } else {
          assert.ok(h + GAP + each.height <= height! && shown * (each.width + GAP) - GAP <= width!);
        }
      }
    }
  });

  it("gives all the place to one who is alone", () => {
    assert.deepEqual([speakerLayout(0, 800, 600, GAP).width, speakerLayout(0, 800, 600, GAP).shown], [800, 0]);
  });
});
