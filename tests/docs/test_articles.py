"""The page of the articles' claims: every study of theirs has its report there, every link and picture is a file."""

from __future__ import annotations

import re
import runpy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.readme import ROOT
from tests.selection.alphas import record
from tuner import spec

PAGE = ROOT / "docs/claims.md"
STUDIES = sorted(
    path.stem for path in (ROOT / "search_spaces/articles").glob("*.yaml") if not path.name.endswith(".full.yaml")
)
JITTER = runpy.run_path(str(ROOT / "docs/articles/jitter.py"))


def links(page: Path) -> set[str]:
    """Return what a page links to and shows, but for addresses elsewhere and places in itself."""
    found = re.findall(r"\]\(([^)\s]+)\)", page.read_text())
    return {one.partition("#")[0] for one in found if not one.startswith(("http", "#"))}


@pytest.mark.parametrize("study", STUDIES)
def test_the_report_of_every_study_is_linked_and_is_of_that_study(study):
    assert f"articles/{study}/report.md" in links(PAGE)
    report = (ROOT / f"docs/articles/{study}/report.md").read_text()
    name = spec.load(f"articles/{study}").name
    assert report.startswith(f"# Which mixing augmentation suits {name}?")
    assert f"Study {name}, completed" in report


@pytest.mark.parametrize(
    "page",
    [PAGE, *sorted((ROOT / "docs/articles").glob("*/report.md"))],
    ids=lambda page: str(page.relative_to(ROOT / "docs")),
)
def test_what_a_page_links_to_is_there(page):
    assert [link for link in sorted(links(page)) if not (page.parent / link).exists()] == []


def test_the_readme_links_the_page():
    assert "docs/claims.md" in links(ROOT / "README.md")


def test_every_claim_of_the_page_leads_to_a_section_and_has_a_verdict():
    text = PAGE.read_text()
    headings = {one.lower().replace(" ", "-") for one in re.findall(r"^## (.+)$", text, flags=re.MULTILINE)}
    claims = re.findall(r"^\| \[.+\]\(#([\w-]+)\) \| [^|]+ \| (.+) \|$", text, flags=re.MULTILINE)
    assert len(claims) > 15
    assert {place for place, _ in claims} == headings
    assert [verdict for _, verdict in claims if "**" not in verdict] == []


def test_a_curve_too_short_to_jitter_is_refused():
    with pytest.raises(ValueError, match="at least 4 epochs"):
        JITTER["jitter"]([0.1, 0.2, 0.3])


@pytest.mark.parametrize("slope", [0.0, 0.01])
def test_jitter_is_the_luck_of_an_epoch_and_not_the_trend(slope):
    luck = 0.02 * np.random.default_rng(0).standard_normal(3000)
    assert JITTER["jitter"](slope * np.arange(3000) + luck) == pytest.approx(0.02, rel=0.05)


def test_curves_that_jitter_more_than_those_without_mixing_are_told():
    rng = np.random.default_rng(0)
    deviations = {0.1: 0.01, 1.0: 0.05, 0.0: 0.01}
    trials = [
        record(n, alpha, [0.8 + deviation * x for x in rng.standard_normal(60)])
        for n, (alpha, deviation) in enumerate([*deviations.items()] * 3)
    ]
    trials = [replace(one, seed=one.number // 3) if one.number % 3 < 2 else unmixed(one) for one in trials]
    calm, wild, none = JITTER["jitters"](trials).points
    assert [point.known.mean for point in (calm, wild, none)] == pytest.approx([0.01, 0.05, 0.01], rel=0.3)
    assert wild.against.is_worse
    assert not calm.against.is_worse


def unmixed(trial):
    config = {"mixing": {"name": "none"}}
    return replace(trial, seed=trial.number // 3, params={"mixing.name": "none"}, config=config, baseline=True)


def test_every_row_of_a_report_on_the_page_stands_in_a_report_of_its_section():
    sections = re.split(r"^## ", PAGE.read_text(), flags=re.MULTILINE)[1:]
    found = 0
    for section in sections:
        reports = re.findall(r"\]\((articles/\w+/report\.md)\)", section)
        lines = {line for report in reports for line in (PAGE.parent / report).read_text().splitlines()}
        rows = [line for line in section.splitlines() if "seeds) |" in line or "| p = " in line]
        assert [row for row in rows if row not in lines] == []
        found += len(rows)
    assert found > 30
