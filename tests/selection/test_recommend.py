"""The verdict, its reasons and its warnings."""

from __future__ import annotations

import json
import math
import statistics

import pytest
from scipy import stats

from tests.selection.examples import candidate, found

NONE, MIXUP, CUTMIX, FMIX = (candidate(*one) for one in (("none", 0.90), ("mixup", 0.92), ("cutmix", 0.93), ("fmix",)))
BASE = (0.900, 0.904, 0.897, 0.901, 0.905)
BETTER = (0.921, 0.922, 0.919, 0.920, 0.927)
EVEN = (0.903, 0.899, 0.902, 0.897, 0.906)
WORSE = (0.801, 0.803, 0.799, 0.802, 0.800)


def words(recommendation):
    return " ".join(recommendation.reasons)


def test_clearly_better_policy_is_used():
    done = found([(NONE, BASE), (CUTMIX, BETTER), (MIXUP, EVEN)])
    assert done.verdict == "use"
    assert done.policy == CUTMIX.mixing
    interval = stats.ttest_rel(BETTER, BASE).confidence_interval(0.975)
    assert (done.effect.low, done.effect.high) == (pytest.approx(interval.low), pytest.approx(interval.high))
    assert done.effect.p_value == pytest.approx(2 * stats.ttest_rel(BETTER, BASE).pvalue)
    assert done.effect.estimate == pytest.approx(statistics.fmean(BETTER) - statistics.fmean(BASE))
    assert done.reasons[0].startswith("cutmix (trial 1) is better than no mixing by 2.04 points on 5 fresh seeds (+1.")
    assert "points with 95 % confidence, p < 0.001)" in done.reasons[0]
    assert not done.warnings


def test_json_is_the_contracts_and_has_no_nan():
    done = found(
        [(NONE, BASE), (CUTMIX, (*BETTER[:4], math.nan)), (MIXUP, EVEN)], alpha_intervals={CUTMIX.key: {"low": 0.1}}
    )
    read = json.loads(json.dumps(done.as_json(), allow_nan=False))
    contract = {"verdict", "policy", "baseline", "effect", "seeds", "alpha_interval", "candidates", "warnings"}
    assert set(read) >= {*contract, "reasons"}
    assert set(read["effect"]) >= {"estimate", "low", "high", "confidence", "p_value"}
    assert (read["verdict"], read["seeds"], read["planned_seeds"]) == ("use", 4, 5)
    assert read["alpha_interval"] == {"low": 0.1}
    assert [one["is_baseline"] for one in read["candidates"]] == [True, False, False]
    assert read["candidates"][1]["scores"] == {
        **dict(zip(["100", "101", "102", "103"], BETTER, strict=False)),
        "104": None,
    }
    assert read["candidates"][1]["mean"] == pytest.approx(statistics.fmean(BETTER[:4]))


def test_what_luck_could_explain_is_no_evidence():
    done = found([(NONE, BASE), (CUTMIX, EVEN), (MIXUP, EVEN[::-1])], alpha_intervals={CUTMIX.key: {"low": 0.1}})
    assert done.verdict == "no_evidence"
    assert done.policy == done.baseline == {"name": "none"}
    assert done.alpha_interval is None
    assert done.effect.low < 0 < done.effect.high
    assert "may be luck" in words(done)
    assert "Use no mixing." in words(done)


def test_search_without_mixed_trials_is_no_evidence():
    done = found([(NONE, BASE)])
    assert (done.verdict, done.shown, done.effect.estimate) == ("no_evidence", None, None)
    assert "nothing to compare" in words(done)


def test_gain_of_the_search_that_was_not_tested_is_not_confirmed():
    done = found([(NONE, ()), (CUTMIX, ())])
    assert done.verdict == "not_confirmed"
    assert done.policy == {"name": "none"}
    assert (
        done.effect.as_json() | {"estimate": None, "low": None, "high": None, "p_value": None} == done.effect.as_json()
    )
    assert "Nothing has been trained on fresh seeds yet (10 trainings to run)" in words(done)


def test_until_the_last_seed_has_run_nothing_is_decided():
    done = found([(NONE, BASE), (CUTMIX, BETTER[:4])])
    assert done.verdict == "not_confirmed"
    assert done.effect.low > 0
    assert "1 training still to run" in words(done)
    assert found([(NONE, BASE[:4]), (CUTMIX, BETTER[:4])], number=4).verdict == "use"


def test_gain_that_fresh_seeds_reverse_is_not_confirmed():
    done = found([(NONE, BASE), (CUTMIX, WORSE)])
    assert done.verdict == "not_confirmed"
    assert "cutmix (trial 1) is worse than no mixing by 10.04 points" in words(done)
    assert found([(NONE, BASE), (candidate("cutmix", 0.7), WORSE)]).verdict == "no_evidence"


def test_baseline_that_always_fails_confirms_nothing():
    done = found([(NONE, (None,) * 5), (CUTMIX, BETTER)])
    assert (done.verdict, done.seeds) == ("not_confirmed", 0)
    assert "0 seeds in common" in words(done)
    assert done.warnings[0].startswith("no mixing failed on 5 of 5 seeds (100, 101, 102, 103, 104)")


def test_failed_seed_leaves_the_pairs_that_are_complete_and_is_said():
    done = found([(NONE, BASE), (CUTMIX, (None, *BETTER[1:]))])
    assert (done.verdict, done.seeds) == ("use", 4)
    assert any("cutmix (trial 1) failed on 1 of 5 seeds (100)" in one for one in done.warnings)
    assert any("4 pairs" in one for one in done.warnings)


