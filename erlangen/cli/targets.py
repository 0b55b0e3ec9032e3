"""What people may type for an experiment: its name, a claim, a topic, `all`, or a package or claim of their own."""

from __future__ import annotations

import difflib
import shlex
from collections.abc import Iterable, Mapping, Sequence
from functools import cache

from erlangen import experiments
from erlangen.claims import FOUNDATIONS, TOPICS, Topic, catalog, topic_of
from erlangen.cli.own_claims import own_claims, own_experiments, own_judges
from erlangen.errors import ErlangenError
from erlangen.experiments import Experiment

ALL = "all"
TOPIC_NAMES = (ALL, *(topic.name for topic in (*TOPICS, FOUNDATIONS)))


@cache
def discovered() -> dict[str, Experiment]:
    """The package's experiments by name, topic by topic."""
    loaded = {name: experiments.load(name) for name in experiments.names()}
    order = (*TOPICS, FOUNDATIONS)
    return dict(sorted(loaded.items(), key=lambda entry: order.index(topic_of_experiment(entry[1]))))


def topic_of_experiment(experiment: Experiment) -> Topic:
    """The topic of its first claim."""
    return topic_of(experiment.CLAIMS[0].id) if experiment.CLAIMS else FOUNDATIONS


def listed_claims() -> list[str]:
    """The ids of the catalog, then those that only our experiments know."""
    judged = [claim.id for experiment in discovered().values() for claim in experiment.CLAIMS]
    return list(dict.fromkeys([*catalog(), *judged]))


def judges(claim: str) -> list[str]:
    """The experiments that judge a claim; none where it is not built yet."""
    return [name for name, experiment in discovered().items() if claim in (entry.id for entry in experiment.CLAIMS)]


def experiments_named(words: Iterable[str]) -> list[str]:
    """The experiments that the words stand for, each once.

    Raises ErlangenError, with a suggestion, for a word that stands for none.
    """
    return list(dict.fromkeys(name for word in words for name in experiments_of(word)))


def experiments_of(word: str) -> list[str]:
    """The experiments that one word stands for."""
    if experiments.is_ours(word):
        return [word]
    if word == ALL:
        return list(discovered())
    if word in (topic.name for topic in (*TOPICS, FOUNDATIONS)):
        return [name for name, experiment in discovered().items() if topic_of_experiment(experiment).name == word]
    if word.upper() in listed_claims():
        if not (judging := judges(word.upper()) or own_judges(word)):
            raise ErlangenError(f"no experiment judges {word.upper()} yet; `erlangen show {word.upper()}` shows the claim")
        return judging
    if not is_package(word) and (own := own_judges(word)):
        return own
    load(word)
    return [word]


def is_package(word: str) -> bool:
    """Whether a word names a package that may be an experiment."""
    try:
        experiments.module_name(word)
    except ErlangenError:
        return False
    return True


def load(word: str) -> Experiment:
    """The experiment of that name, ours or the user's. Raises ErlangenError, with a suggestion, where there is none."""
    try:
        experiments.module_name(word)
    except ErlangenError as error:
        close = difflib.get_close_matches(word, words(), n=1) or difflib.get_close_matches(word.upper(), words(), n=1)
        if not str(error).startswith("there is no experiment"):
            raise
        if not close and not (own := own_experiments()):
            raise
        hint = f"did you mean {close[0]!r}?" if close else f"the experiments in this directory are {', '.join(own)}"
        raise ErlangenError(f"there is no experiment or claim {word!r}; {hint}") from None
    return experiments.load(word)


def check_recipes(
    words: Sequence[str], experiments: Sequence[str], preset: str, seeds: int | None, settings: Sequence[str]
) -> None:
    """Raises ErlangenError where one of several experiments lacks the preset or a key, before the first of them starts.

    words: what was typed for the experiments.
    """
    from erlangen.experiments.kit.recipe import choose_recipe, parse_settings

    if len(experiments) < 2:
        return
    presets = {name: load(name).PRESETS for name in experiments}
    check_shared(words, f"the preset {preset}", f"--preset {preset}", {name: preset in known for name, known in presets.items()})
    for key, value in parse_settings(settings).items():
        owners = {name: key in known[preset].__dataclass_fields__ for name, known in presets.items() if preset in known}
        check_shared(words, f"the key {key}", f"--set {key}={value}", owners)
    for name, known in presets.items():
        try:
            choose_recipe(known, preset, settings, seeds)
        except ErlangenError as error:
            raise ErlangenError(f"{name}: {error}") from None


def check_shared(words: Sequence[str], what: str, option: str, owners: Mapping[str, bool]) -> None:
    """Raises ErlangenError where some of the experiments have what an option names, and others do not."""
    from erlangen.experiments.kit.wording import listed

    having = [name for name, has in owners.items() if has]
    if not having or len(having) == len(owners):
        return
    claim = words[0].upper() if len(words) == 1 and words[0].upper() in listed_claims() else ""
    judged = f"{claim} is judged by {listed(owners)}, and " if claim else ""
    command = shlex.join(["erlangen", "run", *having, *option.split(" ", 1)])
    raise ErlangenError(f"{judged}only {listed(having)} {'have' if having[1:] else 'has'} {what}: `{command}`")


def words() -> list[str]:
    """All that may be typed."""
    return [*discovered(), *TOPIC_NAMES, *listed_claims(), *own_experiments(), *own_claims()]


def complete(incomplete: str) -> list[str]:
    """What a shell offers for a word that is being typed."""
    return [word for word in words() if word.lower().startswith(incomplete.lower())]


def times(name: str, experiment: Experiment) -> dict[str, int]:
    """Preset -> expected seconds on this machine's cores."""
    from erlangen.sweep.machine import cores
    from erlangen.sweep.plan import expected_seconds

    return {
        preset: round(expected_seconds(experiments.planned_jobs(name, recipe), cores()))
        for preset, recipe in experiment.PRESETS.items()
    }
