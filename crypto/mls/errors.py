"""Errors that name the member at fault, once a signature has proven it."""

from __future__ import annotations

from snugroom.crypto.errors import ValidationError
from snugroom.crypto.mls.outcomes import CandidateCommit


class CommitError(ValidationError):
    """A commit or proposal with a verified signature breaks a rule; `sender` is at fault.

    `sender` is the leaf index in the epoch of the message, or None if the sender is not a member (an external
    sender or a newcomer).
    """

    def __init__(self, rule: str, text: str, sender: int | None) -> None:
        super().__init__(rule, text)
        self.sender = sender


class PathError(CommitError):
    """A commit that is valid as far as all members can see, but whose path secret for us is unusable.

    `commit` describes the commit (its `group` is None), so that the caller can apply its policy first.
    """

    def __init__(self, rule: str, text: str, sender: int | None, commit: CandidateCommit) -> None:
        super().__init__(rule, text, sender)
        self.commit = commit
