"""How the run that a folder holds differs from the one that is about to replace it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from erlangen.records.files import finite
from erlangen.records.runs import Run

SHOWN = 3  # differences, and no more than LONGEST characters of a value
LONGEST = 30


def differences(before: Run, now: Run) -> list[str]:
    """What the recipe, the preset, the precision or the device was before and is now, in words; nothing where they agree.

    More seeds of the same recipe are no difference: what is concluded from them contains what was concluded before. Nor is code
    that has changed, which has new jobs under the same recipe.
    """
    old, new = settings(before), settings(now)
    changed = [name for name in {**old, **new} if old.get(name) != new.get(name)]
    if changed == ["seeds"] and is_wider(old["seeds"], new["seeds"]):
        return []
    more = [f"{len(changed) - SHOWN} more"] if len(changed) > SHOWN else []
    return [f"{name} was {brief(old.get(name))}, now {brief(new.get(name))}" for name in changed[:SHOWN]] + more


def settings(run: Run) -> Mapping[str, Any]:
    """All that a run was asked to do, by name, as JSON reads it back."""
    devices = sorted({device.split(":")[0] for device in run.device.split(", ")})
    asked = {"preset": run.preset, "precision": run.precision, "device": ", ".join(devices)}
    return {**asked, **{name: finite(value) for name, value in run.recipe.items()}}


def is_wider(before: Any, now: Any) -> bool:
    """Whether both are numbers of seeds, and there are more now."""
    return isinstance(before, int) and isinstance(now, int) and now > before


def brief(value: Any) -> str:
    """A value as `--set` takes it, not too long."""
    text = ",".join(map(str, value)) if isinstance(value, list) else str(value)
    return text if len(text) <= LONGEST else text[:LONGEST] + "…"
