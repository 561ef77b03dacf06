"""Checkpoints of the reference models' full size with random weights, in their published layouts.

Speed does not depend on what the weights are, so random ones serve to measure it; what comes out
says nothing of any image. They take about 14 GB of disk. Real tokenizers can't be made here:
texts are cut by a Unigram tokenizer of 16,000 pieces learned from the benchmark's own titles,
which cuts them into about as many tokens as a real one does.
"""

import json
from collections.abc import Callable, Iterable
from pathlib import Path

from mmrl.encoders.networks.torchvision import ensure_torchvision

_PIECES = 16_000
_XLM_R = {  # config.json of BAAI/bge-m3
    "vocab_size": 250_002,
    "hidden_size": 1024,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "intermediate_size": 4096,
    "max_position_embeddings": 8194,
    "type_vocab_size": 1,
    "layer_norm_eps": 1e-5,
    "bos_token_id": 0,
    "pad_token_id": 1,
    "eos_token_id": 2,
}

_KOSMOS_TAGS = (
    *("</doc>", "<image>", "</image>", "</chunk>", "</line>", "<phrase>", "</phrase>"),
    *("<object>", "</object>", "</delimiter_of_multi_objects/>", "<grounding>"),
    *(f"<patch_index_{index:04}>" for index in range(1024)),
)


def make(name: str, folder: Path, titles: Iterable[str]) -> Path:
    """The folder of a full-size random checkpoint of the model of that name; made if missing."""
    target = folder / name.replace("/", "--")
    if not (target / ".complete").is_file():
        target.mkdir(parents=True, exist_ok=True)
        _MAKERS[name](target, list(titles))
        (target / ".complete").touch()
    return target


def _bge_m3(folder: Path, titles: list[str]) -> None:
    import torch
    from transformers import XLMRobertaConfig, XLMRobertaModel

    torch.manual_seed(0)
    network = XLMRobertaModel(XLMRobertaConfig(**_XLM_R, architectures=["XLMRobertaModel"]))
    torch.save(network.state_dict(), folder / "pytorch_model.bin")
    network.config.save_pretrained(folder)
    _tokenizer(folder, titles)


def _vit(folder: Path, titles: list[str]) -> None:
    import timm
    import torch

    architecture = "vit_large_patch16_384"
    network = timm.create_model(f"{architecture}.augreg_in21k_ft_in1k", pretrained=False)
    torch.save(network.state_dict(), folder / "pytorch_model.bin")
    config = {
        "architecture": architecture,
        "num_classes": network.num_classes,
        "num_features": network.num_features,
        "pretrained_cfg": network.pretrained_cfg,
    }
    (folder / "config.json").write_text(json.dumps(config, default=str), "utf-8")


