"""Small random checkpoints of captioners, in the layouts they are published in."""

import json
from pathlib import Path

from mmrl.encoders.networks.torchvision import ensure_torchvision
from tests.support.tiny_tokenizers import save_xlm_roberta_tokenizer

KOSMOS_TAGS = (
    *("</doc>", "<image>", "</image>", "</chunk>", "</line>", "<phrase>", "</phrase>"),
    *("<object>", "</object>", "</delimiter_of_multi_objects/>", "<grounding>"),
    *(f"<patch_index_{index:04}>" for index in range(1024)),
)


def save_kosmos(folder: Path, seed: int = 0) -> None:
    """Writes Kosmos-2's files with a small random model, which says a different thing of each
    image."""
    ensure_torchvision()
    import torch
    from safetensors.torch import save_file
    from transformers import GenerationConfig, Kosmos2Config, Kosmos2ForConditionalGeneration

    count = save_xlm_roberta_tokenizer(folder, KOSMOS_TAGS)
    settings = json.loads((folder / "tokenizer_config.json").read_text("utf-8"))
    settings |= {"clean_up_tokenization_spaces": True, "processor_class": "Kosmos2Processor"}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), "utf-8")
    config = Kosmos2Config(
        text_config={
            "vocab_size": count,
            "max_position_embeddings": 256,
            "embed_dim": 32,
            "layers": 2,
            "ffn_dim": 64,
            "attention_heads": 4,
        },
        vision_config={
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "image_size": 56,
        },
    )
    config.save_pretrained(folder)
    GenerationConfig(bos_token_id=0, eos_token_id=2, pad_token_id=1).save_pretrained(folder)
    torch.manual_seed(seed)
    model = Kosmos2ForConditionalGeneration(config)
    with torch.no_grad():
        for name, value in model.named_parameters():
            if value.dim() > 1:  # larger than at the start of training, so that images matter
                value.normal_(0, 3 / value[0].numel() ** 0.5)
            elif "norm" not in name:
                value.normal_(0, 0.1)
        words = model.text_model.model.embed_tokens.weight
        words *= 0.2  # or each word would only be said again
        words[-1024:] *= 0.6  # or patches, which are most of the words, would be all that is said
    # As published: the head has no weights of its own.
    state = {name: value.detach().clone() for name, value in model.named_parameters()}
    save_file(state, folder / "model.safetensors", {"format": "pt"})
    (folder / "preprocessor_config.json").write_text(
        json.dumps(
            {
                "crop_size": {"height": 56, "width": 56},
                "do_center_crop": True,
                "do_convert_rgb": True,
                "do_normalize": True,
                "do_rescale": True,
                "do_resize": True,
                "image_mean": [0.48145466, 0.4578275, 0.40821073],
                "image_processor_type": "CLIPImageProcessor",
                "image_std": [0.26862954, 0.26130258, 0.27577711],
                "processor_class": "Kosmos2Processor",
                "resample": 3,
                "rescale_factor": 0.00392156862745098,
                "size": {"height": 56, "width": 56},
            }
        ),
        "utf-8",
    )
