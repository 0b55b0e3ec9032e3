"""Each toy holds one trap and says in plain float64 what it means; library models are held to laws that they keep exactly."""

import copy
import functools
import math
import threading
from dataclasses import replace

import numpy as np
import pytest
import torch
from support.torchvision_ops import declare_torchvision_ops
from torch import nn
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode

from erlangen.auditing.arrays import Arrays
from erlangen.auditing.domains.texts import adapter as texts
from erlangen.auditing.model import Model
from erlangen.auditing.rewriter import DoubleCall, NoTwinError
from erlangen.auditing.twin import twin_of, verify
from erlangen.symmetries.text import Text

declare_torchvision_ops()  # timm and transformers import torchvision where it is installed
EPS = torch.finfo(torch.float64).eps
D = 4
CLOSED = torch.linspace(0.1, 0.7, D)  # float32, in nobody's state_dict
MASK = torch.tensor([[0.0, -1.5, 0.3, 0.0]])


class Toy(nn.Module):
    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.rand(D, generator=torch.Generator().manual_seed(2)) + 0.5)


class FloatInside(Toy):
    def forward(self, x):
        return (x.float() * self.w.float()).sin()

    def exact(self, x, w):
        return (x * w).sin()


class Arange(Toy):
    def forward(self, x):
        return x * (torch.arange(D, dtype=torch.float32) / 7).cos() * self.w

    def exact(self, x, w):
        return x * torch.tensor([math.cos(i / 7) for i in range(D)], dtype=torch.float64) * w


class DefaultDtype(Arange):
    def forward(self, x):
        return x * (torch.arange(D) / 7).cos() * self.w


class PlainAttribute(Toy):
    def __init__(self):
        super().__init__()
        self.table = CLOSED.clone()

    def forward(self, x):
        return x * (self.table / 3) * self.w

    def exact(self, x, w):
        return x * (CLOSED.double() / 3) * w


class Closure(PlainAttribute):
    def __init__(self):
        super().__init__()
        table = CLOSED.clone()
        self.scaled = lambda x: x * (table / 3)

    def forward(self, x):
        return self.scaled(x) * self.w


class WritesClosure(Toy):
    def forward(self, x):
        whole = scratch  # float32, and outlives the call
        part = whole[1:]
        part.zero_()
        whole += x[0]  # rebinds the name where a shadow comes back: the view has to see it all the same
        scratch.mul_(self.w)
        return x + scratch + F.pad(part, (1, 0))

    def exact(self, x, w):
        kept = torch.tensor([1.0, 0, 0, 0], dtype=torch.float64)
        total = (kept + x[0]) * w
        return x + total + torch.cat([torch.zeros(1), total[1:]])


scratch = torch.ones(D)


class SoftmaxDtype(Toy):
    def forward(self, x):
        return F.softmax(x * self.w, dim=-1, dtype=torch.float32)

    def exact(self, x, w):
        powers = (x * w).exp()
        return powers / powers.sum(-1, keepdim=True)


class MaskedRow(Toy):
    """The least number of the dtype at hand, cast to float32: -inf in a whole row, and NaN."""

    def forward(self, x):
        mask = torch.full((D, D), torch.finfo(x.dtype).min)
        scores = x[:, :, None] * x[:, None, :] * self.w + mask.triu(0)  # row 0 has nothing left
        return F.softmax(scores, dim=-1, dtype=torch.float32) @ x[:, :, None].to(torch.float32)

    def exact(self, x, w):
        scores = (x[:, :, None] * x[:, None, :] * w).exp().tril(-1)
        scores[:, 0] = 1
        return scores / scores.sum(-1, keepdim=True) @ x[:, :, None]


class MinTwice(MaskedRow):
    """Twice the least number: -inf at once; the model itself takes care, and adds to float32's."""

    def forward(self, x):
        least = torch.finfo(x.dtype).min
        mask = torch.zeros(D, D).masked_fill(torch.ones(D, D).triu(0).bool(), least)
        mask = mask + (torch.ones(D, D).triu(0) * least) * (x.dtype == torch.float64) + torch.tensor(least) * mask.bool() * 0
        return (x[:, :, None] * x[:, None, :] * self.w + mask).softmax(-1) @ x[:, :, None]


class Autocast(Toy):
    def forward(self, x):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            low = torch.get_autocast_dtype("cpu")
            return x.to(low) @ torch.outer(self.w, CLOSED)

    def exact(self, x, w):
        return x @ torch.outer(w, CLOSED.double())


