"""The deciding reason reads right whichever way it goes."""

from __future__ import annotations

from tests.selection.examples import candidate, found

NONE, CUTMIX, MIXUP = candidate("none", 0.90), candidate("cutmix", 0.93), candidate("mixup", 0.92)
BASE = (0.900, 0.904, 0.897, 0.901, 0.905)
LOWER = (0.893, 0.899, 0.902, 0.887, 0.906)
HIGHER = (0.913, 0.899, 0.902, 0.897, 0.909)


def deciding(*scores, **more) -> str:
    return found([(NONE, BASE), *scores], **more).reasons[0]


def test_a_loss_that_may_be_luck_is_no_gain_of_less_than_nothing():
    told = deciding((CUTMIX, LOWER))
    assert told.startswith("cutmix (trial 1) was worse than no mixing by 0.40 points on 5 fresh seeds (-")
    assert told.endswith("which may be luck. Use no mixing.")


def test_a_gain_that_may_be_luck_is_said_with_that_of_the_others():
    told = deciding((CUTMIX, HIGHER), (MIXUP, LOWER))
    assert told.startswith("cutmix (trial 1) was better than no mixing by 0.26 points on 5 fresh seeds (-")
    assert told.endswith("which may be luck, and no other policy is surely better. Use no mixing.")


def test_a_confirmation_that_is_turned_off_is_the_reason():
    told = found([(NONE, ()), (CUTMIX, ())], number=0).reasons[0]
    assert told == "Nothing is trained on fresh seeds (confirm.seeds is 0); what the search shows may be luck."
