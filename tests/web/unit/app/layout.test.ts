import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Tile } from "../../../../client/web/src/app/model";
import { type Corner, cornerAfter, cornerAt, cornerBy } from "../../../../client/web/src/app/views/room/corner";
import { otherOfTwo } from "../../../../client/web/src/app/views/room/large";
import {
  capacity,
  fills,
  floatSize,
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
          else if (w < (h * 4) / 3) h = (w * 3) / 4;
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
    for (let count = 6; count <= 12; count += 1) assert.equal(grid(count, 390, 620, GAP).columns, 2);
  });

  it("keeps cameras' shape: never flatter than 16:9, nor slimmer than 4:3, on any screen", () => {
    for (const [width, height] of [[1440, 760], [1060, 760], [390, 620], [844, 250], [320, 400], [2560, 1300]]) {
      for (let count = 1; count <= MOST_TILES; count += 1) {
        const { width: w, height: h } = grid(count, width!, height!, GAP);
        // a pixel more or less, for tiles have whole pixels
        assert.ok(w - 1 <= (h + 1) * (16 / 9) && w + 1 >= (h - 1) * (4 / 3), `${count} in ${width}x${height}: ${w}x${h}`);
      }
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

describe("a camera's video in its tile", () => {
  it("fills it where a quarter is cropped at most, and is shown whole otherwise", () => {
    assert.ok(fills(16 / 9, 4 / 3) && fills(4 / 3, 16 / 9) && fills(16 / 9, 1440 / 760), "common cameras");
    assert.ok(fills(9 / 16, 374 / 620), "a phone's camera on a phone");
    assert.ok(!fills(16 / 9, 374 / 620) && !fills(9 / 16, 16 / 9), "a slice of a face would be left");
    assert.ok(fills(0, 1), "before its first frame");
  });
});

describe("a conversation of two", () => {
  const tile = (leaf: number, kind: Tile["kind"] = "camera") => ({ id: `${leaf} ${kind}`, leaf, kind, self: leaf === 0 }) as Tile;

  it("is one of two cameras, of which one is ours, and of no screen", () => {
    const [own, bo] = [tile(0), tile(1)];
    assert.equal(otherOfTwo([own, bo], null), bo);
    assert.equal(otherOfTwo([own, bo], bo.id), bo, "who fills the stage already");
    assert.equal(otherOfTwo([own, bo], own.id), null, "the person wants to see themselves");
    assert.equal(otherOfTwo([own], null), null);
    assert.equal(otherOfTwo([tile(0, "screen"), own], null), null);
    assert.equal(otherOfTwo([tile(1, "screen"), own, bo], null), null);
    assert.equal(otherOfTwo([own, bo, tile(2)], null), null);
  });

  it("has a small own video, upright on a phone that is", () => {
    for (const [width, height] of [[1440, 760], [390, 620], [844, 250], [320, 400], [3840, 2000]]) {
      const { width: w, height: h } = floatSize(width!, height!);
      assert.ok(w * h < (width! * height!) / 5, `${w}x${h} of ${width}x${height}`);
      assert.equal(h > w, height! > width!);
    }
  });

  it("has it in the corner that is nearest to where it was let go", () => {
    assert.deepEqual(
      [[10, 10], [390, 10], [10, 290], [390, 290]].map(([x, y]) => cornerAt(x!, y!, 400, 300)),
      ["top-left", "top-right", "bottom-left", "bottom-right"],
    );
  });

  it("reaches every corner by arrow keys and by presses", () => {
    const went: Corner[] = [];
    let at: Corner = "bottom-right";
    for (const key of ["ArrowUp", "ArrowLeft", "ArrowDown", "ArrowRight", "ArrowRight"]) went.push((at = cornerBy(at, key) ?? at));
    assert.deepEqual(went, ["top-right", "top-left", "bottom-left", "bottom-right", "bottom-right"]);
    assert.equal(cornerBy(at, "Tab"), null);
    const pressed = [1, 2, 3, 4].map(() => (at = cornerAfter(at)));
    assert.equal(new Set(pressed).size, 4);
    assert.equal(pressed[3], "bottom-right");
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
