"""A version as MLflow's own tools load it: `mlflow models serve`, `mlflow.pyfunc.load_model`.

Predictions need what the home knows of the community and of earlier posts, so the home is the one
that the files lie in, or `MMRL_HOME` where they were taken elsewhere.
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmrl.errors import InputError
from mmrl.learning.registry.flavour import OUTPUTS, run_of

if TYPE_CHECKING:
    import pandas as pd

    from mmrl.home.home import Home


def _load_pyfunc(path: str) -> "ServedModel":
    """What MLflow calls with the folder of a version's files."""
    from mmrl.home.home import Home

    folder = Path(path).absolute()
    around = folder.parents[3] if len(folder.parents) > 3 else folder
    address = str(around) if (around / "catalog").is_dir() else os.environ.get("MMRL_HOME")
    if address is None:
        raise InputError(
            f"{folder} lies in no mmrl home, and predictions need what one knows of communities: "
            "set MMRL_HOME to the home that the model belongs to."
        )
    home = Home.open(address, quiet=True)
    run = run_of(folder)
    versions = [version.version for version in home.models if version.run_id == run]
    if not versions:
        raise InputError(f"The home {address} has no model of the run {run}: set MMRL_HOME.")
    return ServedModel(home, versions[0])


class ServedModel:
    """A version of a home that predicts rows of a data frame."""

    def __init__(self, home: "Home", version: str) -> None:
        self._home, self._version = home, version

    def predict(self, rows: "pd.DataFrame", params: dict[str, Any] | None = None) -> "pd.DataFrame":
        """Predictions of drafts, a row each.

        Args:
            rows: `title` and `subreddit`; `image` (a file's bytes, base64 in JSON) and `at` (the
                time of posting, ISO 8601) where a draft has them.
            params: `as_of`: what is known up to; the present where it is empty.

        Returns:
            10, 50 and 90% quantiles of the score, and of the share of the community's posts that it
            does better than; missing where the model or the community does not tell.
        """
        import pandas as pd

        from mmrl.home.moments import optional
        from mmrl.serving.prediction import Draft

        drafts = [
            Draft(
                image=_given(row.get("image")),
                title=row["title"],
                subreddit=row["subreddit"],
                at=optional(_given(row.get("at"))),
            )
            for row in rows.to_dict("records")
        ]
        as_of = (params or {}).get("as_of") or None
        predictions = self._home.predict(drafts, model=self._version, as_of=as_of)
        columns: dict[str, list[float | None]] = {name: [] for name in OUTPUTS}
        for prediction in predictions:
            for name, interval in (
                ("score", prediction.score),
                ("percentile", prediction.percentile),
            ):
                ends = (
                    (None,) * 3
                    if interval is None
                    else (interval.low, interval.middle, interval.high)
                )
                for end, value in zip((f"{name}_low", name, f"{name}_high"), ends, strict=True):
                    columns[end].append(value)
        return pd.DataFrame(columns, dtype="float64")


def _given(value: Any) -> Any:
    """A cell's value; None where it is empty."""
    return None if value is None or value != value or value in (b"", "") else value
