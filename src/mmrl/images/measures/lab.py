"""CIE Lab: lightness L (0 to 100), red-green axis a, yellow-blue axis b (CIE 15:2004, white D65).

Equal distances in it look about equally far apart.
"""

import numpy as np

_TO_XYZ = (  # linear sRGB to CIE XYZ, by IEC 61966-2-1, each row over its white
    (0.4124564 / 0.95047, 0.3575761 / 0.95047, 0.1804375 / 0.95047),
    (0.2126729, 0.7151522, 0.0721750),
    (0.0193339 / 1.08883, 0.1191920 / 1.08883, 0.9503041 / 1.08883),
)


def lab(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """L, a and b of sRGB pixels: (..., 3) uint8 to three float32 arrays of shape (...)."""
    x, y, z = (_scaled_root(pixels, row) for row in _TO_XYZ)
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def lightness(pixels: np.ndarray) -> np.ndarray:
    """L alone, see `lab`."""
    return 116 * _scaled_root(pixels, _TO_XYZ[1]) - 16


def _scaled_root(pixels: np.ndarray, weights: tuple[float, float, float]) -> np.ndarray:
    """One of X, Y and Z as Lab scales it: its cube root, or a straight line near black."""
    red, green, blue = (
        np.float32(weight) * _LINEAR[pixels[..., channel]] for channel, weight in enumerate(weights)
    )
    value = red + green + blue
    straight = np.float32(7.787) * value + np.float32(16 / 116)
    return np.where(value > 0.008856, np.cbrt(value), straight)


def _linear() -> np.ndarray:
    """Light of each of the 256 sRGB values, 0 to 1."""
    value = np.arange(256) / 255
    linear = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    return linear.astype(np.float32)


_LINEAR = _linear()
