"""Detectors that return a record for each image, and other models that return lists of records."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from auditing.oracles.case import BROKEN, EXACT, UNMEASURED, Case, served
from auditing.oracles.images import noise
from torch import Tensor, nn
from torch.nn.functional import max_pool2d, pad


class Peaks(nn.Module):
    """A box around each maximum of a convolution that stands out, the highest first; as torchvision's detectors return them.

    listed: takes a list of images and nothing else. form: of the boxes. spoil: what becomes of a record, given the places (N, 2).
    """

    def __init__(
        self,
        padding: str = "circular",
        *,
        listed: bool = True,
        form: str = "xyxy",
        least: float = 0.5,
        mirrored: bool = False,
        at_once: int = 99,
        spoil: Callable[[dict[str, Tensor], Tensor], dict[str, Tensor]] = lambda record, places: record,
    ) -> None:
        super().__init__()
        self.first, self.second = (nn.Conv2d(w, v, 3, padding=1, padding_mode=padding) for w, v in ((3, 8), (8, 6)))
        self.listed, self.form, self.least, self.mirrored, self.at_once, self.spoil = (
            listed,
            form,
            least,
            mirrored,
            at_once,
            spoil,
        )

    def forward(self, images: Any) -> list[dict[str, Tensor]]:
        assert isinstance(images, list) == self.listed
        assert len(images) <= self.at_once
        return [self.detect(image) for image in images]

    def maps(self, image: Tensor) -> Tensor:
        """(6, H, W)"""
        return self.second(self.first(image[None]).relu())[0]  # type: ignore[no-any-return]

    def detect(self, image: Tensor) -> dict[str, Tensor]:
        y = self.maps(image)
        if self.mirrored:
            y = y + self.maps(image.flip(-1)).flip(-1) * y.new_tensor([-1, 1, 1, 1, 1, 1])[:, None, None]
        peaks = y[4] == max_pool2d(pad(y[None, 4:5], (1, 1, 1, 1), mode="circular"), 3, 1)[0, 0]
        rows, columns = (peaks & (y[4] > y[4].mean() + self.least * y[4].std())).nonzero(as_tuple=True)
        order = y[4, rows, columns].argsort(descending=True)
        rows, columns = rows[order], columns[order]
        found = y[:, rows, columns]  # (6, N)
        x, height = columns + 0.5 + found[0].tanh(), 1 + 3 * found[3].sigmoid()
        center, size = torch.stack([x, rows + 0.5 + found[1].tanh()], 1), torch.stack([1 + 3 * found[2].sigmoid(), height], 1)
        boxes = torch.cat([center, size] if self.form == "cxcywh" else [center - size / 2, center + size / 2], 1)
        record = {"boxes": boxes, "labels": (found[5] > 0).long(), "scores": found[4]}
        return self.spoil(record, torch.stack([rows, columns], 1))


class RelativeToBatch(Peaks):
    """Its scores are relative to those of the whole list."""

    def forward(self, images: Any) -> list[dict[str, Tensor]]:
        records = super().forward(images)
        mean = torch.cat([record["scores"] for record in records]).mean()
        return [record | {"scores": record["scores"] - mean} for record in records]


def by_place(record: dict[str, Tensor], places: Tensor) -> dict[str, Tensor]:
    """The column as a label."""
    return record | {"labels": places[:, 1]}


def by_column(record: dict[str, Tensor], places: Tensor) -> dict[str, Tensor]:
    """Scores that grow to the right."""
    return record | {"scores": record["scores"] + 0.1 * places[:, 1]}


def boxes_alone(record: dict[str, Tensor], places: Tensor) -> dict[str, Tensor]:
    return {"boxes": record["boxes"]}


def turned_over(record: dict[str, Tensor], places: Tensor) -> dict[str, Tensor]:
    """In an order that has nothing to do with the scores."""
    order = (places * places.new_tensor([7, 13])).sum(1).remainder(11).argsort(stable=True)
    return {name: part[order] for name, part in record.items()}


class Records(nn.Module):
    """Pooled features as one record for each image, or as one record of a batch. centered: relative to all."""

    def __init__(self, of_batch: bool = False, centered: bool = False) -> None:
        super().__init__()
        self.layer, self.of_batch, self.centered = nn.Conv2d(3, 6, 3, padding=1, padding_mode="circular"), of_batch, centered

    def forward(self, x: Tensor) -> list[dict[str, Tensor]]:
        h = self.layer(x).relu()
        y = h.mean((2, 3))
        y = y - y.mean(0) if self.centered else y
        if self.of_batch:
            return [{"logits": y, "map": h}]
        return [{"logits": each, "map": cells} for each, cells in zip(y, h, strict=True)]


class Listed(nn.Module):
    """Pooled features in the containers of Python: a list with a tensor for each image, or numbers. centered: relative to all."""

    def __init__(self, kind: str, centered: bool = False) -> None:
        super().__init__()
        self.layer, self.kind, self.centered = nn.Conv2d(3, 6, 3, padding=1, padding_mode="circular"), kind, centered

    def forward(self, x: Tensor) -> Any:
        y = self.layer(x).relu().mean((2, 3))
        y = y - y.mean(0) if self.centered else y
        return {"tensors": list, "numbers": Tensor.tolist, "arrays": arrays}[self.kind](y)


def arrays(y: Tensor) -> dict[str, Any]:
    """Two arrays of NumPy, which holds numbers of the CPU alone."""
    return {"y": y.cpu().numpy(), "z": y.sum(1).cpu().numpy()}


def detector(name: str, make: Callable[[], nn.Module], expected: dict[str, Any], output: str | None = None) -> Case:
    return Case(
        name=f"detectors: {name}",
        domain="images",
        build=lambda dtype: served(make(), dtype),
        inputs=lambda seed, dtype: noise(seed, dtype, 10, (3, 16, 16)),
        expected=expected,
        options={"output": output},
    )


MOVED = {"translation": EXACT, "translation-zeros": EXACT}
LOST = {"translation": BROKEN, "translation-zeros": BROKEN}
ONE_BY_ONE = {"batch-composition": UNMEASURED, "batch-size": UNMEASURED}

RIGHT = frozenset([EXACT, "holds"])  # numbers that leave torch have no twin

CASES = [
    detector("a list of images", Peaks, MOVED | {"reflection": BROKEN}),
    detector("a batch", lambda: Peaks(listed=False), MOVED),
    detector("zero padded", lambda: Peaks("zeros"), LOST),
    detector("mirrored", lambda: Peaks(mirrored=True), {"reflection": EXACT}),
    detector("boxes alone", lambda: Peaks(spoil=boxes_alone), MOVED),
    detector("in another order", lambda: Peaks(spoil=turned_over), MOVED),
    detector("labels by place", lambda: Peaks(spoil=by_place), {"translation": BROKEN}),
    detector("scores by column", lambda: Peaks(spoil=by_column), {"translation": BROKEN}),
    detector("centers and sizes", lambda: Peaks(form="cxcywh"), MOVED, "boxes:cxcywh"),
    detector("centers and sizes, not declared", lambda: Peaks(form="cxcywh"), {"translation": BROKEN}),
    detector("relative to the batch", RelativeToBatch, MOVED | {"batch-composition": BROKEN}),
    detector("one image at a time", lambda: Peaks(at_once=1), MOVED | ONE_BY_ONE),
    detector("sees nothing", lambda: Peaks(least=99), {"repeat": UNMEASURED, "batch-composition": UNMEASURED}),
    detector("records of features", Records, {"translation": EXACT}),
    detector("records of features, centered", lambda: Records(centered=True), {"batch-composition": BROKEN}),
    detector("one record of a batch", lambda: Records(of_batch=True), {"translation": EXACT}),
    detector("one record of a batch, centered", lambda: Records(True, True), {"batch-composition": BROKEN}),
    *(
        detector(f"a list of {kind}{', centered' if centered else ''}", partial(Listed, kind, centered), expected)
        for kind in ("tensors", "numbers", "arrays")
        for centered, expected in ((False, {"translation": RIGHT}), (True, {"batch-composition": BROKEN}))
    ),
]
