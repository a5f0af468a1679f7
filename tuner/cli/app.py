"""The commands and their arguments; what each does is imported when it is called, so that --help is quick."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    help="Find the mixing augmentation (mixup, CutMix, ...) that suits your dataset and model.",
)

Json = Annotated[
    bool, typer.Option("--json", help="Print one JSON document on standard output, and nothing else there.")
]
Name = Annotated[str, typer.Argument(help="The study's name.")]
File = Annotated[
    str, typer.Argument(help="A study file, or the name of one that comes with the tuner, such as digits.")
]
Address = Annotated[
    str | None,
    typer.Option("--address", metavar="URL", help="A cluster's dashboard, http://HOST:8265; else TUNER_ADDRESS."),
]
WorkingDir = Annotated[
    Path | None, typer.Option(help="The folder with your own code (models, data sets); it travels to the cluster.")
]
Priority = Annotated[
    int | None,
    typer.Option(
        help="On a cluster: of the studies that wait, those with a higher one begin first. Else 0, or as before."
    ),
]
By = Annotated[str, typer.Option(hidden=True, help="Who asks, by his own word: for the cluster's audit log.")]
Overrides = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override one leaf: trial.training.epochs=3")
]


def _answered_there(arguments: list[str], address: str | None, json: bool) -> None:
    """Let a cluster answer a command, where one is meant, and end with its exit code."""
    from tuner.cluster import is_meant

    if is_meant(address):
        from tuner.cli import asking

        raise typer.Exit(asking.ask(arguments, address, json))


class Form(StrEnum):
    """What a policy can be written as."""

    YAML = "yaml"
    TORCHVISION = "torchvision"
    TIMM = "timm"


@app.command()
def run(
    study: File,
    overrides: Overrides = None,
    *,
    smoke: Annotated[bool, typer.Option("--smoke", help="Four trials of two epochs: does everything work?")] = False,
    fork: Annotated[
        bool,
        typer.Option(
            "--fork", help="Where a study of this name exists, begin afresh as NAME-2 (or -3 ...); it stays as it is."
        ),
    ] = False,
    or_resume: Annotated[
        bool, typer.Option("--or-resume", help="Where a study of this name and file exists, go on with it.")
    ] = False,
    priority: Priority = None,
    json: Json = False,
) -> None:
    """Run a study here: start Ray in-process, or join RAY_ADDRESS."""
    from tuner.cli import run as command

    options = {"smoke": smoke, "fork": fork, "or_resume": or_resume}
    raise typer.Exit(command.run(study, overrides or [], **options, as_json=json, priority=priority))


@app.command()
def resume(
    study: Name,
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Raise a limit: limits.hours=8, search.trials=99"),
    ] = None,
    *,
    address: Address = None,
    working_dir: WorkingDir = None,
    priority: Priority = None,
    json: Json = False,
) -> None:
    """Go on with a study after any interruption, here or on a cluster."""
    from tuner.cli import cluster, run
    from tuner.cluster import is_meant

    if is_meant(address):
        sending = cluster.Sending(working_dir, priority, json)
        raise typer.Exit(cluster.resume(study, overrides or [], address, sending))
    raise typer.Exit(run.resume(study, overrides or [], json, priority))


@app.command()
def submit(
    study: File,
    overrides: Overrides = None,
    *,
    address: Address = None,
    working_dir: WorkingDir = None,
    priority: Priority = None,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Say what was submitted, and leave.")] = False,
    json: Json = False,
) -> None:
    """Run a study on a cluster as a Ray job: follow its output, exit as it does. The same study again joins it."""
    from tuner.cli import cluster

    sending = cluster.Sending(working_dir, priority, json)
    raise typer.Exit(cluster.submit(study, overrides or [], address, sending, no_wait=no_wait))


@app.command()
def logs(
    study: Name,
    *,
    address: Address = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the job ends.")] = False,
) -> None:
    """Print what a study's job on a cluster has written."""
    from tuner.cli import cluster

    cluster.logs(study, address, follow)


@app.command()
def wait(
    study: Name,
    *,
    address: Address = None,
    seconds: Annotated[float | None, typer.Option(min=0, help="At most so long; then the exit code is 4.")] = None,
    json: Json = False,
) -> None:
    """Wait for a study's job on a cluster, and exit as it does."""
    from tuner.cli import cluster

    raise typer.Exit(cluster.wait(study, address, seconds, json))


@app.command()
def stop(study: Name, *, address: Address = None, by: By = "", json: Json = False) -> None:
    """Stop a study cleanly, here or on a cluster; `resume` goes on with it."""
    from tuner.cli import asking

    asking.stop(study, address, by, json)


@app.command()
def supervise(
    *,
    address: Address = None,
    once: Annotated[bool, typer.Option("--once", help="Look once, and leave.")] = False,
) -> None:
    """Go on with the studies whose driver died with a cluster's head: a service that the cluster itself runs."""
    from tuner.cli import supervise as command

    command.supervise(address, once=once)


@app.command()
def rm(
    study: Name,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Really.")] = False,
    address: Address = None,
    by: By = "",
    json: Json = False,
) -> None:
    """Remove what is stored of a study, here or on a cluster; its MLflow runs stay."""
    from tuner.cli import asking

    raise typer.Exit(asking.remove(study, address, yes=yes, by=by, as_json=json))


@app.command()
def confirm(
    study: Name,
    overrides: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="confirm.seeds=10, confirm.finalists=5")
    ] = None,
    json: Json = False,
) -> None:
    """Train a study's finalists and no mixing on fresh seeds, and say whether mixing helps."""
    from tuner.cli import recommend as command

    raise typer.Exit(command.confirm(study, overrides or [], json))


