"""Small faults in the symmetries: what is replaced, and by what."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from erlangen.symmetries.causality import Causality
from erlangen.symmetries.crop import CroppedTranslation
from erlangen.symmetries.duplicate_edges import DuplicateEdges
from erlangen.symmetries.future import Future
from erlangen.symmetries.graph import Graph
from erlangen.symmetries.isolated_node import IsolatedNode
from erlangen.symmetries.prefix_shift import Prefix
from erlangen.symmetries.relabeling import Relabeling
from erlangen.symmetries.rotation import Rotation
from erlangen.symmetries.sampling import offsets
from erlangen.symmetries.series_causality import SeriesCausality
from erlangen.symmetries.text import Text
from erlangen.symmetries.tokens import real_tokens
from erlangen.symmetries.translation import Translation
from support.witnesses import minus

S = "erlangen.symmetries"
act_translation, act_graph = Translation.act, Relabeling.act
shift_pair, direct, wrapped = (
    getattr(__import__(f"{S}.grid", fromlist=["x"]), name) for name in ("shift_pair", "direct", "wrapped")
)
act_causality, act_steps = Causality.act, SeriesCausality.act


def rolled_x(self: Any, x: Tensor, g: Any) -> Tensor:
    return torch.roll(x, (g[1], g[0]), dims=(-2, -1))


def zeros_off_by_one(self: Any, x: Tensor, g: Any) -> Tensor:
    moved = act_translation(self, x, g)
    if self.border == "zeros" and g[0] > 0:
        moved[..., g[0], :] = 0
    return moved


def later_or_equal(self: Any, x: Text, g: Future) -> Tensor:
    later = real_tokens(x)
    later = later[later >= g.t]
    return later[:1] if g.change == "next" else later


def two_later(self: Any, x: Text, g: Future) -> Tensor:
    later = real_tokens(x)
    later = later[later > g.t + 1]
    return later[:1] if g.change == "next" else later


def masked_places(self: Any, x: Text, g: Future) -> Tensor:
    """Padding counts as tokens."""
    later = torch.arange(len(x))
    later = later[later > g.t]
    return later[:1] if g.change == "next" else later


def cut_short(self: Any, x: Text, g: Future) -> Text:
    return replace(x, ids=x.ids[: g.t]) if g.change == "cut" else act_causality(self, x, g)


def cut_long(self: Any, x: Text, g: Future) -> Text:
    return replace(x, ids=x.ids[: g.t + 2]) if g.change == "cut" else act_causality(self, x, g)


def mask_not_cut(self: Any, x: Text, g: Future) -> Text:
    return replace(x, ids=x.ids[: g.t + 1]) if g.change == "cut" else act_causality(self, x, g)


def only(change: str) -> Callable[..., Any]:
    """One kind of change does nothing but what `others` does."""
    return lambda self, x, g: act_causality(self, x, replace(g, change="others") if g.change == change else g)


def rows(upto: int) -> Callable[..., Any]:
    """Rows up to t + `upto`, in place of t."""

    def align(self: Any, y: Tensor, y_g: Tensor, g: Future, x: Text) -> Any:
        kept = real_tokens(x)
        kept = kept[kept <= g.t + upto]
        kept = kept[kept < min(len(y), len(y_g))]
        return y[kept], y_g[kept]

    return align


def columns(upto: int) -> Callable[..., Any]:
    def align(self: Any, y: Tensor, y_g: Tensor, g: Future, x: Tensor) -> Any:
        axis = self.time_axis(y, x)
        if axis is None:
            return None
        count = min(g.t + 1 + upto, y.shape[axis], y_g.shape[axis])
        return y.narrow(axis, 0, count), y_g.narrow(axis, 0, count)

    return align


def steps_at_t(self: Any, x: Tensor, g: Future) -> Tensor:
    return act_steps(self, x, replace(g, t=g.t - 1) if g.change == "others" and g.t else g)


def steps_after_next(self: Any, x: Tensor, g: Future) -> Tensor:
    return act_steps(self, x, replace(g, t=min(g.t + 1, x.shape[1] - 2)) if g.change != "cut" else g)


def same_rows(y: Tensor, n: int, order: Callable[[], Tensor]) -> Tensor | None:
    return y if y.ndim < 2 or len(y) == n else None


def inverse_rows(y: Tensor, n: int, order: Callable[[], Tensor]) -> Tensor | None:
    return y if y.ndim < 2 else y[order().argsort()] if len(y) == n else None


def padded_behind(self: Any, x: Text, g: int) -> Text:
    start = self.reference(x, g)
    return replace(
        start,
        ids=functional.pad(start.ids, (0, g), value=x.padding),
        mask=functional.pad(start.mask, (0, g)),
        positions=None if start.positions is None else functional.pad(start.positions, (0, g)),
    )


def unmasked(x: Text, front: Tensor, mask: int) -> Text:
    joined = replace(x, ids=torch.cat([front, x.ids]))
    return joined if x.mask is None else replace(joined, mask=torch.cat([torch.ones_like(front), x.mask]))


def zero_in_front(x: Text, front: Tensor, mask: int) -> Text:
    """Padding with token 0, whatever the model's own is."""
    joined = replace(x, ids=torch.cat([torch.zeros_like(front), x.ids]))
    return joined if x.mask is None else replace(joined, mask=torch.cat([torch.full_like(front, mask), x.mask]))


