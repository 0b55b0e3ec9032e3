"""Object detectors: one whose records are judged as they are, and one that needs a wrapper.

The audit knows records like those of torchvision's detection models, {"boxes": (N, 4), "labels": (N,), "scores": (N,)}. Other
records need a wrapper that turns them into one tensor with a row for each thing, and rows of zeros to fill it up.
"""

import sys

import torch
from torch import Tensor, nn

import erlangen
from erlangen.auditing import Audit, generated

MOST = 40  # blobs that are kept of one image


class Blobs(nn.Module):
    """The places where a smoothed image is brightest, (N, 2) as (x, y), and how bright it is there, (N,); the brightest first."""

    def __init__(self, padding_mode: str = "circular") -> None:
        super().__init__()
        self.smooth = nn.Conv2d(3, 1, 5, padding=2, padding_mode=padding_mode)
        nn.init.constant_(self.smooth.weight, 1 / 75)

    def forward(self, images: list[Tensor]) -> list[dict[str, Tensor]]:
        return [self.detect(image) for image in images]

    def detect(self, image: Tensor) -> dict[str, Tensor]:
        bright = self.smooth(image[None])[0, 0]  # (H, W)
        around = nn.functional.pad(bright[None, None], (1, 1, 1, 1), mode="circular")
        is_peak = bright == nn.functional.max_pool2d(around, 3, 1)[0, 0]
        rows, columns = (is_peak & (bright > bright.mean())).nonzero(as_tuple=True)
        order = bright[rows, columns].argsort(descending=True)
        centers = torch.stack([columns, rows], 1) + 0.5
        return {"centers": centers[order], "brightness": bright[rows, columns][order]}


class Detector(nn.Module):
    """The same with a box of 5 × 5 pixels around each place, as torchvision's detectors return them."""

    def __init__(self, blobs: nn.Module) -> None:
        super().__init__()
        self.blobs = blobs

    def forward(self, images: list[Tensor]) -> list[dict[str, Tensor]]:
        return [
            {
                "boxes": torch.cat([blob["centers"] - 2.5, blob["centers"] + 2.5], 1),
                "labels": torch.ones(len(blob["centers"]), dtype=torch.long),
                "scores": blob["brightness"],
            }
            for blob in self.blobs(images)
        ]


class Rows(nn.Module):
    """(B, MOST, 3): x, y and brightness of each blob, and rows of -1 where there is none.

    A function would do, too; with a module, the audit tests exactness in float64.
    """

    def __init__(self, blobs: nn.Module) -> None:
        super().__init__()
        self.blobs = blobs

    def forward(self, images: Tensor) -> Tensor:
        y = images.new_full((len(images), MOST, 3), -1)
        for place, blob in enumerate(self.blobs(list(images))):
            found = torch.cat([blob["centers"], blob["brightness"][:, None]], 1)[:MOST]
            y[place, : len(found)] = found
        return y


def find(padding_mode: str = "circular", wrapped: bool = False) -> Audit:
    torch.manual_seed(0)
    images, model = torch.stack(generated("images", (3, 24, 24), n=16)), Blobs(padding_mode).eval()
    checks = ["translation", "reflection"]
    if wrapped:
        return erlangen.audit(Rows(model).eval(), images, checks, output="keypoints")
    return erlangen.audit(Detector(model).eval(), images, checks)


if __name__ == "__main__":
    audit = find()
    print(audit)
    print(find(wrapped=True))
    if len(sys.argv) > 1:
        print(audit.save(sys.argv[1]))
