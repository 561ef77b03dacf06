"""Class paths of earlier versions, and where those classes are now.

A profile that somebody wrote names its classes by path; an error tells the new one.
"""

MOVED = {
    "mmrl.encoders.bge_m3:BgeM3": "mmrl.encoders.text:BgeM3",
    "mmrl.encoders.qwen_text:QwenText": "mmrl.encoders.text:QwenText",
    "mmrl.encoders.siglip:SiglipImages": "mmrl.encoders.image:SiglipImages",
    "mmrl.encoders.timm_images:TimmImages": "mmrl.encoders.image:TimmImages",
    "mmrl.encoders.qwen_visual:QwenVisual": "mmrl.encoders.visual:QwenVisual",
    "mmrl.encoders.visualized_bge:VisualizedBge": "mmrl.encoders.visual:VisualizedBge",
    "mmrl.encoders.kosmos:Kosmos2": "mmrl.encoders.caption:Kosmos2",
    "mmrl.encoders.qwen_captions:QwenCaptions": "mmrl.encoders.caption:QwenCaptions",
    "mmrl.encoders.caption_server:ServerCaptions": (
        "mmrl.encoders.caption_server.server:ServerCaptions"
    ),
    "mmrl.encoders.minilm:MiniLM": "mmrl.encoders.packaged.minilm:MiniLM",
    "mmrl.encoders.efficientnet:EfficientNetLite2": (
        "mmrl.encoders.packaged.efficientnet:EfficientNetLite2"
    ),
    "mmrl.encoders.labels:LabelBridge": "mmrl.encoders.packaged.labels:LabelBridge",
    "mmrl.encoders.labels:Tags": "mmrl.encoders.packaged.labels:Tags",
}
