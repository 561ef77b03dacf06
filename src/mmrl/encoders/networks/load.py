"""Loading of transformers' networks from a local folder: whole, quiet, nothing from elsewhere."""

import pickle
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from mmrl.encoders.device.device import Place
from mmrl.encoders.networks.torchvision import ensure_torchvision
from mmrl.errors import WeightsError

ensure_torchvision()

from transformers.utils import logging  # noqa: E402

# Its bar would break into a stage's own, and what is missing is an error here, not a table.
logging.disable_progress_bar()
logging.set_verbosity_error()


def load_pretrained(
    kind: Any, folder: Path, place: Place, model: str, unused: tuple[str, ...] = (), **options: Any
) -> Any:
    """A network in evaluation mode, on its device in its number format.

    Args:
        kind: a class of transformers.
        model: the name on the hub, for errors.
        unused: beginnings of the names of weights that the file may have and the network not.
        options: for `from_pretrained`.

    Raises:
        WeightsError: a file is broken, lacks weights or has others. (transformers itself would
            fill what is missing with random numbers.)
    """
    again = f"Fetch it anew with `mmrl weights fetch {model}`."
    try:
        network, report = kind.from_pretrained(
            folder,
            local_files_only=True,
            weights_only=True,
            dtype=place.torch_dtype,
            attn_implementation="sdpa",
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # told below, with their names
            **options,
        )
    except pickle.UnpicklingError as error:
        # torch's own words advise to run whatever code the file holds.
        raise WeightsError(
            f"The weights in {folder} are not those of {model}: the file is damaged, or a pickle "
            f"that holds more than weights, which mmrl never runs. {again}"
        ) from error
    except (SafetensorError, OSError, ValueError, RuntimeError, KeyError, TypeError) as error:
        why = " ".join(str(error).split())[:300]
        raise WeightsError(f"{model} can't be loaded from {folder}: {why}. {again}") from error
    missing = sorted(report["missing_keys"])
    unexpected = sorted(key for key in report["unexpected_keys"] if not key.startswith(unused))
    other = sorted(entry[0] for entry in report["mismatched_keys"])
    missing = [key for key in missing if key not in other]
    if missing or unexpected or other:
        some = ", ".join([*missing, *unexpected, *other][:3])
        shapes = f", {len(other)} of another shape" if other else ""
        raise WeightsError(
            f"The weights in {folder} are not those of {model}: {len(missing)} missing, "
            f"{len(unexpected)} unexpected{shapes} ({some}...). {again}"
        )
    return network.eval().requires_grad_(False).to(place.torch_device)
