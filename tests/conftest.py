"""One thread, the same hypothesis examples on every run, what most tests draw from, and which tests need a GPU."""

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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what is marked `cuda` where there is no CUDA device."""
    if torch.cuda.is_available():
        return
    skip = pytest.mark.skip(reason="no CUDA device here")
    for item in items:
        if item.get_closest_marker("cuda") is not None:
            item.add_marker(skip)
