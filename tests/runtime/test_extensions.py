"""A package adds an encoder, a captioner, a source, a learner and a baseline by entry points."""

import json
import os
from pathlib import Path

import pytest

from tests.support.command import Answer, is_one_sentence, process, python
from tests.support.extension_package import install
from tests.support.paths import ROOT

POST = {"id": "a1", "title": "T", "subreddit": "pics", "created_utc": 1704412800, "score": 3}


def path_with(site: Path) -> str:
    return os.pathsep.join([str(site), str(ROOT), os.environ.get("PYTHONPATH", "")])


@pytest.mark.slow
def test_an_installed_package_s_source_encoder_and_captioner_work(tmp_path: Path) -> None:
    path = path_with(install(tmp_path / "package"))
    (tmp_path / "x.lines").write_text(json.dumps(POST) + "\n")
    home = tmp_path / "home"
    answer = process(
        *("import", "lines", tmp_path / "x.lines", "--settled", "--home", home, "--json"),
        PYTHONPATH=path,
    )
    assert answer.code == 0, answer.err
    assert json.loads(answer.out)["new"] == 1
    code = (
        "import mmrl\nfrom PIL import Image\n"
        "encoder = mmrl.encoder('image', profile='colours')\n"
        "vectors = encoder.encode([Image.new('RGB', (9, 9), (255, 0, 51))])\n"
        "print(vectors.astype(float).round(2).tolist())\n"
        "print(mmrl.encoder('title', profile='colours').dim)\n"
        "from mmrl.encoders.profiles import load_profile\nfrom mmrl.config import Settings\n"
        "print(load_profile(Settings(profile='colours')).captioner().caption([b''])[0].text == '')"
    )
    answer = python(code, PYTHONPATH=path)
    assert answer.out.split("\n")[:3] == ["[[1.0, 0.0, 0.2]]", "384", "True"], answer.err


@pytest.mark.slow
def test_an_installed_package_s_learner_and_baseline_are_trained_kept_and_loaded(
    tmp_path: Path,
) -> None:
    code = (
        "from pathlib import Path\nimport sys\n"
        "from tests.support.filled_home import SAMPLES, train_packaged\n"
        "from mmrl.learning.model import TrainedModel\n"
        "trained = train_packaged()\nmodels = trained.evaluation.models\n"
        "print(models['nearest'].label, '|', models['overall_mean'].label)\n"
        "print(round(sum(trained.model.weights.values()), 6), 'nearest' in trained.model.weights)\n"
        "trained.model.save(Path(sys.argv[1]))\n"
        "kept = TrainedModel.load(Path(sys.argv[1]))\n"
        "print(abs(kept.predict(SAMPLES).q50 - trained.model.predict(SAMPLES).q50).max() < 1e-5)"
    )
    site = install(tmp_path / "package")
    answer = python(code, tmp_path / "model", PYTHONPATH=path_with(site))
    assert answer.out.splitlines() == [
        "The mean of each community | Mean of all posts",
        "1.0 True",
        "True",
    ], answer.err
    load = "import sys\nfrom pathlib import Path\nfrom mmrl.learning.model import TrainedModel\n"
    answer = python(f"{load}TrainedModel.load(Path(sys.argv[1]))", tmp_path / "model")
    assert "no installed package offers" in answer.err


@pytest.mark.slow
@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ("lines = my_package.absent:KIND", ("my-package", "'lines'", "can't be imported")),
        ("Lines! = my_package.lines:KIND", ("my-package", "'Lines!'", "small letters")),
    ],
)
def test_what_can_t_be_used_of_a_package_is_told_in_a_sentence(
    tmp_path: Path, entry: str, words: tuple[str, ...]
) -> None:
    site = install(tmp_path / "package", sources=entry)
    answer: Answer = process("--help", PYTHONPATH=path_with(site))
    is_one_sentence(answer, 2, *words)