class AutocastConstants(Toy):
    def forward(self, x):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return x * (CLOSED[None] @ torch.diag(CLOSED))[0] * self.w

    def exact(self, x, w):
        return x * CLOSED.double() ** 2 * w


class Buffer(Toy):
    def __init__(self):
        super().__init__()
        self.register_buffer("table", CLOSED.half(), persistent=False)

    def forward(self, x):
        return x * (self.table.to(torch.float32) / 3) * self.w

    def exact(self, x, w):
        return x * (CLOSED.half().double() / 3) * w


class Literal(Toy):
    def forward(self, x):
        return x * torch.tensor([0.1, 0.2, 0.3, 0.7], dtype=torch.float32) * self.w

    def exact(self, x, w):
        return x * torch.tensor([0.1, 0.2, 0.3, 0.7], dtype=torch.float64) * w


class HalfConstant(Toy):
    def forward(self, x):
        return x.half() * torch.tensor(0.1, dtype=torch.float16) * x.new_tensor([0.7] * D, dtype=torch.bfloat16) * self.w

    def exact(self, x, w):
        return x * 0.1 * 0.7 * w


class DtypeOfAnother(PlainAttribute):
    def forward(self, x):
        return x.to(CLOSED.dtype).type(torch.FloatTensor) * (self.table / 3) * self.w.type_as(CLOSED)


class IntoZeros(Toy):
    def forward(self, x):
        total = torch.zeros(x.shape, dtype=torch.float32)
        total += x * self.w
        total[:, :2].mul_(self.w[:2])
        product = torch.empty(x.shape, dtype=torch.float32)
        torch.mul(total, total, out=product)
        return product.index_add_(1, torch.tensor([0]), total[:, 3:])

    def exact(self, x, w):
        total = x * torch.cat([w[:2] ** 2, w[2:]])
        return total**2 + F.pad(total[:, 3:], (0, 3))


class Complex(Toy):
    def forward(self, x):
        turn = torch.polar(torch.ones(2), torch.tensor([0.1, 0.2]))  # complex64
        return (
            torch.view_as_real(torch.view_as_complex(x.float().reshape(-1, 2, 2)) * turn.to(torch.complex64)).flatten(1) * self.w
        )

    def exact(self, x, w):
        turned = x.numpy().reshape(-1, 2, 2) @ np.array([1, 1j]) * np.exp(1j * np.array([0.1, 0.2]))
        return torch.from_numpy(np.stack([turned.real, turned.imag], -1).reshape(-1, D)) * w


class Fused(Toy):
    def forward(self, x):
        keys = (x.float() * self.w)[:, None, :, None]
        return F.scaled_dot_product_attention(x[:, None, :, None].float(), keys, keys, attn_mask=MASK)[:, 0, :, 0]

    def exact(self, x, w):
        keys = x * w
        weights = (x[:, :, None] * keys[:, None, :] + MASK.double()).exp()
        return (weights * keys[:, None, :]).sum(-1) / weights.sum(-1)


class Compiled(FloatInside):
    def __init__(self):
        super().__init__()
        self.inner = torch.compile(lambda x, w: (x.float() * w.float()).sin(), backend="aot_eager")

    def forward(self, x):
        return self.inner(x, self.w)


class Force(Toy):
    def forward(self, x):
        with torch.enable_grad():
            x = x.detach().requires_grad_()
            return torch.autograd.grad((x.float() * self.w).sin().sum(), x)[0]

    def exact(self, x, w):
        return (x * w).cos() * w


class Item(Toy):
    def forward(self, x):
        return torch.tensor(x.abs().max().item() / 3, dtype=torch.float32) * x * self.w

    def exact(self, x, w):
        return x.abs().max() / 3 * x * w


class NumpyInDouble(Toy):
    def forward(self, x):
        return torch.from_numpy(np.sin(x.numpy())) * self.w.float()

    def exact(self, x, w):
        return x.sin() * w


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(5)
        self.cell, self.w = nn.GRU(D, D, batch_first=True), nn.Parameter(torch.ones(D))

    def forward(self, x):
        return self.cell(x[:, None].float(), torch.zeros(1, len(x), D, dtype=torch.float32))[0][:, 0] * self.w

    def exact(self, x, w):
        given = self.cell.weight_ih_l0.double() @ x.T + self.cell.bias_ih_l0.double()[:, None]
        reset, update, new = given.T.chunk(3, 1)
        hidden = self.cell.bias_hh_l0.double().chunk(3)
        gate = (update + hidden[1]).sigmoid()
        return (1 - gate) * (new + (reset + hidden[0]).sigmoid() * hidden[2]).tanh() * w


