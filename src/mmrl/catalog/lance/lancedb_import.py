"""LanceDB, imported in half the time that a plain import takes.

LanceDB imports a client of REST catalogs: 300 pydantic models, and methods that are checked with
them. That is most of what a command costs which finds nothing to do. mmrl opens folders and object
stores only, so the client's methods are not imported, and its models are built when first used.
"""

import importlib.util
import sys
from types import ModuleType
from typing import Any

_CLIENT = "lance_namespace_urllib3_client"


def import_lancedb() -> ModuleType:
    """The module `lancedb`."""
    from pydantic import BaseModel

    if _CLIENT not in sys.modules:
        _import_at_first_use(_CLIENT)
    config = BaseModel.model_config  # every model that is defined meanwhile inherits it
    config["defer_build"] = True
    try:
        import lancedb
    finally:
        config.pop("defer_build", None)
    return lancedb


def _import_at_first_use(package: str) -> None:
    """Has a package run its `__init__` when a name in it is asked for; submodules import before."""
    spec = importlib.util.find_spec(package)
    if spec is None or spec.loader is None:
        return
    module = importlib.util.module_from_spec(spec)
    loader = spec.loader

    def load(name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        del module.__getattr__
        loader.exec_module(module)
        return getattr(module, name)

    module.__getattr__ = load  # type: ignore[method-assign]
    sys.modules[package] = module
