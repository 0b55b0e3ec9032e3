"""What every experiment shares: typed tasks, the results by arm, the rule for verdicts, panels of figures.

from erlangen.experiments.kit import Measurement, job, perform                               # what is computed
from erlangen.experiments.kit import Part, answer, decide, difference, exceeds                # what it says
from erlangen.experiments.kit import Figure, cells, clipped, dots                             # what it looks like
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from erlangen._lazy import attach

if TYPE_CHECKING:
    from erlangen.experiments.kit.answers import answer as answer
    from erlangen.experiments.kit.compare import decide as decide
    from erlangen.experiments.kit.evidence import (
        Arm as Arm,
        Effect as Effect,
        Evidence as Evidence,
        by_seed as by_seed,
        difference as difference,
        group as group,
        mean as mean,
        ratio as ratio,
    )
    from erlangen.experiments.kit.panels import (
        cells as cells,
        clipped as clipped,
        curves as curves,
        dots as dots,
        heat as heat,
        significant as significant,
    )
    from erlangen.experiments.kit.parts import AllOf as AllOf, Check as Check, Exact as Exact, Part as Part
    from erlangen.experiments.kit.tasks import job as job, perform as perform, read_task as read_task
    from erlangen.experiments.kit.tuning import Tuned as Tuned, tuned as tuned, tuning_check as tuning_check
    from erlangen.records.runs import (
        Answer as Answer,
        Claim as Claim,
        Figure as Figure,
        Job as Job,
        JobResult as JobResult,
        Measurement as Measurement,
        Verdict as Verdict,
    )
    from erlangen.statistics.regions import (
        Region as Region,
        at_least as at_least,
        at_most as at_most,
        between as between,
        exceeds as exceeds,
        falls_below as falls_below,
        within as within,
    )
else:
    __getattr__, __dir__, __all__ = attach(__name__, __file__)