EVERY = [*Toy.__subclasses__(), DefaultDtype, Closure, MinTwice, DtypeOfAnother, Compiled, Recurrent]
HARMLESS = {MinTwice, NumpyInDouble}  # `.double()` does as well, or need not fail


def some(n=2, shape=(D,)):
    return list(torch.randn(n, *shape, generator=torch.Generator().manual_seed(1)))


def model_of(module, function=None, **named):
    return Model(function=function or module, adapter=Arrays(), module=module, **named)


def twin_checked(model, inputs):
    twin = twin_of(model)
    verify(twin, model, inputs)
    return twin


def error(actual, exact):
    return float((actual - exact).abs().max() / exact.abs().max())


@pytest.mark.parametrize("kind", EVERY, ids=lambda kind: kind.__name__)
def test_the_twin_computes_what_the_model_means(kind):
    module = kind().eval()
    inputs, closed = some(), scratch.clone()
    with torch.no_grad():
        exact = module.exact(torch.stack(inputs).double(), module.w.double())
    doubled = copy.deepcopy(module).double()
    try:
        with torch.no_grad():
            plain = error(doubled(torch.stack(inputs).double()), exact)
    except (RuntimeError, ValueError):  # mixed dtypes
        plain = math.inf
    scratch.copy_(closed)
    outputs = model_of(module)(inputs)
    scratch.copy_(closed)
    twin = twin_of(model_of(module))
    answer = torch.stack(twin(inputs))
    assert answer.dtype == torch.float64
    assert error(answer, exact) < 8 * EPS
    assert torch.equal(scratch, closed)  # what the model shares with others stays as it was
    if kind not in HARMLESS:
        assert not plain < 1e-10  # else there was no trap; NaN counts
    verify(twin, model_of(module), inputs, outputs)
    assert twin.eps == EPS


class Through(Toy):
    def __init__(self, change):
        super().__init__()
        self.change = change

    def forward(self, x):
        return self.change(x) * self.w


@torch.library.custom_op("erlangen_test::coarse", mutates_args=())
def coarse(x: torch.Tensor) -> torch.Tensor:
    return torch.from_numpy(np.sin(x.numpy()).astype(np.float32))


def refuses_float64(x):
    if x.dtype == torch.float64:
        raise TypeError("only float32 here")
    return x


calls = [0]


def counts(x):
    calls[0] += 1
    return x * calls[0]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (
            lambda x: torch.from_numpy(x.numpy().astype(np.float32)),
            r"leave torch by Tensor\.numpy and come back as torch\.float32",
        ),
        (lambda x: torch.tensor(np.asarray(x, dtype=np.float32), dtype=torch.float32), "leave torch by .* and come back"),
        (lambda x: torch.tensor(np.array(x.tolist(), dtype=np.float32)), r"leave torch by Tensor\.tolist"),
        (lambda x: x * torch.tensor(x.numpy().astype(np.float32).sum(), dtype=torch.float32), "leave torch"),
        (lambda x: torch.from_dlpack(x.numpy().astype(np.float32)), "leave torch"),
        (lambda x: coarse(x), r"coarse.* returns torch\.float32"),
        (lambda x: x.to(torch.float8_e4m3fn).to(torch.float32), "returns torch.float8_e4m3fn"),
        (lambda x: torch.quantize_per_tensor(x.float(), 0.1, 0, torch.qint8).dequantize(), "fails in float64: .*[qQ]uantize"),
        (lambda x: (x.view(torch.int32) ^ 0).view(torch.float32), "reads the bits"),
        (refuses_float64, "fails in float64: TypeError: only float32 here"),
        (lambda x: F.dropout(x, 0.5), "disagrees"),
        (counts, "disagrees"),
        (lambda x: x / (x - x.double().float() + 0.0), "not finite"),
        (lambda x: x[..., : 4 if x.dtype == torch.float32 else 1].sum(-1, keepdim=True), "disagrees"),
    ],
)
def test_what_cannot_be_rewritten_is_named(change, reason):
    module = Through(change)
    with pytest.raises(NoTwinError, match=reason) as raised:
        twin_checked(model_of(module), some())
    assert "\n" not in str(raised.value)


