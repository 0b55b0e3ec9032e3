"""Everything that is measured on a GPU, beside its peers, in one run of at most seven minutes.

Each part is a benchmark of its own in a process of its own, so that a part that fails or hangs takes no other with it: training,
decoding, attention, graph layers and the padding experiment. Before them the peaks of this device: bfloat16 and float32 products,
and a copy.

    python benchmarks/gpu.py [--parts training decoding attention graph padding] [--json FILE]
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import printing
import torch

HERE = Path(__file__).parent
LIMITS = {"attention": 60, "graph": 60, "decoding": 100, "training": 110, "padding": 150}  # seconds
ARGUMENTS = {
    "attention": ["--seconds", "40"],
    "graph": ["--seconds", "45"],
    "training": ["--rounds", "5"],
    "decoding": ["--limit", "80"],
    "padding": ["--parts", "tables"],
}


def peaks(size: int = 8192) -> dict[str, float]:
    """TFLOP/s of square products in bfloat16, TF32 and float32, and TB/s of a copy, read and written."""
    from erlangen.nn.tf32 import tf32

    found = {}
    for name, dtype, enabled in (
        ("bfloat16", torch.bfloat16, False),
        ("tf32", torch.float32, True),
        ("float32", torch.float32, False),
    ):
        a = torch.randn(size, size, device="cuda", dtype=dtype)
        with tf32(enabled):
            found[f"{name} products, TFLOP/s"] = round(2 * size**3 / seconds(lambda a=a: a @ a) / 1e12, 1)
    source = torch.empty(2**32, dtype=torch.uint8, device="cuda")
    target = torch.empty_like(source)
    found["copy, TB/s"] = round(2 * source.numel() / seconds(lambda: target.copy_(source)) / 1e12, 2)
    return found


def seconds(run: Any, repeats: int = 10) -> float:
    """Of one run, after three that do not count."""
    for _ in range(3):
        run()
    torch.cuda.synchronize()
    start = time.perf_counter()
    for _ in range(repeats):
        run()
    torch.cuda.synchronize()
    return (time.perf_counter() - start) / repeats


def part(name: str) -> dict[str, Any]:
    """What a part measured, or why it did not; its table goes to stderr as it comes."""
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "results.json"
        command = [sys.executable, str(HERE / f"gpu_{name}.py"), *ARGUMENTS.get(name, []), "--json", str(path)]
        try:
            code = subprocess.run(command, stdout=sys.stderr, timeout=LIMITS[name], check=False).returncode
            fault = f"ended with exit code {code}" if code else ""
        except subprocess.TimeoutExpired:
            fault = f"took more than {LIMITS[name]} s"
        results = json.loads(path.read_text()) if path.exists() else []
    return {"part": name, "seconds": round(time.perf_counter() - start, 1), "fault": fault, "results": results}


def main() -> None:
    options = printing.parser(__doc__)
    options.add_argument("--parts", nargs="+", choices=list(LIMITS), default=list(LIMITS), help="default: all")
    args = options.parse_args()
    if not torch.cuda.is_available():
        sys.exit("this benchmark needs a CUDA device, and there is none here")
    out = printing.table_stream(args.json)
    head = {"device": torch.cuda.get_device_name(), "torch": torch.__version__, **peaks()}
    print(", ".join(f"{key} {value}" for key, value in head.items()), file=out, flush=True)
    results = [head]
    for name in args.parts:
        print(f"\n{name}", file=out, flush=True)
        results.append(part(name))
        print(f"{name}: {results[-1]['seconds']} s {results[-1]['fault']}", file=out, flush=True)
        printing.emit(results, args.json)  # after each part, so that a run that is cut off leaves what it has


if __name__ == "__main__":
    main()
