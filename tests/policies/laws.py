"""What comes out of a policy, or of what it was exported to, as samples that can be compared."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from scipy import stats
from torch import Tensor

from tuner.policies import LoadedPolicy

HEIGHT, WIDTH = 15, 12
"""One side odd, so that it shows what becomes of boxes of odd sides."""

_DIGITS = 6
"""To which shares are compared: libraries round those near 0 and 1 differently."""

Mix = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


class Sample(NamedTuple):
    """How one batch, or example, was mixed: by which method, its own share, and the box."""

    kind: str
    own: float
    top: int = -1
    left: int = -1
    rows: int = -1
    columns: int = -1

    @property
    def is_odd(self) -> bool:
        """Tell whether the box has a side of odd length that the border did not cut."""
        is_cut = self.top == 0 or self.top + self.rows == HEIGHT
        return self.rows % 2 == 1 and not is_cut


def coloured(count: int) -> tuple[Tensor, Tensor]:
    """Return a batch in which every example has a class and a channel of its own: each pixel tells its sources."""
    images = torch.eye(count)[:, :, None, None].expand(count, count, HEIGHT, WIDTH).contiguous()
    return images, torch.arange(count)


def of_batches(mix: Mix, batches: int, count: int = 6) -> list[Sample]:
    """Return a sample a batch, of a law that draws one ratio and box for the batch."""
    found = []
    for _ in range(batches):
        images, labels = coloured(count)
        mixed, targets = mix(images, labels)
        shares_agree(mixed, targets)
        own = targets.diagonal()
        # An example that was its own partner does not show the ratio.
        row = int(own.argmin())
        assert bool(((own - own[row]).abs() < 1e-6).logical_or(own == 1).all())
        found.append(sample(mixed[row, row], float(own[row])))
    return found


def of_examples(mix: Mix, batches: int, count: int = 64) -> list[Sample]:
    """Return a sample an example, of a law that draws for each; without those that were their own partners."""
    found = []
    for _ in range(batches):
        images, labels = coloured(count)
        mixed, targets = mix(images, labels)
        shares_agree(mixed, targets)
        found += [sample(mixed[row, row], float(targets[row, row])) for row in range(count)]
    return [one for one in found if one.kind != "none"]


def shares_agree(mixed: Tensor, targets: Tensor) -> None:
    """Check that each target is the sources' shares of the pixels."""
    assert float((mixed.mean(dim=(2, 3)) - targets).abs().amax()) < 1e-5


def sample(own: Tensor, share: float) -> Sample:
    """Return the sample of an example, whose own channel shows where it was left."""
    share = round(share, _DIGITS)
    if share in {0, 1}:
        return Sample("none" if share else "partner", share)
    if not bool(((own == 0) | (own == 1)).all()):
        return Sample("mixup", share)
    rows, columns = (torch.nonzero((own == 0).any(dim=side)).flatten() for side in (1, 0))
    return Sample("cutmix", share, int(rows[0]), int(columns[0]), len(rows), len(columns))


def least_p_value(one: Sequence[Sample], other: Sequence[Sample]) -> float:
    """Return the smallest p-value of: how frequent methods and odd boxes are, and each method's shares and boxes."""
    found = [alike([[(sample.kind, sample.is_odd) for sample in samples] for samples in (one, other)])]
    for kind in {sample.kind for sample in (*one, *other)}:
        for name in ("own", "top", "left", "rows", "columns") if kind == "cutmix" else ("own",):
            values = [[getattr(sample, name) for sample in samples if sample.kind == kind] for samples in (one, other)]
            if min(map(len, values)) > 0:
                found.append(float(stats.ks_2samp(*values).pvalue))
    return min(found)


def alike(samples: Sequence[Sequence[object]]) -> float:
    """Return the p-value of two lists having the same frequencies."""
    kinds = list({one: None for found in samples for one in found})
    counts = [[found.count(kind) for kind in kinds] for found in samples]
    return 1.0 if len(kinds) == 1 else float(stats.chi2_contingency(counts).pvalue)


def executed(source: str, name: str, seed: int = 0) -> tuple[Mix, dict[str, Any]]:
    """Run exported source; return its function of this name, and all its names. Other libraries draw globally."""
    names: dict[str, Any] = {}
    exec(compile(source, "exported", "exec"), names)
    np.random.seed(seed)
    torch.manual_seed(seed)
    return names[name], names


def own_mix(policy: LoadedPolicy, seed: int = 0) -> Mix:
    rng = torch.Generator().manual_seed(seed)
    return lambda images, labels: policy(images, labels, rng=rng)
