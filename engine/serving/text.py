"""Texts as vectors: a static embedding of subwords whose weights come in a package, so that nothing is downloaded.

WordLlama's table (l2_supercat: the token vectors of a language model, distilled for average pooling) holds 256
dimensions of which the first tell the most (Matryoshka: Kusupati et al., NeurIPS 2022); `WIDTH` of them are kept. Only
the package's files are read, none of its code runs. Where it is not installed there is no text model, and words are
hashed alone.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

WIDTH = 64
NAME = f"wordllama-l2-supercat-{WIDTH}"
"""What a recipe calls it: vectors of another table or width mean something else."""
MOST_CHARACTERS = 1_000
BATCH = 1_024


@dataclass(frozen=True, slots=True)
class TextModel:
    """A table of token vectors and what cuts a text into tokens."""

    table: NDArray[np.float32]
    """(V, WIDTH)"""
    tokenizer: Any
    """`tokenizers.Tokenizer`"""

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return (N, WIDTH) means of the token vectors at unit length; zeros for a text without tokens.

        Args:
            texts: of each at most the first `MOST_CHARACTERS` count.
        """
        out = np.zeros((len(texts), self.table.shape[1]), dtype=np.float32)
        for start in range(0, len(texts), BATCH):
            cut = [text[:MOST_CHARACTERS] for text in texts[start : start + BATCH]]
            encoded = self.tokenizer.encode_batch(cut, add_special_tokens=False)
            for row, tokens in enumerate(encoded, start):
                if tokens.ids:
                    mean = self.table[tokens.ids].mean(axis=0)
                    out[row] = mean / max(float(np.linalg.norm(mean)), 1e-9)
        return out


@cache
def text_model() -> TextModel | None:
    """Return the text model, read once per process (0.2 s, 40 MB); None where its package is not installed."""
    found = importlib.util.find_spec("wordllama")
    if found is None or not found.submodule_search_locations or importlib.util.find_spec("tokenizers") is None:
        return None
    from safetensors import safe_open  # noqa: PLC0415 - only where texts are embedded
    from tokenizers import Tokenizer  # noqa: PLC0415

    folder = Path(found.submodule_search_locations[0])
    with safe_open(folder / "weights" / "l2_supercat_256.safetensors", framework="numpy") as weights:
        table = weights.get_slice("embedding.weight")[:, :WIDTH].astype(np.float32)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizers" / "l2_supercat_tokenizer_config.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return TextModel(np.ascontiguousarray(table), tokenizer)
