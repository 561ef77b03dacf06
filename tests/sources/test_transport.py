"""Transport of requests: what a store of the budget that is away does not change."""

from pathlib import Path
from typing import Any

import pytest

from mmrl.errors import StorageError
from mmrl.runtime.clock import Halt, SystemClock
from mmrl.sources.budget import Budget
from mmrl.sources.transport import Transport
from mmrl.storage.opening import storage_of


class _Halting:
    """In the place of a session: it is told to stop while a request is on its way."""

    def request(self, *_: object, **__: object) -> None:
        raise Halt


def test_a_halt_stays_one_though_the_budget_can_not_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> None:
        raise StorageError("the store is away")

    monkeypatch.setattr(Budget, "answered", away)
    session: Any = _Halting()
    with pytest.raises(Halt):
        Transport(SystemClock(), Budget(storage_of(tmp_path), "budget.json")).send(session)
