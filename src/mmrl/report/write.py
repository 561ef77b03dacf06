"""Reports written from the registry and the catalog, and the place where they lie."""

from datetime import datetime
from pathlib import Path

from mmrl.catalog import Catalog
from mmrl.sources.kinds import SIMULATED
from mmrl.storage.location import Location


def report_name(version: str) -> str:
    """The name of a version's report among the home's files."""
    return f"reports/{version}.html"


def write_report(
    catalog: Catalog, version: str, as_of: datetime, out: Path | None = None
) -> Location:
    """Writes a version's report, into the home unless told where; gives its place.

    Raises:
        NotFoundError: the version does not exist.
        Failure: it can't be written there.
    """
    from mmrl.config import load_settings
    from mmrl.learning.evaluation.prospective import prospective
    from mmrl.learning.registry.registry import Registry
    from mmrl.report.build import build_report

    registry = Registry(catalog.home)
    shown = registry.show(version)
    place = Location.of(catalog.home).join(report_name(shown.version))
    written = build_report(
        catalog,
        shown.evaluation,
        registry.test_predictions(version),
        registry.list(),
        simulated=catalog.count("posts", SIMULATED) > 0,
        as_of=as_of,
        scores=prospective(catalog, load_settings(catalog.home), as_of),
        out=place if out is None else Location.of(out),
    )
    if out is None and place.is_local:
        registry.attach_report(shown.version, place.path)
    return written
