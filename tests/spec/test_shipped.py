"""Every study file that comes with the package loads, by name and by path, without a doubt."""

from __future__ import annotations

import pytest

from tuner.errors import StudyFileError
from tuner.spec import load, shipped_studies


@pytest.mark.parametrize("name", list(shipped_studies()))
def test_shipped_study_loads_by_name_and_by_path(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    spec = load(name)
    assert spec == load(shipped_studies()[name])
    assert not any("unknown" in warning for warning in spec.warnings)


def test_misspelt_name_is_answered_with_the_nearest(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StudyFileError, match="did you mean digits"):
        load("digitz")
