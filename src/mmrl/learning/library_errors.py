"""Errors of the libraries that learn and predict, each told in one sentence."""

from collections.abc import Iterator
from contextlib import contextmanager

from mmrl.errors import Failure, first_line

_LIBRARIES = {
    "catboost": "CatBoost",
    "_catboost": "CatBoost",
    "lightgbm": "LightGBM",
    "keras": "Keras",
    "tensorflow": "TensorFlow",
}


@contextmanager
def library_errors(work: str) -> Iterator[None]:
    """Turns an error of a learning library into a Failure that names work and library.

    Args:
        work: what is done, as the beginning of the sentence: "The training".
    """
    try:
        yield
    except Exception as error:
        library = _LIBRARIES.get(type(error).__module__.partition(".")[0])
        if library is None:
            raise
        raise Failure(
            f"{work} failed in {library}: {first_line(error)}. What was kept before is whole; "
            "`mmrl doctor` checks the home."
        ) from error
