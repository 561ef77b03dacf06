"""AutoGluon on the facts that mmrl learns from, in an environment of its own.

Its pins differ from mmrl's, so it is run by another Python, which reads and writes CSV files:

    python3 -m venv .venv-autogluon
    .venv-autogluon/bin/pip install 'autogluon.tabular[catboost,lightgbm,xgboost]'
    python -m benchmarks.real --against autogluon --python .venv-autogluon/bin/python
"""

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from mmrl.catalog.columns import COLOURS, IMAGE_STATISTICS, SPACES
from mmrl.config import Settings
from mmrl.learning.inputs import TEXTS
from mmrl.learning.splits import Split
from mmrl.learning.task import prepare
from mmrl.samples.extras import EXTRA
from mmrl.samples.schema import NUMERIC_FEATURES

_SCRIPT = Path(__file__).with_name("fit_autogluon.py")


@dataclass(frozen=True)
class AutoGluon:
    """AutoGluon in another environment.

    Attributes:
        python: of that environment.
        preset: AutoGluon's name for how hard it tries.
        folder: where its files are put.
        seconds: that it may take to learn; None for as long as it likes.
    """

    python: Path
    preset: str
    folder: Path
    seconds: float | None = None

    def check(self) -> None:
        """Ends with a sentence where the environment is missing or lacks AutoGluon."""
        command = [str(self.python), "-c", "import autogluon.tabular"]
        try:
            tried = subprocess.run(command, capture_output=True, text=True, check=False)
        except OSError as error:
            sys.exit(f"benchmarks.real: no Python at {self.python} ({error.strerror}). {_SET_UP}")
        if tried.returncode:
            last = (tried.stderr.strip().splitlines() or ["no message"])[-1]
            sys.exit(
                f"benchmarks.real: {self.python} can't import autogluon.tabular ({last}). {_SET_UP}"
            )

    def predict(
        self, samples: pa.Table, split: Split, settings: Settings, encoders: Mapping[str, str]
    ) -> tuple[np.ndarray, float]:
        """Predicted log scores of a split's test posts, and the seconds that it took."""
        facts = self.folder / "facts.csv"
        learned = self.folder / "predicted.csv"
        self.folder.mkdir(parents=True, exist_ok=True)
        csv.write_csv(facts_of(samples, split, settings, encoders), facts)
        print(f"AutoGluon's facts: {facts}", file=sys.stderr)
        learned.unlink(missing_ok=True)
        command = [str(self.python), str(_SCRIPT), str(facts), str(learned), self.preset]
        command += [] if self.seconds is None else [str(self.seconds)]
        ended = subprocess.run(command, stdout=sys.stderr, check=False)
        if ended.returncode or not learned.is_file():
            sys.exit("benchmarks.real: AutoGluon failed; see its message above.")
        answer = csv.read_csv(learned)
        where = pc.index_in(
            samples["post_id"].take(pa.array(split.test)),
            value_set=answer["post_id"].cast(pa.string()).combine_chunks(),
        )
        predicted = answer["predicted"].take(where).to_numpy()
        return np.asarray(predicted, dtype=np.float64), float(answer["seconds"][0].as_py())


_SET_UP = (
    "Set it up: python3 -m venv .venv-autogluon && .venv-autogluon/bin/pip install "
    "'autogluon.tabular[catboost,lightgbm,xgboost]', then give --python "
    ".venv-autogluon/bin/python."
)


def facts_of(
    samples: pa.Table, split: Split, settings: Settings, encoders: Mapping[str, str]
) -> pa.Table:
    """What mmrl learns from, a row a post of the split, as columns that any learner can read.

    Numbers are as in the samples; vectors and extra features as mmrl's trees get them in their
    second fit, whose posts are `learn`: AutoGluon holds out posts of its own. Test posts have no
    log_score.
    """
    task, _ = prepare(samples, split, settings, encoders)
    tables = []
    for part, posts in (("learn", task.both), ("test", task.test)):
        rows = posts.samples
        known = posts.target if part == "learn" else np.full(rows.num_rows, np.nan)
        columns = {
            "post_id": rows["post_id"],
            "part": pa.array([part] * rows.num_rows),
            "log_score": pa.array(known, from_pandas=True),
            "subreddit": rows["subreddit"],
            **{
                name: rows[name]
                for name in NUMERIC_FEATURES + IMAGE_STATISTICS
                if name in rows.schema.names
            },
        }
        for space in (*SPACES, COLOURS, EXTRA, TEXTS):
            if space not in task.modalities:
                continue
            there = posts.inputs.present[space] > 0
            for number, values in enumerate(posts.inputs.values[space].T):
                known = np.where(there, values, np.nan)
                columns[f"{space}_{number}"] = pa.array(known, from_pandas=True)
        tables.append(pa.table(columns))
    return pa.concat_tables(tables)
