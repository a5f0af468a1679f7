"""A report tells what is stored, in one file that loads nothing, and MLflow gets it too."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import torch

from tests.report.reading import STUDY, sections, text_of
from tests.search.conftest import begin
from tests.search.test_confirm import confirm_all, confirming, worth
from tuner import spec, trial
from tuner.report.document import Bullets, Code, Document, Paragraph, Picture, Section, Table
from tuner.report.findings import gather
from tuner.report.markdown import markdown
from tuner.report.page import html
from tuner.report.record import record
from tuner.report.using import drawn
from tuner.report.write import HTML, MARKDOWN, of, report
from tuner.search import checkpoints, recommendation, storage
from tuner.search.seeds import trainings
from tuner.training import checkpoint


def test_a_confirmed_gain_is_the_headline(study):
    confirm_all(confirming(study.spec, study.study))
    found = gather("simulated")
    document = of(found)
    assert document.headline.startswith("Use ")
    assert re.search(r"better than no mixing by \d\.\d\d points in test accuracy", document.headline)
    assert document.tone == "use"
    assert {"verdict", "alpha", "seeds", "beside", "use", "images", "search", "matters", "cost", "decided"} == set(
        sections(document)
    )
    rows = next(block for block in sections(document)["verdict"].blocks if isinstance(block, Table)).rows
    assert len(rows) == 3
    codes = [block.text for block in sections(document)["use"].blocks if isinstance(block, Code)]
    assert any(code.strip() == "tuner export simulated --out policy.yaml" for code in codes)


def test_no_gain_is_told_as_such_and_advice_is_to_train_without(study):
    confirm_all(confirming(study.spec, study.study), lambda a: worth(a) - 0.05 * (a.config["mixing"]["name"] != "none"))
    document = of(gather("simulated"))
    assert document.headline == "No evidence that mixing helps here: train without it."
    assert text_of(sections(document)["use"]).startswith("Train without mixing.")


def test_before_fresh_seeds_nothing_is_promised(study):
    document = of(gather("simulated"))
    assert document.summary.startswith("Nothing has been trained on fresh seeds yet (")
    assert document.tone == "not_confirmed"
    assert "seeds" not in sections(document)


def test_a_study_without_any_finished_trial_still_has_a_report(tmp_path):
    path = tmp_path / "study.yaml"
    path.write_text(STUDY)
    begin(spec.load(path))
    document = of(gather("simulated"))
    assert document.headline.startswith("No answer yet")
    assert "No picture: no trial has run to its end." in text_of(sections(document)["images"])
    assert html(document)


def test_data_that_is_gone_costs_the_sheet_alone(study, monkeypatch):
    def gone(config, seed):
        raise ValueError("no such folder: /data/mine")

    monkeypatch.setattr(trial, "load_data", gone)
    document = of(gather("simulated"))
    assert "the data could not be loaded here: no such folder: /data/mine" in text_of(sections(document)["images"])


def test_stopping_and_cost_are_told_in_numbers(study):
    document = of(gather("simulated"))
    epochs = sum(one.epochs for one in storage.records(study.study))
    assert f"and {epochs} epochs; without early stopping its trials would have taken {14 * 9}." in text_of(
        sections(document)["cost"]
    )
    assert re.search(r"ran to the end", text_of(sections(document)["search"]))


class References(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.outside: list[str] = []
        self.ids: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value)
            if name in {"src", "href", "xlink:href", "action"} and not value.startswith(("#", "data:")):
                self.outside.append(value)


def test_the_page_needs_no_other_file_and_no_script(study):
    confirm_all(confirming(study.spec, study.study))
    page = report(gather("simulated")).files[HTML].decode()
    seen = References()
    seen.feed(page)
    assert seen.outside == []
    assert "script" not in seen.tags
    assert not re.search(r"url\((?!#)|@import", page)
    assert sorted(set(seen.ids)) == sorted(seen.ids)
    assert {"svg", "img", "table", "details"} <= seen.tags


def test_what_comes_from_the_study_is_text_in_both_forms():
    evil = "<script>alert(1)</script> | `code` *bold* [link](javascript:x)"
    document = Document(
        evil,
        evil,
        "use",
        evil,
        [
            Section(
                "s",
                "Title",
                [
                    Paragraph(evil),
                    Bullets((evil,)),
                    Table((evil,), ((evil,),), note=evil),
                    Code(f"```\n{evil}\n```", "yaml", evil),
                ],
            )
        ],
        evil,
    )
    seen = References()
    seen.feed(html(document))
    assert "script" not in seen.tags
    told = markdown(document, {})
    outside_code = re.sub(r"````yaml\n.*?\n````\n", "", told, flags=re.DOTALL)
    assert "````yaml" in told
    assert not re.search(r"(?<!\\)[<>*\[\]`]script|(?<!\\)<|(?<!\\)\[link", outside_code)


def test_a_wide_picture_scrolls_in_a_box_of_its_own():
    page = html(Document("t", "h", "use", "s", [Section("s", "T", [Picture("p", b"png", "Mixed images")])], "f"))
    assert re.search(r'<div class="scroll"[^>]*aria-label="Mixed images"><img ', page)
    assert re.search(r"max-width: 640px\) \{[^@]*\.scroll img \{ max-width: none; width: \d+rem", page)


def test_a_sheet_s_classes_may_be_called_anything(study):
    found = gather("simulated")
    rows = found.sheets.rows[found.shown.number]
    priced = tuple(replace(row, targets=tuple(f"$\\frac{{ {n}" for n in range(len(row.targets)))) for row in rows)
    odd = replace(found, sheets=replace(found.sheets, rows={found.shown.number: priced}))
    assert drawn(odd, found.shown).startswith(b"\x89PNG")


def test_the_markdown_names_every_picture_that_is_written(study, tmp_path):
    confirm_all(confirming(study.spec, study.study))
    made = report(gather("simulated"))
    made.write(tmp_path / "out")
    named = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", made.files[MARKDOWN].decode())
    assert {"alpha.png", "seeds.png", "learning.png", "images.png"} <= set(named)
    for name in named:
        assert (tmp_path / "out" / name).read_bytes().startswith(b"\x89PNG")


def test_mlflow_keeps_the_report_the_answer_and_the_network(study):
    from mlflow import MlflowClient

    from tuner.tracking import Tracking, destination

    tracking = Tracking(destination(), "one")
    tracking.study_started("simulated")
    tracking.close(60)
    confirm_all(confirming(study.spec, study.study))
    keep_network(study)
    found = gather("simulated")
    assert found.network is not None
    kept = record(report(found), found)
    assert (kept.unwritten, kept.error) == (0, None)
    client = MlflowClient(destination().uri)
    run = client.get_run(kept.run_id)
    assert {file.path for file in client.list_artifacts(kept.run_id, "report")} >= {"report/report.html"}
    sheeted = [child for child in runs_of_trials(client, run) if client.list_artifacts(child, "")]
    assert len(sheeted) == len(found.sheets.rows) > 2
    assert run.data.tags["mlflow.note.content"].startswith("**Use ")
    version = client.get_model_version_by_alias("simulated", "recommended")
    assert version.tags["verdict"] == "use"
    record(report(found), found)  # written again, nothing is doubled
    assert len(client.search_model_versions("name = 'simulated'")) == 1


def runs_of_trials(client, run) -> list[str]:
    of_study = f"tags.`mlflow.parentRunId` = '{run.info.run_id}'"
    return [one.info.run_id for one in client.search_runs([run.info.experiment_id], of_study)]


def keep_network(study) -> None:
    """Write a network as the worker of the recommended policy's first training would have."""
    confirming_study = storage.confirmation(study.study)
    used = recommendation.read("simulated").used
    number = next(
        one.number
        for one in trainings(confirming_study)
        if (one.user_attrs["candidate"], one.user_attrs["seed"]) == (used.key, 1000)
    )
    config = trial.resolve(dict(used.config))
    split = trial.load_data(config, 0)
    small = replace(split, training=split.training.take(np.arange(128)))
    built = trial.build(config, small, 1000, torch.device("cpu"))
    path = checkpoints.trained(checkpoints.last(confirming_study.study_name, number))
    path.parent.mkdir(parents=True, exist_ok=True)
    checkpoint.save(path, trial.network_state(built, config, small))
