"""Grimms' Fairy Tales in English, 62 tales in one file: a small corpus of real text.

Source: Project Gutenberg's eBook 2591 (translated by Edgar Taylor and Marian Edwardes), as the University of Amsterdam's course
Deep Learning published it with its second assignment of 2020 under the name PUBLISHED. Public domain in the United States. The
file as a whole is under the Project Gutenberg License; the text returned here does not need it.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from erlangen.data import files
from erlangen.data.text import read_text, strip_gutenberg
from erlangen.errors import DamagedFileError

SHA256 = "e6439bd511820742e842e21b75e89b394d3809eec82ca56b506c39ff39d4a7d6"
NAMES = ("grimms_fairy_tales.txt", "book_EN_grimms_fairy_tails.txt")  # in $ERLANGEN_DATA/text; the second is the published name
PUBLISHED = NAMES[1]
COMMIT = "2023a19bd45101086cb8fccb67e1095a296d1dc1"
# The file at this commit has this SHA-256 (checked in a copy of the repository; the address itself could not be tried here).
SOURCE = (
    f"https://raw.githubusercontent.com/uvadlc/uvadlc_practicals_2020/{COMMIT}/"
    "assignment_2/2_recurrentnns_gnns/code/Part%202/assets/"
)
LICENSE = "public domain in the USA; the file with its header and footer: Project Gutenberg License, gutenberg.org/license"


def grimm_file() -> Path:
    """The file in $ERLANGEN_DATA/text under either of NAMES; otherwise a download. Raises DataError if neither is available."""
    root = os.environ.get(files.VARIABLE)
    if root:
        for name in NAMES:
            if (Path(root).expanduser() / "text" / name).is_file():
                return Path(root).expanduser() / "text" / name
    return files.folder("text", {PUBLISHED: SHA256}, SOURCE) / PUBLISHED


def grimm() -> str:
    """The tales from THE GOLDEN BIRD to SNOW-WHITE AND ROSE-RED, 517 611 characters, without the text around them.

    Raises DataError if the file is not available, DamagedFileError if it is not the published file.
    """
    path = grimm_file()
    text = read_text(path)
    if hashlib.sha256(path.read_bytes()).hexdigest() != SHA256:
        raise DamagedFileError(
            f"{path}: this is not the published file (its SHA-256 differs): download it again, or give its path as the corpus"
        )
    tales, _, afterword = strip_gutenberg(text).rpartition("\n*****\n")
    assert afterword.lstrip().startswith("The Brothers Grimm, Jacob")  # a biography of the authors ends this file
    return tales.strip("\n") + "\n"
