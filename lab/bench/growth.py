"""Detect growth: a line through the second half of the samples, with its uncertainty. Pure."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

#: Minimum number of samples in the second half for a verdict.
LEAST: Final = 6
#: Minimum slope that counts as growth, in standard errors above zero.
_SURE: Final = 3.0


@dataclass(frozen=True, slots=True)
class Trend:
    """`mean` of the second half, and by how much it `grew` in that time; `grows` is the verdict."""

    mean: float
    grew: float
    grows: bool


def trend(times: Sequence[float], values: Sequence[float], share: float, slack: float) -> Trend:
    """Return the trend of the second half. Certain growth above `share` of the mean and above `slack` counts.

    Certain: the slope is more than three standard errors above zero. ValueError with fewer than 6 samples in
    that half.
    """
    times, values = times[len(times) // 2 :], values[len(values) // 2 :]
    if len(times) < LEAST:
        raise ValueError("too few samples to tell growth from noise")
    slope, intercept = statistics.linear_regression(times, values)
    spread = times[-1] - times[0]
    middle = statistics.fmean(times)
    residual = sum((value - slope * at - intercept) ** 2 for at, value in zip(times, values, strict=True))
    error = math.sqrt(residual / (len(times) - 2) / sum((at - middle) ** 2 for at in times))
    mean, grew = statistics.fmean(values), slope * spread
    return Trend(mean, grew, grew > max(share * mean, slack) and slope > _SURE * error)
