"""The padding experiment on a GPU: nets one by one, several seeds at once, and the whole table beside the CPU's.

An epoch is ten steps on batches of 200 images and a validation on 1000. One by one, `erlangen.train.classifier.fit` launches
every kernel; at once, `erlangen.train.classifiers.fit_many` replays captured steps of ten nets. The table is that of
`erlangen run padding --preset standard --device cuda`, from the start of its worker process to the report, in a temporary folder;
its rows stand beside those of the CPU in `padding_cpu.json`.

    python benchmarks/gpu_padding.py [--seconds 150] [--seeds 10] [--precisions float32,tf32] [--json -]
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import printing
import torch
from torch import Tensor

import erlangen
from erlangen.data.red_green import red_green
from erlangen.experiments.padding.tasks import ROWS
from erlangen.models.padded_cnn import PaddedCNN, PaddedCNNConfig
from erlangen.statistics.intervals import accuracy_interval
from erlangen.train.classifier import History, Schedule, fit
from erlangen.train.classifiers import Form, fit_many
from erlangen.train.seeds import seed_everything

Row = dict[str, Any]
Pair = tuple[Tensor, Tensor]
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
FORMATS = {"channels last": torch.channels_last, "channels first": torch.contiguous_format}
SAMPLE = "Net1/circular"  # the row with the most kernels
TABLE_SECONDS = 120  # the target
CPU_ROWS = Path(__file__).with_name("padding_cpu.json")


def nets(row: str, seeds: int) -> list[PaddedCNN]:
    net, padding = row.split("/")
    models = []
    for seed in range(seeds):
        seed_everything(seed)
        models.append(PaddedCNN(PaddedCNNConfig(net=net, padding=padding)).to(DEVICE))  # type: ignore[arg-type]
    return models


def splits(memory_format: torch.memory_format, images: int = 2000) -> tuple[Pair, Pair]:
    data = red_green("source", train=images, validation=images // 2, test=2)
    train, validation = (
        (part.images.to(DEVICE, memory_format=memory_format), part.labels.to(DEVICE)) for part in (data.train, data.validation)
    )
    return train, validation


def one_by_one(row: str, precision: str, slice_size: int, epochs: int = 3) -> Row:
    """Milliseconds of an epoch of one net, after one that is not counted."""
    (train, validation), (model,) = splits(torch.channels_last), nets(row, 1)
    fit(model, train, validation, Schedule(epochs=1, slice_size=slice_size), precision)
    begin = time.perf_counter()
    fit(model, train, validation, Schedule(epochs=epochs, slice_size=slice_size), precision)
    each = 1000 * (time.perf_counter() - begin) / epochs
    return {"case": f"one by one, slices of {slice_size}", "row": row, "precision": precision, "ms_per_epoch_and_net": each}


def at_once(row: str, precision: str, form: Form, layout: str, seeds: int = 10, epochs: int = 5) -> Row:
    """Milliseconds of an epoch of one of several nets, and the seconds before the first, in which the steps are captured."""
    train, validation = splits(FORMATS[layout])

    def seconds(epochs: int) -> float:
        models, begin = nets(row, seeds), time.perf_counter()
        fit_many(models, train, validation, Schedule(epochs=epochs), precision, form)
        return time.perf_counter() - begin

    first = seconds(1)
    base: Row = {"case": f"{seeds} at once, {form}, {layout}", "row": row, "precision": precision, "first_s": first}
    if first > 8:  # convolutions in groups may be far slower: one epoch tells
        return {**base, "ms_per_epoch_and_net": 1000 * first / seeds, "capture_s": None}
    short = seconds(1)
    each = max(seconds(1 + epochs) - short, 0.0) / epochs
    return {**base, "ms_per_epoch_and_net": 1000 * each / seeds, "capture_s": short - each}


def agreement(row: str, precision: str, seeds: int = 3) -> Row:
    """The largest difference of a loss of the first epoch between nets at once and one by one."""
    (train, validation), schedule = splits(torch.channels_last), Schedule(epochs=1, slice_size=200)
    together = fit_many(nets(row, seeds), train, validation, schedule, precision)
    alone = [fit(model, train, validation, schedule, precision) for model in nets(row, seeds)]
    differences = [
        abs(getattr(one, name)[0] - getattr(other, name)[0])
        for one, other in zip(together, alone, strict=True)
        for name in ("train_loss", "validation_loss")
        if isinstance(one, History)
    ]
    return {"case": "first epoch, at once against one by one", "row": row, "precision": precision, "loss": max(differences)}


def table(precision: str, seeds: int = 10, folder: Path | None = None, **settings: int) -> Row:
    """The standard table: its seconds, the verdicts, and every row beside the CPU's."""
    with tempfile.TemporaryDirectory() as temporary:
        begin = time.perf_counter()
        run = erlangen.run(
            "padding", preset="standard", seeds=seeds, settings=settings, device=DEVICE, precision=precision,
            out=folder or Path(temporary) / "run", notify=lambda line: print(line, file=sys.stderr),
        )  # fmt: skip
        seconds = time.perf_counter() - begin
        shown = [row_of(row, run.results, precision) for row in ROWS]
    return {
        "case": "standard table", "precision": precision, "seconds": seconds, "seeds": seeds,
        "failed": [f"{one.job.label()}: {one.reason}" for one in run.failed],
        "rows": [row for row in shown if row["n"]],
        "verdicts": {f"{verdict.claim} {verdict.part}": verdict.verdict for verdict in run.verdicts},
    }  # fmt: skip


