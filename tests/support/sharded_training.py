"""Two steps of the largest preset at two layers and full width, divided among the processes of WORLD_SIZE, or whole in one.

python -m support.sharded_training FILE    writes the losses, as JSON, from rank 0
"""

from __future__ import annotations

import json
import resource
import sys
from dataclasses import replace
from pathlib import Path

import torch

from erlangen.data.characters import CharacterTokenizer
from erlangen.data.corpus import Corpus
from erlangen.models.gpt import GPT, PRESETS
from erlangen.train.language_model import LanguageSchedule, Training
from erlangen.train.parallel import joined
from erlangen.train.sharding import is_sharded, shard

CONFIG = replace(PRESETS["gpt2-xl"], layers=2, block=16, dropout=0.0)


def main(path: Path) -> None:
    torch.set_num_threads(1)
    tokens = torch.randint(5, (500,), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    corpus = Corpus(name="x", tokenizer=CharacterTokenizer("abcde"), train=tokens, validation=tokens, test=tokens)
    schedule = LanguageSchedule(steps=3, batch=2, warmup=0, lr=1e-3, clip=0.5)
    with joined("cpu") as (workers, device):
        with torch.device("meta") if workers.rank else torch.device("cpu"):
            torch.manual_seed(0)
            model = GPT(CONFIG)
        if workers.size > 1:
            shard(model, torch.device(device))
        training = Training(model.train(), corpus, schedule, "float32", device, workers)
        losses: list[float] = []
        for _ in range(3):
            training.update(model)
            training.read(lambda step: losses.append(step.loss))
        own = sum(p.to_local().numel() if is_sharded(model) else p.numel() for p in model.parameters())  # type: ignore[attr-defined]
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        facts = {"losses": losses, "own": own, "parameters": model.parameter_count(), "peak": peak}
        path.with_suffix(f".{workers.rank}").write_text(json.dumps(facts))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
