"""The articles' experiments: each study loads, makes as many trials as it says, and has a variant for a GPU."""

from __future__ import annotations

import pytest

from tuner.search import baselines
from tuner.spec import load, settings, shipped_studies

ARTICLES = [name for name in shipped_studies() if name.startswith("articles/")]
OTHER_DATA = "articles/alpha_of_"
SMALL = [name for name in ARTICLES if ".full" not in name and not name.startswith(OTHER_DATA)]


def points(spec):
    """Return every point's parameters, and the mixing of a baseline that the grid has not."""
    return [(parameters, attributes.get("mixing")) for parameters, attributes in baselines.queue(spec)]


@pytest.mark.parametrize("name", ARTICLES)
def test_the_grid_and_no_mixing_on_all_seeds_are_all_trials(name):
    spec = load(name)
    assert len(points(spec)) * spec.search.seeds == spec.search.trials
    assert spec.search.seeds >= 3
    assert not spec.warnings


@pytest.mark.parametrize("name", SMALL)
def test_every_study_has_a_variant_of_the_same_points_for_a_gpu(name):
    small, full = load(name), load(f"{name}.full")
    assert len(points(full)) == len(points(small))
    assert full.name == f"{small.name}-full"
    if name != "articles/keras_example":  # whose own recipe is small
        assert (small.epochs, full.epochs) == (pytest.approx(22, abs=5), 200)
        assert full.resources.gpus == 1


@pytest.mark.parametrize("name", ARTICLES)
def test_every_study_says_what_was_claimed_and_where(name):
    published = settings(load(name).source).published
    assert published.claim
    assert published.source


@pytest.mark.parametrize("name", [name for name in ARTICLES if name.startswith(OTHER_DATA)] + ["articles/alpha_sweep"])
def test_the_alphas_are_those_of_the_figure(name):
    spec = load(name)
    alphas = [parameters.get("mixing.ratio.alpha") for parameters, _ in points(spec)]
    assert alphas == [None, 0.1, 0.2, 0.5, 1.0, 2.0, 8.0]  # the first is no mixing
