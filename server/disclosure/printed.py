"""A disclosure as one page to print: what an operator would hand over after an order to do so.

HTML without script, and without anything that is loaded from elsewhere. Pure.
"""

from __future__ import annotations

import html
from datetime import UTC, datetime
from typing import Any, Final

from snugroom.server.disclosure.text import sentences

_STYLE: Final = (
    "body{font:11pt/1.4 serif;margin:2cm auto;max-width:17cm;color:#000;background:#fff}"
    "h1{font-size:18pt}h2{font-size:13pt;break-after:avoid}"
    "table{border-collapse:collapse;font:9pt/1.3 monospace;margin:0 0 .6em}"
    "th,td{border:1px solid #999;padding:.1em .4em;text-align:left;vertical-align:top;overflow-wrap:anywhere}"
    "tr{break-inside:avoid}@media print{body{margin:0;max-width:none}}"
)
_HEAD: Final = (
    '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
    '<meta http-equiv="Content-Security-Policy" '
    "content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
    '<meta name="viewport" content="width=device-width">\n'
)
_TITLE: Final = "Everything that this server holds"
_INTRODUCTION: Final = (
    "This is all that the operator of this meeting server can hand over at this moment, whoever asks. "
    "The first part says it in sentences. The second part is the complete data, with the identifiers of "
    "connections and rooms and the headers of requests. The server has written none of it to a disk."
)


def page(disclosed: dict[str, Any], at: float, process: int) -> str:
    """Return the page. `disclosed`: a disclosure with identifiers. `at`: time of the answer, Unix seconds."""
    when = datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    lines = "\n".join(f"<li>{html.escape(each)}</li>" for each in sentences(disclosed))
    return (
        f"{_HEAD}<title>{_TITLE}</title>\n<style>{_STYLE}</style></head>\n<body>\n<h1>{_TITLE}</h1>\n"
        f"<p>Process {process}, {when}.</p>\n<p>{_INTRODUCTION}</p>\n"
        f"<h2>In sentences</h2>\n<ol>\n{lines}\n</ol>\n<h2>The complete data</h2>\n{_table(disclosed)}\n"
        "</body></html>\n"
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
