"""Runs stages over what is pending: batches, prefetch, commits, failures, progress."""

from mmrl.pipeline.runner import run_stage
from mmrl.pipeline.stage import Results, Stage, StageReport, Worker
from mmrl.runtime.meter import Meter
from mmrl.runtime.progress import Progress, Silent

__all__ = ["Meter", "Progress", "Results", "Silent", "Stage", "StageReport", "Worker", "run_stage"]
