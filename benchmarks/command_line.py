"""The start-up time of the command line, as whole processes, alternating with `python -c pass` for comparison.

python benchmarks/command_line.py [--rounds 15] [--json -]
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time

import printing

from erlangen.sweep.machine import cores, processor

LIMITS = {("--help",): 0.3, ("list",): 0.5, ("show", "C5"): 0.5}  # seconds


def seconds(*command: str) -> float:
    """The wall seconds of a process in an empty folder."""
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        subprocess.run([sys.executable, *command], cwd=folder, check=True, stdout=subprocess.DEVNULL)
        return time.perf_counter() - start


def main() -> None:
    options = printing.parser(__doc__)
    options.add_argument("--rounds", type=int, default=15, help="runs of each command, of which medians are taken (default: 15)")
    args = options.parse_args()
    commands = {"python -c pass": ("-c", "pass")} | {
        f"erlangen {' '.join(words)}": ("-m", "erlangen", *words) for words in LIMITS
    }
    times: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(args.rounds + 1):
        for name, command in commands.items():
            times[name].append(seconds(*command))
    medians = {name: statistics.median(values[1:]) for name, values in times.items()}  # the first round warms the disk
    floor = medians.pop("python -c pass")
    results = [
        {
            "name": name,
            "ratio": round(median / floor, 2),
            "seconds": round(median, 3),
            "target": limit,
            "peer": "python -c pass",
            "unit": "times its wall seconds; the target is in seconds",
        }
        for (name, median), limit in zip(medians.items(), LIMITS.values(), strict=True)
    ]
    out = printing.table_stream(args.json)
    print(f"{processor()}, {cores()} cores; Python {sys.version.split()[0]}; python -c pass {floor:.3f} s", file=out)
    for result in results:
        print(f"{result['name']:<18} {result['seconds']:>6.3f} s  (at most {result['target']} s)  {result['ratio']}x", file=out)
    printing.emit(results, args.json)


if __name__ == "__main__":
    main()