@app.command()
def recommend(study: Name, *, address: Address = None, json: Json = False) -> None:
    """Say what to use, how sure that is, and why."""
    from tuner.cli import recommend as command

    _answered_there(["recommend", study], address, json)
    command.recommend(study, json)


@app.command()
def report(
    study: Name,
    out: Annotated[Path | None, typer.Option(help="The folder to write to; else report/ in the study's own.")] = None,
    json: Json = False,
) -> None:
    """Write a study's report: one HTML page, the same as Markdown, both kept in MLflow."""
    from tuner.cli import report as command

    command.write(study, out, json)


@app.command()
def compare(
    studies: Annotated[list[str], typer.Argument(help="Two studies or more, of different data sets say.")],
    json: Json = False,
) -> None:
    """Put studies side by side: which alpha each wants, and whether mixing helps."""
    from tuner.cli import compare as command

    command.compare(studies, json)


@app.command()
def validate(study: File, overrides: Overrides = None, json: Json = False) -> None:
    """Check a study file: every mistake with its line, and every corner of its space built."""
    from tuner.cli import validate as command

    command.validate(study, overrides or [], json)


@app.command()
def plan(study: File, overrides: Overrides = None, *, address: Address = None, json: Json = False) -> None:
    """Say what a study will cost, by trying a trial: memory, seconds, epochs, hours, disk, and what would never run."""
    from tuner.cluster import is_meant

    if is_meant(address):
        from tuner.cli import asking

        raise typer.Exit(asking.plan(study, overrides or [], address, json))
    from tuner.cli import plan as command

    raise typer.Exit(command.plan(study, overrides or [], json))


@app.command()
def ls(*, address: Address = None, json: Json = False) -> None:
    """List the studies under TUNER_HOME, or those of a cluster."""
    from tuner.cli import show

    _answered_there(["ls"], address, json)
    show.ls(json)


@app.command()
def status(study: Name, *, address: Address = None, json: Json = False) -> None:
    """Say where a study stands."""
    from tuner.cli import show

    _answered_there(["status", study], address, json)
    show.status(study, json)


@app.command()
def trials(study: Name, *, address: Address = None, json: Json = False) -> None:
    """List a study's trials, best first."""
    from tuner.cli import show

    _answered_there(["trials", study], address, json)
    show.trials(study, json)


@app.command()
def methods(json: Json = False) -> None:
    """List the mixing methods: parameters, ranges, cost, source."""
    from tuner.cli import catalogue
    from tuner.mixing import METHODS

    catalogue.show(METHODS, json)


@app.command()
def datasets(json: Json = False) -> None:
    """List the datasets and their parameters."""
    from tuner.cli import catalogue
    from tuner.datasets import DATASETS

    catalogue.show(DATASETS, json)


@app.command()
def models(json: Json = False) -> None:
    """List the models and their parameters."""
    from tuner.cli import catalogue
    from tuner.models import MODELS

    catalogue.show(MODELS, json)


@app.command()
def preview(
    what: Annotated[str, typer.Argument(metavar="STUDY|METHOD", help="A study file or name, or a mixing method.")],
    out: Annotated[Path, typer.Option(help="The PNG file to write.")],
    *,
    dataset: Annotated[
        str, typer.Option(help="What to mix when a method is given; a study says it itself.")
    ] = "digits",
    images: Annotated[int, typer.Option(min=1, max=32, help="How many images a method.")] = 8,
    seed: Annotated[int, typer.Option(min=0, help="Of images, partners and ratios.")] = 0,
    overrides: Overrides = None,
    json: Json = False,
) -> None:
    """Draw a sheet of mixed images with their targets, for a method or every method of a study."""
    from tuner.cli import preview as command

    command.preview(what, out, dataset=dataset, images=images, seed=seed, overrides=overrides or [], as_json=json)


@app.command()
def export(
    study: Name,
    *,
    to: Annotated[Form, typer.Option(help="A file for tuner.load_policy, or code for another library.")] = Form.YAML,
    out: Annotated[Path | None, typer.Option(help="The file to write.")] = None,
    trial: Annotated[int | None, typer.Option(min=0, help="The trial whose policy it is; else the best.")] = None,
    classes: Annotated[int | None, typer.Option(min=1, help="How many classes; else counted in the data.")] = None,
    json: Json = False,
) -> None:
    """Write a study's policy as a file, or as code for torchvision or timm where these can express it."""
    from tuner.cli import export as command

    command.export(study, to.value, out, number=trial, classes=classes, as_json=json)


@app.command()
def sync(study: Name, json: Json = False) -> None:
    """Send to MLflow what it lacks of a study: it was out of reach, or is another one now."""
    from tuner.cli import sync as command

    raise typer.Exit(command.sync(study, json))


@app.command()
def ui(
    study: Annotated[str | None, typer.Argument(help="The study to open, by default the last.")] = None,
    *,
    port: Annotated[int, typer.Option(help="The port to listen on.")] = 5000,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
) -> None:
    """Open MLflow's page on a study, with the columns and charts that suit it."""
    from tuner.cli import ui as command

    command.ui(study, port, host)


@app.command()
def doctor(
    *,
    address: Address = None,
    data: Annotated[
        list[str] | None,
        typer.Option("--data", metavar="PATH", help="A folder that has to be here, and on every node."),
    ] = None,
    json: Json = False,
) -> None:
    """Say what works, here or on a cluster, and what to do where something does not."""
    from tuner.cli import doctor as command
    from tuner.cluster import is_meant

    if is_meant(address):
        raise typer.Exit(command.elsewhere(address, json, data or ()))
    raise typer.Exit(command.doctor(json, data or ()))
