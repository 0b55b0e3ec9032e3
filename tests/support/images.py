"""Images and small nets of which it is known what they keep."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from erlangen.symmetries.symmetry import Symmetry


def image(*shape: int, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(*shape, dtype=dtype, generator=torch.Generator().manual_seed(sum(shape)))


def waves(channels: int, height: int, width: int, highest: int = 2) -> Tensor:
    """A periodic, band-limited image: waves of at most `highest` periods a side."""
    spectrum = torch.fft.fft2(image(channels, height, width))
    rows, columns = (torch.fft.fftfreq(side, dtype=torch.float64).mul(side).abs() <= highest for side in (height, width))
    return torch.fft.ifft2(spectrum * (rows[:, None] & columns)).real


def filters(size: int = 3, turned: bool = False) -> Tensor:
    """(4, 3, size, size); `turned`: the mean over the four quarter turns, so that a picture may turn before or after."""
    weight = image(4, 3, size, size)
    return torch.stack([torch.rot90(weight, k, (-2, -1)) for k in range(4)]).mean(0) if turned else weight


def net(x: Tensor, weight: Tensor, stride: int = 1, padding: str = "circular") -> Tensor:
    """A map (4, h, w): convolution with a bias, then a nonlinearity."""
    border = weight.shape[-1] // 2
    padded = functional.pad(x[None], (border,) * 4, mode="constant" if padding == "zeros" else padding)
    bias = torch.linspace(-1, 1, len(weight), dtype=x.dtype)
    return functional.conv2d(padded, weight, bias, stride).tanh()[0]


def tokens(y: Tensor) -> Tensor:
    """A map (C', h, w) as a ViT would give it: its mean as class token, then its cells."""
    return torch.cat([y.mean((-2, -1))[None], y.flatten(1).T])


def error(symmetry: Symmetry, f: Callable[[Tensor], Tensor], x: Tensor, g: object) -> float | None:
    """Largest difference between what f should give and what it gives; None where g has no action."""
    aligned = symmetry.align(f(symmetry.reference(x, g)), f(symmetry.act(x, g)), g, x)
    if aligned is None:
        return None
    expected, actual = aligned
    assert expected.shape == actual.shape
    assert expected.numel()
    return float((expected - actual).abs().max())
