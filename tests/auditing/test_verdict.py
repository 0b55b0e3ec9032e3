"""The rules, one by one and in their order, on evidence made by hand."""

import math
from dataclasses import replace

import pytest
import torch

from erlangen.auditing.numbers import Column
from erlangen.auditing.pair import Pair
from erlangen.auditing.tally import Exactness, Tally, error_of, flip_of
from erlangen.auditing.verdict import Evidence, judge
from erlangen.records.audit import Flips
from erlangen.statistics.clustered import RelativeError
from erlangen.statistics.intervals import Interval

EPS = torch.finfo(torch.float32).eps


def tally_of(*errors: float, loss: float = 0.0, moved: bool = True) -> Tally:
    """Pairs whose expected output has RMS 1 and whose error is as given, one input each."""
    found = Tally()
    for i, error in enumerate(errors):
        expected = torch.tensor([[1.0, -1.0]], dtype=torch.float64)
        found.add(Pair(i, "g", "g", expected, expected + error, moved=moved, loss=loss))
    return found


def size(error: float, low: float, high: float) -> RelativeError:
    """Mean error / spread with its interval."""
    return RelativeError(Interval(error, low, high, 9))


def evidence(sampled: Tally, leak: float, **changes: object) -> Evidence:
    made = Evidence(
        sampled=sampled,
        exactness=Exactness(tally=tally_of(leak), eps=1e-16, precision="in float64"),
        estimate=size(0.3, 0.2, 0.4),
        p=1e-6,
        spread=1.0,
        rms=1.0,
        eps=EPS,
        threshold=0.1,
        strict=False,
        repeats=True,
    )
    return replace(made, **changes)  # type: ignore[arg-type]


BROKEN = tally_of(0.3, 0.3)


ROUNDED = tally_of(1e-6, 1e-6)


def test_exact_up_to_the_floor_and_no_further() -> None:
    assert judge(evidence(ROUNDED, 127e-16))[0] == "exact"
    assert judge(evidence(ROUNDED, 130e-16))[0] == "broken"


def test_never_exact_beside_an_error_that_rounding_does_not_explain() -> None:
    """Whatever the twin says: the model is served as it is."""
    assert judge(evidence(BROKEN, 0.0, strict=True, served_floor=1e-4)).judgment == "broken"
    assert "exact in float64" in judge(evidence(BROKEN, 0.0, strict=True, served_floor=1e-4)).reason
    assert judge(evidence(BROKEN, 0.0, served_floor=1e-4)).judgment == "broken"
    small = evidence(tally_of(0.02, 0.02), 0.0, served_floor=1.0, estimate=size(0.02, 0.01, 0.03))
    assert judge(small).judgment == "holds"
    assert judge(replace(small, strict=True)).judgment == "holds"
    assert judge(replace(small, sampled=tally_of(0.009, 0.009))).judgment == "exact"


def test_never_exact_where_arithmetic_could_not_have_told() -> None:
    coarse = Exactness(tally=tally_of(0.0), eps=2**-7, precision="in bfloat16")
    made = evidence(tally_of(0.02, 0.02), 0.0, exactness=coarse, eps=2**-7, estimate=size(0.02, 0.01, 0.03), served_floor=1.0)
    assert judge(made).judgment == "holds"
    assert judge(replace(made, strict=True)).judgment == "undecided"
    assert judge(replace(made, estimate=size(0.3, 0.2, 0.4))).judgment == "broken"
    none = replace(made, sampled=tally_of(0.0, 0.0), estimate=size(0.0, 0.0, 0.0), strict=True)
    assert judge(none).judgment == "holds"


def test_flips_veto_and_decide() -> None:
    def flips(rate: float, low: float, chance: float) -> Flips:
        return Flips(rate=rate, interval=(low, 1.0), effective=9, flipped=9, pairs=10, ties=0, chance=chance)

    small = evidence(tally_of(0.02, 0.02), 1.0, estimate=size(0.02, 0.01, 0.03))
    assert judge(small).judgment == "holds"
    assert judge(replace(small, flips=flips(0.8, 0.6, 0.9))).judgment == "broken"
    assert judge(replace(small, flips=flips(0.3, 0.2, 0.9))).judgment == "undecided"
    assert judge(replace(small, flips=flips(0.05, 0.01, 0.9))).judgment == "holds"
    assert judge(evidence(ROUNDED, 0.0, flips=flips(0.8, 0.1, 0.5))).judgment != "exact"


def test_one_column_can_break_what_the_mean_over_all_hides() -> None:
    column = Column(index=4, count=5, error=1.2, low=0.9, contrast=False, certain=True)
    small = evidence(tally_of(0.02, 0.02), 1.0, estimate=size(0.02, 0.01, 0.03))
    assert judge(replace(small, column=column)).judgment == "broken"
    assert "column 4 of the output (of 0 to 4) changes by " in judge(replace(small, column=column)).reason
    assert judge(replace(small, column=replace(column, certain=False))).judgment == "undecided"
    assert judge(replace(small, column=replace(column, low=0.2))).judgment == "holds"


def test_constants_in_float32_are_no_leak_of_a_symmetry_that_rests_on_them() -> None:
    made = evidence(tally_of(1e-7, 1e-7), 6e-9, strict=True, served_floor=128 * EPS)
    assert judge(made).judgment == "broken"
    assert judge(replace(made, by_constants=True)).judgment == "holds"
    assert (
        judge(replace(made, by_constants=True, exactness=Exactness(tally=tally_of(1e-6), eps=1e-16, precision=""))).judgment
        == "broken"
    )


