"""Data sets, one per file: source, license, citation, split -> tensors.

from erlangen.data import cora, image_folder, karate_club, load_corpus, red_green
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from erlangen._lazy import attach

if TYPE_CHECKING:
    from erlangen.data.bpe import GPT2Tokenizer as GPT2Tokenizer
    from erlangen.data.characters import CharacterTokenizer as CharacterTokenizer
    from erlangen.data.cifar10 import cifar10 as cifar10
    from erlangen.data.corpora import load_corpus as load_corpus
    from erlangen.data.corpus import Corpus as Corpus, windows as windows
    from erlangen.data.files import DataError as DataError
    from erlangen.data.generated_images import generated_images as generated_images
    from erlangen.data.grammar import Grammar as Grammar
    from erlangen.data.graphs import (
        Graph as Graph,
        block_model as block_model,
        karate_club as karate_club,
        random_split as random_split,
        undirected as undirected,
        with_noisy_edges as with_noisy_edges,
        with_noisy_features as with_noisy_features,
    )
    from erlangen.data.grimm import grimm as grimm
    from erlangen.data.image_folder import image_folder as image_folder
    from erlangen.data.labeled_images import LabeledImages as LabeledImages
    from erlangen.data.planetoid import cora as cora, planetoid as planetoid
    from erlangen.data.red_green import RedGreen as RedGreen, red_green as red_green
    from erlangen.data.tales import tales as tales
    from erlangen.data.text import read_text as read_text, strip_gutenberg as strip_gutenberg
    from erlangen.data.tokenizer import Tokenizer as Tokenizer
else:
    __getattr__, __dir__, __all__ = attach(__name__, __file__)
