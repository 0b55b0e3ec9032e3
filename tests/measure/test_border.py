"""Oracles: SciPy's convolutions on NumPy's padding, torch's strided convolution."""

import numpy as np
import pytest
import scipy.signal
import torch
import torch.nn.functional as F
from hypothesis import given, strategies as st

from erlangen.measure.border import terms
from erlangen.nn.padding import PADDINGS, Padding, output_size

NUMPY_MODE = {"zeros": "constant", "replicate": "edge", "reflect": "reflect", "circular": "wrap"}
SAME, FULL = PADDINGS["sconv"], PADDINGS["fconv"]
by_padding = pytest.mark.parametrize("padding", PADDINGS.values(), ids=PADDINGS)


def summed(x: np.ndarray, w: np.ndarray, padding: Padding, stride: int = 1, flip: bool = False) -> np.ndarray:
    """The whole output, as the sum of its listed terms."""
    k = len(w)
    out = np.zeros([output_size(size, k, stride, padding.width) for size in x.shape])
    for pixel in np.ndindex(out.shape):
        for term in terms(pixel, x.shape, k, padding, stride, flip):
            if term.reads is not None:
                out[pixel] += w[term.kernel] * x[term.reads]
    return out


def whole_numbers(*shape: int, seed: int = 0) -> np.ndarray:
    """So that sums are exact in any order."""
    return np.random.default_rng(seed).integers(-9, 10, shape).astype(float)


@by_padding
@pytest.mark.parametrize("flip", [False, True], ids=["correlation", "convolution"])
@pytest.mark.parametrize("shape", [(3, 3), (4, 7), (8, 5)], ids=str)
def test_terms_sum_to_scipys_filter(padding: Padding, flip: bool, shape: tuple[int, int]) -> None:
    x, w = whole_numbers(*shape), whole_numbers(3, 3, seed=1)
    function = scipy.signal.convolve2d if flip else scipy.signal.correlate2d
    expected = function(np.pad(x, padding.width, mode=NUMPY_MODE[padding.mode]), w, mode="valid")
    assert np.array_equal(summed(x, w, padding, flip=flip), expected)


@pytest.mark.parametrize(("name", "mode"), [("valid", "valid"), ("sconv", "same"), ("fconv", "full")])
@pytest.mark.parametrize("flip", [False, True], ids=["correlation", "convolution"])
def test_zero_paddings_are_scipys_three_modes(name: str, mode: str, flip: bool) -> None:
    x, w = whole_numbers(5, 6), whole_numbers(3, 3, seed=1)
    function = scipy.signal.convolve2d if flip else scipy.signal.correlate2d
    assert np.array_equal(summed(x, w, PADDINGS[name], flip=flip), function(x, w, mode=mode))


@by_padding
@given(kernel_size=st.integers(1, 5), stride=st.integers(1, 3))
def test_terms_sum_to_torchs_strided_convolution(padding: Padding, kernel_size: int, stride: int) -> None:
    x, w = whole_numbers(6, 7), whole_numbers(kernel_size, kernel_size, seed=1)
    shown = torch.from_numpy(np.pad(x, padding.width, mode=NUMPY_MODE[padding.mode]))
    expected = F.conv2d(shown[None, None], torch.from_numpy(w)[None, None], stride=stride)[0, 0]
    assert np.array_equal(summed(x, w, padding, stride), expected.numpy())


@pytest.mark.parametrize(
    ("pixel", "missing"),
    [((0, 0), 5), ((0, 7), 5), ((7, 0), 5), ((7, 7), 5), ((0, 4), 3), ((4, 0), 3), ((7, 3), 3), ((3, 7), 3), ((4, 4), 0)],
)
def test_five_of_nine_terms_are_missing_at_a_corner_and_three_at_an_edge(pixel: tuple[int, int], missing: int) -> None:
    found = terms(pixel, (8, 8), 3, SAME)
    assert sum(term.outside for term in found) == sum(term.reads is None for term in found) == missing


def test_full_padding_lets_a_corner_read_a_single_pixel() -> None:
    found = terms((0, 0), (8, 8), 3, FULL)
    assert [term.kernel for term in found if not term.outside] == [(2, 2)]


@by_padding
@given(pixel=st.tuples(st.integers(0, 3), st.integers(0, 5)), kernel_size=st.integers(1, 3), flip=st.booleans())
def test_each_term_is_named_once_and_reads_the_image(
    padding: Padding, pixel: tuple[int, int], kernel_size: int, flip: bool
) -> None:
    found = terms(pixel, (6, 8), kernel_size, padding, flip=flip)
    assert len(found) == len({term.kernel for term in found}) == len({term.position for term in found}) == kernel_size**2
    for term in found:
        inside = 0 <= term.position[0] < 6 and 0 <= term.position[1] < 8
        assert term.outside != inside
        assert (term.reads is None) == (term.outside and padding.mode == "zeros")
        assert term.reads is None or (0 <= term.reads[0] < 6 and 0 <= term.reads[1] < 8)
        assert term.outside or term.reads == term.position


@by_padding
@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("beyond", [-1, 0])
def test_a_pixel_the_output_lacks_is_refused(padding: Padding, axis: int, beyond: int) -> None:
    size = (6, 9)
    pixel = [0, 0]
    last = size[axis] - 2 + 2 * padding.width
    pixel[axis] = -1 if beyond < 0 else last
    with pytest.raises(ValueError, match=f"axis {axis} has {last} pixels"):
        terms((pixel[0], pixel[1]), size, 3, padding)


def test_an_image_too_small_to_reflect_is_refused() -> None:
    with pytest.raises(ValueError, match="reflect padding of 2"):
        terms((0, 0), (2, 2), 3, PADDINGS["reflect"])
