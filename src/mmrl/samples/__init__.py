"""Samples: features as they were known when a post went up, labels as they were once it matured."""

from mmrl.samples.drafts import Known, features_for
from mmrl.samples.extras import extras_column, extras_of, text_column
from mmrl.samples.load import load
from mmrl.samples.schema import LABELS, NUMERIC_FEATURES, samples_schema
from mmrl.samples.statistics import measures_columns
from mmrl.samples.vectors import vector_column

__all__ = [
    "LABELS",
    "NUMERIC_FEATURES",
    "Known",
    "extras_column",
    "extras_of",
    "features_for",
    "load",
    "measures_columns",
    "samples_schema",
    "text_column",
    "vector_column",
]