def _visualized(folder: Path, titles: list[str]) -> None:
    """In float16, as published; sizes of EVA02-CLIP-L-14 and of bge-m3."""
    import torch

    width, hidden, layers = 1024, 2730, 24
    shapes: dict[str, tuple[int, ...]] = {
        "visual_proj.weight": (width, width),
        "visual_proj.bias": (width,),
        "bge_embeddings.word_embeddings.weight": (_XLM_R["vocab_size"], width),
        "bge_embeddings.position_embeddings.weight": (_XLM_R["max_position_embeddings"], width),
        "bge_embeddings.token_type_embeddings.weight": (1, width),
        **_norm("bge_embeddings.LayerNorm", width),
        **_linear("bge_pooler.dense", width, width),
    }
    for layer in range(layers):
        name = f"bge_encoder.layer.{layer}."
        for part in ("self.query", "self.key", "self.value", "output.dense"):
            shapes |= _linear(f"{name}attention.{part}", width, width)
        shapes |= _linear(f"{name}intermediate.dense", 4 * width, width)
        shapes |= _linear(f"{name}output.dense", width, 4 * width)
        for part in ("attention.output.LayerNorm", "output.LayerNorm"):
            shapes |= _norm(name + part, width)
    tower = "model_visual.visual."
    shapes |= {
        "model_visual.logit_scale": (),
        f"{tower}cls_token": (1, 1, width),
        f"{tower}pos_embed": (1, 257, width),
        f"{tower}patch_embed.proj.weight": (width, 3, 14, 14),
        f"{tower}patch_embed.proj.bias": (width,),
        **_norm(f"{tower}norm", width),
        **_linear(f"{tower}head", 768, width),
        f"{tower}rope.freqs_cos": (256, 64),
        f"{tower}rope.freqs_sin": (256, 64),
    }
    for layer in range(layers):
        name = f"{tower}blocks.{layer}."
        shapes |= _norm(f"{name}norm1", width) | _norm(f"{name}norm2", width)
        shapes |= _norm(f"{name}attn.inner_attn_ln", width) | _norm(f"{name}mlp.ffn_ln", hidden)
        for part in ("q_proj", "k_proj", "v_proj"):
            shapes[f"{name}attn.{part}.weight"] = (width, width)
        shapes |= {f"{name}attn.q_bias": (width,), f"{name}attn.v_bias": (width,)}
        shapes |= _linear(f"{name}attn.proj", width, width)
        shapes |= _linear(f"{name}mlp.w1", hidden, width) | _linear(f"{name}mlp.w2", hidden, width)
        shapes |= _linear(f"{name}mlp.w3", width, hidden)
        for table in ("cos", "sin"):
            shapes[f"{name}attn.rope.freqs_{table}"] = (256, 64)
    torch.manual_seed(0)
    state = {key: 0.02 * torch.randn(shape).half() for key, shape in shapes.items()}
    torch.save(state, folder / "Visualized_m3.pth")


def _kosmos(folder: Path, titles: list[str]) -> None:
    import torch
    from safetensors.torch import save_file
    from transformers import GenerationConfig, Kosmos2Config, Kosmos2ForConditionalGeneration

    _tokenizer(folder, titles, _KOSMOS_TAGS)
    config = Kosmos2Config()  # its defaults are the published model's sizes
    config.save_pretrained(folder)
    GenerationConfig(bos_token_id=0, eos_token_id=2, pad_token_id=1).save_pretrained(folder)
    torch.manual_seed(0)
    network = Kosmos2ForConditionalGeneration(config)
    with torch.no_grad():  # markers and the end small, so that words come until the cap
        network.text_model.model.embed_tokens.weight[:4] *= 0.01
    # As published: the head has no weights of its own.
    state = {name: value.detach().contiguous() for name, value in network.named_parameters()}
    save_file(state, folder / "model.safetensors", {"format": "pt"})
    settings = {
        "crop_size": {"height": 224, "width": 224},
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
        "rescale_factor": 1 / 255,
        "size": {"shortest_edge": 224},
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(settings), "utf-8")


def _linear(name: str, out: int, inner: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (out, inner), f"{name}.bias": (out,)}


def _norm(name: str, width: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (width,), f"{name}.bias": (width,)}


def _tokenizer(folder: Path, titles: list[str], extra: tuple[str, ...] = ()) -> None:
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
    from tokenizers.processors import TemplateProcessing
    from transformers import XLMRobertaTokenizerFast

    special = ["<s>", "<pad>", "</s>", "<unk>"]
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()]
    )
    tokenizer.decoder = decoders.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=_PIECES, special_tokens=special, unk_token="<unk>", show_progress=False
    )
    tokenizer.train_from_iterator(titles, trainer)
    tokenizer.post_processor = TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    tokenizer.add_tokens([AddedToken(token, normalized=False) for token in extra])
    XLMRobertaTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<s>",
        eos_token="</s>",
        sep_token="</s>",
        cls_token="<s>",
        unk_token="<unk>",
        pad_token="<pad>",
        model_max_length=8192,
    ).save_pretrained(folder)


_MAKERS: dict[str, Callable[[Path, list[str]], None]] = {
    "BAAI/bge-m3": _bge_m3,
    "timm/vit_large_patch16_384.augreg_in21k_ft_in1k": _vit,
    "BAAI/bge-visualized": _visualized,
    "microsoft/kosmos-2-patch14-224": _kosmos,
}

ensure_torchvision()
