"""Lets Airflow's web page show mmrl's reports to those who are logged in, under /mmrl/reports."""

import os
import re
from pathlib import Path
from typing import ClassVar

from airflow.api_fastapi.core_api.security import get_user
from airflow.plugins_manager import AirflowPlugin
from fastapi import Depends, FastAPI, HTTPException
from fastapi.responses import FileResponse

reports = FastAPI(title="mmrl reports", docs_url=None, redoc_url=None, openapi_url=None)

# A report is one file with its own scripts; in a sandbox they can't act for who is logged in.
_HEADERS = {"Content-Security-Policy": "sandbox allow-scripts allow-popups"}


@reports.get("/reports/{name}", dependencies=[Depends(get_user)])
def report(name: str) -> FileResponse:
    """The report of a version, such as `7.html`."""
    path = Path(os.environ.get("MMRL_HOME", "mmrl-home")).expanduser() / "reports" / name
    if not re.fullmatch(r"\d+\.html", name) or not path.is_file():
        raise HTTPException(404, f"There is no report {name}: `mmrl models` lists the versions.")
    return FileResponse(path, media_type="text/html", headers=_HEADERS)


class MmrlReports(AirflowPlugin):
    """Registers the pages."""

    name = "mmrl_reports"
    fastapi_apps: ClassVar = [{"app": reports, "url_prefix": "/mmrl", "name": "mmrl reports"}]
