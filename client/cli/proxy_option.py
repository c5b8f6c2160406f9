"""``--proxy``: the proxy through which everything goes that a command sends."""

from __future__ import annotations

import argparse
import os
import sys
from typing import Final

from snugroom.client.proxy import Proxy
from snugroom.client.session.catalogue.sentence import Language, in_language, sentence

#: The environment variable with the proxy's address: other users can see a program's arguments.
VARIABLE: Final = "SNUG_PROXY"


def add_argument(parser: argparse.ArgumentParser) -> None:
    """Add `--proxy URL`."""
    parser.add_argument(
        "--proxy",
        metavar="URL",
        help="send everything through this proxy, or not at all: socks5://HOST:PORT or http://HOST:PORT; "
        f"else {VARIABLE} of the environment",
    )


def unused() -> str | None:
    """Return the error of a command that would go past the proxy of the environment; None without one."""
    return f"this command uses no proxy: unset {VARIABLE}" if os.environ.get(VARIABLE) else None


def chosen(given: str | None, spoken: Language) -> Proxy | None:
    """Return the proxy of `--proxy`, otherwise of the environment, otherwise None; ProxyAddressError.

    Warn about a password in the arguments.
    """
    inherited = os.environ.pop(VARIABLE, None)  # child processes must not inherit it
    if given is None:
        return Proxy.parse(inherited) if inherited else None
    proxy = Proxy.parse(given)
    if proxy.password:
        visible = sentence("terminal.proxy_visible", variable=VARIABLE)
        print(f"snug: {in_language(visible, spoken)}", file=sys.stderr)
    return proxy
