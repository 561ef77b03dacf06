"""Images of a home: the bytes of each are those that its hash names."""

from hashlib import sha256

from mmrl.catalog import Catalog, quote, without
from mmrl.soundness.damage import Damage

_SAMPLE = 200  # images that a check reads


def check_images(catalog: Catalog) -> list[Damage]:
    """What is broken in a sample of the images, and posts whose image is gone."""
    hashes = catalog.read("images", ["sha256"])["sha256"].to_pylist()
    step = max(1, len(hashes) // _SAMPLE)
    sample = sorted(hashes)[::step]
    broken = broken_among(catalog, sample)
    damages = []
    if broken:
        damages.append(
            Damage(
                "images",
                f"of {len(sample):,} that were read, {len(broken):,} are not what their hash says",
                "all are read, and such ones taken out; the next `mmrl run` fetches them again",
                lambda: take_out(catalog, broken_among(catalog, hashes)),
            )
        )
    shown = catalog.read("post_images", ["post_id", "sha256"])
    lost = without(shown, "sha256", hashes)
    if lost.num_rows:
        gone = sorted(set(lost["sha256"].to_pylist()))
        damages.append(
            Damage(
                "images",
                f"{lost.num_rows:,} posts have an image that is not there",
                "the next `mmrl run` fetches them again; imported ones come with the same import",
                lambda: take_out(catalog, gone),
            )
        )
    return damages


def broken_among(catalog: Catalog, hashes: list[str]) -> list[str]:
    """The hashes whose bytes are others."""
    broken = []
    for start in range(0, len(hashes), 50):
        rows = catalog.lookup("images", "sha256", hashes[start : start + 50], ["sha256", "bytes"])
        for row in rows.to_pylist():
            if row["bytes"] is not None and sha256(row["bytes"]).hexdigest() != row["sha256"]:
                broken.append(row["sha256"])
    return broken


def take_out(catalog: Catalog, hashes: list[str]) -> None:
    """Forgets images, and which posts have them, so that they are fetched again."""
    for start in range(0, len(hashes), 500):
        among = ", ".join(quote(one) for one in hashes[start : start + 500])
        for table in ("post_images", "images"):
            catalog.delete(table, f"sha256 IN ({among})")