def first_rows(y: Tensor, y_g: Tensor, k: int, x: Text) -> Any:
    return (y, y_g[: len(y)]) if y.ndim == 2 and len(y_g) == len(y) + k else None


def rows_off_by_one(y: Tensor, y_g: Tensor, k: int, x: Text) -> Any:
    return (y[1:], y_g[k : len(y_g) - 1]) if y.ndim == 2 and len(y_g) == len(y) + k else None


def shifted_from_zero(self: Any, x: Text, g: Prefix) -> Text:
    """Positions begin with the prefix, but the text keeps its own."""
    longer = replace(x, ids=torch.cat([torch.ones(g.k, dtype=torch.int64), x.ids]))
    return longer if x.positions is None else replace(longer, positions=torch.cat([torch.arange(g.k), x.positions]))


def relabeled_features(self: Any, x: Graph, g: Any) -> Graph:
    """Edges keep their old numbers."""
    return Graph(x.x[g.on(len(x))], x.edge_index, {name: rows[g.on(len(x))] for name, rows in x.nodes.items()}, x.edges)


def relabeled_without_nodes(self: Any, x: Graph, g: Any) -> Graph:
    return replace(act_graph(self, x, g), nodes=x.nodes)


def relabeled_backwards(self: Any, x: Graph, g: Any) -> Graph:
    order = g.on(len(x))
    return Graph(x.x[order], order[x.edge_index], {name: rows[order] for name, rows in x.nodes.items()}, x.edges)


def edges_without_attributes(self: Any, x: Graph, g: Any) -> Graph:
    return Graph(x.x, x.edge_index[:, g.on(x.edge_index.shape[1])], x.nodes, x.edges)


def one_direction(self: Any, x: Graph, g: Any) -> Graph:
    """Only the sources are reordered."""
    order = g.on(x.edge_index.shape[1])
    return Graph(x.x, torch.stack([x.edge_index[0, order], x.edge_index[1]]), x.nodes, x.edges)


def attached_node(self: Any, x: Graph, g: int) -> Graph:
    made = isolated(self, x, g)
    edges = torch.cat([x.edge_index, torch.tensor([[len(x)], [0]])], 1)
    return Graph(made.x, edges, made.nodes, {name: torch.cat([part, part[:1]]) for name, part in x.edges.items()})


def node_in_front(self: Any, x: Graph, g: int) -> Graph:
    made = isolated(self, x, g)
    return made.relabel(torch.arange(len(made)).roll(1))


