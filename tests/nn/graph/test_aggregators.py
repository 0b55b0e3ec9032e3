"""Oracle: PyG's aggregators of the same names, in float64, by index and by ptr, along any axis."""

from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from erlangen.nn import graph as ours

INDEX = torch.tensor([3, 0, 1, 1, 0, 1, 3, 3])  # group 2 has no entries
PTR = torch.tensor([0, 2, 5, 5, 8])
X = torch.randn(8, 4, dtype=torch.float64)
PLAIN = ("SumAggregation", "MeanAggregation", "MaxAggregation", "MinAggregation", "MulAggregation", "VarAggregation")
WITH_ARGUMENTS: list[tuple[str, dict[str, Any]]] = [
    *((name, {}) for name in PLAIN),
    *(("QuantileAggregation", {"q": q, "interpolation": how, "fill_value": fill})
      for q in (0.0, 0.3, [0.2, 0.9])
      for how, fill in (("linear", 0.0), ("lower", 0.0), ("higher", 7.0), ("nearest", 0.0), ("midpoint", 0.0))),
    ("VarAggregation", {"semi_grad": True}), ("StdAggregation", {"semi_grad": True}),
    ("MedianAggregation", {}), ("MedianAggregation", {"fill_value": 3.0}),
    ("SoftmaxAggregation", {}), ("SoftmaxAggregation", {"t": 0.3}), ("SoftmaxAggregation", {"learn": True, "channels": 4}),
    ("SoftmaxAggregation", {"semi_grad": True}), ("PowerMeanAggregation", {"p": 2.0}), ("PowerMeanAggregation", {"learn": True}),
]  # fmt: skip


@pytest.fixture(scope="module")
def pyg() -> ModuleType:
    return pytest.importorskip("torch_geometric.nn", reason="torch_geometric is not installed")