def test_equal_calls_are_equal_in_every_bit_or_differ_by_the_order_of_a_sum() -> None:
    made = evidence(tally_of(0.0, 0.0), 0.0, bitwise=True, strict=True)
    assert judge(made).judgment == "exact"
    assert judge(replace(made, sampled=tally_of(4 * EPS))).judgment == "holds"
    assert judge(replace(made, sampled=tally_of(1e-4))).judgment == "broken"
    half = replace(made, eps=2**-7, sampled=tally_of(0.05))
    assert judge(half).judgment == "broken"  # no more than eight roundings of bfloat16, but not to be told from dropout


def test_an_interval_decides_what_is_not_exact() -> None:
    assert judge(evidence(BROKEN, 1e-3, estimate=size(0.05, 0.03, 0.08)))[0] == "holds"
    assert judge(evidence(BROKEN, 1e-3))[0] == "broken"
    assert judge(evidence(BROKEN, 1e-3, estimate=size(0.1, 0.05, 0.2)))[0] == "undecided"
    assert judge(evidence(BROKEN, 1e-3, estimate=size(0.3, math.nan, math.nan)))[0] == "undecided"


def test_holm_may_leave_undecided_what_an_interval_alone_would_decide() -> None:
    ruling = judge(evidence(BROKEN, 1e-3, estimate=size(0.3, 0.11, 0.4), p=0.09))
    assert ruling.judgment == "undecided"
    assert "not significant after Holm correction" in ruling.reason


def test_any_leak_breaks_a_strict_check_however_small() -> None:
    small = evidence(BROKEN, 1e-9, estimate=size(1e-9, 1e-10, 1e-8), strict=True)
    assert judge(small)[0] == "broken"
    assert judge(replace(small, strict=False))[0] == "holds"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"sampled": tally_of(0.0, moved=False)}, "nothing moved"),
        ({"sampled": tally_of(math.nan)}, "NaN"),
        ({"sampled": tally_of(math.inf)}, "NaN or infinity"),
        ({"repeats": False}, "does not repeat itself"),
        ({"spread": 7 * EPS}, "does not vary"),
        ({"spread": math.nan}, "Give at least two inputs"),
    ],
)
def test_what_was_not_measured_is_neither_exact_nor_broken(changes: dict[str, object], words: str) -> None:
    for leak in (0.0, 1.0):
        for strict in (False, True):
            judgment, reason, remedy, _ = judge(replace(evidence(BROKEN, leak, strict=strict), **changes))  # type: ignore[arg-type]
            assert judgment == "not measured"
            assert words in f"{reason}. {remedy}"
            assert remedy.endswith(".")


def test_rules_come_in_their_order() -> None:
    """NaN before randomness, randomness before constancy."""
    everything = evidence(tally_of(math.nan), 0.0, repeats=False, spread=0.0)
    assert "NaN" in judge(everything)[1]
    assert "repeat" in judge(replace(everything, sampled=BROKEN))[1]
    assert "vary" in judge(replace(everything, sampled=BROKEN, repeats=True))[1]


def test_a_lossy_transform_is_undecided_unless_an_exact_element_breaks() -> None:
    lossy = evidence(tally_of(0.3, 0.3, loss=0.4), 1e-3)
    assert judge(lossy)[0] == "undecided"
    assert judge(replace(lossy, lossless=Interval(0.5, 0.3, 0.7, 9)))[0] == "broken"
    assert judge(replace(lossy, lossless=Interval(0.1, 0.02, 0.2, 9)))[0] == "undecided"
    within = evidence(tally_of(0.3, loss=0.05), 0.0)
    assert judge(within)[0] == "broken"  # exact generators do not make the other elements exact


def test_calls_that_fail_are_findings_that_name_the_element() -> None:
    some = tally_of(0.0, 0.0)
    some.add(Pair(0, "g", "3 px up", None, None, failure="ValueError: too small"))
    ruling = judge(evidence(some, 0.0))
    assert ruling.judgment == "broken"
    assert "3 px up" in ruling.reason
    assert "ValueError" in ruling.reason
    none = Tally()
    none.add(Pair(0, "g", "3 px up", None, None, failure="ValueError: too small"))
    assert judge(evidence(none, 0.0))[0] == "not measured"


def test_error_is_rms_over_all_entries_or_that_of_the_worst_site() -> None:
    expected, actual = torch.zeros(4, 2), torch.zeros(4, 2)
    actual[2] = torch.tensor([3.0, 4.0])
    assert error_of(expected, actual) == pytest.approx(math.sqrt(25 / 8))
    assert error_of(expected, actual, worst_site=True) == pytest.approx(math.sqrt(25 / 2))
    assert math.isnan(error_of(expected, actual / 0))


def test_a_tie_is_no_class() -> None:
    assert flip_of(torch.tensor([[1.0, 2.0]]), torch.tensor([[2.0, 1.0]])) is True
    assert flip_of(torch.tensor([[1.0, 2.0]]), torch.tensor([[1.0, 3.0]])) is False
    assert flip_of(torch.tensor([[2.0, 2.0]]), torch.tensor([[1.0, 3.0]])) is None
