"""Keras, imported here alone, so that its backend, threads and noise are settled first."""

import os
from types import ModuleType


def load_keras(threads: int | None = None) -> ModuleType:
    """Keras on TensorFlow, quiet, on the CPU threads given (all of them for None).

    The number of threads can be set only before TensorFlow has run anything in this process; later
    calls leave it as it is.
    """
    os.environ["KERAS_BACKEND"] = "tensorflow"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    import tensorflow as tf

    if threads is not None:
        try:
            tf.config.threading.set_intra_op_parallelism_threads(threads)
            tf.config.threading.set_inter_op_parallelism_threads(threads)
        except RuntimeError:
            pass  # TensorFlow is running already
    import keras

    return keras


def make_deterministic(seed: int) -> None:
    """Seeds Python, NumPy and TensorFlow, and has TensorFlow use deterministic operations only."""
    keras = load_keras()
    import tensorflow as tf

    tf.config.experimental.enable_op_determinism()
    keras.utils.set_random_seed(seed)