def test_one_seed_has_no_interval_and_says_so():
    done = found([(NONE, BASE[:1]), (CUTMIX, BETTER[:1])], number=1)
    assert done.verdict == "not_confirmed"
    assert done.effect.estimate == pytest.approx(0.021)
    assert (done.effect.low, done.effect.p_value) == (None, None)
    assert "1 seed in common; an interval needs two" in words(done)
    assert done.warnings == ("cutmix (trial 1) has 1 pair of seeds: no interval.",)


def test_same_difference_on_every_seed_is_no_evidence():
    done = found([(NONE, BASE), (CUTMIX, [score + 0.01 for score in BASE])])
    assert (done.verdict, done.effect.low) == ("no_evidence", None)
    assert "the same +1.00 points on 5 fresh seeds: no spread" in words(done)
    assert any("do seeds reach the training" in one for one in done.warnings)


def test_simplest_within_one_standard_error_is_recommended_and_the_other_named():
    nearly = tuple(score + gap for score, gap in zip(BETTER, (0.001, -0.001, 0.002, -0.001, 0.001), strict=True))
    done = found([(NONE, BASE), (CUTMIX, nearly), (MIXUP, BETTER)])
    assert (done.verdict, done.policy) == ("use", MIXUP.mixing)
    assert "cutmix (trial 1) was better by 0.04 points, less than one standard error, and is less simple" in words(done)
    assert "1 extra passes a step, N 2" in words(done)


def test_better_mean_that_is_not_sure_gives_way_to_what_is():
    wild = (0.990, 0.905, 0.990, 0.905, 0.900)
    done = found([(NONE, BASE), (CUTMIX, wild), (FMIX, BETTER)])
    assert (done.verdict, done.policy) == ("use", FMIX.mixing)
    assert "cutmix (trial 1) was better by" in words(done)
    assert "not surely better than no mixing" in words(done)
    assert done.effect.low <= done.effect.estimate <= done.effect.high


def test_estimate_stays_within_its_interval():
    # Without the first seed cutmix is chosen, without any other the wild one, which then gains nothing: 0.22 points.
    steady = [score + gap for score, gap in zip(BASE, (0.0110, 0.0111, 0.0109, 0.0110, 0.0111), strict=True)]
    done = found([(NONE, BASE), (MIXUP, (BASE[0] + 0.05, *BASE[1:])), (CUTMIX, steady)])
    assert (done.verdict, done.policy) == ("use", CUTMIX.mixing)
    assert done.effect.estimate == done.effect.low > 0.0105


def test_optimism_of_the_search_is_told():
    done = found([(NONE, BASE), (candidate("cutmix", 0.99), BETTER)])
    told = done.candidates[1]
    assert told.search_gain == pytest.approx(0.09)
    assert told.optimism == pytest.approx(0.09 - done.effect.uncorrected)
    assert "The search had shown +9.00 points, 6.96 points more than the fresh seeds, which rule out more" in words(
        done
    )


def test_dropped_policy_is_named_and_never_recommended():
    done = found([(NONE, BASE), (CUTMIX, BETTER), (MIXUP, WORSE[:3])])
    assert (done.verdict, done.policy) == ("use", CUTMIX.mixing)
    assert "mixup (trial 1) got no more seeds after 3: cutmix (trial 1) was clearly better" in words(done)
    assert done.effect.comparisons == 2


def test_more_than_mixing_that_differs_is_said():
    done = found([(NONE, BASE), (candidate("cutmix", training={"rate": 0.1}), BETTER)])
    assert any("differ in more than mixing (training.rate 0.1 against not set)" in one for one in done.warnings)


def test_baseline_without_a_search_value_is_said():
    done = found([(candidate("none", None), BASE), (CUTMIX, BETTER)])
    assert (done.verdict, done.candidates[1].optimism) == ("use", None)
    assert any("what the search gained is unknown" in one for one in done.warnings)


def test_few_seeds_are_said():
    done = found([(NONE, BASE[:3]), (CUTMIX, BETTER[:3])], number=3)
    assert any("3 pairs of seeds: its interval is 2.5 standard deviations" in one for one in done.warnings)


def test_exactly_one_baseline_is_wanted():
    with pytest.raises(ValueError, match="one baseline, got 0"):
        found([(CUTMIX, BETTER)])


def test_seeds_that_were_not_planned_do_not_count():
    assert found([(NONE, BASE), (CUTMIX, BETTER)], number=4).seeds == 4


def test_who_diverges_on_most_seeds_is_not_better_for_the_others():
    failing = (BETTER[0], BETTER[1], math.nan, None, math.nan)
    done = found([(NONE, BASE), (CUTMIX, failing)])
    assert (done.verdict, done.policy) == ("not_confirmed", {"name": "none"})
    assert "only 2 of 5 seeds in common" in done.reasons[0]
    assert found([(NONE, BASE), (CUTMIX, (*BETTER[:4], None))]).verdict == "use"  # one of five may fail


def test_policies_that_were_seen_before_widen_the_interval():
    alone = found([(NONE, BASE), (CUTMIX, BETTER)])
    seen = found([(NONE, BASE), (CUTMIX, BETTER)], others_seen=3)
    assert seen.effect.comparisons == 4
    assert seen.effect.low < alone.effect.low
    assert seen.effect.p_value == pytest.approx(4 * alone.effect.p_value)


def test_the_effect_says_what_its_numbers_are():
    done = found([(NONE, BASE), (CUTMIX, BETTER)])
    assert (done.effect.metric, done.effect.unit) == ("test_accuracy", "share")
