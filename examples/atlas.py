"""An atlas of the symmetries of models from timm, Hugging Face and PyTorch Geometric, built small and with random weights.

    python examples/atlas.py [FOLDER] [--write docs/atlas.md] [--only language/BERT]

Each model's audit is written to its own JSON file in FOLDER, so an interrupted run resumes where it stopped. A complete run takes
a quarter of an hour on one core.
"""

from __future__ import annotations

import argparse
import json
import re
import time
import warnings
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from atlas_models import FEATURES, LENGTH, SIDE, VOCABULARY, Builders, graph, language, vision
from torch import Tensor, nn

import erlangen
from erlangen.auditing.inputs import generated
from erlangen.records.files import to_json
from erlangen.report.audit_text import MARKS
from erlangen.symmetries.isolated_node import IsolatedNode
from erlangen.symmetries.left_padding import LeftPadding
from erlangen.symmetries.text import Text

SEED, INPUTS, DELTA = 0, 12, 0.1
ELEMENTS = {"vision": 2, "language": 2, "graph": 8}  # PyTorch Geometric's median fails on one relabeling of seventeen
DOMAINS: dict[str, tuple[Callable[[], Builders], str]] = {
    "vision": (vision, "timm"), "language": (language, "transformers"), "graph": (graph, "torch-geometric"),
}  # fmt: skip
ASKED: dict[str, list[Any]] = {
    "vision": [
        "translation",
        "translation-zeros",
        "quarter-turns",
        "reflection",
        "intensity",
        "channel-permutation",
    ],
    "language": ["causality", "token-permutation", "position-shift", "left-padding", LeftPadding(positions=True)],
    "graph": ["node-permutation", "edge-order", "isolated-node", "duplicate-edges"],
}


SELECT = {"language": 0}  # of several outputs, the first: the logits, or the last hidden state
WHAT = {  # the inputs in words; changing a text makes its domain run again
    "vision": "smooth random fields of unlike colors",
    "language": "uniform tokens",
    "graph": "normal features, edges sorted by target, one node without edges",
}


def inputs(domain: str) -> list[Any]:
    """The inputs of a domain, which are the same for every model.

    Texts do not contain token 0, which is the padding. Graphs have different sizes, and their last node has no edges.
    """
    if domain == "vision":
        return images(INPUTS, SEED)
    if domain == "language":
        texts = generated("texts", (LENGTH,), INPUTS, VOCABULARY - 1, seed=SEED)
        return [Text(text.ids + 1, VOCABULARY) for text in texts]
    graphs = [generated("graphs", (11 + k, FEATURES), 1, seed=SEED + k)[0] for k in range(INPUTS)]
    graphs = [IsolatedNode().act(graph, 0) for graph in graphs]
    return [graph.with_edges(graph.edge_index[1].argsort(stable=True)) for graph in graphs]


def images(n: int, seed: int) -> list[Tensor]:
    """Random fields of RMS 1 on background colors of RMS 1.

    With the same gray background everywhere, pooled features would hardly differ more between images than after a shift.
    """
    colors = torch.randn(n, 3, 1, 1, generator=torch.Generator().manual_seed(seed))
    return [x + color for x, color in zip(generated("images", (3, SIDE, SIDE), n, seed=seed), colors, strict=True)]


def built(build: Callable[[], nn.Module], domain: str) -> nn.Module:
    """A model in which all parts contribute: scales near 0 are set to 1, and batch norms are fitted to 64 other images.

    ResNet's last norms start at 0 and ConvNeXt's LayerScale at 1e-6, so that without this the audit would hardly see more than
    the stem. The images are other ones because norms fitted to the audited images would make a shifted image an outlier, with
    errors of six spreads in EfficientNet.
    """
    torch.manual_seed(SEED)
    model = build()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            scale = name.endswith(("weight", "gamma", "scale", "gamma_1", "gamma_2", "ls1", "ls2"))
            if scale and domain == "vision" and parameter.squeeze().ndim == 1 and parameter.abs().max() < 1e-2:
                parameter.fill_(1.0)
        norms = [part for part in model.modules() if isinstance(part, nn.BatchNorm2d)]
        model.eval()
        for norm in norms:
            norm.train().momentum = None  # the plain mean
        if norms:
            model(torch.stack(images(64, SEED + 1)))
    return model.eval()


