"""How the run that a folder holds differs from the one that is about to replace it."""

from __future__ import annotations

import dataclasses
import hashlib
import re
from collections.abc import Mapping
from typing import Any

from erlangen.records.files import finite
from erlangen.records.runs import Run

SHOWN = 3  # differences, and no more than LONGEST characters of a value
LONGEST = 30
LONGEST_NAME = 40  # characters that the changes add to a folder's name; longer ones are given by their keys and a digest


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


def changes(preset: Any, recipe: Any) -> dict[str, Any]:
    """The keys whose values differ from those of the preset's recipe, seeds left out: more of them change no question."""
    return {
        field.name: value
        for field in dataclasses.fields(recipe)
        if field.name != "seeds" and (value := getattr(recipe, field.name)) != getattr(preset, field.name)
    }


def folder_name(name: str, preset: str, changed: Mapping[str, Any]) -> str:
    """'padding-quick', and with changes 'padding-quick-rows-Net1-valid': the same name for the same changes."""
    words = "-".join(re.sub(r"[^\w.]+", "-", f"{key}-{in_name(value)}").strip("-.") for key, value in changed.items())
    if len(words) > LONGEST_NAME:
        digest = hashlib.sha256(repr(sorted(changed.items())).encode()).hexdigest()[:6]
        words = "-".join([*changed, digest]) if len("-".join(changed)) <= LONGEST_NAME else f"changed-{digest}"
    return "-".join(filter(None, [name, preset, words]))


def in_name(value: Any) -> str:
    """A value in a folder's name: the sign of a number as a word, since hyphens separate."""
    return f"{value:g}".replace("-", "minus") if isinstance(value, float) else re.sub(r"^-(?=\d)", "minus", plain(value))


def plain(value: Any) -> str:
    """A value as `--set` takes it."""
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def judges_only(before: Run, now: Run) -> bool:
    """Whether a changed recipe has the very same jobs, so that only the verdicts change: an edge does that, a width does not."""
    same = all(getattr(before, name) == getattr(now, name) for name in ("experiment", "preset", "precision", "device"))
    return same and set(before.jobs) == set(now.jobs)


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
    text = plain(value)
    return text if len(text) <= LONGEST else text[:LONGEST] + "…"
