"""Real sets: what mmrl learns from posts that people made, beside what others reached on them."""
