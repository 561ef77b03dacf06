"""The catalog: what mmrl knows, kept in LanceDB tables under one home."""

from mmrl.catalog.catalog import Catalog
from mmrl.catalog.failures import Failed
from mmrl.catalog.query import among, moment, quote, without
from mmrl.catalog.reasons import Reason

__all__ = ["Catalog", "Failed", "Reason", "among", "moment", "quote", "without"]
