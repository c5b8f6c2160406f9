"""Measure how well a property can be guessed: classifiers, tested on unseen meetings, and the AUC."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
_FOLDS = 6
_RESAMPLES = 2_000
#: Minimum number of meetings: training and testing use different ones.
LEAST = 2


@dataclass(frozen=True)
class Guess:
    """AUC (0.5: chance, 1: always right) with its 95% confidence interval; `items`: number of guesses."""

    auc: float
    low: float
    high: float
    items: int
    meetings: int


def auc(truth: Numbers, score: Numbers) -> float:
    """Return the area under the ROC curve: how often a positive scores above a negative (ties: half)."""
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(truth, score))


def _models(seed: int, size: int) -> list[Any]:
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import QuantileTransformer, StandardScaler

    return [
        HistGradientBoostingClassifier(
            max_iter=60,
            learning_rate=0.1,
            max_leaf_nodes=12,
            min_samples_leaf=12,
            class_weight="balanced",
            random_state=seed,
        ),
        # without it, heavy tails (from a busy machine) would dominate the regression
        make_pipeline(
            QuantileTransformer(n_quantiles=min(20, size), output_distribution="normal", random_state=seed),
            StandardScaler(),
            LogisticRegression(C=0.05, max_iter=2_000, class_weight="balanced"),
        ),
    ]


def guess(features: Numbers, truth: Numbers, meetings: NDArray[np.int64], seed: int = 1) -> Guess:
    """Train on some meetings and guess in the others, until all have been guessed.

    The confidence interval comes from resampling the meetings. Two classifiers vote (gradient boosting and
    logistic regression). ValueError if there are too few meetings, or only one answer.
    """
    groups = np.unique(meetings)
    if len(groups) < LEAST or len(np.unique(truth)) < 2:
        raise ValueError("too few meetings to tell")
    from sklearn.model_selection import GroupKFold
    from threadpoolctl import threadpool_limits

    scores = np.zeros(len(truth))
    # so little work is slower with several threads, and very slow on a busy machine
    with threadpool_limits(1):
        for train, test in GroupKFold(min(_FOLDS, len(groups))).split(features, truth, meetings):
            for model in _models(seed, len(train)):
                if len(np.unique(truth[train])) < 2:
                    scores[test] += 0.5
                    continue
                model.fit(features[train], truth[train])
                scores[test] += model.predict_proba(features[test])[:, 1] / 2
    point = auc(truth, scores)
    source = np.random.default_rng(seed)
    where = {g: np.flatnonzero(meetings == g) for g in groups}
    resampled = []
    for _ in range(_RESAMPLES):
        chosen = np.concatenate([where[g] for g in source.choice(groups, len(groups))])
        if len(np.unique(truth[chosen])) == 2:
            resampled.append(_fast_auc(truth[chosen], scores[chosen]))
    low, high = np.quantile(resampled, (0.025, 0.975))
    return Guess(point, float(low), float(high), len(truth), len(groups))


def _fast_auc(truth: Numbers, score: Numbers) -> float:
    """Return `auc` computed from ranks, without sklearn's checks, because it is called thousands of times."""
    _, inverse, counts = np.unique(score, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    ranks = ((last - counts + last + 1) / 2)[inverse]
    positives = truth == 1
    n, m = int(positives.sum()), int((~positives).sum())
    return float((ranks[positives].sum() - n * (n + 1) / 2) / (n * m))
