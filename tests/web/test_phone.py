"""The page on a phone, upright and on its side: a thumb and a keyboard reach everything."""

from __future__ import annotations

from typing import Any, Final

import pytest
from playwright.async_api import Page

from tests.web.mixed import EVERY_WAY
from tests.web.storybook import LANDSCAPE, PHONE, Book, Screen, settled
from tests.web.test_words_fit import LOW, SMALL

pytestmark = pytest.mark.asyncio(loop_scope="session")

#: CSS pixels of a thumb.
TARGET: Final = 44
#: Parts of the page that are for screens of their own.
_OTHERS: Final = ("code-art-", "landlord", "lecture", "tree")

#: Things to press where the thumb would miss them: from the middle, half a target to each side.
SMALL_TARGETS: Final = (
    """() => {
  const found = [];
  const half = TARGET / 2 - 1;
  const pressed = "button, select, summary, input, textarea, a[href], label.choice";
  for (const it of document.querySelectorAll(pressed)) {
    if (!it.checkVisibility({ opacityProperty: true, visibilityProperty: true })) continue;
    if (it.matches(":disabled, .choice input, [type=file]")) continue;
    const box = it.getBoundingClientRect();
    const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
    const hits = (dx, dy) => {
      const at = document.elementFromPoint(x + dx, y + dy);
      return at !== null && (it.contains(at) || at.contains(it) && at.matches("label"));
    };
    if (!hits(0, 0)) continue; // under a menu, or scrolled out of sight
    const wide = box.width >= TARGET || hits(-half, 0) && hits(half, 0);
    const high = box.height >= TARGET || hits(0, -half) && hits(0, half);
    const size = `${Math.round(box.width)} x ${Math.round(box.height)}`;
    if (!wide || !high) found.push(`${it.outerHTML.slice(0, 90)} ${size}`);
  }
  return found;
}"""
).replace("TARGET", str(TARGET))

#: How far the page is wider than the screen, or, in the room, higher.
_BEYOND: Final = """() => {
  const { scrollWidth, clientWidth, scrollHeight, clientHeight } = document.documentElement;
  const room = document.querySelector(".room") !== null;
  return [scrollWidth - clientWidth, room ? scrollHeight - clientHeight : 0];
}"""


async def stories(book: Book) -> list[str]:
    """All stories of the page itself; usually every twelfth, to save time."""
    names = [name for name in await book.names() if not any(other in name for other in _OTHERS)]
    assert len(names) > 60
    return names if EVERY_WAY else names[::12]


async def wrong(page: Page) -> list[str]:
    found: list[str] = await page.evaluate(SMALL_TARGETS)
    beyond: list[int] = await page.evaluate(_BEYOND)
    return found + ([f"{beyond} px beyond the screen"] if any(beyond) else [])


@pytest.mark.parametrize("screen", [PHONE, LANDSCAPE], ids=lambda screen: screen.name)
async def test_a_thumb_finds_everything(book: Book, screen: Screen) -> None:
    found: dict[str, list[str]] = {}
    async with book.page(screen, "light") as page:
        for name in await stories(book):
            await book.turn(page, name)
            if said := await wrong(page):
                found[name] = said
    assert not found, "\n".join(f"{name}\n  " + "\n  ".join(said) for name, said in found.items())


async def test_what_a_thumb_misses_is_found(book: Book) -> None:
    """The test above can fail: by a button that is too small, and by a page that is too wide."""
    async with book.page(LANDSCAPE, "light") as page:
        await book.show(page, "room-people-3")
        assert await wrong(page) == []
        await page.evaluate("document.querySelector('.control').style.maxWidth = '40px'")
        assert len(await wrong(page)) == 1
        await page.evaluate("document.querySelector('.control').style.minWidth = '900px'")
        await page.evaluate("document.querySelector('.room').style.position = 'static'")
        assert any("beyond the screen" in line for line in await wrong(page))


async def box(page: Page, selector: str) -> dict[str, float]:
    found: Any = await page.locator(selector).bounding_box()
    assert found is not None, selector
    return dict(found)


@pytest.mark.parametrize("screen", [LANDSCAPE, LOW], ids=lambda screen: screen.name)
async def test_on_its_side_controls_and_panels_take_no_height(book: Book, screen: Screen) -> None:
    async with book.page(screen, "dark") as page:
        await book.show(page, "room-people-3")
        stage, controls = await box(page, ".stage"), await box(page, ".controls")
        assert stage["height"] >= screen.height - 48, "all but the bar above"
        assert controls["height"] == screen.height
        assert controls["x"] + controls["width"] == screen.width, "within reach of the right thumb"
        assert stage["x"] + stage["width"] <= controls["x"]
        await page.evaluate("model.panel.value = 'chat'")
        await page.wait_for_selector(".panel .composer")
        await settled(page)
        panel, stage = await box(page, ".panel"), await box(page, ".stage")
        assert (panel["y"], panel["height"]) == (0, screen.height)
        assert stage["x"] + stage["width"] <= panel["x"], "it covers nobody"
        assert panel["x"] + panel["width"] <= (await box(page, ".controls"))["x"]
        assert stage["width"] >= screen.width * 0.35


@pytest.mark.parametrize("screen", [LANDSCAPE, LOW], ids=lambda screen: screen.name)
async def test_on_its_side_all_items_of_a_menu_are_in_sight(book: Book, screen: Screen) -> None:
    async with book.page(screen, "dark") as page:
        await book.show(page, "room-people-3")
        await page.locator(".controls button[aria-label=More]").click()
        menu = page.locator(".controls :popover-open")
        await menu.get_by_role("menuitem", name="Settings").wait_for()
        assert not await menu.evaluate("(it) => it.scrollHeight > it.clientHeight")
        assert not await menu.evaluate("(it) => it.scrollWidth > it.clientWidth")
        edges = await box(page, ".controls :popover-open")
        assert edges["x"] >= 0
        assert edges["y"] >= 0
        assert edges["x"] + edges["width"] <= (await box(page, ".controls"))["x"]


#: Every control that can be used now.
_USABLE: Final = """[...document.querySelectorAll("button, select, input, textarea, summary, a[href]")]
  .filter((it) => it.checkVisibility() && !it.disabled && it.tabIndex >= 0 && it.type !== "file")"""


@pytest.mark.parametrize("screen", [PHONE, LANDSCAPE, SMALL], ids=lambda screen: screen.name)
@pytest.mark.parametrize("story", ["room-people-panel", "room-chat", "prejoin-host", "start"])
async def test_a_keyboard_reaches_everything(book: Book, screen: Screen, story: str) -> None:
    """Phones have keyboards as well, and switches for people who can't touch."""
    async with book.page(screen, "light") as page:
        await book.show(page, story)
        count: int = await page.evaluate(f"(window.usable = {_USABLE}).length")
        assert count > 5
        reached: set[int] = set()
        for _ in range(2 * count + 10):
            await page.keyboard.press("Tab")
            reached.add(await page.evaluate("usable.indexOf(document.activeElement)"))
        missed = [
            await page.evaluate(f"usable[{at}].outerHTML.slice(0, 90)") for at in set(range(count)) - reached
        ]
        # of several radio buttons one is reached, and arrows lead to the others
        assert [one for one in missed if 'type="radio"' not in one] == []
