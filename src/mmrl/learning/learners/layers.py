"""The network's own Keras layers.

From the towers to the quantiles, the members' axis is the first and the batch's the
second, so that a dense layer is one product of matrices a member and nothing is moved in memory.
Draws have the batch first, so that they are the same in either order. Networks that an earlier mmrl
kept have the batch first throughout: `members_axis` is 1 there.
"""

from typing import Any

from mmrl.learning.learners.keras_backend import load_keras

keras: Any = load_keras()


@keras.saving.register_keras_serializable(package="mmrl")
class SwapBatchAndMembers(keras.layers.Layer):
    """Moves the members' axis before the batch's, or back."""

    def call(self, values: Any) -> Any:
        return keras.ops.swapaxes(values, 0, 1)

    def compute_output_shape(self, shape: Any) -> Any:
        return (shape[1], shape[0], *shape[2:])


@keras.saving.register_keras_serializable(package="mmrl")
class MemberDropout(keras.layers.Layer):
    """Dropout (Srivastava et al. 2014) of (members, batch, width), drawn with the batch first.

    Args:
        rate: the share of numbers that are taken away in training; the others grow by as much.
        seed: of the draw.
    """

    def __init__(self, rate: float, seed: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.rate, self.seed = rate, seed
        self._draw = keras.random.SeedGenerator(seed)

    def call(self, values: Any, training: bool = False) -> Any:
        if not training:
            return values
        ops = keras.ops
        shape = (ops.shape(values)[1], values.shape[0], values.shape[2])
        kept = keras.random.uniform(shape, seed=self._draw) >= self.rate
        return ops.where(ops.swapaxes(kept, 0, 1), values * (1.0 / (1.0 - self.rate)), 0.0)

    def compute_output_shape(self, shape: Any) -> Any:
        return shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "rate": self.rate, "seed": self.seed}


@keras.saving.register_keras_serializable(package="mmrl")
class TokenWhereMissing(keras.layers.Layer):
    """Puts a learned token where a modality is missing, or was dropped in training.

    Takes what a tower made, (members, batch, width), and who has it, (members, batch).

    Args:
        drop: share of posts whose modality is taken away in training, drawn for each member.
        seed: of the draw.
        members_axis: where the members' axis is; 1 in networks of an earlier mmrl, whose shapes are
            (batch, members, width) and (batch, members).
    """

    def __init__(self, drop: float, seed: int, members_axis: int = 1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.drop, self.seed, self.members_axis = drop, seed, members_axis
        self._draw = keras.random.SeedGenerator(seed)

    def build(self, shapes: Any) -> None:
        """Makes the token, one a member."""
        shape = (shapes[0][self.members_axis], shapes[0][-1])
        self.token = self.add_weight(shape=shape, initializer="zeros", name="token")

    def call(self, inputs: Any, training: bool = False) -> Any:
        made, present = inputs
        ops = keras.ops
        there = present[..., None] > 0.5
        if training:
            shape = (ops.shape(made)[1 - self.members_axis], self.token.shape[0], 1)
            kept = keras.random.uniform(shape, seed=self._draw) >= self.drop
            there = ops.logical_and(there, self._ordered(kept))
        return ops.where(there, made, self._ordered(self.token[None]))

    def _ordered(self, values: Any) -> Any:
        return values if self.members_axis == 1 else keras.ops.swapaxes(values, 0, 1)

    def compute_output_shape(self, shapes: Any) -> Any:
        return shapes[0]

    def get_config(self) -> dict[str, Any]:
        own = {"drop": self.drop, "seed": self.seed, "members_axis": self.members_axis}
        return {**super().get_config(), **own}


@keras.saving.register_keras_serializable(package="mmrl")
class MemberVectors(keras.layers.Layer):
    """A learned vector for each of `count` numbers, (batch,) to (members, batch, width).

    Args:
        members_axis: where the members' axis is; 1 in networks of an earlier mmrl.
    """

    def __init__(
        self,
        count: int,
        members: int,
        width: int,
        seed: int,
        members_axis: int = 1,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.count, self.members, self.width, self.seed = count, members, width, seed
        self.members_axis = members_axis

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
        order = "mbw" if self.members_axis == 0 else "bmw"
        return ops.einsum(f"bs,msw->{order}", chosen, self.vectors)

    def compute_output_shape(self, shape: Any) -> Any:
        leading = [*shape]
        leading.insert(self.members_axis, self.members)
        return (*leading, self.width)

    def get_config(self) -> dict[str, Any]:
        own = {"count": self.count, "members": self.members, "width": self.width}
        own |= {"seed": self.seed, "members_axis": self.members_axis}
        return {**super().get_config(), **own}


@keras.saving.register_keras_serializable(package="mmrl")
class Quantiles(keras.layers.Layer):
    """Turns four raw numbers into location and the 10, 50 and 90% quantiles, never crossing.

    (..., 4) to (..., 4). The quantile heads read the location but don't move
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
