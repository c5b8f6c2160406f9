"""The landlord's TURN servers, as the settings name them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec

from snugroom.wire.limits import TURN_URLS_MAX
from snugroom.wire.turn import TurnUrl


class TurnServer(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A TURN server of the settings, with one of `secret` and `secret_file`."""

    urls: Annotated[list[TurnUrl], msgspec.Meta(min_length=1, max_length=TURN_URLS_MAX)]
    secret: Annotated[str, msgspec.Meta(min_length=1)] | None = None
    secret_file: Annotated[str, msgspec.Meta(min_length=1)] | None = None

    def read(self) -> TurnServer:
        """Return it with its secret, read from `secret_file` if that is set. OSError, ValueError."""
        if self.secret_file is None:
            return self
        try:
            secret = Path(self.secret_file).read_text(encoding="utf-8").strip()
        except UnicodeDecodeError:
            secret = ""
        if not secret:
            raise ValueError("a TURN server's secret_file has no text in it")
        return msgspec.structs.replace(self, secret=secret, secret_file=None)
