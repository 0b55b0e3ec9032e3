"""What `attention-scale` measures, against plainer programs and closed forms."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy import stats
from support.results import evidence_of
from torch import Tensor

from erlangen.experiments import load, planned_jobs
from erlangen.experiments.attention_scale import PRESETS, Recipe, heads, jobs, products, start, training
from erlangen.experiments.attention_scale.copying import LAG, CopyNet, Pass, copy_loss, draw
from erlangen.experiments.attention_scale.judge import verdicts
from erlangen.experiments.attention_scale.run import run
from erlangen.experiments.attention_scale.scores import entropy, scores
from erlangen.experiments.attention_scale.tasks import ARMS, DISTRIBUTIONS, Arm, Copy
from erlangen.experiments.kit import Evidence
from erlangen.experiments.kit.tasks import job
from erlangen.models.gpt import GPT, GPTConfig
from erlangen.nn.attention import context
from erlangen.records.runs import Job

TASK = Copy(arm="scaled", optimizer="adam", width=24, keys=8, lr=1e-2, steps=80, batch=32, vocabulary=8, learned=0.1)
TINY = Recipe(
    widths=(16, 64), draws=12, pairs=1000, keys=32, values=16, repeats=4, trained=(16, 64), contexts=(8,), seeds=2,
    optimizers=("adam",), adam_rates=(1e-3, 1e-2, 1e-1), steps=20, tokens=64, vocabulary=4, layers=1, width=16, heads=2,
    block=16, gpt_steps=4, gpt_batch=2,
)  # fmt: skip


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    path = tmp_path_factory.mktemp("text") / "book.txt"
    path.write_text("It was a dark night, and the 7 ships lay still. " * 40, encoding="utf-8")
    return replace(TINY, corpus=str(path))


@pytest.fixture(scope="module")
def measured(tiny: Recipe) -> Evidence:
    return evidence_of(planned_jobs("attention-scale", tiny), run)


# ---- products


@pytest.mark.parametrize(("kind", "fourth"), list(zip(DISTRIBUTIONS, (3.0, 1.8, 1.0, 6.0, 9.0), strict=True)))
def test_entries_have_mean_0_variance_1_and_their_own_fourth_moment(kind: str, fourth: float):
    x = products.entries(kind, (400_000,), generator(1)).double()
    assert float(x.mean()) == pytest.approx(0, abs=0.01)
    assert float(x.var()) == pytest.approx(1, abs=0.02)
    assert float(x.pow(4).mean()) == pytest.approx(fourth, rel=0.06)


def test_moments_are_those_of_a_plain_program(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(products, "CHUNK", 10**6)
    mean, variance, scaled = products.moments("Laplace", 2.0, 1.0, 9, 500, generator(3))
    source = generator(3)
    q, k = (1 + 2 * products.entries("Laplace", (500, 9), source).numpy() for _ in range(2))
    product = np.array([sum(float(a) * float(b) for a, b in zip(*pair, strict=True)) for pair in zip(q, k, strict=True)])
    assert (mean, variance, scaled) == pytest.approx((product.mean(), product.var(ddof=1), product.var(ddof=1) / 9), rel=1e-5)


def test_pairs_are_all_counted_however_they_are_chunked(monkeypatch: pytest.MonkeyPatch):
    seen: list[int] = []
    plain = products.entries
    monkeypatch.setattr(products, "entries", lambda kind, shape, source: seen.append(shape[0]) or plain(kind, shape, source))
    products.moments("normal", 1.0, 0.0, 4, products.CHUNK + 7, generator())
    assert seen == [products.CHUNK, products.CHUNK, 7, 7]


@pytest.mark.parametrize(("mu", "expected"), [(0.0, 1.0), (1.0, 3.0)])
def test_the_variance_of_two_point_products_by_enumeration(mu: float, expected: float):
    """All 2⁶ pairs of q and k with three entries of ±1 + μ: exactly d (σ⁴ + 2 μ² σ²)."""
    points = [np.array(np.meshgrid(*[[mu - 1, mu + 1]] * 6)).reshape(6, -1)]
    product = (points[0][:3] * points[0][3:]).sum(0)
    assert (product.mean(), product.var()) == (3 * mu**2, 3 * expected)


# ---- the start


def test_scaled_scores_give_torchs_attention():
    q, k, v = (torch.randn(2, 6, 5, dtype=torch.float64, generator=generator(i)) for i in range(3))
    expected = F.scaled_dot_product_attention(q, k, v)
    assert torch.allclose(scores(q, k, "scaled").softmax(-1) @ v, expected, atol=1e-13)
    assert torch.allclose(scores(q, k, "unscaled"), scores(q, k, "scaled") * math.sqrt(5), atol=1e-12)
    assert torch.equal(scores(q, k, "matched"), scores(q, k, "unscaled"))


def test_entropy_is_scipys_and_knows_its_ends():
    weights = torch.rand(4, 7, dtype=torch.float64, generator=generator()).softmax(-1)
    assert np.allclose(entropy(weights), stats.entropy(weights.numpy(), axis=-1), atol=1e-14)
    assert float(entropy(torch.full((16,), 1 / 16))) == pytest.approx(math.log(16))
    assert float(entropy(F.one_hot(torch.tensor(3), 16).double())) == 0.0


@pytest.mark.parametrize("arm", ["scaled", "unscaled"])
def test_gradients_are_those_of_the_formula(arm: Arm):
    q, k, v, g = (torch.randn(1, 5, 4, dtype=torch.float64, generator=generator(i)) for i in range(4))
    weights, of_queries, of_scores = start.gradients(q, k, v, g, arm)
    for i in range(5):
        p = weights[0, i]
        ds = (torch.diag(p) - torch.outer(p, p)) @ v[0] @ g[0, i]
        dq = (1 / math.sqrt(4) if arm == "scaled" else 1.0) * ds @ k[0]
        assert float(of_scores[0, i]) == pytest.approx(float(ds.norm()), rel=1e-12)
        assert float(of_queries[0, i]) == pytest.approx(float(dq.norm()), rel=1e-12)


def test_the_closed_form_is_the_mean_over_values_and_gradients():
    n, width, draws = 12, 8, 4000
    p = torch.randn(n, dtype=torch.float64, generator=generator()).mul(2).softmax(0)
    v = torch.randn(draws, n, width, dtype=torch.float64, generator=generator(1))
    g = torch.randn(draws, width, dtype=torch.float64, generator=generator(2))
    ds = (torch.diag(p) - torch.outer(p, p)) @ (v @ g[:, :, None])
    found = ds.square().sum((1, 2))
    weights = p.expand(1, 1, n)
    one = torch.ones(1, 1)
    expected = start.statistics(weights, one, one, 1.0, width)["expected mean square of scores"]
    assert abs(float(found.mean()) - expected) < 4 * float(found.std()) / math.sqrt(draws)


def test_the_smallest_half():
    assert start.smallest_half(torch.ones(100)) == 0.5
    assert start.smallest_half(torch.tensor([100.0, *[1.0] * 99])) == 0.01
    assert start.smallest_half(torch.tensor([5.0, 1, 1, 1, 1, 1])) == pytest.approx(1 / 6)


def test_the_known_numbers_of_64_keys():
    """Entropy 3.69, then 0.58 and 0.19; gradients 1.4 and 31 in the root mean square, 1.34 and 0.36 in the median (d = 512)."""
    found = {}
    recipe = replace(PRESETS["standard"], widths=(64, 512), draws=6)
    jobs_of_start = [one for one in jobs(recipe) if one.params["task"] == "start"]
    for one in jobs_of_start:
        for measurement in run(one):
            found.setdefault(measurement.name, []).append(measurement.value)
    means = {name: np.mean(values, axis=0) for name, values in found.items()}
    assert means["scaled entropy"] == pytest.approx([3.69, 3.69], abs=0.02)
    assert means["unscaled entropy"] == pytest.approx([0.58, 0.19], abs=0.03)
    assert np.sqrt([means["scaled mean square of queries"][1], means["unscaled mean square of queries"][1]]) == pytest.approx(
        [1.45, 31], rel=0.08
    )
    assert means["scaled median of queries"][1] == pytest.approx(1.34, rel=0.03)
    assert means["unscaled median of queries"][1] < 0.5 < 1.34 < means["unscaled median of queries"][0]


# ---- nets


def nets(**changes: int) -> dict[str, CopyNet]:
    return {arm: CopyNet(replace(TASK, arm=arm, **changes), generator(5)).double() for arm in ARMS}


def test_the_matched_arm_starts_as_the_scaled_one():
    made = nets()
    tokens = draw(TASK, 3, generator(1))
    passes = {arm: net(tokens) for arm, net in made.items()}
    assert torch.allclose(passes["matched"].scores, passes["scaled"].scores, atol=1e-6)  # weights are drawn in float32
    assert torch.allclose(passes["matched"].logits, passes["scaled"].logits, atol=1e-6)
    assert torch.allclose(passes["unscaled"].scores, passes["scaled"].scores * math.sqrt(TASK.width), atol=1e-12)
    assert float(passes["unscaled"].scores.detach().std()) == pytest.approx(math.sqrt(TASK.width), rel=0.3)


def test_a_net_is_the_plain_formula():
    net = nets()["scaled"]
    (tokens,) = draw(TASK, 1, generator(2))
    x = torch.stack([net.embed[t] + net.place[p] for p, t in enumerate(tokens)])
    x = x / x.square().mean(-1, keepdim=True).add(torch.finfo(torch.float64).eps).sqrt()
    q, k, v = x @ net.query.T, x @ net.key.T, x @ net.value.T
    y = x + F.scaled_dot_product_attention(q, k, v) @ net.out.T
    y = y / y.square().mean(-1, keepdim=True).add(torch.finfo(torch.float64).eps).sqrt()
    assert torch.allclose(net(tokens[None]).logits[0], y @ net.head.T, atol=1e-12)


def test_the_target_is_the_token_lag_places_earlier():
    tokens = draw(TASK, 4, generator(3))
    wanted = torch.stack([torch.stack([row[(p - LAG) % TASK.keys] for p in range(TASK.keys)]) for row in tokens])
    right = 50 * F.one_hot(wanted, TASK.vocabulary).float()
    assert float(copy_loss(right, tokens)) < 1e-6
    assert float(copy_loss(torch.zeros_like(right), tokens)) == pytest.approx(math.log(TASK.vocabulary))


def test_attention_on_the_token_to_copy():
    class Placed(CopyNet):
        def forward(self, tokens: Tensor) -> Pass:
            places = torch.arange(tokens.shape[1])
            sharp = 50.0 * F.one_hot((places - LAG) % tokens.shape[1], tokens.shape[1]).expand(len(tokens), -1, -1)
            return Pass(sharp, sharp, sharp)

    net = Placed(TASK, generator())
    assert training.attention(net, draw(TASK, 2, generator())) == pytest.approx((0.0, 1.0), abs=1e-6)


def test_a_scaled_net_learns_and_says_so():
    found = {one.name: one.value for one in run(job(TASK, seed=1))}
    assert found["test_loss"] < TASK.learned
    assert found["test_loss"] != found["validation_loss"]
    assert found["test_accuracy"] == pytest.approx(100, abs=1)
    assert found["end_weight"] > 0.8
    assert 0 < found["steps_to_learn"] < TASK.steps
    assert found["start_variance"] == pytest.approx(1, abs=0.3)
    assert len(found["train_loss_by_step"]) == TASK.steps // training.EVERY


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_training_is_the_plain_loop(optimizer: str):
    """Warm-up over a tenth of the steps, then a cosine to 0; no clipping, no weight decay; momentum 0.9 in SGD."""
    task = replace(TASK, optimizer=optimizer, steps=10, lr=3e-2)  # type: ignore[arg-type]
    net, plain = (CopyNet(task, generator(1)) for _ in range(2))
    found = training.train(net, task, generator(2))
    data, state, losses = generator(2), [(torch.zeros_like(p), torch.zeros_like(p)) for p in plain.parameters()], []
    for step in range(10):
        tokens = draw(task, task.batch, data)
        loss = copy_loss(plain(tokens).logits, tokens)
        gradients = torch.autograd.grad(loss, list(plain.parameters()))
        rate = task.lr if step == 0 else task.lr * (1 + math.cos(math.pi * (step - 1) / 9)) / 2
        with torch.no_grad():
            for parameter, g, (m, v) in zip(plain.parameters(), gradients, state, strict=True):
                if optimizer == "sgd":
                    parameter -= rate * m.mul_(0.9).add_(g)
                else:
                    m.mul_(0.9).add_(0.1 * g)
                    v.mul_(0.99).add_(0.01 * g * g)
                    parameter -= rate * (m / (1 - 0.9 ** (step + 1))) / ((v / (1 - 0.99 ** (step + 1))).sqrt() + 1e-8)
        losses.append(loss.item())
    assert found == pytest.approx(losses, rel=2e-3)


def test_a_net_that_diverges_is_recorded_as_such_and_denormals_come_back():
    found = {one.name: one.value for one in run(job(replace(TASK, optimizer="sgd", lr=1e30)))}
    assert not math.isfinite(found["test_loss"])
    assert float(torch.tensor([1e-39]) * 1.0) > 0


def test_arms_of_a_seed_see_the_same_data_and_weights():
    first = {arm: {m.name: m.value for m in run(job(replace(TASK, arm=arm, steps=20), seed=3))} for arm in ARMS}
    assert first["matched"]["start_loss"] == pytest.approx(first["scaled"]["start_loss"], rel=1e-5)
    again = {m.name: m.value for m in run(job(replace(TASK, steps=20), seed=3))}
    assert again == first["scaled"]


def test_steps_and_rises_of_a_course():
    task = replace(TASK, steps=9, learned=0.5)
    assert training.steps_to_learn([3.0, 1.0, 0.5, 0.9], task) == 2
    assert training.steps_to_learn([3.0, 1.0], task) == 9
    assert training.largest_rise([3.0, 1.0, 1.5, 0.5, 2.0, 1.0]) == 1.5
    assert training.largest_rise([3.0, 2.0, 1.0]) == 0.0


# ---- heads of a GPT


@pytest.mark.parametrize("positions", ["none", "rotary"])
def test_products_are_those_of_the_model(positions: str):
    torch.manual_seed(0)
    config = GPTConfig(vocabulary=11, block=12, layers=2, heads=2, width=16, positions=positions, dropout=0.0)  # type: ignore[arg-type]
    model = GPT(config).double().eval()
    windows = torch.randint(11, (3, 12), generator=generator())
    states = model.states(windows)
    seen = torch.ones(12, 12).tril().bool()
    for layer, (q, k) in enumerate(heads.queries_and_keys(model, windows)):
        block = model.blocks[layer]
        shared = context(config.layer(), 12, states[0])
        rotated_q, rotated_k, _ = block.attention.project(block.norm1(states[layer]), shared)  # type: ignore[operator, union-attr]
        expected = (rotated_q @ rotated_k.mT)[..., seen].permute(0, 2, 1).flatten(0, 1)
        assert torch.allclose(heads.products(model, q, k), expected, atol=1e-12)


def test_quantities_of_a_head_by_loops():
    model = GPT(GPTConfig(vocabulary=5, block=4, layers=1, heads=1, width=6, positions="none", dropout=0.0))
    q, k = (torch.randn(2, 4, 1, 6, dtype=torch.float64, generator=generator(i)) + 0.5 for i in range(2))
    mean, variance, independent, share = (column[0] for column in heads.of_heads(model, q, k))
    rows_q, rows_k = q[:, :, 0].numpy(), k[:, :, 0].numpy()
    mu_q, mu_k = rows_q.mean((0, 1)), rows_k.mean((0, 1))
    pairs = [(b, i, j) for b in range(2) for i in range(4) for j in range(i + 1)]
    raw = np.array([rows_q[b, i] @ rows_k[b, j] for b, i, j in pairs])
    centered = np.array([(rows_q[b, i] - mu_q) @ (rows_k[b, j] - mu_k) for b, i, j in pairs])
    assert (mean, variance) == pytest.approx((raw.mean(), raw.var(ddof=1)))
    assert independent == pytest.approx(6 * (rows_q - mu_q).var() * (rows_k - mu_k).var())
    assert share == pytest.approx(1 - (centered**2).mean() / (raw**2).mean())


def test_planted_means_are_found_and_none_where_there_are_none():
    model = GPT(GPTConfig(vocabulary=5, block=8, layers=1, heads=1, width=16, positions="none", dropout=0.0))
    q, k = (torch.randn(200, 8, 1, 16, dtype=torch.float64, generator=generator(i)) for i in range(2))
    plain, shifted = (heads.of_heads(model, q + mu, k + mu) for mu in (0.0, 1.0))
    assert plain[3][0] == pytest.approx(0, abs=0.02)
    assert plain[1][0] == pytest.approx(plain[2][0], rel=0.05)
    # E[(q k)²] = d (σ⁴ + 2 μ² σ²) + d² μ⁴ = 48 + 256 of which the centered part is 16
    assert shifted[3][0] == pytest.approx(1 - 16 / 304, abs=0.02)
    assert shifted[0][0] == pytest.approx(16, rel=0.05)


# ---- the experiment


def test_a_run_measures_all_that_is_judged(tiny: Recipe, measured: Evidence):
    found = verdicts(tiny, measured)
    assert not [verdict.part for verdict in found if verdict.verdict == "not measured"]
    assert {verdict.part for verdict in found} <= set(load("attention-scale").CLAIMS[0].parts)
    both = replace(TINY, optimizers=("adam", "sgd"))
    everything = verdicts(both, Evidence((), tuple(planned_jobs("attention-scale", both))))
    assert {verdict.part for verdict in everything} == set(load("attention-scale").CLAIMS[0].parts)


def test_the_text_decides_the_key_and_edges_do_not():
    def keys(recipe: Recipe) -> set[str]:
        return {one.key("") for one in planned_jobs("attention-scale", recipe)}

    assert keys(replace(TINY, margin=1.0, shifted=1.0, due=0.5)) == keys(TINY)
    assert len(keys(replace(TINY, corpus="tales")) - keys(TINY)) == 4


def test_recipes_that_make_no_sense_are_refused():
    for changes in (
        {"widths": (64, 16)},
        {"trained": ()},
        {"optimizers": ("adam", "adam")},
        {"width": 20, "heads": 4},
        {"tokens": 4},
    ):
        with pytest.raises(ValueError, match=next(iter(changes))):
            replace(PRESETS["quick"], **changes)


def test_presets_keep_to_their_time():
    def seconds(recipe: Recipe) -> float:
        return sum(one.seconds for one in jobs(recipe))

    assert seconds(PRESETS["quick"]) < 2 * 60
    assert seconds(PRESETS["standard"]) <= 30 * 60
    assert PRESETS["standard"].seeds >= 5
    assert all(len(PRESETS["standard"].rates(optimizer)) >= 6 for optimizer in ("adam", "sgd"))


def test_each_job_draws_for_itself():
    first, second = (run(Job(params=one.params, seed=seed)) for one in jobs(TINY)[-1:] for seed in (0, 1))
    assert first != second
