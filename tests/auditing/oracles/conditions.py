"""Models that do not repeat themselves, remember, fail, overflow, or answer in odd ways; and calls that change nothing."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from auditing.oracles.case import BROKEN, EXACT, HOLDS, UNMEASURED, Case, served
from auditing.oracles.images import convolutions, noise, pooled, small, strong
from torch import Tensor, nn
from torch.nn import functional

from erlangen.symmetries.text import Text


class Then(nn.Module):
    """A circular convolution, pooled, which is exact under translation and not under reflection; then a plain function of it."""

    def __init__(self, after: Callable[[Tensor], Any], inner: nn.Module | None = None):
        super().__init__()
        self.inner, self.after = inner or pooled(convolutions()), after

    def forward(self, x: Tensor) -> Any:
        return self.after(self.inner(x))


class Counter(Then):
    """How often it was called is added to its answer; kept in a buffer or in an attribute."""

    def __init__(self, buffer: bool):
        super().__init__(lambda y: y)
        if buffer:
            self.register_buffer("calls", torch.zeros(()))
        else:
            self.calls = torch.zeros(())

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        return self.inner(x) + self.calls


class Remembering(Then):
    """Keeps what it saw last: it returns a share of it with the next answer, or keeps it for nothing."""

    def __init__(self, share: float):
        super().__init__(lambda y: y)
        self.share, self.last = share, 0.0

    def forward(self, x: Tensor) -> Tensor:
        y = self.inner(x)
        answer = y + self.share * self.last
        self.last = float(y.square().mean())
        return answer


class EveryThird(Then):
    """Every third call answers with 1 % more."""

    def __init__(self) -> None:
        super().__init__(lambda y: y)
        self.calls = 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        return self.inner(x) * (1.01 if self.calls % 3 == 0 else 1.0)


class Marked(Then):
    """Looks at one pixel, which `mark` has set to 9 in every input: NaN, or an exception, where it is not."""

    def __init__(self, raises: bool):
        super().__init__(lambda y: y)
        self.raises = raises

    def forward(self, x: Tensor) -> Tensor:
        found = x[:, 0, 0, 0] > 8
        if self.raises and not bool(found.all()):
            raise ValueError("the mark is not in its corner")
        return self.inner(x) + torch.where(found, 0.0, torch.nan)[:, None]


def marked(seed: int, dtype: torch.dtype) -> Tensor:
    x = noise(seed, dtype)
    x[:, 0, 0, 0] = 9
    return x


class Upright(nn.Module):
    """Takes pictures of 12 x 16 alone, or answers with a number a row."""

    def __init__(self, raises: bool):
        super().__init__()
        self.mix, self.raises = strong(nn.Conv2d(3, 1, 3, padding=1)), raises

    def forward(self, x: Tensor) -> Tensor:
        if self.raises and x.shape[-2] != 12:
            raise ValueError("12 rows are wanted")
        return self.mix(x).mean((1, 3))  # (B, H)


def oblong(seed: int, dtype: torch.dtype) -> Tensor:
    return noise(seed, dtype, shape=(3, 12, 16))


class InFloat32(nn.Module):
    """Computes in float32 whatever comes in, and answers in what came in."""

    def __init__(self, inner: nn.Module):
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        h = x.float()
        for layer in self.inner:
            h = functional.linear(h, layer.weight.float(), layer.bias.float()) if isinstance(layer, nn.Linear) else layer(h)
        return h.to(x.dtype)


class Chain(nn.Module):
    """A circular mean, then linear maps whose product has condition number 10^`digits`, which amplify what rounding does."""

    def __init__(self, digits: int):
        super().__init__()
        self.inner = pooled(convolutions())
        q, _ = torch.linalg.qr(torch.randn(5, 5, dtype=torch.float64))
        p, _ = torch.linalg.qr(torch.randn(5, 5, dtype=torch.float64))
        self.shrink = nn.Parameter(q @ torch.diag(torch.logspace(0, -digits, 5, dtype=torch.float64)) @ p)
        self.grow = nn.Parameter(p.T @ torch.diag(torch.logspace(0, digits, 5, dtype=torch.float64)) @ q.T)

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x) @ self.shrink.T @ self.grow.T  # but for rounding, the identity


class Sorted(nn.Module):
    """Values in rising order, (B, C·H·W): no place is left."""

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(1).sort(1).values


class Nearly(nn.Module):
    """A circular net with a thousandth of what the first pixel says."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = pooled(convolutions())

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x) + 1e-3 * x[:, :1, 0, 0]


