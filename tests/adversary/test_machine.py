"""A short search, the same in every run: `make adversary` searches for hours."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

from tests.adversary.machine import Adversary

TestAdversary = Adversary.TestCase
TestAdversary.settings = settings(
    max_examples=25,
    stateful_step_count=20,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
