"""A home in which all kinds of things happen at random, but for the models' work, which is made up.

Stages run as ever, with their own pending work and commits; what a worker would bring is invented:
rows for most keys, failures for some, and now and then the end of the process.
"""

import random
from collections.abc import Generator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pyarrow as pa

from mmrl.catalog import Catalog, Failed, Reason
from mmrl.catalog.columns import EMBEDDED
from mmrl.catalog.tables import SCHEMAS, schema_of
from mmrl.config import FilterSettings, LabelSettings, Settings
from mmrl.pipeline import Results, Silent, run_stage
from mmrl.pipeline.stage import Stage, Tried
from mmrl.pipeline.stages.caption import CaptionStage
from mmrl.pipeline.stages.embed import EmbedStage
from mmrl.pipeline.stages.fetch_images import _DONE, FetchImagesStage
from mmrl.pipeline.stages.filter import FilterStage
from mmrl.pipeline.stages.measure_images import MeasureImagesStage
from mmrl.pipeline.stages.merge import MergeStage
from mmrl.pipeline.stages.read_text import ReadTextStage
from mmrl.purge.run import erase
from mmrl.soundness.check import check
from mmrl.sources.later_facts import fill

BEGIN = datetime(2026, 5, 4, 12, tzinfo=UTC)
_HOST = "https://i.redd.it/"


class KilledError(Exception):
    """The process ends in the middle of a stage."""


