"""Imports of a command before it works; each one costs everybody who calls mmrl."""

from pathlib import Path

import pytest

from tests.support.command import python
from tests.support.earlier_home import AS_OF, train_variables, unpack_earlier_home

LEARNING = {"torch", "tensorflow", "keras", "transformers", "catboost", "scipy", "sklearn"}
WORK = {"lancedb", "lance", "pyarrow", "pandas", "numpy", "PIL", *LEARNING}
NETWORK = {"praw", "httpcore", "httpx2", "lance_namespace_urllib3_client.api"}
RECORDS = {"mlflow", "sqlalchemy", "jinja2", "matplotlib"}  # of models, and their reports


def imported_by(code: str, **variables: str) -> set[str]:
    """The modules that a new Python process holds when it has run a piece of code."""
    after = "import sys\nprint('\\n' + '\\n'.join(sys.modules), file=sys.stderr)"
    answer = python(f"{code}\n{after}", **variables)
    assert answer.code == 0, answer.err
    return set(answer.err.split())


def command(*arguments: object) -> str:
    """Code that runs a command and goes on."""
    return (
        "import sys\nfrom mmrl.cli import main\n"
        f"sys.argv = {['mmrl', *map(str, arguments)]!r}\n"
        "try:\n    main()\nexcept SystemExit as stop:\n    assert not stop.code"
    )


@pytest.mark.parametrize(
    "code", ["import mmrl", "import mmrl.cli.app", command("--help"), command("run", "--help")]
)
def test_help_imports_nothing_that_works_on_data(code: str) -> None:
    modules = imported_by(code)
    assert "mmrl" in modules
    assert not modules & (WORK | NETWORK | RECORDS)


@pytest.mark.slow
def test_commands_that_find_nothing_to_do_load_no_models_no_networks_and_no_lancedb(
    tmp_path: Path,
) -> None:
    home = tmp_path / "home"
    unpack_earlier_home(home)
    at = ("--home", home, "--as-of", AS_OF)
    imported_by(command("run", *at), **train_variables())
    for name in ("run", "status"):
        modules = imported_by(command(name, *at), **train_variables())
        assert "lance" in modules
        assert not modules & (LEARNING | NETWORK | RECORDS | {"lancedb"})


def test_lance_s_client_for_rest_catalogs_works_when_asked_for() -> None:
    code = (
        "from mmrl.catalog.lance.lancedb_import import import_lancedb\n"
        "import_lancedb()\n"
        "import lance_namespace_urllib3_client as client\n"
        "from lance_namespace_urllib3_client import CreateTableRequest, Configuration, TableApi\n"
        "assert client.TableApi is TableApi and Configuration().host\n"
        "import lance_namespace_urllib3_client.models as models\n"
        "assert models.DescribeTableRequest(id=['a']).to_dict()['id'] == ['a']\n"
        "from pydantic import BaseModel\n"
        "assert 'defer_build' not in BaseModel.model_config\n"
    )
    assert "lance_namespace_urllib3_client.api" in imported_by(code)


def test_a_command_s_process_keeps_pandas_and_scikit_learn_away_until_something_needs_one() -> None:
    code = (
        "import sys\nfrom mmrl.runtime.lean import allow_pandas, keep_away\nkeep_away()\n"
        "import pyarrow.dataset, lance, lightgbm\n"
        "import importlib.util\nassert importlib.util.find_spec('sklearn') is None\n"
        "assert not any(name.startswith(('pandas.', 'sklearn.')) for name in sys.modules)\n"
        "allow_pandas()\nimport catboost, pyarrow as pa, pandas\n"
        "assert pa.table({'a': [1]}).to_pandas()['a'].sum() == 1\n"
        "assert pa.array(pandas.Series([1.0, None])).null_count == 1"
    )
    imported_by(code)