class Overwriting(Then):
    """Changes its input in place, and answers well."""

    def __init__(self) -> None:
        super().__init__(lambda y: y)

    def forward(self, x: Tensor) -> Tensor:
        y = self.inner(x)
        x.fill_(7)
        return y


class OverwritingIds(nn.Module):
    """The same with token ids."""

    def __init__(self) -> None:
        super().__init__()
        self.tokens = nn.Embedding(9, 5)

    def forward(self, ids: Tensor) -> Tensor:
        y = self.tokens(ids)
        ids.zero_()
        return y


def sentences(seed: int, dtype: torch.dtype) -> list[Text]:
    rng = torch.Generator().manual_seed(6000 + seed)
    return [Text(torch.randint(1, 9, (7,), generator=rng), 9) for _ in range(12)]


@dataclass
class Answer:
    """What libraries return."""

    loss: Tensor | None
    logits: Tensor


def evaluated(make: Callable[[], nn.Module]) -> Callable[[torch.dtype], nn.Module]:
    return lambda dtype: served(make(), dtype)


def training(make: Callable[[], nn.Module]) -> Callable[[torch.dtype], nn.Module]:
    return lambda dtype: make().to(dtype).train()


def function(make: Callable[[], nn.Module]) -> Callable[[torch.dtype], Callable[..., Any]]:
    """Nothing to see but a function."""

    def build(dtype: torch.dtype) -> Callable[..., Any]:
        held = [served(make(), dtype)]
        return lambda x: held[0](x)

    return build


def normalized() -> nn.Sequential:
    convolution = strong(nn.Conv2d(3, 8, 3, padding=1, padding_mode="circular"))
    return pooled(convolution, nn.BatchNorm2d(8), nn.SiLU())


def after_training() -> nn.Sequential:
    """Its running mean and variance are of some data."""
    net = normalized()
    net(noise(9, torch.float32))
    return net


def case(name: str, make: Callable[[], nn.Module], expected: dict[str, Any], **more: Any) -> Case:
    more = {"inputs": noise, "build": evaluated(make), **more}
    return Case(name=f"conditions: {name}", domain="images", expected=expected, **more)


def nothing(*names: str) -> dict[str, str]:
    return dict.fromkeys((*names, "repeat", "batch-composition"), UNMEASURED)


def restless(*names: str) -> dict[str, str]:
    """Of a model that does not repeat itself nothing else can be said."""
    return nothing(*names) | {"repeat": BROKEN}


KEPT = {"translation": EXACT, "reflection": BROKEN}


def wide(seed: int, dtype: torch.dtype) -> Tensor:
    """Pictures of quite different brightness: a spread that no outlier makes."""
    return noise(seed, dtype, 24) + torch.linspace(-1, 1, 24, dtype=dtype)[:, None, None, None]


