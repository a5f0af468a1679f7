"""Both sizes of every figure."""

from __future__ import annotations

import pytest

from tuner.report.figures.style import NARROW, WIDE


@pytest.fixture(params=[WIDE, NARROW], ids=["wide", "narrow"])
def size(request):
    return request.param
