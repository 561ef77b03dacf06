"""A version's `MLmodel` file: with it MLflow's own tools load the model and serve it.

It names inputs and outputs (MLflow's signature) and `mmrl.home.served_model`, which predicts with
the home that the version belongs to. Written without MLflow: JSON is YAML, too.
"""

import json
import platform
from pathlib import Path

FILE = "MLmodel"
LOADER = "mmrl.home.served_model"
INPUTS = {"title": "string", "subreddit": "string", "image": "binary", "at": "string"}
NEEDED = ("title", "subreddit")
OUTPUTS = ("score_low", "score", "score_high", "percentile_low", "percentile", "percentile_high")


def write_flavour(folder: Path, run_id: str) -> None:
    """Writes the file beside a model's files.

    Args:
        run_id: of MLflow; by it the version is found again.
    """
    inputs = [
        {"name": name, "type": kind, "required": name in NEEDED} for name, kind in INPUTS.items()
    ]
    outputs = [{"name": name, "type": "double", "required": False} for name in OUTPUTS]
    params = [{"name": "as_of", "type": "string", "default": "", "shape": None}]
    described = {
        "flavors": {
            "python_function": {
                "loader_module": LOADER,
                "python_version": platform.python_version(),
            }
        },
        "run_id": run_id,
        "signature": {
            "inputs": json.dumps(inputs),
            "outputs": json.dumps(outputs),
            "params": json.dumps(params),
        },
    }
    (folder / FILE).write_text(json.dumps(described, indent=2), encoding="utf-8")


def run_of(folder: Path) -> str:
    """The run whose model lies in a folder.

    Raises:
        OSError, ValueError, KeyError: the file is gone or broken.
    """
    return str(json.loads((folder / FILE).read_text(encoding="utf-8"))["run_id"])
