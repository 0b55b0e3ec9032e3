"""All of them."""

from auditing.oracles import conditions, graphs, images, points, series, texts

CASES = [*images.CASES, *texts.CASES, *graphs.CASES, *points.CASES, *series.CASES, *conditions.CASES]
