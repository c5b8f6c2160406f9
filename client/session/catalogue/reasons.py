"""The sentences of errors. Errors of `crypto`, which has no catalogue, are known by their English text."""

from __future__ import annotations

from snugroom.client.session.catalogue.sentence import Sentence, recognised, sentence
from snugroom.crypto.errors import ValidationError


def because(error: Exception) -> str:
    """Return the sentence of an error, without the number of a rule."""
    if isinstance(error, ValidationError):
        return recognised(error.text, "errors")
    why = error.args[0] if error.args else ""
    return why if isinstance(why, Sentence) else recognised(str(error), "errors")


def in_full(error: Exception) -> str:
    """Return the sentence of an error, with the number of the broken rule."""
    if isinstance(error, ValidationError):
        return sentence("room.ruled", rule=error.rule, why=because(error))
    return because(error)
