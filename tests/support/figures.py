"""What a figure must stand: a table as wide as its columns, and a specification that Vega-Lite draws."""

from collections.abc import Sequence

import vl_convert

from erlangen.records.runs import Figure


def assert_drawn(figures: Sequence[Figure]) -> None:
    """Every figure has whole rows, and what is drawn of it is no empty picture."""
    for figure in figures:
        assert all(len(row) == len(figure.columns) for row in figure.rows), figure.name
        if figure.spec is not None:
            spec = {**figure.spec, **({"width": 500} if figure.spec.get("width") == "container" else {})}
            assert "<path" in vl_convert.vegalite_to_svg(spec), figure.name
