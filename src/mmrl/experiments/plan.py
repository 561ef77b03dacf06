"""The plan of an experiment: a TOML file, and the cells that it stands for."""

import json
import tomllib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from hashlib import sha256
from itertools import product
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from mmrl.errors import InputError, NotFoundError
from mmrl.learning.blend import LEARNERS, MODEL
from mmrl.learning.inputs import MODALITIES
from mmrl.learning.judged_blocks import BASELINES
from mmrl.learning.targets import TargetName

PREDICTORS = (MODEL, *(one.name for one in LEARNERS), *(one.name for one in BASELINES))
COLUMN = "column:"  # before the name of a column of one's own
SPLITS = ("time", "random", "author", "subreddit")
_EVERYTHING = "all"


class Plan(BaseModel):
    """An experiment, as its file says it; every combination is trained once.

    Attributes:
        as_of: the moment that all samples are drawn at.
        splits: `time`, `random`, `author`, `subreddit`, or `column:NAME`, an imported feature whose
            values are train, validation and test. All but `time` leak the future.
        features: by a name of your own, the groups that are learned from; `all` for all of them.
        learners: the predictors to show; all are fitted in one training.
    """

    model_config = ConfigDict(extra="forbid")

    name: str = Field(pattern=r"^[A-Za-z0-9][\w-]{0,63}$")
    as_of: str
    targets: list[TargetName] = Field(default=["log_score"], min_length=1)
    splits: list[str] = Field(default=["time"], min_length=1)
    features: dict[str, list[str]] = Field(default={_EVERYTHING: [_EVERYTHING]}, min_length=1)
    learners: list[str] = Field(default=[MODEL], min_length=1)
    seeds: list[int] = Field(default=[0], min_length=1)
    profiles: list[str] = Field(default=["packaged"], min_length=1)

    @field_validator("splits")
    @classmethod
    def _known_splits(cls, splits: list[str]) -> list[str]:
        for split in splits:
            if not split.startswith(COLUMN):
                _among(split, SPLITS)
        return splits

    @field_validator("learners")
    @classmethod
    def _known_learners(cls, learners: list[str]) -> list[str]:
        return [_among(learner, PREDICTORS) for learner in learners]

    @field_validator("features")
    @classmethod
    def _known_groups(cls, features: dict[str, list[str]]) -> dict[str, list[str]]:
        for groups in features.values():
            for group in groups:
                _among(group, (_EVERYTHING, *MODALITIES))
        return features

    def groups(self, features: str) -> tuple[str, ...]:
        """The modalities that a name of `features` stands for."""
        named = self.features[features]
        return MODALITIES if _EVERYTHING in named else tuple(named)


@dataclass(frozen=True)
class Cell:
    """One training of an experiment."""

    target: TargetName
    split: str
    features: str
    profile: str
    seed: int

    def key(self, plan: Plan) -> str:
        """What the cell's files are named by: the same training has the same key."""
        facts = {**asdict(self), "groups": plan.groups(self.features), "as_of": plan.as_of}
        return sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]


def read_plan(file: Path) -> Plan:
    """Reads an experiment's file.

    Raises:
        NotFoundError: it is not there.
        InputError: it is no TOML, or a line is unknown or wrong; names each one.
    """
    if not file.is_file():
        raise NotFoundError(f"There is no experiment at {file}: give the path of a TOML file.")
    try:
        return Plan(**tomllib.loads(file.read_text(encoding="utf-8")))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{file} is not valid TOML: {error}.") from None
    except ValidationError as error:
        wrong = "; ".join(
            f"{'.'.join(map(str, item['loc']))}: {item['msg']}"
            for item in error.errors(include_input=False)
        )
        raise InputError(
            f"{file} is no experiment: {wrong}. docs/experiments.md shows one."
        ) from None


def cells(plan: Plan) -> Iterator[Cell]:
    """Every combination, those of one profile together, as its vectors are read once."""
    for profile, target, split, features, seed in product(
        plan.profiles, plan.targets, plan.splits, plan.features, plan.seeds
    ):
        yield Cell(target, split, features, profile, seed)


def _among(name: str, known: tuple[str, ...]) -> str:
    if name not in known:
        raise ValueError(f"{name!r} is none of {', '.join(known)}")
    return name
