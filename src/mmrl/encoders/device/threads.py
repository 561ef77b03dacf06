"""CPU threads of the models, set once for the process."""

import threading

_threads: int | None = None

# A model is called by one thread at a time: two at once would share the cores and both be late.
ModelLock = threading.Lock


def use_threads(count: int | None) -> None:
    """Sets the threads of models loaded from here on; none leaves torch's choice, all cores."""
    global _threads
    _threads = count


def threads() -> int | None:
    """The threads of models loaded from here on; None: as many as a library chooses."""
    return _threads


def apply_threads() -> None:
    """Hands the setting to torch; called where a model is loaded."""
    if _threads is not None:
        import torch

        torch.set_num_threads(_threads)
