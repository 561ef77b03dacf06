"""Evaluations: today's are read as they were written, and so are those of earlier versions."""

import json
import tarfile
from pathlib import Path

import pytest

from mmrl.errors import CatalogError
from mmrl.learning.evaluation.record import Evaluation
from tests.support.report_factory import make_evaluation

EARLIER = Path(__file__).parents[2] / "fixtures" / "earlier_home.tar.xz"


def earlier_evaluation() -> str:
    with tarfile.open(EARLIER) as archive:
        (name,) = [name for name in archive.getnames() if name.endswith("/evaluation.json")]
        file = archive.extractfile(name)
        assert file is not None
        return file.read().decode()


def test_an_earlier_versions_evaluation_is_written_again_with_every_key_it_had() -> None:
    text = earlier_evaluation()
    evaluation = Evaluation.from_json(text)
    assert evaluation.splits.test.posts == 24
    for written in (evaluation.as_dict(), json.loads(evaluation.to_json())):
        assert written["training"].pop("weights") == {}  # of models that had two learners
        assert written.pop("settings") == {}
        assert written.pop("removals") is None
        for left_out in ("too_old", "thinned_out"):  # of trainings that took every post
            assert written["splits"].pop(left_out) == 0
        assert written["splits"].pop("learned_of") is None
        assert written["splits"].pop("between_posts") == 0
        assert written["splits"].pop("earlier_tests") == []
        assert written == json.loads(text)


def test_an_evaluation_is_read_equal_to_the_one_written() -> None:
    evaluation = make_evaluation()
    assert Evaluation.from_json(evaluation.to_json()) == evaluation
    plain = evaluation.as_dict()
    assert plain["splits"]["test"].keys() == {"posts", "from", "to"}
    assert plain["ablation"][0].keys() == {
        *("name", "label", "modalities"),
        *("spearman", "spearman_within", "r2_log"),
    }


def test_a_broken_evaluation_is_refused_with_the_place_and_what_to_do() -> None:
    broken = make_evaluation().as_dict()
    broken["splits"]["test"]["posts"] = "many"
    with pytest.raises(CatalogError, match=r"splits\.test\.posts.*train a new model"):
        Evaluation.from_json(json.dumps(broken))