def survey(folder: Path, only: str) -> None:
    """Audit each model that has no JSON file with these settings yet."""
    for domain, (builders, library) in DOMAINS.items():
        try:
            models = builders()
        except (ImportError, RuntimeError) as error:  # torchvision of another build is a RuntimeError
            print(f"skipping {domain}: {library} cannot be imported: {error}")
            continue
        setting = {
            "of": WHAT[domain],
            "seed": SEED,
            "inputs": INPUTS,
            "elements": ELEMENTS[domain],
            "delta": DELTA,
            library: version(library),
        }
        setting |= {"erlangen": erlangen.__version__, "torch": version("torch")}
        setting |= {"select": SELECT[domain]} if domain in SELECT else {}
        for place, (name, build) in enumerate(models.items()):
            path = folder / domain / f"{re.sub('[^a-z0-9]+', '-', name.lower())}.json"
            done = json.loads(path.read_text()) if path.exists() else {}
            if done.get("setting") == setting or not f"{domain}/{name}".startswith(only):
                continue
            start = time.perf_counter()
            try:
                model = built(build, domain)
                result = erlangen.audit(
                    model,
                    inputs(domain),
                    ASKED[domain],
                    threshold=DELTA,
                    elements=ELEMENTS[domain],
                    seed=SEED,
                    select=SELECT.get(domain),
                    where=False,
                    name=name,
                )
                record = {"setting": setting, "place": place, "audit": to_json(result)}
                path.parent.mkdir(parents=True, exist_ok=True)
                path.with_suffix(".part").write_text(json.dumps(record, ensure_ascii=False))
                path.with_suffix(".part").replace(path)
                path.with_suffix(".failed").unlink(missing_ok=True)
                words = " ".join(MARKS[check.judgment] for check in result.checks)
            except Exception as error:
                words = f"failed: {type(error).__name__}: {' '.join(str(error).split())}"[:300]
                path.parent.mkdir(parents=True, exist_ok=True)
                path.with_suffix(".failed").write_text(f"{name} {words}")  # shown on the page; the next run tries again
            print(f"{domain} {place + 1}/{len(models)} {name}: {words} ({time.perf_counter() - start:.0f} s)", flush=True)


def cell(check: dict[str, Any]) -> str:
    """The cell of a check: `=`, `✗ 0.45 [0.4, 0.5]`, or `–` if it was not measured."""
    mark = MARKS[check["judgment"]]
    if check["judgment"] in ("exact", "not measured"):
        return mark
    if check["failures"] or check["error"] is None:  # some elements failed; the error is that of the others
        return f"{mark} fails"
    low, high = (f"{end:.2g}" if end is not None else "?" for end in check["interval"])
    return f"{mark}{AT_RANDOM * by_parts(check)} {check['error']:.2g} [{low}, {high}]"


def by_parts(check: dict[str, Any]) -> bool:
    """Whether a check is broken by what the mean over the whole output hides, not by its interval or by any error at all."""
    low = check["interval"][0]
    return check["judgment"] == "broken" and not check["strict"] and (low is None or low <= DELTA)


