"""The stage graph: each stage with what it needs, what it runs on, and what counts its work.

The pipeline, `mmrl status`, the report, the command line's help and the daily DAG follow this list.
A new stage is a file in `pipeline/stages/` and an entry here; `make lint` then writes
`dags/mmrl_stages.json` anew, from which the DAG is made where mmrl can't be imported.
"""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass

EMBEDDINGS = "embeddings"  # a `Count.table`: the table of the stage's space and its encoder's size

_ROOM = "mmrl.pipeline.stages"


@dataclass(frozen=True)
class Count:
    """What counts a stage's finished work.

    Attributes:
        table: of the catalog, or `EMBEDDINGS`.
        unit: what a row is, for people.
        where: a Lance SQL filter on the rows.
        model: the column with the model's id; only rows of the profile's model count.
        left_out: the column with the reason why a row is left out of what follows.
    """

    table: str
    unit: str
    where: str | None = None
    model: str | None = None
    left_out: str | None = None


@dataclass(frozen=True)
class StageInfo:
    """One stage.

    Attributes:
        name: as in `mmrl run NAME`.
        does: what it does, in a few words.
        made_by: `module:name` of its class, made with the settings, or with the profile where the
            stage runs one of its models; of its function, where it runs as a whole.
        count: what counts its work; None where the registry of models does.
        needs: the stages whose results it reads.
        role: the profile's model that it runs, such as `title`; None for none. Such a stage wants
            a GPU where there is one.
        chunked: it works on rows, chunk by chunk; otherwise it runs as a whole.
        spreads: its chunks are done on the cluster where there is one.
    """

    name: str
    does: str
    made_by: str
    count: Count | None
    needs: tuple[str, ...] = ()
    role: str | None = None
    chunked: bool = True
    spreads: bool = False

    @property
    def group(self) -> str:
        """What it is called together with others of its kind: `embed` for `embed-title`."""
        return self.name.split("-")[0]


def _embed(space: str, does: str, needs: str) -> StageInfo:
    count = Count(EMBEDDINGS, "vectors", model="encoder")
    made_by = f"{_ROOM}.embed:EmbedStage"
    return StageInfo(f"embed-{space}", does, made_by, count, (needs,), role=space, spreads=True)


STAGES = (
    StageInfo(
        "filter",
        "decides which posts are worked on",
        f"{_ROOM}.filter:FilterStage",
        Count("selection", "posts kept", "reason IS NULL", left_out="reason"),
    ),
    StageInfo(
        "fetch-images",
        "fetches the posts' images",
        f"{_ROOM}.fetch_images:FetchImagesStage",
        Count("post_images", "posts with image"),
        ("filter",),
        spreads=True,
    ),
    StageInfo(
        "measure-images",
        "measures images: colour, light, sharpness, form",
        f"{_ROOM}.measure_images:MeasureImagesStage",
        Count("image_statistics", "images"),
        ("fetch-images",),
        spreads=True,
    ),
    StageInfo(
        "read-text",
        "reads the text in images, where the setting read_text is on",
        f"{_ROOM}.read_text:ReadTextStage",
        Count("image_texts", "images"),
        ("fetch-images",),
        spreads=True,
    ),
    _embed("image", "embeds images", "fetch-images"),
    StageInfo(
        "caption",
        "puts images into words",
        f"{_ROOM}.caption:CaptionStage",
        Count("captions", "images", model="captioner"),
        ("embed-image",),  # whose vectors tell the packaged captioner all that it needs
        role="captioner",
        spreads=True,
    ),
    _embed("title", "embeds titles", "filter"),
    _embed("caption", "embeds captions", "caption"),
    _embed("visual", "embeds images together with a text", "caption"),
    _embed("text", "embeds flair, tags, texts that people bring and text in images", "read-text"),
    StageInfo(
        "merge",
        "makes samples: features and labels",
        f"{_ROOM}.merge:MergeStage",
        Count(
            "samples",
            "labelled samples",
            "label_observed_at IS NOT NULL",
            left_out="unlabelled",
        ),
        (
            *("measure-images", "embed-title", "embed-caption", "embed-image", "embed-visual"),
            "embed-text",
        ),
    ),
    StageInfo(
        "train",
        "trains a model and judges it",
        f"{_ROOM}.train:train_stage",
        None,
        ("merge",),
        chunked=False,
    ),
    StageInfo(
        "publish",
        "writes the report and predicts live posts",
        f"{_ROOM}.publish:publish_stage",
        Count("predictions", "predictions"),
        ("train",),
        chunked=False,
    ),
)


def names(stages: Sequence[StageInfo] = STAGES) -> tuple[str, ...]:
    """The stages' names, in order."""
    return tuple(stage.name for stage in stages)


def groups(stages: Sequence[StageInfo] = STAGES) -> dict[str, tuple[str, ...]]:
    """The names that stand for several stages: `embed` for all that embed."""
    members: dict[str, list[str]] = {}
    for stage in stages:
        members.setdefault(stage.group, []).append(stage.name)
    return {group: tuple(grouped) for group, grouped in members.items() if len(grouped) > 1}


def as_json(stages: Sequence[StageInfo] = STAGES) -> str:
    """The graph for the DAG: of each stage its name, what it needs, and whether it wants a GPU."""
    rows = [
        json.dumps({"name": stage.name, "needs": stage.needs, "gpu": stage.role is not None})
        for stage in stages
    ]
    return "[\n" + ",\n".join(rows) + "\n]\n"


if __name__ == "__main__":
    sys.stdout.write(as_json())
