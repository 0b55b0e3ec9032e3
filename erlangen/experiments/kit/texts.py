"""The texts that experiments train on: the Grimms' tales, generated ones, or a file of the user's. Imports no torch."""

from __future__ import annotations

from pathlib import Path

from erlangen.data.files import DataError
from erlangen.data.text_file import digest_of, named_text
from erlangen.experiments.kit.sources import require

TEXTS = {"grimm": "Grimms' Fairy Tales", "tales": "generated tales"}


def text_title(name: str) -> str:
    """What statements and figures call the text: a file goes by its name without its folder."""
    return TEXTS.get(name, Path(name).name)


def beyond_the_report(name: str) -> str:
    """What an answer is about where the text is a file of the user's; '' where the report's statement is judged."""
    return "" if name in TEXTS else f"on your text ({text_title(name)}): does not judge the report's statement"


def text_parameters(name: str) -> dict[str, str]:
    """What a task keeps of a text: its name, and the digest of a file, so that an edited one is computed anew.

    Raises DataError where the file does not exist or is not UTF-8 text.
    """
    return {"corpus": name, "digest": "" if name in TEXTS else digest_of(name)}


def require_text(name: str, characters: int, dictionary: str, remedy: str) -> None:
    """Have a text of at least so many characters at hand, and the dictionary "english" where that is asked for.

    remedy: what else than a longer text would help. Raises DataError, or ErlangenError where the dictionary is missing.
    """
    require(["english words"] if dictionary == "english" else [])
    length = characters if name == "tales" else len(named_text(name))  # tales are generated, as many as are needed
    if length < characters:
        raise DataError(
            f"{text_title(name)}: {length:,} characters, and this recipe needs {characters:,}: choose a longer text or {remedy}"
        )
