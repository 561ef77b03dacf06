"""The multimodal network: several small members in one graph, each with its own weights.

    a tower a modality        dropout, dense, GELU; a learned token where the modality is missing
    a vector a subreddit
    location                  sum of what each tower says by itself
                            + low-rank products between towers (an image that suits its title)
    quantile heads            10, 50 and 90%, from the same features

The sum is what a few hundred posts can teach; the products are factorised as in factorization
machines (Rendle 2010), so that all pairs of towers share few weights. Members differ by their
first weights and their dropout; their mean is better than any of them (Lakshminarayanan et al.
2017, "Simple and scalable predictive uncertainty estimation using deep ensembles").

Every weight's first axis is the member's, and members share nothing, so members trained together
are the members that would have been trained alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from mmrl.learning.inputs import Inputs

LEVELS = (0.1, 0.5, 0.9)
_SUBREDDIT_WIDTH = 8
_FEW_POSTS = 2_000  # up to which dropout is whole


@dataclass(frozen=True)
class NetworkShape:
    """How large the network is and how strongly it is held back.

    Attributes:
        members: networks in the ensemble.
        tower: width of each tower.
        rank: products between towers.
        input_dropout: of short vectors and numbers.
        dropout: of what the towers make, and of the products between them.
        modality_dropout: how often a whole modality is taken away in training.
        decay: weight decay, decoupled (AdamW).
    """

    members: int = 8
    tower: int = 32
    rank: int = 16
    input_dropout: float = 0.2
    dropout: float = 0.3
    modality_dropout: float = 0.05
    decay: float = 0.05

    @classmethod
    def of(cls, posts: int, members: int = 8) -> Self:
        """The shape for so many training posts: of more than 2,000, dropout holds back less.

        Dropout at a rate p keeps a share 1 - p of what a number says that no other number says,
        however many posts say it: it is a penalty that grows with the posts (Wager et al. 2013,
        "Dropout training as adaptive regularization"). With odds p / (1 - p) that fall as posts
        grow, the penalty is the same for all numbers of posts, as a prior's is.
        """
        few = cls(members=members)
        weaker = min(1.0, _FEW_POSTS / posts)
        return replace(
            few,
            input_dropout=_with_odds(few.input_dropout, weaker),
            dropout=_with_odds(few.dropout, weaker),
        )


def _with_odds(rate: float, factor: float) -> float:
    """A rate whose odds are a factor times as large."""
    odds = factor * rate / (1.0 - rate)
    return odds / (1.0 + odds)


def build(widths: Mapping[str, int], subreddits: int, shape: NetworkShape, seed: int) -> Any:
    """A Keras model from the arrays of `arrays` to (batch, members, 4); see `layers.Quantiles`.

    Args:
        widths: by modality, how many numbers a post has of it.
        subreddits: how many the spec knows.
    """
    from mmrl.learning.learners.layers import (
        MemberDropout,
        MemberVectors,
        Quantiles,
        SwapBatchAndMembers,
        TokenWhereMissing,
        keras,
    )

    layers = keras.layers
    seeds = iter(range(seed * 1000, seed * 1000 + 1000))
    swap = SwapBatchAndMembers(name="members_first")

    def dense(name: str, width: int, spread: float | None = None) -> Any:
        start: Any = keras.initializers.GlorotUniform(next(seeds))
        if spread is not None:
            start = keras.initializers.RandomNormal(0.0, spread, next(seeds))
        return layers.EinsumDense(
            "mbi,mio->mbo",
            (None, width),
            bias_axes="mo",
            kernel_initializer=start,
            name=name,
        )

    inputs, towers = [], []
    for name, width in widths.items():
        values = keras.Input((shape.members, width), name=name)
        present = keras.Input((shape.members,), name=f"has_{name}")
        inputs += [values, present]
        held = layers.Dropout(shape.input_dropout, seed=next(seeds))(values)
        made = layers.Activation("gelu")(dense(f"{name}_tower", shape.tower)(swap(held)))
        token = TokenWhereMissing(shape.modality_dropout, next(seeds), 0, name=f"{name}_token")
        towers.append(token([made, swap(present)]))
    subreddit = keras.Input((), dtype="int32", name="subreddit")
    inputs.append(subreddit)
    vectors = MemberVectors(
        subreddits + 1, shape.members, _SUBREDDIT_WIDTH, next(seeds), 0, name="subreddit_vector"
    )
    knows = keras.Input((shape.members, 1), name="has_subreddit")
    inputs.append(knows)
    towers.append(layers.Multiply(name="subreddit_known")([vectors(subreddit), swap(knows)]))

    joined = layers.Concatenate(name="joined")(towers)
    joined = MemberDropout(shape.dropout, next(seeds))(joined)
    left = dense("left", shape.rank)(joined)
    right = dense("right", shape.rank)(joined)
    products = layers.Multiply(name="products")([left, right])
    products = MemberDropout(shape.dropout, next(seeds))(products)
    alone = dense("alone", 4, 0.02)(joined)
    together = dense("together", 4, 0.02)(products)
    raw = layers.Add(name="raw")([alone, together])
    predicted = SwapBatchAndMembers(name="batch_first")(Quantiles(name="quantiles")(raw))
    return keras.Model(inputs, predicted, name="mmrl")


@dataclass(frozen=True)
class Reading:
    """What each member may read; a row a member.

    Attributes:
        modalities: by modality, (members,) 1 where it may.
        columns: by modality, (members, width) 1 for each of its numbers that it may.
        subreddit: (members,) 1 where it may know the subreddit.
    """

    modalities: dict[str, np.ndarray]
    columns: dict[str, np.ndarray]
    subreddit: np.ndarray

    @classmethod
    def everything(cls, widths: Mapping[str, int], members: int) -> "Reading":
        """Every member reads all."""
        return cls(
            {name: np.ones(members, np.float32) for name in widths},
            {name: np.ones((members, width), np.float32) for name, width in widths.items()},
            np.ones(members, np.float32),
        )


def arrays(inputs: Inputs) -> dict[str, np.ndarray]:
    """Inputs as plain arrays, one a modality and one for who has it."""
    named: dict[str, np.ndarray] = {"subreddit": inputs.subreddit}
    for name, values in inputs.values.items():
        named[name] = values
        named[f"has_{name}"] = inputs.present[name]
    return named


def spread(batch: Mapping[str, Any], reading: Reading) -> dict[str, Any]:
    """A batch of `arrays` as each member reads it: tensors with a members' axis."""
    from mmrl.learning.learners.layers import keras

    ops = keras.ops
    batch = {name: ops.convert_to_tensor(values) for name, values in batch.items()}
    named: dict[str, Any] = {"subreddit": batch["subreddit"]}
    for name, may in reading.modalities.items():
        named[name] = batch[name][:, None, :] * reading.columns[name][None]
        named[f"has_{name}"] = batch[f"has_{name}"][:, None] * may[None]
    known = ops.ones_like(batch["subreddit"][:, None], dtype="float32") * reading.subreddit[None]
    named["has_subreddit"] = known[..., None]
    return named


def losses(target: Any, predicted: Any) -> Any:
    """Huber loss of the location plus pinball losses of the quantiles: (batch, members).

    The Huber loss (Huber 1964) is quadratic up to one standard deviation of the target and linear
    beyond, for scores have heavy tails. The pinball loss at level q is max(q e, (q - 1) e) for the
    error e = target - predicted (Koenker and Bassett 1978).

    Args:
        target: (batch,) in standard deviations.
        predicted: (batch, members, 4).
    """
    from mmrl.learning.learners.layers import keras

    ops = keras.ops
    error = target[:, None, None] - predicted
    size = ops.abs(error[..., 0])
    huber = ops.where(size < 1.0, 0.5 * size**2, size - 0.5)
    quantile = error[..., 1:]
    levels = ops.convert_to_tensor(LEVELS, dtype="float32")
    pinball = ops.maximum(levels * quantile, (levels - 1.0) * quantile)
    return huber + ops.sum(pinball, axis=-1)
