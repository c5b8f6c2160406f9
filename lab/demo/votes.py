"""Predictions of a class: the questions, who may vote, and the count. Pure; time is an argument.

A phone is a random token that its page makes. Each phone has one vote for a question, which it may change
while voting is open. Limits bound what a stranger in the local network can add: phones in all, phones behind
one address, and requests per second.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

Stage = Literal["open", "closed", "revealed"]
Refusal = Literal["closed", "full", "address"]

#: Phones that can vote in one lecture, and phones that may share an address unless the lecturer says more.
PHONES_MAX: Final = 500
PHONES_PER_ADDRESS: Final = 3
#: Requests per second from one address and the size of a burst, for each phone that may share it.
ADDRESS_RATE: Final = 3.0
ADDRESS_BURST: Final = 20.0
#: The same for all addresses together.
TOTAL_RATE: Final = 400.0
TOTAL_BURST: Final = 1_200.0
#: Addresses whose rate is kept at a time.
ADDRESSES_MAX: Final = 2_048


@dataclass(frozen=True)
class Question:
    """`choices`: number of answers to choose from; `right`: the number of the right one, from 1."""

    choices: int
    right: int


#: By name: a step of the projector, or ``act_`` and an act. `sentences/predictions.toml` has the texts.
QUESTIONS: Final[Mapping[str, Question]] = {
    "sees": Question(3, 2),
    "find": Question(3, 3),
    "ordinary": Question(3, 3),
    "word": Question(3, 2),
    "tree": Question(3, 1),
    "joins": Question(3, 3),
    "removed": Question(3, 3),
    "kill": Question(3, 2),
    "act_alter": Question(3, 3),
    "act_forge": Question(3, 2),
    "act_replay": Question(3, 2),
    "act_reorder": Question(3, 3),
    "act_drop": Question(3, 2),
    "act_silence": Question(3, 2),
}


class Votes:
    """The votes of one lecture. `per_address`: phones that may share an address."""

    def __init__(self, per_address: int = PHONES_PER_ADDRESS) -> None:
        self._per_address = per_address
        self._votes: dict[str, dict[str, int]] = {}
        self._stages: dict[str, Stage] = {}
        self._current: str | None = None
        self._phones: dict[str, str] = {}
        self._at: Counter[str] = Counter()

    # -- the lecturer --------------------------------------------------------------------------

    def open(self, question: str) -> None:
        """Ask a question. It opens once: after `close` it stays closed. KeyError for an unknown one."""
        _ = QUESTIONS[question]
        if question != self._current:
            self.close()
        self._current = question
        self._stages.setdefault(question, "open")

    def close(self) -> None:
        """End the vote on the current question, without its result."""
        if self._current is not None and self._stages[self._current] == "open":
            self._stages[self._current] = "closed"

    def reveal(self) -> None:
        """End the vote on the current question, and show its result."""
        if self._current is not None:
            self._stages[self._current] = "revealed"

    def again(self) -> None:
        """Forget all votes on the current question, and open it once more."""
        if self._current is not None:
            self._votes.pop(self._current, None)
            self._stages[self._current] = "open"

    # -- phones --------------------------------------------------------------------------------

    def vote(self, phone: str, address: str, question: str, choice: int) -> Refusal | None:
        """Count a phone's vote in place of its earlier one; return why it does not count.

        ValueError for a choice that the question does not have.
        """
        asked = QUESTIONS.get(question)
        if asked is None or not 1 <= choice <= asked.choices:
            raise ValueError("there is no such choice")
        if question != self._current or self._stages[question] != "open":
            return "closed"
        if phone not in self._phones:
            if len(self._phones) >= PHONES_MAX:
                return "full"
            if self._at[address] >= self._per_address:
                return "address"
            self._phones[phone] = address
            self._at[address] += 1
        self._votes.setdefault(question, {})[phone] = choice
        return None

    def told(self) -> dict[str, Any]:
        """Return what every phone may know: the question, and its answer once it is revealed."""
        question = self._current
        if question is None:
            return {"question": None}
        stage, asked = self._stages[question], QUESTIONS[question]
        right = asked.right if stage == "revealed" else None
        return {"question": question, "stage": stage, "choices": asked.choices, "right": right}

    def view(self) -> dict[str, Any]:
        """Return what the projector shows. The counts of each choice come with the answer."""
        told = self.told()
        votes = self._votes.get(told["question"] or "", {})
        counts = None
        if told.get("right") is not None:
            chosen = Counter(votes.values())
            counts = [chosen[choice] for choice in range(1, told["choices"] + 1)]
        return {**told, "voted": len(votes), "phones": len(self._phones), "counts": counts}


class _Bucket:
    """Holds at most `burst` tokens, gains `rate` a second and starts full."""

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self._rate, self._burst, self._tokens, self._last = rate, burst, burst, now

    def fill(self, now: float) -> bool:
        """Return whether it is full."""
        self._tokens = min(self._burst, self._tokens + max(0.0, now - self._last) * self._rate)
        self._last = max(self._last, now)
        return self._tokens >= self._burst

    def take(self, now: float) -> bool:
        """Take a token if there is one; return whether there was."""
        self.fill(now)
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


class Rates:
    """Limits requests: of each address first, so that one address alone cannot use up what all share."""

    def __init__(self, per_address: int, now: float) -> None:
        self._per_address = per_address
        self._all = _Bucket(TOTAL_RATE, TOTAL_BURST, now)
        self._each: dict[str, _Bucket] = {}

    def allows(self, address: str, now: float) -> bool:
        """Return whether a request from this address may be answered now."""
        bucket = self._each.get(address)
        if bucket is None:
            if len(self._each) >= ADDRESSES_MAX:
                # an address whose bucket is full is as one that was never here
                self._each = {name: each for name, each in self._each.items() if not each.fill(now)}
            if len(self._each) >= ADDRESSES_MAX:
                return False
            rate, burst = ADDRESS_RATE * self._per_address, ADDRESS_BURST * self._per_address
            bucket = self._each[address] = _Bucket(rate, burst, now)
        return bucket.take(now) and self._all.take(now)
