"""Libraries kept away from a command's process, for they cost seconds and most commands use none.

Only processes of mmrl's own do so: in a notebook, whoever imports mmrl may want them. LightGBM and
transformers import scikit-learn where it is installed; PyArrow imports pandas with its first array,
and with its datasets, which Lance brings. Neither needs it; PyArrow asks again once somebody does.
"""

import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any


class _Away(MetaPathFinder, Loader):
    """Finds pandas, so that it counts as installed, and fails to import it."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        return ModuleSpec(name, self) if name == "pandas" else None

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        raise ModuleNotFoundError(f"{spec.name} is kept away from this process", name=spec.name)


_AWAY = _Away()


def keep_away() -> None:
    """From now on imports of them fail, as if they were not installed."""
    modules: dict[str, Any] = sys.modules
    modules.setdefault("sklearn", None)
    if "pandas" not in modules:
        sys.meta_path.insert(0, _AWAY)


def allow_pandas() -> None:
    """Lets pandas be imported again, before something that does need it."""
    if _AWAY in sys.meta_path:
        sys.meta_path.remove(_AWAY)
