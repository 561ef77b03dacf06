"""Small random checkpoints of the image models, in the formats they are published in."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from tests.support.tiny_visual_models import numbers

SIDE = 48
WIDTH = 32
CLASSES = 10


def save_timm(folder: Path, *, old: bool = False) -> Path:
    """Writes a small ViT as timm publishes them: `config.json` and the weights.

    Args:
        old: as before 2023: `pytorch_model.bin`, and all of the configuration on one level.
    """
    import timm
    import torch
    from safetensors.torch import save_file

    folder.mkdir(parents=True)
    shape: dict[str, Any] = {"img_size": SIDE, "embed_dim": WIDTH, "depth": 2, "num_heads": 2}
    network = timm.create_model("vit_tiny_patch16_384", num_classes=CLASSES, **shape)
    state = {
        key: torch.from_numpy(np.asarray(numbers(key, tuple(value.shape))))
        for key, value in network.state_dict().items()
    }
    data = {
        "tag": "augreg_in21k_ft_in1k",
        "input_size": [3, SIDE, SIDE],
        "fixed_input_size": True,
        "interpolation": "bicubic",
        "crop_pct": 1.0,
        "crop_mode": "center",
        "mean": [0.5, 0.5, 0.5],
        "std": [0.5, 0.5, 0.5],
        "num_classes": CLASSES,
        "first_conv": "patch_embed.proj",
        "classifier": "head",
    }
    top = {"architecture": "vit_tiny_patch16_384", "num_features": WIDTH, "model_args": shape}
    if old:
        torch.save(state, folder / "pytorch_model.bin")
        config = {**top, **data}
    else:
        save_file(state, folder / "model.safetensors")
        config = {**top, "num_classes": CLASSES, "pretrained_cfg": data}
    (folder / "config.json").write_text(json.dumps(config), "utf-8")
    return folder


def save_siglip(folder: Path) -> Path:
    """Writes a small SigLIP, text part included, with its image processor's settings."""
    import torch
    from transformers import SiglipConfig, SiglipModel

    folder.mkdir(parents=True)
    part = {
        "hidden_size": WIDTH,
        "intermediate_size": 2 * WIDTH,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
    }
    config = SiglipConfig(
        text_config={**part, "vocab_size": 100, "max_position_embeddings": 16},
        vision_config={**part, "image_size": SIDE, "patch_size": 16},
    )
    network = SiglipModel(config)
    state = {
        key: torch.from_numpy(np.asarray(numbers(key, tuple(value.shape))))
        for key, value in network.state_dict().items()
        if value.is_floating_point()
    }
    network.load_state_dict(state, strict=False)
    network.save_pretrained(folder)
    settings = {
        "do_convert_rgb": None,
        "do_normalize": True,
        "do_rescale": True,
        "do_resize": True,
        "image_mean": [0.5, 0.5, 0.5],
        "image_processor_type": "SiglipImageProcessor",
        "image_std": [0.5, 0.5, 0.5],
        "processor_class": "SiglipProcessor",
        "resample": 2,
        "rescale_factor": 1 / 255,
        "size": {"height": SIDE, "width": SIDE},
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(settings), "utf-8")
    return folder
