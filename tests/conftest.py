"""One thread, the same hypothesis examples on every run, and what most tests draw from."""

import pytest
import torch
from hypothesis import settings

torch.set_num_threads(1)
settings.register_profile("erlangen", deadline=None, derandomize=True, database=None, max_examples=60)
settings.load_profile("erlangen")


@pytest.fixture
def rng() -> torch.Generator:
    return torch.Generator().manual_seed(0)


@pytest.fixture(params=[torch.float32, torch.float64], ids=["float32", "float64"], scope="module")
def dtype(request: pytest.FixtureRequest) -> torch.dtype:
    return request.param
