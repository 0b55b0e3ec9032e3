"""All of them."""

from auditing.oracles import (
    boxes,
    causality,
    conditions,
    geometry,
    graphs,
    images,
    more_geometry,
    other_grids,
    permuted,
    points,
    scores,
    series,
    several_outputs,
    texts,
    time_first,
    volumes,
)

CASES = [
    *images.CASES,
    *texts.CASES,
    *graphs.CASES,
    *points.CASES,
    *series.CASES,
    *conditions.CASES,
    *causality.CASES,
    *geometry.CASES,
    *more_geometry.CASES,
    *several_outputs.CASES,
    *scores.CASES,
    *boxes.CASES,
    *permuted.CASES,
    *volumes.CASES,
    *other_grids.CASES,
    *time_first.CASES,
]
