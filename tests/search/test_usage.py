from __future__ import annotations

import time

import pytest
import torch

from tuner.search.usage import Usage


def busy(seconds: float) -> None:
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


def test_a_process_that_sleeps_uses_less_than_one_that_works():
    usage = Usage(torch.device("cpu"))
    time.sleep(0.3)
    asleep = usage.measure()
    busy(0.3)
    awake = usage.measure()
    assert asleep["cpu_utilization_percentage"] < 50 < 4 * awake["cpu_utilization_percentage"]
    assert set(asleep) == {"cpu_utilization_percentage", "process_memory_megabytes"}


def test_memory_is_what_the_process_holds_now():
    usage = Usage(torch.device("cpu"))
    before = usage.measure()["process_memory_megabytes"]
    held = torch.ones(50_000_000)
    during = usage.measure()["process_memory_megabytes"]
    assert during - before == pytest.approx(200, rel=0.1)
    del held
    assert usage.measure()["process_memory_megabytes"] < during - 100


@pytest.mark.gpu
def test_a_device_tells_the_peak_of_each_epoch():
    usage = Usage(torch.device("cuda"))
    held = torch.ones(50_000_000, device="cuda")
    del held
    torch.cuda.empty_cache()
    first, second = usage.measure(), usage.measure()
    assert first["gpu_memory_reserved_megabytes"] - second["gpu_memory_reserved_megabytes"] > 150
    assert 0 <= first.get("gpu_utilization_percentage", 0) <= 100
