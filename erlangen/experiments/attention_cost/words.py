"""What the three claims say, part by part, and the report's own words."""

from __future__ import annotations

from functools import partial

from erlangen.claims import statement_of
from erlangen.experiments.kit.wording import wording
from erlangen.records.runs import Claim

COUNTED = (
    "Multiply-adds are counted operation by operation as they run, forward and backward; those of a fused kernel by its formula, "
    "which on a CPU is compared with the log of the matrix library. "
)
CLOCKED = (
    "Times are medians for one head of one text on one core, with an allocator that keeps its pages; page faults are counted "
    "beside them. "
)

CLAIMS = (
    Claim(
        id="T1",
        statement=statement_of("T1"),
        how=COUNTED
        + CLOCKED
        + "Exponents are slopes on logarithms, one for each seed. The counts decide, the clock illustrates.",
        parts={
            "products, length": "At a fixed width d, the multiply-adds of QKᵀ grow as n², forward and backward.",
            "products, width": "At a fixed length n, the multiply-adds of QKᵀ grow as d, forward and backward.",
            "exponential": "With the length, the cost grows exponentially: each further token multiplies it by the same factor.",
            "products, whole layer": "All multiply-adds of naive and of fused attention grow as n², forward and backward.",
            "time, naive, forward": "The time of naive attention, forward, grows as n².",
            "time, naive": "The time of naive attention, forward and backward, grows as n².",
            "time, fused, forward": "The time of fused attention, forward, grows as n².",
            "time, fused": "The time of fused attention, forward and backward, grows as n².",
            "time, width": "With the width d, the time of naive attention, forward, grows more slowly than its products do.",
            "page faults": "The allocator that keeps its pages avoids page faults, which are counted where it returns them.",
        },
    ),
    Claim(
        id="T2",
        statement=statement_of("T2"),
        how=COUNTED
        + CLOCKED
        + "The local form computes blocks along the diagonal: 2w keys for each query. Peak memory is measured "
        "in processes of their own, forward and backward.",
        parts={
            "products": "The multiply-adds of attention with a window grow as n·w, forward and backward.",
            "equal to the mask": "Blocks along the diagonal give the outputs and gradients of the mask, at every window.",
            "time, length": "At a fixed window, the time of the local form grows at most linearly with n.",
            "time, window": "At a fixed length, the time of the local form grows at most linearly with w.",
            "memory, local": "At a fixed window, the memory of the local form grows at most linearly with n.",
            "memory, window as a mask": "A window that is given as a mask holds n × n numbers after all.",
            "memory, ALiBi as a mask": "ALiBi that is given as a mask holds n × n numbers after all.",
            "memory, as foretold": "Each form's memory grows as n² exactly where the lab says that it holds a matrix.",
        },
    ),
    Claim(
        id="T11",
        statement=statement_of("T11"),
        how=COUNTED + CLOCKED + "The pieces of naive attention are timed on whole matrices, and on tiles that stay in cache: the "
        "difference is what reads and writes cost. Every verdict about time is one about this device.",
        parts={
            "saves memory": "Fused attention holds less than half of naive attention's memory.",
            "saves time": "Fused attention takes less time than naive attention, forward and backward.",
            "tiling, time": "The pieces of attention take less time on tiles that stay in cache.",
            "recomputes instead of storing": "The fused kernel stores no n × n numbers and computes QKᵀ again: 7 products for 6.",
            "recomputation, time": "A backward pass that computes QKᵀ again takes less time than one that reads the weights.",
            "reads and writes": "Reads and writes take more of naive attention's time than arithmetic.",
            "exponentials": "Of the arithmetic, softmax takes more time than the products.",
            "dropout": "With dropout of the weights, torch falls back to operations that hold n × n numbers.",
            "formula": "The formula for the fused kernel counts what the matrix library logs on a CPU.",
        },
    ),
)

FLASH = "FlashAttention saves memory and time by tiling and by recomputation instead of storing"
QUOTES = {
    "products, length": "QKᵀ costs O(n²·d_k)",
    "products, width": "QKᵀ costs O(n²·d_k)",
    "exponential": '"exponential"',
    "products": "Window w costs O(n·w).",
    "saves memory": FLASH,
    "saves time": FLASH,
    "tiling, time": FLASH,
    "recomputes instead of storing": FLASH,
    "recomputation, time": FLASH,
    "reads and writes": "attention is bound by reads and writes, not arithmetic.",
}
said = partial(wording, CLAIMS, QUOTES)