def page(folder: Path) -> str:
    """The text of docs/atlas.md, from the JSON files alone."""
    records: dict[str, list[Any]] = {}
    for domain in DOMAINS:
        stored = [json.loads(path.read_text()) for path in sorted((folder / domain).glob("*.json"))]
        records[domain] = sorted(stored, key=lambda record: record["place"])
    everything = [record for rows in records.values() for record in rows]
    settings = [(name, value) for record in everything for name, value in record["setting"].items()]
    versions = {name: value for name, value in settings if isinstance(value, str) and name != "of"}
    minutes = sum(record["audit"]["seconds"] for record in everything) / 60
    marks = "\n".join(f"- `{mark}` {words}" for mark, words in LEGEND.items())
    lines = [HEAD.format(
        models=len(everything), versions=", ".join(f"{name} {value}" for name, value in sorted(versions.items())), seed=SEED,
        inputs=INPUTS, elements=ELEMENTS["vision"],
            more=ELEMENTS["graph"], delta=DELTA, marks=marks, minutes=minutes, side=SIDE, length=LENGTH,
        vocabulary=VOCABULARY - 1, most=11 + INPUTS, images=WHAT["vision"], texts=WHAT["language"],
        graphs=WHAT["graph"],
    )]  # fmt: skip
    for domain, rows in records.items():
        if not rows:
            continue
        names = [check["name"] for check in rows[0]["audit"]["checks"] if check["name"] != "repeat"]
        lines += [f"\n## {domain.capitalize()}\n", f"| model | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]
        for record in rows:
            audit = record["audit"]
            checks = {check["name"]: cell(check) for check in audit["checks"]}
            star = "*" if audit["twin"].startswith("none") else ""
            lines.append(f"| {audit['model']}{star} | {' | '.join(checks[name] for name in names)} |")
        lines += [f"\n{NOTES[domain]}"]
        failed = [record["audit"]["model"] for record in rows if record["audit"]["checks"][0]["judgment"] != "exact"]
        lines += [f"\nWithout a row: {path.read_text()}." for path in sorted((folder / domain).glob("*.failed"))]
        lines += [f"\n`repeat` is {'exact for all' if not failed else 'not exact for ' + ', '.join(failed)}."]
    return "\n".join(lines) + "\n"


AT_RANDOM, BROKEN = "†", MARKS["broken"]
LEGEND = {
    MARKS["exact"]: "exact: in float64, the error is only rounding.",
    MARKS["holds"]: "holds: the interval of the error lies below δ.",
    BROKEN: "broken: the interval lies above δ or, for causality, batch composition and left padding, there is any error beyond "
    "rounding.",
    f"{BROKEN}{AT_RANDOM}": "broken, although the interval does not lie above δ: the feature with the largest value, which would "
    "be the predicted class, changes about as often as between two unrelated inputs, or a single feature changes that much.",
    f"{BROKEN} fails": "broken: the model raises an error for some of the transformed inputs.",
    MARKS["undecided"]: "undecided: the interval contains δ, or there are too few inputs for so many checks.",
    MARKS["not measured"]: "not measured: the model does not take the argument, or returns nothing that could be compared.",
}
HEAD = """# Atlas: which library models have which symmetries

{models} models of three libraries, built small and with **random weights**: the atlas describes architectures, not trained
models. It was made by `python examples/atlas.py --write docs/atlas.md`, with {minutes:.0f} minutes of audits on one thread of a
shared CPU. Versions: {versions}.
Seed {seed}, n = {inputs} inputs, up to {elements} random elements per input ({more} for graphs).

A number is the mean error, RMS(f(g·x) - g·f(x)), divided by the spread of f(x) over inputs and sites. 0 means that the symmetry
is exact; about 1.4 is the difference between the outputs of two different inputs. Brackets show the 95 % interval over inputs;
δ = {delta}. A star after a model means that no float64 twin could be made, so `exact` is decided in float32.

{marks}

Images of 3 × {side} × {side} are {images}; texts are {length} {texts} from a vocabulary of {vocabulary}; graphs have 12
to {most} nodes with about six neighbors each: {graphs}."""
NOTES = {
    "vision": "The audit is of the pooled features, without the classifier. Scales that start near 0 (ResNet's last norms, "
    "LayerScale) are set to 1, and batch norms are fitted to 64 other images; otherwise the audit would hardly see more than the "
    "stem.",
    "language": "The models have two layers of width 64. The audit is of the logits of causal models, and of the last hidden "
    "state of the others, which are not meant to be causal. `left-padding` passes only a mask; `left-padding-positions` also "
    "passes the right position ids. The poolers of BERT, RoBERTa, ALBERT and Longformer, which are not part of the table, read "
    "position 0. With left padding that is padding, so `pooler_output` is wrong there even with the right position ids. RWKV accepts a mask but ignores it. XLNet encodes positions only in its attention, which is "
    "weak with random weights.",
    "graph": "The models have two convolutions of width 16. *no batch* means that the norm does not know where one graph of a "
    "batch ends. `duplicate-edges` is informational: sums rightly count an edge twice. The output of pooled models rightly "
    "changes with an isolated node, so this is not measured. SAGE, LSTM refuses edges that are not sorted by target, so every "
    "other order fails.",
}


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, default=Path("runs/atlas"), help="folder of the audits; runs/atlas")
    parser.add_argument("--write", type=Path, help="write the page to this file")
    parser.add_argument("--only", default="", help="audit only this domain or model, such as language/BERT")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore")
    survey(options.folder, options.only)
    if options.write:
        options.write.write_text(page(options.folder))
        print(f"wrote {options.write}")


if __name__ == "__main__":
    main()
