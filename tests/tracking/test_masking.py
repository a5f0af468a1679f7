"""Nothing secret is written, and nothing else is lost by that."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuner.results import TrialRecord, TrialState
from tuner.spec import load
from tuner.tracking import Destination, RegisteredModel, Tracking, wire
from tuner.tracking.masking import MASK, masked, masked_text
from tuner.tracking.operations import TrialStarted

SECRET = "s3cr,et #1"
KEYS = [
    "password",
    "db.password",
    "hf_token",
    "API_KEY",
    "apiKey",
    "auth.secret",
    "aws-secret-access-key",
    "Authorization",
]


@pytest.mark.parametrize("key", KEYS)
def test_value_of_a_telling_key_is_masked(key: str):
    assert masked({key: SECRET, f"x.{key}": SECRET}) == {key: MASK, f"x.{key}": MASK}


@pytest.mark.parametrize("key", ["tokens", "mixing.name", "token_size", "keys", "secretary", "loss.keypoint"])
def test_other_keys_keep_their_values(key: str):
    assert masked({key: "beta"}) == {key: "beta"}


def test_numbers_are_no_secrets_and_addresses_lose_theirs():
    assert masked({"token": 4, "seed": 1}) == {"token": 4, "seed": 1}
    assert masked({"place": "s3://me:pw@host/x", "list": ["http://a:b@c"]}) == {
        "place": "s3://***@host/x",
        "list": ["http://***@c"],
    }


@pytest.mark.parametrize(
    "text",
    [
        f"data: {{name: x, password: {SECRET}}}\nseed: 0\n",
        f"  password: {SECRET}\nseed: 0\n",
        f"password: '{SECRET}'\nseed: 0\n",
        f'"hf_token": "{SECRET}"\nseed: 0\n',
        f"- token: {SECRET}\nseed: 0\n",
        f"secret: |\n  {SECRET}\n  {SECRET}\nseed: 0\n",
        f"started with PASSWORD={SECRET}\nseed: 0\n",
        "url: http://me:s3cr@host/x\nseed: 0\n",
    ],
)
def test_text_keeps_all_but_its_secrets(text: str):
    shown = masked_text(text)
    assert "s3cr" not in shown
    assert "et #1" not in shown
    assert shown.endswith("seed: 0\n")


def test_study_files_that_come_with_the_tuner_stay_as_they_are():
    source = load("digits").source
    assert masked_text(source) == source


@given(st.text(), st.text("abc_.", max_size=5))
def test_any_text_behind_such_a_key_is_gone(secret: str, before: str):
    value = "x9Q" + "".join(secret.split("\n")[:1])
    assert "x9Q" not in masked_text(f"{before}_password: {value}\n").replace(before, "")
    assert masked({f"{before}.password": value}) == {f"{before}.password": MASK}


def test_masked_values_stay_masked_on_disk():
    operation = TrialStarted("one", 0, 1, masked({"a.password": SECRET}), {}, name=TrialState.COMPLETE.value)
    assert b"s3cr" not in wire.line(operation)


def test_listed_trials_and_registered_policies_are_masked_too(tmp_path):
    tracking = Tracking(Destination("http://127.0.0.1:9"), spool=tmp_path / "unsent")
    tracking.study_started("one")
    trial = TrialRecord(0, TrialState.FAILED, f"token: {SECRET}", {"dataset.password": SECRET}, (), {}, 0)
    tracking.trials_listed([trial])
    tracking.model(RegisteredModel("one", tmp_path / "x", {"api_key": SECRET}, params={"password": SECRET}))
    tracking.close(1)
    kept = (tmp_path / "unsent" / "records.jsonl").read_text()
    assert "TrialsListed" in kept
    assert "ModelTrained" in kept
    assert "s3cr" not in kept