isolated = IsolatedNode.act
act_doubled = DuplicateEdges.act


def doubled_without_attributes(self: Any, x: Graph, g: Any) -> Graph:
    made = act_doubled(self, x, g)
    extra = made.edge_index.shape[1] - x.edge_index.shape[1]
    other = {name: torch.cat([part, part[:1].expand(extra, *part.shape[1:])]) for name, part in x.edges.items()}
    return Graph(made.x, made.edge_index, made.nodes, other)


def transposed(x: Tensor, g: Any) -> Tensor:
    return x @ torch.tensor(g, dtype=x.dtype)


def mirrored_rotation(d: int, rng: np.random.Generator) -> Any:
    q = np.linalg.qr(rng.standard_normal((d, d)))[0]
    return tuple(map(tuple, (q * -np.sign(np.linalg.det(q))).tolist()))


def scaled_rotation(x: Tensor, g: Any) -> Tensor:
    return 1.01 * (x @ torch.tensor(g, dtype=x.dtype).T)


def turned_back(self: Any, y: Tensor, g: int, x: Tensor) -> Tensor:
    return torch.rot90(y, -g, (-2, -1)) if y.ndim == 3 else y


def no_wrap(cells: int, by: int, side: int, step: Any) -> Any:
    return torch.arange(cells), torch.arange(cells)


def other_way(cells: int, by: int, side: int, step: Any) -> Any:
    return wrapped(cells, -by, side, step)


def wrong_circle(cells: int, by: int, side: int, step: Any) -> Any:
    """As if the map always closed to a circle."""
    target = torch.arange(cells)
    return (target - by) % cells, target


def direct_back(cells: int, by: int) -> Any:
    return direct(cells, -by)


def direct_long(cells: int, by: int) -> Any:
    """One cell more than both show."""
    source = torch.arange(max(-by - 1, 0), max(cells - max(by - 1, 0), 0))[: cells - max(by, 0)]
    return source, (source + by).clamp(0, cells - 1)


def no_leading(y: Tensor, x: Tensor, cells: Tensor, layout: Any) -> Tensor:
    """Leading tokens are left out."""
    return cells if y.ndim == 3 else cells.flatten(1).T


def columns_first(y: Tensor, x: Tensor, layout: Any) -> Any:
    """Tokens column by column."""
    if y.ndim == 3:
        return y
    side = int(len(y) ** 0.5)
    return None if y.ndim < 2 else y[len(y) - side**2 :].T.reshape(-1, side, side).mT


def tripled(x: Any, y: Any, reading: Any = None) -> Any:
    return (1, 1)