def row_of(name: str, results: Sequence[Any], precision: str) -> Row:
    """A row of the table: mean test accuracy with its interval here, and on the CPU."""
    net, padding = ROWS[name]
    values = [
        result.value("test_accuracy")
        for result in results
        if (result.params.get("net"), result.params.get("padding"), result.precision) == (net, padding, precision)
    ]
    cpu = json.loads(CPU_ROWS.read_text(encoding="utf-8"))[name]
    if len(values) < 2:
        return {"row": name, "n": len(values), "cpu": cpu["mean"], "cpu_interval": cpu["interval"]}
    mean, (low, high) = statistics.fmean(values), cpu["interval"]
    own = accuracy_interval(values, 1000)
    return {
        "row": name, "n": len(values), "mean": mean, "interval": [own.low, own.high], "sd": statistics.pstdev(values),
        "cpu": cpu["mean"], "cpu_interval": cpu["interval"], "inside": low <= round(mean, 1) <= high,
        "overlap": own.low <= high and low <= own.high,
    }  # fmt: skip


def attempt(function: Any, *args: Any, **options: Any) -> Row:
    """The row of a measurement, or one with its error: the others are still measured."""
    try:
        row: Row = function(*args, **options)
        return row
    except Exception as error:
        return {"case": f"{function.__name__} {args}", "error": f"{type(error).__name__}: {error}"[:300]}


def measure(seconds: float = 150.0, seeds: int = 10, precisions: Sequence[str] = ("float32", "tf32")) -> list[Row]:
    """All rows, the most important first: the tables, then the parts. No part begins after `seconds`."""
    begin, rows = time.monotonic(), [attempt(table, precision, seeds) for precision in precisions]
    parts: list[tuple[Any, ...]] = [(agreement, SAMPLE, precisions[0])]
    parts += [(one_by_one, SAMPLE, precisions[0], size) for size in (200, 50)]
    parts += [(at_once, SAMPLE, precisions[0], form, layout) for form in ("in turn", "vmap") for layout in FORMATS]
    parts += [(at_once, SAMPLE, precisions[-1], "in turn", layout) for layout in FORMATS]
    for part in parts:
        if time.monotonic() - begin > seconds:
            rows.append({"case": f"{part[0].__name__} {part[1:]}", "error": f"not begun after {seconds:g} s"})
            continue
        rows.append(attempt(*part))
    return rows


def results(rows: list[Row]) -> list[Row]:
    """The tables' seconds, in the shape that all benchmarks share; the seconds are to be at most the target."""
    return [
        {
            "name": f"padding table, {row['precision']}", "ratio": round(row["seconds"], 1), "target": TABLE_SECONDS,
            "peer": f"{sum(one.get('inside', False) for one in row['rows'])} of {len(row['rows'])} rows in the CPU's interval",
            "unit": "s",
        }
        for row in rows
        if row["case"] == "standard table" and "seconds" in row
    ]  # fmt: skip


def main() -> None:
    options = printing.parser(__doc__)
    options.add_argument("--seconds", type=float, default=150.0, help="begin no part after so many seconds (default: 150)")
    options.add_argument("--seeds", type=int, default=10, help="seeds of the table (default: 10)")
    options.add_argument("--precisions", default="float32,tf32", help="precisions of the table (default: float32,tf32)")
    args = options.parse_args()
    rows = measure(args.seconds, args.seeds, args.precisions.split(","))
    out = printing.table_stream(args.json)
    print(torch.cuda.get_device_name() if DEVICE == "cuda" else "no GPU: these are a processor's", torch.__version__, file=out)
    for row in rows:
        if row["case"] != "standard table":
            print(", ".join(f"{k} {v:.4g}" if isinstance(v, float) else str(v) for k, v in row.items()), file=out)
            continue
        print(f"standard table, {row['precision']}, {row['seeds']} seeds: {row['seconds']:.1f} s", file=out)
        for failed in row["failed"]:
            print(f"  failed: {failed}", file=out)
        for one in row["rows"]:
            print("  " + ", ".join(f"{key} {value}" for key, value in one.items()), file=out)
    printing.emit([*results(rows), *rows], args.json)


if __name__ == "__main__":
    main()
