"""A disclosure as one page to print: what an operator would hand over after an order to do so.

HTML without script, and without anything that is loaded from elsewhere. Pure.
"""

from __future__ import annotations

import html
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

from snugroom.server.disclosure.catalogue import Language, say
from snugroom.server.disclosure.text import sentences

_STYLE: Final = (
    "body{font:11pt/1.4 serif;margin:2cm auto;max-width:17cm;color:#000;background:#fff}"
    "h1{font-size:18pt}h2{font-size:13pt;break-after:avoid}"
    "table{border-collapse:collapse;font:9pt/1.3 monospace;margin:0 0 .6em}"
    "th,td{border:1px solid #999;padding:.1em .4em;text-align:left;vertical-align:top;overflow-wrap:anywhere}"
    "tr{break-inside:avoid}@media print{body{margin:0;max-width:none}}"
)
_HEAD: Final = (
    '<!doctype html>\n<html lang="{language}"><head><meta charset="utf-8">\n'
    '<meta http-equiv="Content-Security-Policy" '
    "content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
    '<meta name="viewport" content="width=device-width">\n'
)


def page(disclosed: dict[str, Any], at: float, process: int, language: Language = "en") -> str:
    """Return the page. `disclosed`: a disclosure with identifiers. `at`: time of the answer, Unix seconds.

    Names of fields stay as they are in every language.
    """
    when = datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    told = partial(say, language)
    lines = "\n".join(f"<li>{html.escape(each)}</li>" for each in sentences(disclosed, language))
    title = told("page_title")
    return (
        f"{_HEAD.format(language=language)}<title>{title}</title>\n<style>{_STYLE}</style></head>\n"
        f"<body>\n<h1>{title}</h1>\n"
        f"<p>{told('page_process', process=str(process), when=when)}</p>\n"
        f"<p>{told('page_introduction')}</p>\n<h2>{told('page_sentences')}</h2>\n<ol>\n{lines}\n</ol>\n"
        f'<h2>{told("page_data")}</h2>\n<div lang="en">\n{_table(disclosed)}\n</div>\n</body></html>\n'
    )


def _table(value: Any) -> str:
    """Return a value as HTML: objects and lists as tables, anything else as text."""
    if isinstance(value, dict) and value:
        rows = ((str(name), item) for name, item in value.items())
    elif isinstance(value, list) and value:
        rows = ((str(number), item) for number, item in enumerate(value, 1))
    else:
        return html.escape(_text(value))
    cells = "\n".join(f"<tr><th>{html.escape(name)}</th><td>{_table(item)}</td></tr>" for name, item in rows)
    return f"<table>\n{cells}\n</table>"


def _text(value: Any) -> str:
    if value is None or value == [] or value == {}:
        return "none"
    return str(value).lower() if isinstance(value, bool) else str(value)