class ChangingHome:
    """A home, a clock, settings and models, and what may happen to them."""

    def __init__(self, catalog: Catalog, seed: int) -> None:
        self.catalog = catalog
        self.now = BEGIN
        self._random = random.Random(seed)
        self._posts: list[dict[str, Any]] = []
        self._flags = {"require_image": True, "min_score": False, "read_text": False}
        self._models = {"mature": 36, "captioner": "c0", "encoder": "e0", "visual": "title"}
        self.happenings = (
            *(self.new_posts, self.new_posts, self.observe, self.time_goes_on, self.run_all),
            *(self.run_all, self.run_all, self.run_some, self.run_as_of_earlier, self.later_facts),
            *(self.bring_features, self.change_a_setting, self.change_a_model, self.purge),
            *(self.join_files, self.lose_an_image, self.lose_a_table),
        )

    def happen(self) -> str:
        """One of all the things; returns which."""
        happening = self._random.choice(self.happenings)
        happening()
        return happening.__name__

    def stages(self) -> list[Stage]:
        """All that work in chunks, as the settings and models are now, in order."""
        settings = self._settings()
        models: Any = SimpleNamespace(
            ids={role: f"{role} {self._models['encoder']}" for role in EMBEDDED}
            | {"captioner": self._models["captioner"]},
            dims=dict.fromkeys(EMBEDDED, 2),
            visual_text=self._models["visual"],
        )
        return [
            FilterStage(settings),
            FetchImagesStage(settings),
            MeasureImagesStage(settings),
            ReadTextStage(settings),
            CaptionStage("captioner", models),
            *[EmbedStage(space, models) for space in EMBEDDED],
            MergeStage(settings),
        ]

    # What may happen

    def new_posts(self) -> None:
        """Some with an image of their own, with that of others, with none, some of the future."""
        start = len(self._posts)
        for number in range(start, start + self._random.randint(1, 6)):
            image = self._random.choice([f"{number}.jpg", "shared.jpg", "shared.jpg", None])
            seen = self.now + timedelta(hours=self._random.choice([-3, -1, 0, 0, 2]))
            self._posts.append(
                {
                    "post_id": f"p{number:05}",
                    "subreddit": "pics",
                    "title": self._random.choice([f"Title {number}", "The same title"]),
                    "created_at": seen - timedelta(minutes=20),
                    "over_18": False,
                    "is_video": False,
                    "is_gallery": False,
                    "image_url": image and _HOST + image,
                    "flair": self._random.choice(["OC", f"flair {number}", None]),
                    "first_seen_at": seen,
                    "source": "reddit",
                }
            )
        self._keep("posts", self._posts[start:])

    def observe(self) -> None:
        """Observations, now, of some posts."""
        self._keep(
            "observations",
            [
                {
                    "post_id": post["post_id"],
                    "observed_at": self.now,
                    "score": self._random.randint(0, 9),
                    "settled": self._random.random() < 0.8,
                    "removed_by": "author" if self._random.random() < 0.1 else None,
                }
                for post in self._some(self._posts)
            ],
        )

    def time_goes_on(self) -> None:
        """By minutes or days."""
        self.now += timedelta(minutes=self._random.choice([1, 15, 60, 1000, 3000]))

    def run_all(self) -> None:
        """All stages in order; each may end before its time."""
        for stage in self.stages():
            self.run(stage, self.now)

    def run_some(self) -> None:
        """A few stages, whatever those before them have left."""
        for stage in self._some(self.stages()):
            self.run(stage, self.now)

    def run_as_of_earlier(self) -> None:
        """All stages, for a present that is past."""
        earlier = self.now - timedelta(hours=self._random.choice([1, 3, 50]))
        for stage in self.stages():
            self.run(stage, earlier)

    def later_facts(self) -> None:
        """Posts without an image or flair get one."""
        lacking = [post for post in self._posts if post["image_url"] is None]
        at = self.now + timedelta(hours=self._random.choice([-1, 0, 2]))
        answers = []
        for post in self._some(lacking):
            told = {**post, "gallery_size": None, "image_url": f"{_HOST}late{post['post_id']}.jpg"}
            answers.append(({**told, "flair": post["flair"] or "late"}, at))
            post["image_url"] = told["image_url"]
        fill(self.catalog, answers)

    def bring_features(self) -> None:
        """A column that people bring."""
        texts = ["a text", f"text {self._random.randint(0, 99)}", "7"]
        self._keep(
            "extra_features",
            [
                {"post_id": post["post_id"], "name": "brought", "value": self._random.choice(texts)}
                for post in self._some(self._posts)
            ],
        )

    def change_a_setting(self) -> None:
        """One that decides what is worked on."""
        name = self._random.choice(list(self._flags))
        self._flags[name] = not self._flags[name]

    def change_a_model(self) -> None:
        """Another model, or an earlier one again."""
        name = self._random.choice(list(self._models))
        choices: dict[str, list[Any]] = {"mature": [24, 36], "visual": ["title", "caption"]}
        own = [self._models[name][:1] + str(n) for n in (0, 1)] if name not in choices else []
        self._models[name] = self._random.choice(choices.get(name, own))

    def purge(self) -> None:
        """Some posts are erased."""
        doomed = {post["post_id"]: "author" for post in self._some(self._posts)[:2]}
        self._posts = [post for post in self._posts if post["post_id"] not in doomed]
        erase(
            self.catalog, self._settings(), doomed, self.now, Silent(), sleep=lambda seconds: None
        )

    def join_files(self) -> None:
        """Small files of a table are joined."""
        for table in self._some(self.catalog.table_names()):
            opened = self.catalog.opened(table)
            opened.to_lance().optimize.compact_files()

    def lose_an_image(self) -> None:
        """The bytes of an image go, and a repair takes it out."""
        images = sorted(self.catalog.read("images", ["sha256"])["sha256"].to_pylist())
        if images:
            lost = self._random.choice(images)
            self.catalog.delete("images", f"sha256 = '{lost}'")
            for damage in check(self.catalog.home):
                assert damage.mend is not None
                damage.mend()

    def lose_a_table(self) -> None:
        """A table that stages write is taken away, to be made again."""
        self.catalog.drop(self._random.choice(self.stages()).writes)

    # Stages

    def run(self, stage: Stage, as_of: datetime) -> None:
        """Runs a stage; what its worker brings is made up, but for the filter's and merge's."""
        try:
            run_stage(stage, self.catalog, as_of, Silent(), executor=self._work)
        except KilledError:
            return

    def _work(
        self, stage: Stage, catalog: Catalog, as_of: datetime, pending: pa.Table
    ) -> Generator[Tried, None, None]:
        own = stage.worker(as_of) if stage.name in ("filter", "merge") else None
        kill_at = self._random.choice([0, 1, 2, *[99] * 9])
        for number, start in enumerate(range(0, pending.num_rows, 3)):
            if number == kill_at:
                raise KilledError
            chunk = pending.slice(start, 3)
            keys = set(chunk["key"].to_pylist())
            if own is not None:
                yield Tried(keys, own(stage.load(catalog, chunk)))
            else:
                yield Tried(keys, self._invented(stage, chunk))

    def _invented(self, stage: Stage, chunk: pa.Table) -> Results:
        kinds = [self._random.choice(["done", "done", "done", "later", "never"]) for _ in chunk[0]]
        # Contents fail for good; only pictures may come or be captioned later.
        retried = stage.name in ("fetch-images", "caption")
        failed = [
            Failed(
                key,
                Reason.MODEL_ERROR,
                transient=kind == "later" and retried,
                encoder=self._models["captioner"] if stage.name == "caption" else None,
            )
            for key, kind in zip(chunk["key"].to_pylist(), kinds, strict=True)
            if kind != "done"
        ]
        rows = [row for row, kind in zip(chunk.to_pylist(), kinds, strict=True) if kind == "done"]
        schema = _DONE if stage.name == "fetch-images" else schema_of(stage.writes)
        done = pa.Table.from_pylist([self._row(stage, row) for row in rows], schema=schema)
        return Results(done, failed)

    def _row(self, stage: Stage, pending: dict[str, Any]) -> dict[str, Any]:
        key = pending["key"]
        made: dict[str, Any] = {
            "sha256": key,
            "content": key,
            "captioner": self._models["captioner"],
            "text": self._random.choice(["", "a caption", f"caption of {key}"]),
            "encoder": f"{stage.name.removeprefix('embed-')} {self._models['encoder']}",
            "vector": [0.0, 1.0],
        }
        if stage.name == "fetch-images":
            sha256 = pending["sha256"] or f"image of {pending['image_url'].removeprefix(_HOST)}"
            made |= {"post_id": key, "sha256": sha256, "final_url": ""}
            if pending["sha256"] is None:
                made |= dict.fromkeys(("width", "height", "byte_size"), 1)
                made |= {"format": "JPEG", "phash": "0" * 16, "bytes": None}
        elif stage.name == "measure-images":
            names = SCHEMAS[stage.writes].names
            made = {**dict.fromkeys(names, 0.0), "sha256": key, "colours": [0.0] * 125}
            made["version"] = stage.rules.split("'")[1]
        elif stage.name == "read-text":
            made["reader"] = stage.rules
        return made

    def _settings(self) -> Settings:
        chosen = FilterSettings(
            require_image=self._flags["require_image"],
            min_score=3 if self._flags["min_score"] else None,
        )
        label = LabelSettings(mature_after_hours=self._models["mature"])
        return Settings(read_text=self._flags["read_text"], filter=chosen, label=label)

    def _some(self, things: list[Any]) -> list[Any]:
        return self._random.sample(things, min(len(things), self._random.randint(1, 4)))

    def _keep(self, table: str, rows: list[dict[str, Any]]) -> None:
        self.catalog.insert(table, pa.Table.from_pylist(rows, schema=SCHEMAS[table]))
