"""erlangen: which symmetries does a neural network really have?

    import erlangen

    erlangen.audit(model, images, ["translation"])           # which symmetries a model has: an `Audit`
    run = erlangen.run("padding", preset="quick", seeds=5)   # a claim put to the test: a `LoadedRun`
    erlangen.load("runs/padding-quick").verdict_rows         # what a run found, as rows
    erlangen.testing.assert_invariant(model, images, "translation")

Layers, symmetries, statistics and the rest are in the subpackages. Importing erlangen loads no torch; the parts that compute do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from erlangen._lazy import attach
from erlangen._version import __version__ as __version__

if TYPE_CHECKING:
    from erlangen import (
        data as data,
        generate as generate,
        measure as measure,
        models as models,
        nn as nn,
        records as records,
        statistics as statistics,
        symmetries as symmetries,
        testing as testing,
        train as train,
    )
    from erlangen.auditing.audit import Audit as Audit, audit as audit
    from erlangen.errors import ErlangenError as ErlangenError
    from erlangen.sweep.load import LoadedRun as LoadedRun, load as load
    from erlangen.sweep.run import run as run
else:
    __getattr__, __dir__, __all__ = attach(__name__, __file__)
