"""The model and the tokenizer behind the path given to a command of `erlangen gpt`: a checkpoint of ours, or GPT-2's files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from erlangen.cli.gpt.options import TrainOptions, option_name
from erlangen.cli.terminal import say
from erlangen.errors import ErlangenError

if TYPE_CHECKING:
    from erlangen.data.tokenizer import Tokenizer
    from erlangen.models.gpt import GPT
    from erlangen.train.parallel import Workers

FIXED = ("model", "positions", "norm", "kv_heads", "tokenizer")  # options that the weights of --from decide


def opened(path: Path) -> tuple[GPT, Tokenizer, tuple[str, ...]]:
    """Model and tokenizer of a checkpoint or of GPT-2's files, and notes that a reader should see."""
    from erlangen.data.bpe import GPT2Tokenizer
    from erlangen.models.gpt2 import CONFIG, HEAD_DIM, load_gpt2
    from erlangen.train.checkpoint import load_checkpoint

    if not is_gpt2(path):
        checkpoint = load_checkpoint(path)
        return checkpoint.model, checkpoint.tokenizer, ()
    folder = path if path.is_dir() else path.parent
    model, tokenizer = load_gpt2(path), GPT2Tokenizer.read(folder)
    guessed = f"there is no {CONFIG} beside {path.name}: {model.config.heads} heads of {HEAD_DIM} features each are a guess"
    return model, tokenizer, () if (folder / CONFIG).is_file() else (guessed,)


def is_gpt2(path: Path) -> bool:
    """A folder with a config.json, or a safetensors file with GPT-2's embedding in it."""
    if path.is_dir():
        return (path / "config.json").is_file()
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            return any(name.removeprefix("transformer.") == "wte.weight" for name in file.keys())  # noqa: SIM118
    except (SafetensorError, OSError):
        return False  # the reader of checkpoints reports what is wrong


@dataclass(frozen=True)
class Given:
    """What a training begins with."""

    path: str
    model: GPT
    tokenizer: Tokenizer

    def copy_into(self, model: GPT) -> None:
        """Its weights; of its tables as many rows as the other has tokens and absolute positions.

        Raises ErlangenError where there are too few.
        """
        weights, block, known = self.model.state_dict(), model.config.block, self.model.config.block
        if self.tokenizer.size > self.model.config.vocabulary:
            raise ErlangenError(
                f"--from {self.path}: its tokenizer has {self.tokenizer.size} tokens, the model {self.model.config.vocabulary}: "
                f"they do not belong together"
            )
        if "place.weight" in weights and block > known:
            raise ErlangenError(f"--block {block}: {self.path} has {known} absolute positions: choose a smaller one")
        rows = {"place.weight": block, "embed.weight": model.config.vocabulary, "head.weight": model.config.vocabulary}
        model.load_state_dict({name: weight[: rows.get(name)] for name, weight in weights.items()})


def given_weights(options: TrainOptions, workers: Workers) -> Given:
    """The weights that --from names. Raises ErlangenError for options that would make another model of them."""
    path = str(options.weights)
    for name in FIXED:
        if (value := getattr(options, name)) is not None:
            raise ErlangenError(f"{option_name(name)} {value}: --from {path} decides this: leave one of them out")
    model, tokenizer, notes = opened(Path(path))
    for note in notes if workers.rank == 0 else ():
        say(note)
    return Given(path, model, tokenizer)