def test_numpy_constants_are_not_mistaken_for_numbers_that_left():
    constant = np.array([0.1, 0.2, 0.3, 0.4], dtype=np.float32)
    module = Through(lambda x: x * torch.from_numpy(constant) / 3)
    (answer,) = twin_checked(model_of(module), some(1))(some(1))
    exact = some(1)[0].double() * torch.from_numpy(constant).double() / 3 * module.w.detach().double()
    assert error(answer, exact) < 8 * EPS


SPARSE = torch.tensor([[0, 0.1, 0, 0], [0.3, 0, 0, 0.7], [0, 0, 0, 0], [0.2, 0, 0, 0]])
WHOLE = torch.linspace(0.1, 0.9, 2 * D)
TAIL = WHOLE[D:]  # a view that starts inside its storage


@pytest.mark.parametrize(
    ("function", "exact"),
    [
        (lambda x: x * (TAIL / 3), lambda x: x * (WHOLE.double()[D:] / 3)),
        (lambda x: x * (torch.stack([CLOSED, CLOSED]) / 3).sum(0), lambda x: x * (CLOSED.double() / 3 * 2)),
        (lambda x: x * torch.from_numpy(CLOSED.numpy() * 1) / 3, lambda x: x * CLOSED.double() / 3),
        (lambda x: x * 0 + CLOSED, lambda x: CLOSED.double().expand_as(x)),
        (lambda x: CLOSED, lambda x: CLOSED.double()),
        (lambda x: torch.sparse.mm(SPARSE.to_sparse_csr(), x.float().T).T, lambda x: x @ SPARSE.double().T),
        (lambda x: torch.sparse.mm(COO, x.float().T).T, lambda x: x @ SPARSE.double().T),
    ],
    ids=["view", "list", "numpy of a constant", "constant", "constant itself", "compressed", "sparse"],
)
def test_constants_from_elsewhere_are_shadowed(function, exact):
    x = torch.stack(some())
    answer = DoubleCall(function)(x)
    assert answer.dtype == torch.float64
    assert error(answer, exact(x.double())) < 8 * EPS


COO, ROW = SPARSE.to_sparse_coo(), CLOSED[None]


def test_the_least_number_written_as_a_tensor_can_be_added_twice():
    answer = DoubleCall(lambda x: torch.tensor(torch.finfo(x.dtype).min) + torch.tensor(torch.finfo(x.dtype).min))(torch.ones(1))
    assert answer.isfinite()
    assert answer < torch.finfo(torch.float32).min
    assert DoubleCall(lambda x: torch.tensor(-math.inf) + x)(torch.ones(1)) == -math.inf


def test_answers_of_another_shape_or_precision_are_no_twins():
    toy = FloatInside()
    with pytest.raises(NoTwinError, match=r"returned \(2,\) for input 0, the model \(4,\)"):
        twin_checked(model_of(toy, lambda x: toy(x)[:, : 2 if x.dtype == torch.float64 else D]), some())
    with pytest.raises(NoTwinError, match=r"output is torch\.float32 even so"):
        twin_checked(model_of(toy, lambda x: {"logits": ROW}), some(1))


class Locked(Toy):
    def __init__(self):
        super().__init__()
        self.lock = threading.Lock()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_models_that_cannot_be_copied_say_why():
    toy = FloatInside()
    for model, reason in [
        (replace(model_of(toy), module=None), "no torch module"),
        (model_of(torch.jit.trace(toy, torch.ones(1, D))), "TorchScript"),
        (model_of(nn.Sequential(torch.ao.nn.quantized.dynamic.Linear(D, D))), r"0 is quantized \(Linear\)"),
        (model_of(Locked()), "cannot be copied.*lock"),
        (replace(model_of(toy), device=torch.device("mps")), "mps"),
    ]:
        with pytest.raises(NoTwinError, match=reason):
            twin_of(model)


class Holder:
    def __init__(self, module):
        self.module = module

    def __call__(self, x):
        return self.module(x)


class Named(FloatInside):
    def features(self, x):
        return self(x)


