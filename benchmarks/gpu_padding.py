"""The padding experiment on a GPU: a step of ten nets in every form, the rows' stages, and the whole table beside the CPU's.

A step is one of ten nets on a batch of 200 images, as a CUDA graph that is replayed; an epoch is ten steps and a validation on
1000 images. `erlangen.train.stacked_nets` has the forms. A row is what a worker computes at a time: one net under one padding,
from all seeds. The table is that of `erlangen run padding --preset standard --device cuda`, from the start of its worker process
to the report, in a temporary folder; its rows stand beside those of the CPU in `padding_cpu.json`. Every line is printed, and the
JSON written anew, as soon as it is measured.

    python benchmarks/gpu_padding.py [--parts steps rows tables others] [--rows 1] [--seeds 10] [--precisions float32,tf32]
                                     [--forms products] [--seconds 150] [--workers 1] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, get_args

import printing
import torch
from torch import Tensor

import erlangen
from erlangen.data.red_green import red_green
from erlangen.experiments.padding import PRESETS, jobs, run as stages
from erlangen.experiments.padding.tasks import ROWS
from erlangen.models.padded_cnn import PaddedCNN, PaddedCNNConfig
from erlangen.records.runs import Job, Precision
from erlangen.statistics.intervals import accuracy_interval
from erlangen.train.classifier import History, Schedule, fit, slices
from erlangen.train.classifiers import Training, fit_many
from erlangen.train.seeds import seed_everything
from erlangen.train.stacked_nets import FORM, Form

Row = dict[str, Any]
Pair = tuple[Tensor, Tensor]
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
FORMATS = {"channels last": torch.channels_last, "channels first": torch.contiguous_format}
SAMPLE = "Net1/circular"  # the row with the most kernels
FEW = (SAMPLE, "Net2/replicate", "Net1/valid", "Net2/sconv", "Net1/fconv", "Net2/reflect")  # those of --rows, in this order
TABLE_SECONDS = 120  # the target
CPU_ROWS = Path(__file__).with_name("padding_cpu.json")
PARTS = ("steps", "rows", "tables", "others")
STAGES = {"images_of": "draw", "build": "draw", "fit_many": "train", "observe": "probe", "score": "probe"}


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def wait() -> None:
    if DEVICE == "cuda":
        torch.cuda.synchronize()


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


def steps(row: str, precision: str, form: Form, layout: str = "channels last", seeds: int = 10, repeats: int = 10) -> Row:
    """Milliseconds of a step and of a validation of all nets, and the seconds before, in which they are captured."""
    train, validation = splits(FORMATS[layout])
    begin = time.perf_counter()
    training = Training(nets(row, seeds), train, validation, Schedule(), precision, form)
    step, validate = training.replays() if DEVICE == "cuda" else (training.step, training.validate)
    wait()
    capture = time.perf_counter() - begin
    batch, labels = next(slices(*train, size=Schedule.batch_size))
    step_ms, validate_ms = (milliseconds(call, repeats) for call in (partial(step, batch, labels), validate))
    epoch = len(train[0]) / len(batch) * step_ms + validate_ms
    return {
        "case": f"a step of {seeds} nets, {form}, {layout}", "row": row, "precision": precision, "step_ms": step_ms,
        "validate_ms": validate_ms, "capture_s": capture, "s_for_50_epochs_of_12_rows": 12 * 50 * epoch / 1000,
    }  # fmt: skip


def milliseconds(call: Callable[[], object], repeats: int) -> float:
    """Of one call, after one that is not counted."""
    call()
    wait()
    begin = time.perf_counter()
    for _ in range(repeats):
        call()
    wait()
    return 1000 * (time.perf_counter() - begin) / repeats


@contextmanager
def stopwatch(form: Form) -> Iterator[dict[str, float]]:
    """A context in which the experiment trains in a form; yields the seconds of its stages."""
    seconds = dict.fromkeys(STAGES.values(), 0.0)
    before = {name: getattr(stages, name) for name in STAGES}

    def timed(function: Callable[..., Any], stage: str) -> Callable[..., Any]:
        def call(*args: Any) -> Any:
            begin = time.perf_counter()
            result = function(*args)
            wait()
            seconds[stage] += time.perf_counter() - begin
            return result

        return call

    for name, function in before.items():
        setattr(stages, name, timed(partial(function, form=form) if name == "fit_many" else function, STAGES[name]))
    try:
        yield seconds
    finally:
        for name, function in before.items():
            setattr(stages, name, function)


def stages_of(row: str, precision: Precision, form: Form, seeds: int = 10, **settings: Any) -> Row:
    """Seconds of a row of the table, in this process, and of its stages; all epochs unless every net stops earlier."""
    recipe = replace(PRESETS["standard"], rows=(row,), seeds=seeds, **settings)
    asked = [
        replace(job, experiment="padding", precision=precision, device=DEVICE) for job in jobs(recipe) if "net" in job.params
    ]
    begin = time.perf_counter()
    with stopwatch(form) as seconds:
        measured = stages.run_many(asked)
    total = time.perf_counter() - begin
    curves = [one.value for found in measured if isinstance(found, list) for one in found if one.name == "train_loss"]
    epochs = [len(curve) for curve in curves if isinstance(curve, tuple)]
    return {
        "case": f"a row of {seeds} nets, {form}", "row": row, "precision": precision, "seconds": total, **seconds,
        "most_epochs": max(epochs, default=None), "s_for_12_rows": 12 * total,
    }  # fmt: skip


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


class Bundles:
    """Progress of the table: a line for each row whose nets have all ended."""

    def __init__(self, asked: Collection[Job], workers: int) -> None:
        self.begin = self.last = time.perf_counter()
        self.left = Counter(map(self.name, asked))

    def __enter__(self) -> Bundles:
        return self

    def __exit__(self, *exception: object) -> None:
        pass

    @staticmethod
    def name(job: Job) -> str:
        return " ".join(str(job.params[key]) for key in ("task", "net", "padding") if key in job.params)

    def advance(self, job: Job) -> None:
        name, now = self.name(job), time.perf_counter()
        self.left[name] -= 1
        if not self.left[name]:
            say(f"  {name}: {now - self.last:.1f} s, {now - self.begin:.1f} s since the start")
            self.last = now


def table(precision: str, seeds: int = 10, folder: Path | None = None, workers: int = 1, **settings: int) -> Row:
    """The standard table: its seconds, the verdicts, and every row beside the CPU's."""
    with tempfile.TemporaryDirectory() as temporary:
        begin = time.perf_counter()
        run = erlangen.run(
            "padding", preset="standard", seeds=seeds, settings=settings, device=DEVICE, precision=precision,
            out=folder or Path(temporary) / "run", notify=say, progress=Bundles, workers=workers,
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


def parts(args: argparse.Namespace) -> list[tuple[Any, ...]]:
    """What to measure, the most important first; functions with their arguments."""
    precisions, forms = args.precisions.split(","), args.forms.split(",")
    listed: dict[str, list[tuple[Any, ...]]] = {
        "steps": [(steps, SAMPLE, precision, form, layout) for precision in precisions for form, layout in layouts(forms)],
        "rows": [(stages_of, row, precision, forms[0], args.seeds) for precision in precisions for row in FEW[: args.rows]],
        "tables": [(table, precision, args.seeds, None, args.workers) for precision in precisions],
        "others": [(agreement, SAMPLE, precisions[0]), *((one_by_one, SAMPLE, precisions[0], size) for size in (200, 50))],
    }
    return [part for name in args.parts for part in listed[name]]


def layouts(forms: Sequence[str]) -> list[tuple[str, str]]:
    """Each form with the layouts of images that it distinguishes."""
    return [(form, layout) for form in forms for layout in FORMATS if layout == "channels last" or form == "in turn"]


def measure(listed: Sequence[tuple[Any, ...]], seconds: float) -> Iterator[Row]:
    """All rows, each as soon as it is measured. No part begins after `seconds`."""
    begin = time.monotonic()
    for part in listed:
        if time.monotonic() - begin > seconds:
            yield {"case": f"{part[0].__name__} {part[1:]}", "error": f"not begun after {seconds:g} s"}
        else:
            yield attempt(*part)


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


def show(row: Row) -> Iterator[str]:
    """A row in lines."""
    if row["case"] != "standard table":
        yield ", ".join(f"{key} {value:.4g}" if isinstance(value, float) else f"{key} {value}" for key, value in row.items())
        return
    yield f"standard table, {row['precision']}, {row['seeds']} seeds: {row['seconds']:.1f} s"
    yield from (f"  failed: {failed}" for failed in row["failed"])
    yield from ("  " + ", ".join(f"{key} {value}" for key, value in one.items()) for one in row["rows"])


def main() -> None:
    options = printing.parser(__doc__)
    options.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS), help="what to measure (default: all)")
    options.add_argument("--rows", type=int, default=1, help="rows of the table whose stages are timed (default: 1)")
    options.add_argument("--forms", default=FORM, help=f"with commas, of {', '.join(get_args(Form))} (default: {FORM})")
    options.add_argument("--seconds", type=float, default=150.0, help="begin no part after so many seconds (default: 150)")
    options.add_argument("--seeds", type=int, default=10, help="seeds of the rows and the table (default: 10)")
    options.add_argument("--precisions", default="float32,tf32", help="precisions (default: float32,tf32)")
    options.add_argument("--workers", type=int, default=1, help="processes that compute the table (default: 1)")
    args = options.parse_args()
    out = printing.table_stream(args.json)
    device = torch.cuda.get_device_name() if DEVICE == "cuda" else "no GPU: these are a processor's"
    print(device, torch.__version__, file=out, flush=True)
    rows: list[Row] = []
    for row in measure(parts(args), args.seconds):
        rows.append(row)
        for line in show(row):
            print(line, file=out, flush=True)
        if args.json != "-":
            printing.emit([*results(rows), *rows], args.json)  # now, so that a run that is cut off leaves what it has
    if args.json == "-":
        printing.emit([*results(rows), *rows], args.json)


if __name__ == "__main__":
    main()
