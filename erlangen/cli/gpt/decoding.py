"""Texts from a model, several at once, with progress."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from erlangen.cli.terminal import Tally, say

if TYPE_CHECKING:
    from torch import Tensor

    from erlangen.data.tokenizer import Tokenizer
    from erlangen.generate.decode import Reader
    from erlangen.generate.settings import Settings
    from erlangen.models.gpt import GPT

TOGETHER = 16  # samples decoded at once
MODES = ("auto", "off", "float32", "bfloat16", "int8")


class Work:
    """Decoding, with progress on stderr."""

    def __init__(
        self, model: GPT, tokenizer: Tokenizer, tokens: int, stop: int | None, fast: str, live: bool, texts: int
    ) -> None:
        import torch

        self.model, self.tokenizer, self.tokens, self.stop, self.live = model, tokenizer, tokens, stop, live
        self.mode = fast
        if fast == "auto":  # float64 weights are meant to be used in float64
            self.mode = "float32" if model.embed.weight.dtype == torch.float32 else "off"
        self.readers: dict[int, Any] = {}
        self.tally = Tally(texts * tokens, "tokens")

    def reader(self, batch: int) -> Reader | None:
        """The fast decoder for a batch size: made once, then reused."""
        from erlangen.generate.fast import fast_decoder

        if self.mode == "off":
            return None
        if batch not in self.readers:
            self.readers[batch] = fast_decoder(self.model, batch, self.mode, self.fallen_back)  # type: ignore[arg-type]
        self.readers[batch].reset()
        return cast("Reader", self.readers[batch])

    def fallen_back(self, message: str) -> None:
        say(f"note: {message}")
        self.mode = "plain"

    def done(self, prompt: str, start: Tensor, settings: Settings, rows: range) -> list[str]:
        """What follows the prompt, for each of the rows; printed token by token where `live`."""
        import torch

        from erlangen.generate.decode import stream

        steps: list[Tensor] = []
        pending: list[int] = []
        if self.live:
            print(prompt, end="", flush=True)
        batch = start.expand(len(rows), -1)
        for chosen in stream(
            self.model, batch, self.tokens, settings=settings, rows=rows, stop=self.stop, read=self.reader(len(rows))
        ):
            steps.append(chosen)
            if self.live:
                self.tally.made += len(rows)
                pending.append(int(chosen))
                piece = self.tokenizer.decode(pending)
                if not piece.endswith("�"):  # a character of several tokens is not whole yet
                    print(piece, end="", flush=True)
                    pending.clear()
            else:
                self.tally.add(len(rows))
        if self.live:
            print(self.tokenizer.decode(pending), flush=True)
        return [self.tokenizer.decode(self.ended(row)) for row in torch.stack(steps, 1).tolist()]

    def ended(self, row: list[int]) -> list[int]:
        """The tokens up to the stop token, which is included."""
        return row[: row.index(self.stop) + 1] if self.stop in row else row

    def summary(self) -> str:
        return f"{self.tally.summary()} ({self.mode})"
