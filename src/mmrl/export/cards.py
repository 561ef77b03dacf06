"""Cards: what an export holds and lacks, and what a model is good for, as the hub's READMEs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from mmrl.learning.evaluation.metrics import METRICS
from mmrl.learning.evaluation.written import metrics_rows
from mmrl.runtime.foreign_text import shown
from mmrl.runtime.written_tables import markdown
from mmrl.sources.kinds import KINDS, SIMULATED
from mmrl.times import iso
from mmrl.version import __version__

if TYPE_CHECKING:
    from mmrl.export.contents import Content, Exporting
    from mmrl.learning.registry.version import Shown
    from mmrl.status import Survey

_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
_POSTS = (
    "Posts, titles and images belong to the people who made them. Reddit's terms, and those of the "
    "archives that posts came through, say what may be done with them; mmrl grants nothing."
)


@dataclass(frozen=True)
class Facts:
    """What a data card says of an export.

    Attributes:
        rows: that were written.
        labelled: rows with a label; None where the rows have none.
        first, last: when the oldest and the newest post went up; None without posts.
        columns: with their types.
        command: that repeats the export.
    """

    rows: int
    labelled: int | None
    first: datetime | None
    last: datetime | None
    columns: Mapping[str, str] = field(repr=False)
    command: str


def data_card(home: "Exporting", content: "Content", form: str, facts: Facts) -> str:
    """The card of exported data, with the metadata that the hub and `datasets` read."""
    from huggingface_hub import DatasetCard, DatasetCardData

    from mmrl.status import survey

    simulated = home.catalog.count("posts", SIMULATED) > 0
    size = next((name for most, name in _SIZES if facts.rows < most), "n>1M")
    split = "test" if content.name == "evaluation" else "train"
    configs: Any = {}
    if form == "hf":
        files = [{"split": split, "path": "data/*.parquet"}]
        configs = {"configs": [{"config_name": "default", "data_files": files}]}
    metadata = DatasetCardData(
        license="other",
        pretty_name=f"{content.name} of an mmrl home",
        size_categories=size,
        tags=["mmrl", "reddit", "popularity", *(["simulated"] if simulated else [])],
        **configs,
    )
    parts = [
        f"---\n{metadata.to_yaml()}\n---",
        f"# {content.name.capitalize()}, as of {iso(home.as_of)}",
        content.about,
        "**Simulated**: nobody ever wrote these posts." if simulated else "",
        _counts(facts),
        _left_out(survey(home.catalog, home.settings, home.as_of)),
        _sources(home),
        _purging(facts),
        _versions(home),
        _columns(facts),
    ]
    return str(DatasetCard("\n\n".join(part for part in parts if part) + "\n"))


def _counts(facts: Facts) -> str:
    lines = [f"- {facts.rows:,} rows"]
    if facts.labelled is not None:
        lines.append(f"- {facts.labelled:,} with a label: a score that had settled by then")
    if facts.first is not None and facts.last is not None:
        lines.append(f"- posts of {iso(facts.first)} to {iso(facts.last)}")
    return "\n".join(["## Counts", "", *lines])


def _left_out(survey: "Survey") -> str:
    """What a home knows and an export lacks, by stage and reason."""
    rows = [
        (stage.stage, what, str(count), shown(reason.sentence, 200))
        for stage in survey.stages
        for what, counted in (("left out", stage.left_out), ("failed", stage.failed))
        for reason, count in counted
    ]
    rows += [
        ("purge", "erased", str(count), shown(reason)) for reason, count in survey.erased.items()
    ]
    if survey.later:
        rows.append(("", "later", str(survey.later), "first seen after the moment of the export"))
    if not rows:
        return "## What was dropped\n\nNothing."
    return (
        "## What was dropped, and why\n\n" + markdown(("stage", "", "posts", "why"), rows).strip()
    )


def _sources(home: "Exporting") -> str:
    counts = {kind.name: home.catalog.count("posts", kind.condition) for kind in KINDS}
    listed = ", ".join(f"{name} {count:,}" for name, count in counts.items() if count)
    return (
        f"## Sources and licences\n\nPosts of the home by source: {listed or 'none'}. {_POSTS} "
        "Vectors and captions are made by the models below, under their own licences "
        "(`mmrl weights list` names them)."
    )


def _purging(facts: Facts) -> str:
    return (
        "## Purging\n\nPeople delete their posts. Nothing that was purged from the home before the "
        "export is in it; what is deleted later stays here until you act. Before each use: "
        "`mmrl purge`, then the command below into a new folder, then delete this one and "
        f"whatever was made from it. By hand: drop the rows of a `post_id`.\n\n    {facts.command}"
    )


def _versions(home: "Exporting") -> str:
    lines = [f"- mmrl {__version__}, samples as of {iso(home.as_of)}"]
    lines += [f"- {role}: `{shown(name, 200)}`" for role, name in home.profile.ids.items()]
    versions = home.catalog.versions()
    lines.append("- tables: " + ", ".join(f"{name} {n}" for name, n in sorted(versions.items())))
    return "\n".join(["## Versions", "", *lines])


def _columns(facts: Facts) -> str:
    rows = [(f"`{name}`", f"`{kind}`") for name, kind in facts.columns.items()]
    return "## Columns\n\n" + markdown(("column", "type"), rows).strip()


def model_card(version: "Shown", simulated: bool, purged: tuple[int, int]) -> str:
    """The card of a model: what it learned from, how it did, for what it is no good.

    Args:
        purged: posts that it learned from and was judged on that were purged since.
    """
    from huggingface_hub import EvalResult, ModelCard, ModelCardData

    evaluation = version.evaluation
    own = next(model for model in evaluation.models.values() if model.kind == "model")
    results = [
        EvalResult(
            task_type="tabular-regression",
            task_name="popularity of image posts",
            dataset_type="mmrl-home",
            dataset_name=f"test posts of version {version.version}",
            metric_type=metric,
            metric_name=METRICS[metric].label if metric in METRICS else metric,
            metric_value=round(measure.value, 6),
        )
        for metric, measure in own.metrics.items()
        if measure is not None
    ]
    metadata = ModelCardData(
        license="other",
        library_name="mmrl",
        model_name=f"mmrl-v{version.version}",
        eval_results=results,
        tags=["popularity", "multimodal", *(["simulated"] if simulated else [])],
    )
    parts = [
        f"---\n{metadata.to_yaml()}\n---",
        f"# Version {version.version}, trained as of {version.trained_at}",
        "**Simulated**: it learned from posts that nobody ever wrote." if simulated else "",
        "## What it learned from",
        _learned(version, purged),
        "## How it did",
        f"{evaluation.verdict}",
        markdown(*metrics_rows(evaluation)).strip(),
        "## For what it is no good",
        _no_good(version, simulated),
    ]
    return str(ModelCard("\n\n".join(part for part in parts if part) + "\n"))


def _learned(version: "Shown", purged: tuple[int, int]) -> str:
    evaluation = version.evaluation
    lines = [
        f"- {name}: {part.posts:,} posts of {iso(part.start)} to {iso(part.end)}"
        for name, part in evaluation.splits.parts.items()
    ]
    splits = evaluation.splits
    lines += [
        f"- earlier block of test posts, of a model fitted for it: {part.posts:,} posts of "
        f"{iso(part.start)} to {iso(part.end)}"
        for part in splits.earlier_tests
    ]
    if splits.between_posts:
        lines.append(f"- between train and validation: {splits.between_posts:,} posts")
    if splits.too_old:
        lines.append(f"- left out: {splits.too_old:,} posts older than train.window_days")
    if splits.thinned_out:
        lines.append(f"- left out: {splits.thinned_out:,} older posts, by train.max_posts")
    lines.append(f"- split: {splits.kind}" + _leaking(version))
    lines.append(f"- target: {evaluation.target}; profile: {evaluation.profile}")
    lines += [f"- {role}: `{shown(name, 200)}`" for role, name in evaluation.encoders.items()]
    if any(purged):
        lines.append(
            f"- purged since: {purged[0]:,} it learned from, {purged[1]:,} it was judged on"
        )
    return "\n".join(lines)


def _leaking(version: "Shown") -> str:
    return ", which leaks the future" if version.evaluation.splits.leaking else ""


def _no_good(version: "Shown", simulated: bool) -> str:
    evaluation = version.evaluation
    lines = [
        "- Posts of subreddits, languages and years that it did not learn from.",
        "- Saying what a person or a picture is worth: it tells how posts like it did.",
        "- Single posts: read the interval, which should hold 80 outcomes in 100.",
    ]
    if not evaluation.beats_all_baselines:
        lines.append("- Use where a baseline would do: it does not beat every one, see above.")
    if evaluation.splits.leaking:
        lines.append("- Figures to quote: its split leaks, so they flatter it.")
    if simulated:
        lines.append("- Anything about real posts.")
    return "\n".join(lines)
