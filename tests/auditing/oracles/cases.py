"""All of them."""

from auditing.oracles import causality, conditions, geometry, graphs, images, more_geometry, points, series, texts

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
]
