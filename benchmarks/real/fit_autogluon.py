"""Fits AutoGluon on a file of facts and writes what it predicts of the test posts.

    PYTHON fit_autogluon.py FACTS.csv PREDICTED.csv PRESET [SECONDS]

Run by the Python of AutoGluon's own environment, so it imports nothing of mmrl.
"""

import sys
import tempfile
import time

import pandas as pd
from autogluon.tabular import TabularPredictor

facts, predicted, preset, *most = sys.argv[1:]
table = pd.read_csv(facts, dtype={"post_id": str, "subreddit": str})
learn, test = (table[table["part"] == part].drop(columns="part") for part in ("learn", "test"))
started = time.perf_counter()
with tempfile.TemporaryDirectory() as folder:
    predictor = TabularPredictor(
        "log_score", problem_type="regression", eval_metric="root_mean_squared_error", path=folder
    )
    limit = {"time_limit": float(most[0])} if most else {}
    predictor.fit(learn.drop(columns="post_id"), presets=preset, **limit)
    values = predictor.predict(test.drop(columns=["post_id", "log_score"]))
answer = pd.DataFrame({"post_id": test["post_id"], "predicted": values})
answer["seconds"] = time.perf_counter() - started
answer.to_csv(predicted, index=False)
