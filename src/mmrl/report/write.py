"""Reports written from the registry and the catalog, and the place where they lie."""

from datetime import datetime
from pathlib import Path

from mmrl.catalog import Catalog
from mmrl.errors import InputError
from mmrl.runtime.location import Location
from mmrl.sources.kinds import SIMULATED


def report_path(catalog: Catalog, version: str) -> Path:
    """The path of a version's report."""
    path = Location.of(catalog.home).file("reports", f"{version}.html")
    if path is None:
        raise InputError(
            f"The home {catalog.home} is in an object store: say where the report is to be "
            "written with `mmrl report --out FILE`."
        )
    return path


def write_report(catalog: Catalog, version: str, as_of: datetime, out: Path | None = None) -> Path:
    """Writes a version's report, into the home unless told where.

    Raises:
        NotFoundError: the version does not exist.
    """
    from mmrl.config import load_settings
    from mmrl.learning.evaluation.prospective import prospective
    from mmrl.learning.registry.registry import Registry
    from mmrl.report.build import build_report

    registry = Registry(catalog.home)
    shown = registry.show(version)
    return build_report(
        catalog,
        shown.evaluation,
        registry.test_predictions(version),
        registry.list(),
        simulated=catalog.count("posts", SIMULATED) > 0,
        as_of=as_of,
        scores=prospective(catalog, load_settings(catalog.home), as_of),
        out=out or report_path(catalog, shown.version),
    )