spectrum_shifted = __import__(f"{S}.subpixel", fromlist=["x"]).spectrum.shifted
rotate_pair = Rotation.reference
MUTATIONS: dict[str, tuple[str, str, Any]] = {
    "rows and columns exchanged": ("translation", "translation.Translation.act", rolled_x),
    "wrong direction of roll": (
        "translation",
        "translation.Translation.act",
        lambda self, x, g: act_translation(self, x, minus(g)),
    ),
    "content wraps around zeros": (
        "translation-zeros",
        "translation.Translation.act",
        lambda self, x, g: torch.roll(x, g, (-2, -1)),
    ),
    "one row of zeros too many": ("translation-zeros", "translation.Translation.act", zeros_off_by_one),
    "zeros without a reference": ("translation-zeros", "translation.Translation.reference", lambda self, x, g: x),
    "reference moved, not returned": (
        "translation-zeros",
        "translation.Translation.reference",
        lambda self, x, g: self.act(x, g),
    ),
    "maps stay": ("translation", "grid.wrapped", no_wrap),
    "maps move back": ("translation", "grid.wrapped", other_way),
    "every map closes to a circle": ("translation", "grid.wrapped", wrong_circle),
    "maps cut on the wrong side": ("translation-zeros", "grid.direct", direct_back),
    "maps cut too late": ("translation-zeros", "grid.direct", direct_long),
    "strides forgotten": ("translation", "translation.stride", tripled),
    "leading tokens not compared": ("translation", "grid.in_form_of", no_leading),
    "tokens column by column": ("quarter-turns", "grid.cells_of", columns_first),
    "the identity among the elements": (
        "translation",
        "translation.draw_shifts",
        lambda ranges, step, n, rng: [(0, 0), (0, step[1]), (step[0], 0)][:n],
    ),
    "rows never drawn": (
        "translation",
        "translation.Translation.elements",
        lambda self, x, n, rng: [(0, int(k) * self.stride[1]) for k in 1 + rng.permutation(3)][:n],
    ),
    "one generator missing": ("translation", "translation.Translation.generators", lambda self, x: [(0, self.stride[1])]),
    "window moves along": ("crop", "crop.CroppedTranslation.act", lambda self, x, g: crop_act(self, x, minus(g))),
    "window does not move": ("crop", "crop.CroppedTranslation.act", lambda self, x, g: crop_act(self, x, (0, 0))),
    "crop compared with the whole": ("crop", "crop.CroppedTranslation.reference", lambda self, x, g: x),
    "Nyquist wave kept in the reference": ("subpixel", "subpixel.SubpixelTranslation.reference", lambda self, x, g: x),
    "subpixel shift of one axis": (
        "subpixel",
        "subpixel.SubpixelTranslation.act",
        lambda self, x, g: spectrum_shifted(x, (g[0], 0.0)),
    ),
    "subpixel shift rounded": (
        "subpixel",
        "subpixel.SubpixelTranslation.act",
        lambda self, x, g: spectrum_shifted(x, (round(g[0]), round(g[1]))),
    ),
    "turns the other way": ("quarter-turns", "rotation.QuarterTurns.act", lambda self, x, g: torch.rot90(x, g % 3 + 1, (-2, -1))),
    "half turns alone": ("quarter-turns", "rotation.QuarterTurns.act", lambda self, x, g: torch.rot90(x, 2, (-2, -1))),
    "maps turned back": ("quarter-turns", "rotation.QuarterTurns.act_output", turned_back),
    "maps not turned": ("quarter-turns", "rotation.QuarterTurns.act_output", lambda self, y, g, x: y),
    "transposed, not turned": (
        "quarter-turns",
        "rotation.QuarterTurns.act",
        lambda self, x, g: x.mT if g % 2 else torch.rot90(x, g, (-2, -1)),
    ),
    "angles exchanged": ("rotation", "rotation.Rotation.act", rotate_pair),
    "map turned by the wrong angle": (
        "rotation",
        "rotation.Rotation.act_output",
        lambda self, y, g, x: torch.rot90(y, -round((g[1] - g[0]) / 90), (-2, -1)) if y.ndim == 3 else y,
    ),
    "fixed point off by half a pixel": ("rotation", "rotation.offsets", lambda x: tuple(part + 0.5 for part in offsets(x))),
    "the other sides": (
        "reflection",
        "reflection.Reflection.act",
        lambda self, x, g: torch.flip(x, (-2 if g == "left-right" else -1,)),
    ),
    "both sides": ("reflection", "reflection.Reflection.act", lambda self, x, g: torch.flip(x, (-2, -1))),
    "mirrored off by one": (
        "reflection",
        "reflection.Reflection.act",
        lambda self, x, g: torch.flip(x, (-1 if g == "left-right" else -2,)).roll(1, -1 if g == "left-right" else -2),
    ),
    "maps not mirrored": ("reflection", "reflection.Reflection.act_output", lambda self, y, g, x: y),
    "rounded to float32": (
        "reflection",
        "reflection.Reflection.act",
        lambda self, x, g: torch.flip(x.float(), (-1 if g == "left-right" else -2,)).to(x.dtype),
    ),
    "offset before the gain": ("intensity", "intensity.Intensity.act", lambda self, x, g: g[0] * (x + g[1])),
    "offset forgotten": ("intensity", "intensity.Intensity.act", lambda self, x, g: x * g[0]),
    "squared": ("intensity", "intensity.Intensity.act", lambda self, x, g: x * g[0] + g[1] * x.abs()),
    "each channel its own offset": (
        "intensity",
        "intensity.Intensity.act",
        lambda self, x, g: x * g[0] + g[1] * torch.arange(len(x))[:, None, None],
    ),
    "channels doubled": ("channels", "channels.ChannelPermutation.act", lambda self, x, g: x[[g[0], *g[:-1]]]),
    "channels put back": ("channels", "channels.ChannelPermutation.act", lambda self, x, g: x[torch.tensor(g).argsort()]),
    "rows for channels": (
        "channels",
        "channels.ChannelPermutation.act",
        lambda self, x, g: x[:, list(g)] if x.shape[1] > len(g) else x,
    ),
    "time goes back": ("time-shift", "time_shift.TimeShift.act", lambda self, x, g: torch.roll(x, -g, 1)),
    "one step short": ("time-shift", "time_shift.TimeShift.act", lambda self, x, g: torch.roll(x, g - 1, 1)),
    "channels shifted": ("time-shift", "time_shift.TimeShift.act", lambda self, x, g: torch.roll(x, g, 0)),
    "series without a reference": ("time-shift", "time_shift.TimeShift.reference", lambda self, x, g: x),
    "series strides forgotten": ("time-shift", "time_shift.stride", tripled),
    "replaced from t on": ("causality", "causality.Causality.places", later_or_equal),
    "replaced after t + 1": ("causality", "causality.Causality.places", two_later),
    "padding replaced, too": ("causality", "causality.Causality.places", masked_places),
    "relayouts may be the same": ("causality", "causality.other_tokens", lambda ids, x, seed: ids.clone()),
    "cut one short": ("causality", "causality.Causality.act", cut_short),
    "cut one late": ("causality", "causality.Causality.act", cut_long),
    "mask not cut": ("causality", "causality.Causality.act", mask_not_cut),
    "nothing cut": ("causality", "causality.Causality.act", only("cut")),
    "no padding": ("causality", "causality.Causality.act", only("padding")),
    "no end token": ("causality", "causality.Causality.act", only("end")),
    "the future compared": ("causality", "causality.Causality.align", rows(1)),
    "the present not compared": ("causality", "causality.Causality.align", rows(-1)),
    "only the last cut": ("causality", "causality.Causality.cuts", lambda self, x: real_tokens(x).numpy()[-2:-1]),
    "the last cut missing": ("causality", "causality.Causality.cuts", lambda self, x: real_tokens(x).numpy()[:-2]),
    "a cut too many": ("causality", "causality.Causality.cuts", lambda self, x: real_tokens(x).numpy()),
    "the first cut missing": ("causality", "causality.Causality.cuts", lambda self, x: real_tokens(x).numpy()[1:-1]),
    "steps replaced from t on": ("series-causality", "series_causality.SeriesCausality.act", steps_at_t),
    "steps replaced after t + 1": ("series-causality", "series_causality.SeriesCausality.act", steps_after_next),
    "later steps compared": ("series-causality", "series_causality.SeriesCausality.align", columns(1)),
    "step t not compared": ("series-causality", "series_causality.SeriesCausality.align", columns(-1)),
    "no silence": (
        "series-causality",
        "series_causality.SeriesCausality.act",
        lambda self, x, g: act_steps(self, x, replace(g, change="others") if g.change == "zeros" else g),
    ),
    "series not cut": (
        "series-causality",
        "series_causality.SeriesCausality.act",
        lambda self, x, g: act_steps(self, x, replace(g, change="others") if g.change == "cut" else g),
    ),
    "rows of tokens stay": ("token-permutation", "orders.permute_rows", same_rows),
    "rows of tokens move back": ("token-permutation", "orders.permute_rows", inverse_rows),
    "padding permuted": ("token-permutation", "token_permutation.real_tokens", lambda x: torch.arange(len(x))),
    "padding behind": ("left-padding", "left_padding.LeftPadding.act", padded_behind),
    "padding not masked": ("left-padding", "left_padding.prepend", unmasked),
    "padding with token 0": ("left-padding", "left_padding.prepend", zero_in_front),
    "rows not moved": ("left-padding", "left_padding.rows_after", first_rows),
    "rows off by one": ("left-padding", "left_padding.rows_after", rows_off_by_one),
    "correct positions forgotten": (
        "left-padding",
        "left_padding.LeftPadding.reference",
        lambda self, x, g: replace(x, mask=torch.ones_like(x.ids)),
    ),
    "prefix rows not moved": ("prefix-shift", "prefix_shift.rows_after", first_rows),
    "positions do not move up": ("prefix-shift", "prefix_shift.PrefixShift.act", shifted_from_zero),
    "positions do not move": ("position-shift", "prefix_shift.PositionShift.act", lambda self, x, g: self.reference(x, g)),
    "positions stretched": (
        "position-shift",
        "prefix_shift.PositionShift.act",
        lambda self, x, g: replace(x, positions=torch.arange(len(x)) * (1 + g)),
    ),
    "rows of nodes stay": ("relabeling", "orders.permute_rows", same_rows),
    "rows of nodes move back": ("relabeling", "orders.permute_rows", inverse_rows),
    "edges keep old numbers": ("relabeling", "relabeling.Relabeling.act", relabeled_features),
    "edges numbered backwards": ("relabeling", "relabeling.Relabeling.act", relabeled_backwards),
    "node attributes stay": ("relabeling", "relabeling.Relabeling.act", relabeled_without_nodes),
    "edge attributes stay": ("edge-order", "edge_order.EdgeOrder.act", edges_without_attributes),
    "only sources reordered": ("edge-order", "edge_order.EdgeOrder.act", one_direction),
    "an isolated node with an edge": ("isolated-node", "isolated_node.IsolatedNode.act", attached_node),
    "an isolated node in front": ("isolated-node", "isolated_node.IsolatedNode.act", node_in_front),
    "doubled edges of other weights": ("duplicate-edges", "duplicate_edges.DuplicateEdges.act", doubled_without_attributes),
    "nothing doubled": ("duplicate-edges", "duplicate_edges.DuplicateEdges.act", lambda self, x, g: replace(x)),
    "rows of points stay": ("point-permutation", "orders.permute_rows", same_rows),
    "points doubled": (
        "point-permutation",
        "point_permutation.PointPermutation.act",
        lambda self, x, g: x[[0, *range(len(x) - 1)]],
    ),
    "vectors do not turn": ("point-rotation", "point_rotation.PointRotation.act_output", lambda self, y, g, x: y),
    "rotation transposed": ("point-rotation", "point_rotation.PointRotation.act", lambda self, x, g: transposed(x, g)),
    "mirror images among rotations": ("point-rotation", "point_rotation.random_rotation", mirrored_rotation),
    "rotations that stretch": ("point-rotation", "point_rotation.PointRotation.act", lambda self, x, g: scaled_rotation(x, g)),
    "one plane missing": ("point-rotation", "point_rotation.PLANES", {2: ((0, 1),), 3: ((1, 2),)}),
    "each point its own shift": (
        "point-translation",
        "point_translation.PointTranslation.act",
        lambda self, x, g: x + torch.tensor(g, dtype=x.dtype) * torch.arange(len(x))[:, None],
    ),
    "one axis shifted": (
        "point-translation",
        "point_translation.PointTranslation.act",
        lambda self, x, g: x + torch.tensor([g[0], 0, 0], dtype=x.dtype),
    ),
}
crop_act = CroppedTranslation.act
