"""The ring of keys and values: what it holds, and where."""

import pytest
import torch

from erlangen.nn.cache import KeyValueCache


def ring(size: int = 5) -> KeyValueCache:
    return KeyValueCache(1, 1, 1, size, 1, torch.float64)


def read(cache: KeyValueCache, tokens: list[int]) -> list[int]:
    """Write tokens as their own keys; what is held afterwards, in slots' order."""
    x = torch.tensor(tokens, dtype=torch.float64).view(1, 1, -1, 1)
    keys, values = cache.extend(0, x, -x)
    assert torch.equal(keys, -values)
    positions = cache.positions(len(tokens))
    cache.advance(len(tokens))
    assert keys.flatten().tolist() == positions.tolist()  # token p was written as p
    return keys.flatten().int().tolist()


def test_it_holds_the_newest() -> None:
    cache = ring()
    assert read(cache, [0, 1, 2]) == [0, 1, 2]
    assert read(cache, [3]) == [0, 1, 2, 3]
    assert read(cache, [4]) == [0, 1, 2, 3, 4]
    assert read(cache, [5]) == [5, 1, 2, 3, 4]
    for token in range(6, 23):
        held = read(cache, [token])
        assert sorted(held) == list(range(token - 4, token + 1))


def test_many_at_once_must_fit() -> None:
    cache = ring()
    read(cache, [0, 1, 2])
    with pytest.raises(ValueError, match="a ring of 5 that has read 3 tokens cannot take 3 at once"):
        cache.extend(0, torch.zeros(1, 1, 3, 1), torch.zeros(1, 1, 3, 1))
    read(cache, [3])
    with pytest.raises(ValueError, match="cannot take 2 at once"):
        cache.extend(0, torch.zeros(1, 1, 2, 1), torch.zeros(1, 1, 2, 1))
    assert read(ring(), [0, 1, 2, 3, 4]) == [0, 1, 2, 3, 4]  # just so many do


def test_layers_keep_their_own() -> None:
    cache, x = KeyValueCache(2, 1, 1, 5, 1, torch.float64), torch.arange(3.0, dtype=torch.float64).view(1, 1, 3, 1)
    for layer in range(2):
        keys, values = cache.extend(layer, x + 10 * layer, x + 10 * layer + 5)
        assert keys.flatten().tolist() == [10 * layer + k for k in range(3)]
        assert values.flatten().tolist() == [10 * layer + k for k in range(5, 8)]
    assert cache.keys[:, 0, 0, :3, 0].tolist() == [[0, 1, 2], [10, 11, 12]]
    assert cache.values[:, 0, 0, :3, 0].tolist() == [[5, 6, 7], [15, 16, 17]]


def test_reset_forgets() -> None:
    cache = ring()
    read(cache, [0, 1, 2, 3])
    cache.reset()
    assert read(cache, [0]) == [0]


def test_another_batch_is_refused() -> None:
    cache, x = KeyValueCache(1, 3, 1, 5, 1, torch.float64), torch.zeros(1, 1, 1, 1, dtype=torch.float64)
    with pytest.raises(ValueError, match="a cache for 3 texts cannot take tokens of 1"):
        cache.extend(0, x, x)
