"""The network's own Keras layers."""

from typing import Any

from mmrl.learning.learners.keras_backend import load_keras

keras: Any = load_keras()


@keras.saving.register_keras_serializable(package="mmrl")
class TokenWhereMissing(keras.layers.Layer):
    """Puts a learned token where a modality is missing, or was dropped in training.

    Takes what a tower made, (batch, members, width), and who has it, (batch, members).

    Args:
        drop: share of posts whose modality is taken away in training, drawn for each member.
        seed: of the draw.
    """

    def __init__(self, drop: float, seed: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.drop, self.seed = drop, seed
        self._draw = keras.random.SeedGenerator(seed)

    def build(self, shapes: Any) -> None:
        """Makes the token, one a member."""
        self.token = self.add_weight(shape=tuple(shapes[0][1:]), initializer="zeros", name="token")

    def call(self, inputs: Any, training: bool = False) -> Any:
        made, present = inputs
        ops = keras.ops
        there = present[..., None] > 0.5
        if training:
            shape = (ops.shape(made)[0], made.shape[1], 1)
            kept = keras.random.uniform(shape, seed=self._draw) >= self.drop
            there = ops.logical_and(there, kept)
        return ops.where(there, made, self.token[None])

    def compute_output_shape(self, shapes: Any) -> Any:
        return shapes[0]

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "drop": self.drop, "seed": self.seed}


@keras.saving.register_keras_serializable(package="mmrl")
class MemberVectors(keras.layers.Layer):
    """A learned vector for each of `count` numbers, (batch,) to (batch, members, width)."""

    def __init__(self, count: int, members: int, width: int, seed: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.count, self.members, self.width, self.seed = count, members, width, seed

    def build(self, shape: Any) -> None:
        """Makes the vectors."""
        self.vectors = self.add_weight(
            shape=(self.members, self.count, self.width),
            initializer=keras.initializers.RandomNormal(0.0, 0.1, self.seed),
            name="vectors",
        )

    def call(self, numbers: Any) -> Any:
        ops = keras.ops
        # A product with ones and zeros: its gradient is deterministic, a gather's need not be.
        chosen = ops.one_hot(numbers, self.count, dtype="float32")
        return ops.einsum("bs,msw->bmw", chosen, self.vectors)

    def compute_output_shape(self, shape: Any) -> Any:
        return (*shape, self.members, self.width)

    def get_config(self) -> dict[str, Any]:
        own = {"count": self.count, "members": self.members, "width": self.width}
        return {**super().get_config(), **own, "seed": self.seed}


@keras.saving.register_keras_serializable(package="mmrl")
class Quantiles(keras.layers.Layer):
    """Turns four raw numbers into location and the 10, 50 and 90% quantiles, never crossing.

    (batch, members, 4) to (batch, members, 4). The quantile heads read the location but don't move
    it: its gradient stops here.
    """

    def call(self, raw: Any) -> Any:
        ops = keras.ops
        location = raw[..., 0]
        middle = ops.stop_gradient(location) + 0.1 * raw[..., 1]
        low = middle - ops.softplus(raw[..., 2])
        high = middle + ops.softplus(raw[..., 3])
        return ops.stack([location, low, middle, high], axis=-1)

    def compute_output_shape(self, shape: Any) -> Any:
        return shape
