"""Training loops: (model, data) -> weights. Each loop is the function `fit` of its module.

from erlangen.train import Schedule, classifier

classifier.fit(model, images, labels, ..., Schedule(epochs=10))
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from erlangen._lazy import attach

if TYPE_CHECKING:
    from erlangen.train import classifier as classifier, language_model as language_model, node_classifier as node_classifier
    from erlangen.train.checkpoint import Checkpoint as Checkpoint, load_checkpoint as load_checkpoint
    from erlangen.train.classifier import History as History, Schedule as Schedule
    from erlangen.train.language_model import LanguageHistory as LanguageHistory
    from erlangen.train.language_schedule import LanguageSchedule as LanguageSchedule
    from erlangen.train.node_classifier import NodeHistory as NodeHistory, NodeSchedule as NodeSchedule
    from erlangen.train.rate_finder import RateCurve as RateCurve, find_rate as find_rate
    from erlangen.train.seeds import seed_everything as seed_everything
else:
    __getattr__, __dir__, __all__ = attach(__name__, __file__)
