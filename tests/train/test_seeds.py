import torch

from erlangen.train.seeds import seed_everything


def test_one_seed_one_stream() -> None:
    with torch.backends.cudnn.flags():
        seed_everything(7)
        first = torch.rand(5)
        seed_everything(7)
        assert torch.equal(first, torch.rand(5))
        seed_everything(8)
        assert not torch.equal(first, torch.rand(5))


def test_seeding_asks_for_deterministic_convolutions() -> None:
    with torch.backends.cudnn.flags(benchmark=True, deterministic=False):
        seed_everything(0)
        assert torch.backends.cudnn.deterministic
        assert not torch.backends.cudnn.benchmark