def test_every_way_to_call_the_module_leads_to_the_copy():
    toy = Named()
    scope = {"toy": toy}
    exec("def script(x, again=True):\n    return toy(x)", scope)
    ways = {
        "closure": lambda x: toy(x),
        "method": toy.features,
        "partial": functools.partial(lambda net, x: net(x), toy),
        "partial of a closure": functools.partial(lambda scale, x: toy(x) * scale, 1.0),
        "object": Holder(toy),
        "global": scope["script"],
        "default": lambda x, net=toy: net(x),
        "held": (lambda holder: lambda x: holder.module(x))(Holder(toy)),
    }
    for name, way in ways.items():
        twin = twin_checked(model_of(toy, way), some())
        seen = []
        handle = twin.module.register_forward_hook(lambda module, args, y, seen=seen: seen.append(y.dtype))
        twin(some())
        handle.remove()
        assert seen == [torch.float64], name


def test_a_function_that_hides_the_module_has_no_twin():
    toy = FloatInside()
    scope = {"nets": [toy]}
    exec("def script(x):\n    return nets[0](x)", scope)
    with pytest.raises(NoTwinError, match="pass the module itself"):
        twin_checked(model_of(toy, scope["script"]), some())


def test_a_lambda_of_the_module_that_reaches_back_into_it_follows_the_copy():
    class Back(Toy):
        def __init__(self):
            super().__init__()
            self.act = lambda x: (x.float() * self.w).tanh()

        def forward(self, x):
            return self.act(x)

    module = Back()
    (answer,) = twin_checked(model_of(module), some(1))(some(1))
    assert error(answer, (some(1)[0].double() * module.w.detach().double()).tanh()) < 8 * EPS


def test_the_original_never_changes():
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(D, D), nn.BatchNorm1d(D), nn.Linear(D, D)).train()
    module[0].kept = module[0](torch.ones(1, D))  # a result with a history: deepcopy alone refuses it
    before = copy.deepcopy(module.state_dict())
    model = model_of(module)
    twin = twin_of(model)
    twin(some(8))
    assert all(
        torch.equal(value, before[name]) and value.dtype == before[name].dtype for name, value in module.state_dict().items()
    )
    assert module[0].kept.grad_fn is not None
    assert not torch.equal(twin.module[1].running_mean, before["1.running_mean"])  # the copy's own state moved


@pytest.mark.parametrize("chosen", [torch.float32, torch.bfloat16])
def test_the_default_dtype_comes_back_even_after_an_exception(chosen):
    def fails(x):
        assert torch.get_default_dtype() == torch.float64
        raise KeyError("mine")

    torch.set_default_dtype(chosen)
    try:
        with pytest.raises(KeyError, match="mine"):
            DoubleCall(fails)(torch.ones(1))
        assert torch.get_default_dtype() == chosen
    finally:
        torch.set_default_dtype(torch.float32)


class Census(TorchDispatchMode):
    """Entered outside the twin's own mode, it sees what really runs: a second opinion on what ran in low precision."""

    def __init__(self):
        super().__init__()
        self.low = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        output = func(*args, **(kwargs or {}))
        for tensor in output if isinstance(output, (tuple, list)) else (output,):
            if isinstance(tensor, torch.Tensor) and tensor.dtype in (
                torch.float32,
                torch.bfloat16,
                torch.float16,
                torch.complex64,
            ):
                self.low.append(str(func))
        return output


def shifted(text):
    return replace(text, positions=torch.arange(len(text)) + 7)


def unshifted(text):
    return replace(text, positions=torch.arange(len(text)))


def unpadded(text):
    return replace(text, ids=text.ids[5:], mask=None)


def padded(text):
    return replace(text, mask=(torch.arange(len(text)) >= 5).long())


def whole(text):
    return text


def tail_hidden(text):
    return replace(text, mask=(torch.arange(len(text)) < 17).long())


def beginning(text):
    return replace(text, ids=text.ids[:17])