@pytest.mark.parametrize(("name", "made"), WITH_ARGUMENTS, ids=str)
def test_values_and_gradients_are_pygs(pyg: ModuleType, name: str, made: dict[str, Any]) -> None:
    theirs, mine = getattr(pyg, name)(**made).double(), getattr(ours, name)(**made).double()
    mine.load_state_dict(theirs.state_dict())
    assert str(mine) == str(theirs)
    x = (X.abs() if name == "PowerMeanAggregation" else X).clone().requires_grad_()
    # A group without entries is 0.01 for PyG's power mean.
    index = INDEX.where(INDEX != 3, 2) if name == "PowerMeanAggregation" else INDEX
    a, b = (aggr(x, index, dim_size=3 if index is not INDEX else 5) for aggr in (theirs, mine))
    torch.testing.assert_close(b, a, rtol=0, atol=1e-6 if name == "QuantileAggregation" else 1e-12)  # PyG's q is a float32
    wanted = (x, *mine.parameters())
    expected = torch.autograd.grad(a.square().sum(), (x, *theirs.parameters()))
    torch.testing.assert_close(torch.autograd.grad(b.square().sum(), wanted), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize(("name", "made"), WITH_ARGUMENTS, ids=str)
def test_by_index_by_ptr_and_along_any_axis_are_the_same(name: str, made: dict[str, Any]) -> None:
    aggr = getattr(ours, name)(**made).double()
    order = INDEX.argsort(stable=True)
    expected = aggr(X, INDEX)
    assert len(expected) == 4  # the largest index + 1
    torch.testing.assert_close(aggr(X[order], ptr=PTR), expected)
    if not isinstance(made.get("q"), list) and "channels" not in made:
        torch.testing.assert_close(aggr(X.T, INDEX, dim=1), expected.T)
        many = torch.stack([X, 2 * X])
        torch.testing.assert_close(aggr(many, INDEX), torch.stack([expected, aggr(2 * X, INDEX)]))


def test_attention_over_the_entries_is_pygs(pyg: ModuleType) -> None:
    gate, value = nn.Linear(4, 1).double(), nn.Linear(4, 3).double()
    theirs, mine = pyg.aggr.AttentionalAggregation(gate, value), ours.AttentionalAggregation(gate, value)
    torch.testing.assert_close(mine(X, INDEX), theirs(X, INDEX), rtol=0, atol=1e-12)
    before = gate.weight.clone()
    mine.reset_parameters()
    assert not torch.equal(gate.weight, before)


@pytest.mark.parametrize("mode", ["cat", "sum", "mean", "max", "min", "logsumexp", "std", "var"])
def test_several_at_once_are_pygs(pyg: ModuleType, mode: str) -> None:
    names = ["mean", "max", "softmax"]
    theirs, mine = (kind(names, [{}, {}, {"t": 2.0}], mode) for kind in (pyg.MultiAggregation, ours.MultiAggregation))
    torch.testing.assert_close(mine(X, INDEX), theirs(X, INDEX), rtol=0, atol=1e-12)
    assert mine.width(4) == mine(X, INDEX).shape[1]


@pytest.mark.parametrize("mode", ["proj", "attn"])
def test_learned_combinations_have_their_width_and_gradients(mode: str) -> None:
    made = {"in_channels": 4, "out_channels": 6, **({"num_heads": 2} if mode == "attn" else {})}
    aggr = ours.MultiAggregation(["mean", "max", "std"], mode=mode, mode_kwargs=made).double()  # type: ignore[arg-type]
    out = aggr(X, INDEX)
    assert out.shape == (4, aggr.width(4)) == (4, 6)
    out.sum().backward()
    assert all(parameter.grad is not None for parameter in aggr.parameters())
    before = {name: value.clone() for name, value in aggr.state_dict().items()}
    aggr.reset_parameters()
    assert not torch.equal(aggr(X, INDEX), out)
    assert before.keys() == aggr.state_dict().keys()


@pytest.mark.parametrize("train_norm", [True, False])
def test_scaling_by_the_degree_is_pygs(pyg: ModuleType, train_norm: bool) -> None:
    given = (
        ["mean", "std"],
        ["identity", "amplification", "attenuation", "linear", "inverse_linear"],
        torch.tensor([1, 3, 2, 1]),
    )
    theirs, mine = (kind(*given, train_norm=train_norm) for kind in (pyg.DegreeScalerAggregation, ours.DegreeScalerAggregation))
    assert theirs.state_dict().keys() == mine.state_dict().keys()
    busy = INDEX.clone()
    busy[0] = 2  # every group has an entry
    torch.testing.assert_close(mine(X, busy), theirs(X, busy), rtol=0, atol=1e-6)
    assert mine.width(4) == 4 * 2 * 5


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ours.SumAggregation()(X), r"pass an index \(E,\), or a ptr"),
        (lambda: ours.SumAggregation()(X, INDEX, dim=2), "invalid dimension 2"),
        (lambda: ours.SumAggregation()(X, INDEX, dim_size=3), "invalid 'dim_size' 3: index reaches 3"),
        (lambda: ours.SumAggregation()(X, ptr=PTR, dim_size=3), "invalid 'dim_size' 3: ptr has 4 groups"),
        (lambda: ours.QuantileAggregation([]), "at least one quantile"),
        (lambda: ours.QuantileAggregation(1.5), r"q = 1\.5 must be in the range"),
        (lambda: ours.QuantileAggregation(0.5, "cubic"), "Invalid interpolation method 'cubic': choose one of linear"),
        (lambda: ours.SoftmaxAggregation(learn=True, semi_grad=True), "nothing can be learned"),
        (lambda: ours.SoftmaxAggregation(channels=4), "channels=4 needs learn=True"),
        (lambda: ours.PowerMeanAggregation(channels=4), "channels=4 needs learn=True"),
        (lambda: ours.MultiAggregation([]), "aggrs is empty"),
        (lambda: ours.MultiAggregation(["sum"], [{}, {}]), "there are 1 aggrs, but 2 aggrs_kwargs"),
        (lambda: ours.MultiAggregation(["sum"], mode="median"), "mode 'median' is unknown"),
        (lambda: ours.MultiAggregation(["summ"]), "aggr 'summ' is unknown"),
        (lambda: ours.DegreeScalerAggregation("sum", "squared", torch.ones(3)), "scaler 'squared' is unknown"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_one_clear_line(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message) as error:
        call()
    assert "\n" not in str(error.value)


def test_a_softmax_of_large_scores_does_not_overflow() -> None:
    x = torch.tensor([[1000.0], [999.0], [-1000.0]])
    out: Tensor = ours.SoftmaxAggregation()(x, torch.zeros(3, dtype=torch.int64))
    torch.testing.assert_close(out, torch.tensor([[1000 - 1 / (1 + torch.e)]]))


def test_a_power_mean_of_large_entries_is_not_cut_off() -> None:
    """PyG clamps the mean of the powers to 100 as well: of entries of 50, with p = 2, it makes 10."""
    out = ours.PowerMeanAggregation(p=2.0)(torch.full((2, 1), 50.0), torch.tensor([0, 0]))
    torch.testing.assert_close(out, torch.tensor([[50.0]]))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
@pytest.mark.parametrize("dim", [0, 1])
def test_softmax_is_torchs_over_each_group(dtype: torch.dtype, dim: int) -> None:
    x = (100 * X if dim == 0 else 100 * X.T).to(dtype)
    out = ours.softmax(x, INDEX, dim=dim)
    assert out.dtype == dtype
    for group in (0, 1, 3):
        here = (group == INDEX).nonzero().flatten()
        expected = x.index_select(dim, here).double().softmax(dim)
        torch.testing.assert_close(out.index_select(dim, here).double(), expected, rtol=0, atol=2 * torch.finfo(dtype).eps)
    order = INDEX.argsort(stable=True)
    sorted_out = ours.softmax(x.index_select(dim, order), ptr=PTR, dim=dim)
    torch.testing.assert_close(sorted_out, out.index_select(dim, order))
    with pytest.raises(ValueError, match="pass an index"):
        ours.softmax(x)
