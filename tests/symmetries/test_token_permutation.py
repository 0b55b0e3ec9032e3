import itertools
from dataclasses import replace

import pytest
import torch
from support.images import error
from support.records import BROKEN, EXACT, attention, embedded, numbered, padded, pooled, text, used
from torch import Tensor

from erlangen.symmetries.text import Text
from erlangen.symmetries.token_permutation import TokenPermutation

SYMMETRY = TokenPermutation()


@pytest.mark.parametrize("x", [text(), text(2), text(30), padded()], ids=["12", "2", "30", "padded"])
def test_attention_without_positions_moves_along_and_its_mean_stays(x: Text) -> None:
    real = slice(None) if x.mask is None else x.mask != 0
    for g in used(SYMMETRY, x):
        assert error(SYMMETRY, attention, x, g) < EXACT
        assert error(SYMMETRY, lambda x: pooled(attention(x)[real]), x, g) < EXACT


@pytest.mark.parametrize("places", ["learned", "rotary"])
def test_attention_with_positions_does_not(places: str) -> None:
    x = text()
    for g in used(SYMMETRY, x):
        assert error(SYMMETRY, lambda x: attention(x, places=places), x, g) > BROKEN
        assert error(SYMMETRY, lambda x: attention(x, causal=True), x, g) > BROKEN
        assert error(SYMMETRY, lambda x: pooled(numbered(embedded(x)) ** 2), x, g) > BROKEN


def test_swap_and_cycle_make_up_all_orders_of_a_text() -> None:
    x = Text(torch.tensor([4, 4, 7, 9]), 10)
    found = fresh = {tuple(x.ids.tolist())}
    while fresh:
        made = [SYMMETRY.act(replace(x, ids=torch.tensor(ids)), g) for ids in fresh for g in SYMMETRY.generators(x)]
        fresh = {tuple(moved.ids.tolist()) for moved in made} - found
        found = found | fresh
    assert found == set(itertools.permutations([4, 4, 7, 9]))


def test_outputs_move_as_tokens_do() -> None:
    x = text()
    for g in used(SYMMETRY, x):
        y = SYMMETRY.act_output(x.ids[:, None], g, x)
        assert torch.equal(y[:, 0], SYMMETRY.act(x, g).ids)


def test_padding_and_positions_stay_where_they_are() -> None:
    x = replace(padded(9, 3, 2), positions=torch.arange(14))
    for g in used(SYMMETRY, x):
        moved = SYMMETRY.act(x, g)
        assert torch.equal(moved.mask, x.mask)
        assert torch.equal(moved.positions, x.positions)
        assert torch.equal(moved.ids[x.mask == 0], x.ids[x.mask == 0])
        assert torch.equal(moved.ids.sort().values, x.ids.sort().values)


def test_rows_of_padding_are_not_compared() -> None:
    x = padded()

    def restless(z: Text) -> Tensor:
        return attention(z).masked_fill((z.mask == 0)[:, None], torch.nan)

    assert all(error(SYMMETRY, restless, x, g) < EXACT for g in used(SYMMETRY, x))
