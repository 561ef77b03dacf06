"""Tags and label bridge: an ImageNet classifier's labels as words and as a vector.

Neither is a caption or a joint embedding: both know a thousand things, most of them objects and
animals, no person among them.
"""

import hashlib
from collections.abc import Sequence
from functools import cache
from importlib.resources import files

import numpy as np

from mmrl.encoders.packaged.efficientnet import CLASSES, REVISION, EfficientNetLite2, backbone
from mmrl.encoders.packaged.minilm import DIM, MiniLM
from mmrl.encoders.packaged.weights import EFFICIENTNET_LITE2, MINILM
from mmrl.encoders.protocols import Caption, Uncaptioned

SURE = 0.25  # see docs/models.md for how it was chosen
ALSO = 0.10
MOST = 3
_BRIDGED = 10  # labels; the rest of the thousand are mostly noise


@cache
def label_names() -> tuple[str, ...]:
    """A short name for each of the 1,000 classes, in the classifier's order."""
    return tuple(_label_file().decode("utf-8").splitlines())


@cache
def _label_file() -> bytes:
    return files(__package__).joinpath("imagenet_labels.txt").read_bytes()


def _label_revision() -> str:
    return hashlib.sha256(_label_file()).hexdigest()[:6]


def _remember(images: Sequence[str], vectors: np.ndarray) -> None:
    for image, vector in zip(images, vectors, strict=True):
        backbone().memo.keep(image, vector)


class Tags:
    """A Captioner: the surest labels as a phrase such as `espresso, tea cup`; "" when unsure.

    Args:
        sure: the first label's least probability; under it the image gets no tags.
        also: the least probability of a further label.
        most: how many labels at most.
    """

    follows = EfficientNetLite2.id  # a linear layer makes labels of its vector

    def __init__(self, sure: float = SURE, also: float = ALSO, most: int = MOST) -> None:
        self.sure, self.also, self.most = sure, also, most
        self.id = f"imagenet-tags@{REVISION},labels{_label_revision()},sure{sure},also{also},{most}"

    def check(self) -> None:
        """Raises WeightsError where the weights are missing or not the recorded ones."""
        EFFICIENTNET_LITE2.path()

    def remember(self, images: Sequence[str], vectors: np.ndarray) -> None:
        """Takes stored vectors of images, which then need no pass of the network."""
        _remember(images, vectors)

    def caption(self, images: Sequence[bytes]) -> list[Caption | Uncaptioned]:
        """One phrase an image, the surest label first.

        Raises:
            UnreadableImagesError: at least one does not decode.
        """
        return [Caption(self.phrase(row)) for row in backbone().probabilities(images)]

    def phrase(self, probabilities: np.ndarray) -> str:
        """The tags for 1,000 probabilities."""
        labels = label_names()
        by_name: dict[str, float] = {}  # two names stand for two classes each
        for index in np.argsort(probabilities, kind="stable")[::-1][: 2 * self.most]:
            name = labels[index]
            by_name[name] = by_name.get(name, 0.0) + float(probabilities[index])
        ranked = sorted(by_name.items(), key=lambda item: -item[1])[: self.most]
        if ranked[0][1] < self.sure:
            return ""
        return ", ".join(name for name, probability in ranked if probability >= self.also)


class LabelBridge:
    """A VisualEncoder: the image as a mean of its labels' sentence vectors, joined with a text.

    With p_k the probabilities of the ten likeliest labels and v_k their MiniLM vectors, the
    image is u = Σ p_k v_k scaled to length 1; with t the text's vector, the result is u + t
    scaled to length 1, or u alone where the text is empty.
    """

    dim = DIM
    follows = EfficientNetLite2.id

    def __init__(self) -> None:
        self.truncated = 0  # the title's own encoder counts those
        self._text = MiniLM()
        self.id = (
            f"label-bridge@{REVISION},labels{_label_revision()},top{_BRIDGED},"
            f"minilm{MINILM.revision},mean,l2"
        )

    def check(self) -> None:
        """Raises WeightsError where the weights are missing or not the recorded ones."""
        EFFICIENTNET_LITE2.path()
        MINILM.path()

    def remember(self, images: Sequence[str], vectors: np.ndarray) -> None:
        """Takes stored vectors of images, which then need no pass of the network."""
        _remember(images, vectors)

    def encode(self, images: Sequence[bytes], texts: Sequence[str]) -> np.ndarray:
        """Vectors of shape (len(images), 384), float32, each of length 1.

        Raises:
            UnreadableImagesError: at least one image does not decode.
        """
        if len(images) != len(texts):
            raise ValueError(f"{len(images)} images but {len(texts)} texts: give as many of each")
        if not len(images):
            return np.empty((0, DIM), np.float32)
        seen = self._joined(backbone().probabilities(images))
        there = np.array([[bool(text)] for text in texts])
        return _unit(seen + np.where(there, self._text.encode(texts), 0.0))

    def _joined(self, probabilities: np.ndarray) -> np.ndarray:
        likeliest = np.argpartition(probabilities, CLASSES - _BRIDGED, axis=1)[:, -_BRIDGED:]
        weights = np.take_along_axis(probabilities, likeliest, axis=1)
        return _unit(np.einsum("nk,nkd->nd", weights, _label_vectors(likeliest)))


def _label_vectors(labels: np.ndarray) -> np.ndarray:
    """MiniLM vectors of labels, (*labels.shape, 384).

    Each is made once a process, when it is first met: all thousand take a second or two, which a
    prediction of one image need not wait for.
    """
    known = _known_vectors()
    if new := sorted(set(labels.ravel().tolist()) - known.keys()):
        names = label_names()
        known |= zip(new, MiniLM().encode([names[label] for label in new]), strict=True)
    return np.stack([known[label] for label in labels.ravel().tolist()]).reshape(*labels.shape, -1)


@cache
def _known_vectors() -> dict[int, np.ndarray]:
    """Those that were made so far, by label."""
    return {}


def _unit(vectors: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return (vectors / np.maximum(lengths, 1e-12)).astype(np.float32)