SIZES = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 128, "vocab_size": 97}
GROUPED = {**SIZES, "num_key_value_heads": 2}
OLD = {"n_layer": 2, "n_head": 4, "vocab_size": 97}
MAMBA = {
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_heads": 8,
    "head_dim": 16,
    "state_size": 16,
    "n_groups": 1,
    "vocab_size": 97,
}
T5 = {"d_model": 64, "d_kv": 16, "d_ff": 128, "num_layers": 2, "num_heads": 4, "vocab_size": 97}
# Two inputs that the model answers alike on what they share, and whether `.double()` misses that by far.
LANGUAGE = {
    "Llama": ("LlamaForCausalLM", "LlamaConfig", GROUPED, shifted, unshifted, True),  # rotary positions are relative
    "Qwen2": ("Qwen2ForCausalLM", "Qwen2Config", GROUPED, shifted, unshifted, True),
    "Mistral": ("MistralForCausalLM", "MistralConfig", GROUPED, shifted, unshifted, True),
    "GPT-NeoX": ("GPTNeoXForCausalLM", "GPTNeoXConfig", SIZES, shifted, unshifted, True),
    "Mamba2": ("Mamba2ForCausalLM", "Mamba2Config", MAMBA, whole, beginning, False),
    "BLOOM": ("BloomForCausalLM", "BloomConfig", {"hidden_size": 64, **OLD}, padded, unpadded, True),  # ALiBi counts real tokens
    "Gemma2": ("Gemma2ForCausalLM", "Gemma2Config", {**GROUPED, "head_dim": 16}, padded, unpadded, True),
    "GPT-2": ("GPT2LMHeadModel", "GPT2Config", {"n_embd": 64, **OLD}, whole, beginning, False),
    "T5": ("T5EncoderModel", "T5Config", T5, padded, unpadded, False),
    "BERT": ("BertModel", "BertConfig", SIZES, tail_hidden, beginning, False),
}


def shared(a, b, first, second):
    """The rows of two outputs that should be alike: the last ones where padding was taken away, else the first."""
    n = min(len(a), len(b))
    return (a[-n:], b[-n:]) if first is padded else (a[:n], b[:n])


def language(name):
    transformers = pytest.importorskip("transformers")
    kind, config, sizes, *law = LANGUAGE[name]
    torch.manual_seed(0)
    module = getattr(transformers, kind)(getattr(transformers, config)(**sizes)).eval()
    ids = torch.randint(1, 97, (24,), generator=torch.Generator().manual_seed(1))
    return Model(function=module, adapter=texts(module), module=module), Text(ids, 97), *law


@pytest.mark.parametrize("name", LANGUAGE)
def test_language_models_keep_their_laws_in_the_twin(name):
    model, text, first, second, missed = language(name)
    pair = [first(text), second(text)]
    twin = twin_checked(model, pair)
    with Census() as census:
        assert error(*shared(*twin(pair), first, second)) < 64 * EPS
    assert census.low == []
    doubled = copy.deepcopy(model.module).double()
    with Census() as census:
        a, b = shared(*replace(model, function=doubled, module=doubled)(pair), first, second)
    assert (not error(a, b) < 1e-10) == missed
    assert census.low or not missed


def test_mamba2_answers_alike_whatever_its_chunks():
    model, text, *_ = language("Mamba2")
    answers = {}
    for size in (8, 24):  # the same sum in another order: what differs is rounding
        module = copy.deepcopy(model.module)
        for layer in module.backbone.layers:
            layer.mixer.chunk_size = size
        one = replace(model, function=module, module=module)
        doubled = copy.deepcopy(module).double()
        answers[size] = twin_checked(one, [text])([text])[0], replace(model, function=doubled, module=doubled)([text])[0]
    assert error(answers[8][0], answers[24][0]) < 64 * EPS
    assert error(answers[8][1].double(), answers[24][1].double()) > 1e-10


def test_vit_of_transformers_has_a_twin():
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    config = {name: size for name, size in SIZES.items() if name != "vocab_size"}
    module = transformers.ViTModel(transformers.ViTConfig(**config, image_size=32, patch_size=8)).eval()
    assert_agrees_with_double(module, some(2, (3, 32, 32)))


@pytest.mark.slow  # the import of timm alone takes seconds
@pytest.mark.parametrize("name", ["resnet18", "convnext_atto", "vit_tiny_patch16_224"])
def test_vision_models_of_timm_have_a_twin(name):
    timm = pytest.importorskip("timm")
    torch.manual_seed(0)
    module = timm.create_model(name, **({"img_size": 64} if "vit" in name else {})).eval()
    assert_agrees_with_double(module, some(2, (3, 64, 64)))


def assert_agrees_with_double(module, inputs):
    """No float32 is named in these: `.double()` is an oracle."""
    twin = twin_checked(model_of(module), inputs)
    doubled = copy.deepcopy(module).double()
    exact = model_of(doubled)([x.double() for x in inputs])
    assert error(torch.stack(twin(inputs)), torch.stack(exact)) < 64 * EPS
