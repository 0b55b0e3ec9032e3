"""A page in the browser, with what it complains of and what it asks for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

CHARTS = "document.querySelectorAll('.chart').length === document.querySelectorAll('.chart svg').length"
Opened = tuple[Any, list[str], list[str]]


def opened(browser: Any, folder: Path, page: Path | str, scheme: str = "light", width: int = 1200, drawn: str = CHARTS) -> Opened:
    """page: a file, or the text of one that is then put into the folder. drawn: what is true when all of it stands."""
    path = page if isinstance(page, Path) else folder / "a page.html"
    if isinstance(page, str):
        path.write_text(page, encoding="utf-8")
    view = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
    complaints: list[str] = []
    requests: list[str] = []
    view.on("console", lambda message: complaints.append(message.text))
    view.on("pageerror", lambda error: complaints.append(str(error)))
    view.on("request", lambda request: requests.append(request.url))
    view.goto(path.as_uri())
    view.wait_for_function(drawn)
    return view, complaints, requests