CASES = [
    # Statistics of the batch: an answer depends on its neighbors, not on where the pictures are shifted to, nor on the call.
    case("batch norm, training", normalized, {"translation": EXACT, "batch-composition": BROKEN}, build=training(normalized)),
    case("batch norm", after_training, KEPT, inputs=small),
    case("centered over the batch", lambda: Then(lambda y: y - y.mean(0)), {"translation": EXACT, "batch-composition": BROKEN}),
    case(
        "answers by place in the batch",
        lambda: Then(lambda y: y + torch.arange(len(y), dtype=y.dtype, device=y.device)[:, None]),
        {"batch-composition": BROKEN},
    ),
    case("sees the neighbor before it", lambda: Then(lambda y: y + y.roll(1, 0)), {"batch-composition": BROKEN}),
    # Random, or remembering.
    case(
        "dropout, training",
        lambda: nn.Sequential(pooled(convolutions()), nn.Dropout()),
        restless("translation", "reflection"),
        build=training(lambda: nn.Sequential(pooled(convolutions()), nn.Dropout())),
    ),
    case("dropout, serving", lambda: nn.Sequential(pooled(convolutions()), nn.Dropout()), {"translation": EXACT}),
    case("random", lambda: Then(lambda y: y + torch.rand_like(y)), restless("translation")),
    case("random, a little", lambda: Then(lambda y: y + 1e-3 * torch.rand_like(y)), restless("translation")),
    case("counts its calls in a buffer", lambda: Counter(True), restless("translation")),
    case("counts its calls in an attribute", lambda: Counter(False), restless("translation")),
    case("remembers the call before", lambda: Remembering(0.1), restless("translation")),
    case("remembers for nothing", lambda: Remembering(0.0), KEPT),
    case("every third call is another", EveryThird, restless("translation")),
    # Not finite.
    case("NaN", lambda: Then(lambda y: y * torch.nan), nothing("translation", "reflection"), says={"translation": "NaN"}),
    case("infinite", lambda: Then(lambda y: y + torch.inf), nothing("translation"), says={"translation": "infinity"}),
    case("one input's answer infinite", lambda: Then(lambda y: torch.where(y == y.max(), torch.inf, y)), nothing("translation")),
    case("NaN for moved inputs", lambda: Marked(False), {"translation": UNMEASURED, "reflection": UNMEASURED}, inputs=marked),
    # It fails for all that is moved: nothing to compare. It fails for some elements: a finding that names them.
    case(
        "raises for moved inputs",
        lambda: Marked(True),
        {"translation": UNMEASURED, "reflection": UNMEASURED},
        inputs=marked,
        says={"translation": "the mark is not in its corner"},
    ),
    case(
        "raises when turned by 90°",
        lambda: Upright(True),
        {"quarter-turns": BROKEN},
        inputs=oblong,
        says={"quarter-turns": "12 rows are wanted"},
    ),
    case(
        "changes shape when turned",
        lambda: Upright(False),
        {"quarter-turns": BROKEN},
        inputs=oblong,
        says={"quarter-turns": "changes its shape"},
    ),
    # No spread, no measure.
    case(
        "constant", lambda: Then(lambda y: 0 * y + 3), nothing("translation", "reflection"), says={"translation": "does not vary"}
    ),
    case("zero", lambda: Then(lambda y: 0 * y), nothing("translation")),
    case("saturated", lambda: Then(lambda y: (y + 60).sigmoid()), nothing("translation", "reflection")),
    # Errors are relative to the spread, so a scale changes nothing.
    case("tiny", lambda: Then(lambda y: y * 1e-12), KEPT, inputs=small),
    case("huge", lambda: Then(lambda y: y * 1e12), KEPT, inputs=small),
    # Beside 10⁶ a float32 has steps of 1/16: a spread below 8 eps·10⁶ = 0.95 may be made by rounding alone,
    # and rule 3 says so before rule 4 is asked. In float64 there is room.
    case(
        "bias of a million",
        lambda: Then(lambda y: 0.2 * y + 1e6),
        KEPT,
        inputs=small,
        in_float32={"translation": UNMEASURED, "reflection": UNMEASURED, "repeat": UNMEASURED, "batch-composition": UNMEASURED},
    ),
    case("bias of a thousand", lambda: Then(lambda y: y + 1e3), KEPT, inputs=small),
    # One class for every input: exact, but flips say nothing.
    case(
        "one class",
        lambda: Then(lambda y: y + y.new_tensor([100.0, 0, 0, 0, 0])),
        KEPT,
        inputs=small,
        no_classes=True,
    ),
    # Rounding, amplified: the identity but for rounding, so as exact as what comes before it.
    case("amplifies rounding by 10", lambda: Chain(1), {"translation": EXACT}),
    case("amplifies rounding by 100", lambda: Chain(2), {"translation": EXACT}),
    case(
        "amplifies rounding by 10⁵",
        lambda: Chain(5),
        {"translation": frozenset((EXACT, HOLDS))},
    ),
    # Precision: what is cast to float32 inside is exact in real numbers, and only those count.
    case(
        "float32 inside",
        lambda: InFloat32(nn.Sequential(nn.Flatten(), nn.Linear(768, 8), nn.SiLU(), nn.Linear(8, 5))),
        {"translation": BROKEN},
    ),
    case(
        "float32 inside, sorted",
        lambda: nn.Sequential(Sorted(), InFloat32(nn.Sequential(nn.Linear(768, 8), nn.SiLU(), nn.Linear(8, 5)))),
        {"translation": EXACT, "reflection": EXACT},
    ),
    case(
        "bfloat16",
        convolutions,
        {"translation": EXACT, "quarter-turns": BROKEN},
        build=lambda dtype: served(convolutions(), torch.bfloat16),
        inputs=lambda seed, dtype: noise(seed, torch.bfloat16),
    ),
    # Not a module.
    case("a function", lambda: pooled(convolutions()), KEPT, build=function(lambda: pooled(convolutions())), inputs=small),
    case(
        "a function of pixels",
        lambda: nn.Identity(),
        {"translation": EXACT, "reflection": EXACT, "intensity": BROKEN},
        build=lambda dtype: lambda x: x.amax((-2, -1)),
        inputs=wide,
    ),
    # Inputs belong to the user: what a model writes into them must be a copy.
    case("overwrites its input", Overwriting, KEPT, inputs=small),
    Case(
        name="conditions: overwrites its ids",
        domain="texts",
        build=evaluated(OverwritingIds),
        inputs=sentences,
        expected={"causality": EXACT, "token-permutation": EXACT},
    ),
    # Ways of answering.
    case("a tuple", lambda: Then(lambda y: (y, y.sum(), None)), KEPT, inputs=small),
    case("a dictionary", lambda: Then(lambda y: {"loss": None, "logits": y}), KEPT, inputs=small),
    case("an object with logits", lambda: Then(lambda y: Answer(None, y)), KEPT, inputs=small),
    case("one of many, selected", lambda: Then(lambda y: {"a": 0 * y, "b": y}), KEPT, inputs=small, select=lambda out: out["b"]),
    case("sparse", lambda: Then(lambda y: y.to_sparse()), KEPT, inputs=small),
    case("a number an input", lambda: Then(lambda y: y.sum(1)), {"translation": EXACT}, inputs=small),
    # One input: a vector has no spread; a map has one over its places, for this input only.
    case(
        "one picture, pooled",
        lambda: pooled(convolutions()),
        nothing("translation", "reflection"),
        inputs=lambda seed, dtype: noise(seed, dtype, 1),
    ),
    case(
        "one picture, a map",
        convolutions,
        {"translation": EXACT, "quarter-turns": BROKEN},
        inputs=lambda seed, dtype: noise(seed, dtype, 1),
    ),
    # A picture of one value is moved by nothing but a change of brightness.
    case(
        "plain pictures",
        lambda: pooled(convolutions()),
        {"translation": UNMEASURED, "reflection": UNMEASURED},
        inputs=lambda seed, dtype: noise(seed, dtype)[:, :, :1, :1].expand(-1, -1, 16, 16).clone(),
        says={"translation": "nothing moved"},
    ),
    # Below the threshold and not exact.
    case("nearly circular", lambda: Nearly(), {"translation": HOLDS}, inputs=wide),
]
