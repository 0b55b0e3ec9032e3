"""What `erlangen gpt generate` begins from: the prompts of a file, or the published ones, each with its settings."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from erlangen.errors import DamagedFileError, ErlangenError
from erlangen.records.files import read_json

PUBLISHED = Path(__file__).with_name("prompts.json")
KINDS: dict[str, type] = {
    "temperature": float,
    "top_k": int,
    "top_p": float,
    "min_p": float,
    "typical_p": float,
    "min_tokens_to_keep": int,
    "repetition_penalty": float,
    "no_repeat_ngram_size": int,
    "seed": int,
}


@dataclass(frozen=True)
class Prompt:
    """A text to begin with, and the settings that it brings along, as fields of `generate.filters.Settings`."""

    text: str
    settings: dict[str, float]


def read_prompts(name: str) -> list[Prompt]:
    """`published`, or a file: JSON with a list of texts and of {"prompt": text} with any of KINDS beside it; any other file has
    one prompt per line, and empty lines are ignored.

    Raises ErlangenError naming file and entry.
    """
    if name == "published":
        return [_entry(entry, str(PUBLISHED)) for entry in read_json(PUBLISHED)["prompts"]]
    path = Path(name)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise DamagedFileError(f"--prompts {path}: not UTF-8 text: save it as UTF-8") from None
    except OSError as error:
        raise ErlangenError(f"--prompts {path}: {error.strerror}: name a file, or `published`") from None
    if path.suffix == ".json" or text.lstrip().startswith(("[{", "[\n", '["')):
        try:
            data = json.loads(text)
        except json.JSONDecodeError:
            raise DamagedFileError(f"--prompts {path}: truncated or not JSON") from None
        if not isinstance(data, list):
            raise ErlangenError(f'--prompts {path}: give a list, as [{{"prompt": "Once", "temperature": 0.7}}]')
        found = [_entry(entry, f"--prompts {path}: entry {number}") for number, entry in enumerate(data, 1)]
    else:
        found = [Prompt(line, {}) for line in text.split("\n") if line.removesuffix("\r").strip()]
        found = [Prompt(prompt.text.removesuffix("\r"), {}) for prompt in found]
    if not found:
        raise ErlangenError(f"--prompts {path}: it contains no prompt: write one per line")
    return found


def _entry(entry: Any, where: str) -> Prompt:
    if isinstance(entry, str):
        return Prompt(entry, {})
    if not isinstance(entry, dict) or not isinstance(entry.get("prompt"), str):
        raise ErlangenError(f'{where}: give a text, or {{"prompt": text, ...}}')
    from erlangen.generate.settings import Settings

    settings = {name: value for name, value in entry.items() if name != "prompt" and value is not None}
    for name, value in settings.items():
        if name not in KINDS:
            raise ErlangenError(f"{where}: there is no setting {name!r}; choose from {', '.join(KINDS)}")
        if isinstance(value, bool) or not isinstance(value, (int, KINDS[name])):
            raise ErlangenError(f"{where}: {name} {value!r}: give a number")
    try:
        Settings(**settings)
    except ErlangenError as error:
        raise ErlangenError(f"{where}: {str(error).removeprefix('--')}") from None
    return Prompt(entry["prompt"], settings)
