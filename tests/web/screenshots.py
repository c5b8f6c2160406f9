"""Screenshots of every story, light and dark, on a phone, upright and on its side, and on a wide screen:

python -m tests.web.screenshots OUT [part of a story's name] [--language de] [--theme dark] [--screen phone]
"""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path
from typing import Final

from tests.web.storybook import LANDSCAPE, THEMES, opened
from tests.web.storybook import SCREENS as USUAL

SCREENS: Final = (*USUAL, LANDSCAPE)


async def take(out: Path, part: str, language: str, themes: list[str], screens: list[str]) -> int:
    """OUTDIR/STORY-SCREEN-THEME.png; how many there were."""
    taken = 0
    suffix = "" if language == "en" else f"-{language}"
    async with opened() as book:
        names = await book.names(part)
        for screen in SCREENS:
            for theme in THEMES:
                if screen.name not in screens or theme not in themes:
                    continue
                async with book.page(screen, theme) as page:
                    for name in names:
                        await book.turn(page, name, language=language)
                        await page.screenshot(path=out / f"{name}-{screen.name}-{theme}{suffix}.png")
                        taken += 1
    return taken


def main() -> None:
    """From the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.web.screenshots")
    parser.add_argument("out", type=Path)
    parser.add_argument("part", nargs="?", default="")
    parser.add_argument("--language", default="en")
    parser.add_argument("--theme", action="append", choices=THEMES)
    parser.add_argument("--screen", action="append", choices=[screen.name for screen in SCREENS])
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    screens = given.screen or [screen.name for screen in SCREENS]
    taken = asyncio.run(take(given.out, given.part, given.language, given.theme or list(THEMES), screens))
    print(f"{taken} screenshots in {given.out}")


if __name__ == "__main__":
    main()
