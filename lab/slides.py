"""Slides from Markdown: ``python -m snugroom.lab.slides SLIDES.md > slides.html``.

The result is one HTML file without script, and without anything that is loaded from elsewhere. A line ``---``
begins a new slide, and ``<!-- lang: de -->`` names a language other than English. The page scrolls from slide
to slide (space, Page Down), and prints one slide a sheet.

Headings, paragraphs, lists, quotations, indented or fenced code, tables, ``**bold**``, ``*italic*`` and
`` `code` `` are understood. Links keep their text and lose their target: a slide is read from afar.
"""

from __future__ import annotations

import html
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_STYLE: Final = (
    "html{scroll-snap-type:y mandatory;font:clamp(16px,2.6vw,40px)/1.4 system-ui,sans-serif;color:#1d1b18;"
    "background:#fbf8f2}body{margin:0}"
    "section{box-sizing:border-box;min-height:100vh;padding:6vh 8vw;scroll-snap-align:start;display:flex;"
    "flex-direction:column;justify-content:center;break-after:page;position:relative}"
    "section>small{position:absolute;right:3vw;bottom:2vh;color:#6b6459}"
    "h1{font-size:2em;line-height:1.15;margin:0 0 .5em}h2{font-size:1.5em;margin:0 0 .5em}"
    "p,ul,ol{margin:.3em 0}"
    "blockquote{margin:.5em 0;padding-left:.8em;border-left:.2em solid #a5803a;font-style:italic}"
    "pre{font-size:.8em;overflow:auto;background:#f0eade;padding:.6em}"
    "table{border-collapse:collapse;font-size:.8em}th,td{border:1px solid #a59c8c;padding:.2em .6em;"
    "text-align:left}@media(prefers-color-scheme:dark){html{color:#f2ede4;background:#1a1814}"
    "pre{background:#2a2720}}@media print{html{font-size:20pt;color:#000;background:#fff}}"
)
_HEAD: Final = (
    '<!doctype html>\n<html lang="{language}"><head><meta charset="utf-8">\n'
    '<meta http-equiv="Content-Security-Policy" '
    "content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
    '<meta name="viewport" content="width=device-width">\n'
)
_BREAK: Final = re.compile(r"^---\s*$", re.MULTILINE)
#: The language of the slides, for the browser's fonts and voices; English without this comment.
_LANGUAGE: Final = re.compile(r"^<!-- lang: ([A-Za-z-]+) -->$", re.MULTILINE)
_COMMENT: Final = re.compile(r"<!--.*?-->\n?", re.DOTALL)
_FENCED: Final = re.compile(r"^```\w*\n(.*?)^```\s*$", re.MULTILINE | re.DOTALL)
_ITEM: Final = re.compile(r"(?:[-*]|\d+\.) ")
#: Marks within a line, once the text is escaped: code first, because it contains no other.
_MARKS: Final = re.compile(r"`([^`]+)`|\*\*(.+?)\*\*|\*([^*\s](?:[^*]*[^*\s])?)\*|\[([^\]]+)\]\([^)]*\)")


def build(markdown: str) -> str:
    """Return the page. ValueError if there is no slide, or a slide has no heading."""
    slides = [part for part in _BREAK.split(_COMMENT.sub("", markdown)) if part.strip()]
    if not slides:
        raise ValueError("no slide")
    sections = []
    for number, slide in enumerate(slides, 1):
        if not re.match(r"\s*#{1,2} ", slide):
            raise ValueError(f"slide {number} does not begin with a heading")
        body = "\n".join(_blocks(slide))
        sections.append(f"<section>\n{body}\n<small>{number} / {len(slides)}</small>\n</section>")
    language = _LANGUAGE.search(markdown)
    head = _HEAD.format(language="en" if language is None else language[1])
    title = _plain(slides[0].strip().splitlines()[0].lstrip("# "))
    return (
        f"{head}<title>{title}</title>\n<style>{_STYLE}</style></head>\n<body>\n"
        + "\n".join(sections)
        + "\n</body></html>\n"
    )


def _blocks(slide: str) -> Iterator[str]:
    """Yield each block of a slide as HTML."""
    parts = _FENCED.split(slide)
    for at, part in enumerate(parts):
        if at % 2:
            yield f"<pre><code>{html.escape(part)}</code></pre>"
            continue
        for block in re.split(r"\n\s*\n", part):
            if block.strip():
                yield _block(block.strip("\n"))


def _block(block: str) -> str:
    lines = block.splitlines()
    if all(line.startswith("    ") for line in lines):
        code = "\n".join(line[4:] for line in lines)
        return f"<pre><code>{html.escape(code)}</code></pre>"
    heading = re.fullmatch(r"(#{1,3}) (.+)", lines[0].strip())
    if heading is not None and len(lines) == 1:
        level = len(heading[1])
        return f"<h{level}>{_inline(heading[2])}</h{level}>"
    if all(line.startswith(">") for line in lines):
        return f"<blockquote><p>{_inline(' '.join(line.lstrip('> ') for line in lines))}</p></blockquote>"
    if all(line.startswith("|") for line in lines):
        return _table(lines)
    if _ITEM.match(lines[0]):
        return _list(lines)
    return f"<p>{_inline(' '.join(line.strip() for line in lines))}</p>"


def _list(lines: list[str]) -> str:
    """Return a list; a line that begins no item continues the one before."""
    kind = "ol" if lines[0][0].isdigit() else "ul"
    items: list[str] = []
    for line in lines:
        if (mark := _ITEM.match(line)) is not None:
            items.append(line[mark.end() :].strip())
        else:
            items[-1] += f" {line.strip()}"
    inner = "".join(f"<li>{_inline(item)}</li>" for item in items)
    return f"<{kind}>{inner}</{kind}>"


def _table(lines: list[str]) -> str:
    rows = [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in lines]
    rows = [row for row in rows if not all(re.fullmatch(r":?-+:?", cell) for cell in row)]
    head, *rest = rows
    heads = "".join(f"<th>{_inline(cell)}</th>" for cell in head)
    body = "".join(f"<tr>{''.join(f'<td>{_inline(cell)}</td>' for cell in row)}</tr>" for row in rest)
    return f"<table><tr>{heads}</tr>{body}</table>"


def _inline(text: str) -> str:
    def mark(found: re.Match[str]) -> str:
        code, bold, italic, link = found.groups()
        if code is not None:
            return f"<code>{code}</code>"
        if bold is not None:
            return f"<strong>{bold}</strong>"
        return f"<em>{italic}</em>" if italic is not None else str(link)

    return _MARKS.sub(mark, html.escape(text, quote=False))


def _plain(text: str) -> str:
    return html.escape(re.sub(r"[*`]", "", text), quote=False)


def main() -> int:
    """Build one file; return the exit status."""
    if len(sys.argv) != 2:
        print("usage: python -m snugroom.lab.slides SLIDES.md > slides.html", file=sys.stderr)
        return 2
    try:
        print(build(Path(sys.argv[1]).read_text(encoding="utf-8")), end="")
    except (OSError, ValueError) as error:
        print(f"slides: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
