"""Losses on text, each with its interval, the name of its evaluation, and the floor where it is known."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

from erlangen.cli.outputs import emit
from erlangen.cli.terminal import Tally, say
from erlangen.records.evaluation import Score
from erlangen.records.files import finite

if TYPE_CHECKING:
    from erlangen.cli.gpt.plan import Plan
    from erlangen.data.corpus import Corpus
    from erlangen.measure.token_loss import How
    from erlangen.models.gpt import GPT
    from erlangen.train.language_model import LanguageHistory
    from erlangen.train.part_losses import Part
    from erlangen.train.precision import Precision

DIVERGED = 1.1  # times the loss of a uniform guess: untrained weights reach 1.07
SCORED = 100_000  # tokens of a part that an evaluation scores at most


def conclude(
    plan: Plan, history: LanguageHistory, folder: Path, seconds: float, target: str | None, before: float | None = None
) -> None:
    """Evaluate the best weights on held-out text; print the scores, and write JSON where it is asked for.

    before: the validation loss of the weights that the training started from.
    """
    scores = [score(plan.model, plan.corpus, part, plan.precision) for part in ("validation", "test")]
    guess = math.log(plan.model.config.vocabulary)
    made = history.steps - (plan.start.step if plan.start else 0)
    speed = made * plan.schedule.batch * plan.model.config.block / seconds
    data = {
        "folder": str(folder), "options": plan.options, "schedule": asdict(plan.schedule), "config": asdict(plan.model.config),
        "parameters": plan.model.parameter_count(), "steps": history.steps, "best_step": history.best_step,
        "before": before, "uniform_guess": guess,
        "ended": history.ended, "seconds": round(seconds, 2), "tokens_per_second": speed,
        "evaluations": [one._asdict() for one in history.evaluations], "scores": [finite(asdict(one)) for one in scores],
    }  # fmt: skip
    faults = warnings(plan.model, history, scores[0], before)
    if target == "-":
        for fault in faults:
            say(f"warning: {fault}")
        emit(data, target)
        return
    ended = " (ended by --patience)" if history.ended == "patience" else ""
    print(f"Best of {history.steps} steps{ended}: step {history.best_step}")
    if made:
        print(f"{made} steps in {seconds:.0f} s, {speed:,.0f} tokens/s, including evaluations\n")
    elif history.ended == "patience":
        print(f"This run is finished: --patience ended it. To train its weights further, start a run with --from {folder}\n")
    else:
        print("This run is finished; add --steps N to go on.\n")
    print_scores(scores)
    print(f"\nEvaluation: {scores[0].evaluation}. Intervals: 95 %, over contiguous blocks of text.")
    limit = plan.schedule.evaluation_tokens
    if limit is not None and limit < scores[0].tokens:
        print(f"Evaluations during training use the first {limit:,} tokens of the validation part.")
    print(f"Checkpoints: {folder}")
    if scores[0].nats_per_token <= guess:
        print(f"Try it: erlangen gpt generate {folder}")
    print("".join(f"\n{fault}\n" for fault in faults), end="", flush=True)
    emit(data, target)  # what is printed is not lost where it cannot be written


def warnings(model: GPT, history: LanguageHistory, validation: Score, before: float | None) -> list[str]:
    """What a training's last losses and those of its best weights warn of, in sentences.

    before: the validation loss of the weights that it started from.
    """
    last, found = history.evaluations[-1], []
    least = max(DIVERGED * math.log(model.config.vocabulary), before or 0.0)
    if min(last.train_loss, last.validation_loss) > least:  # validation alone: a text learned by heart
        loss = f"The validation loss at step {last.step}, {last.validation_loss:.2f}, is {above_a_guess(model)}"
        found.append(f"{loss}: training diverged. Try a smaller --lr, or --find-lr.")
    elif validation.nats_per_token > math.log(model.config.vocabulary):
        found.append(f"The validation loss is {above_a_guess(model)}. Train for more steps.")
    if before is not None and before <= history.best_loss:
        found.append(
            f"No evaluation improved on the starting weights ({before:.4f} nats per token on validation); try a lower --lr"
        )
    return found


def above_a_guess(model: GPT) -> str:
    """`above that of a uniform guess (ln 53 = 3.97 nats per token)`"""
    vocabulary = model.config.vocabulary
    return f"above that of a uniform guess (ln {vocabulary} = {math.log(vocabulary):.2f} nats per token)"


def print_scores(scores: Sequence[Score]) -> None:
    """One line per score, followed by the floor where there is one."""
    for one in scores:
        loss = with_interval(one.nats_per_token, one.interval)
        print(f"{one.part:<10}  {loss} nats per token, {one.bits_per_byte:.4f} bits per byte (n = {one.tokens} tokens)")
        if one.floor is not None and one.above_floor is not None and one.above_floor_interval is not None:
            above, share = with_interval(one.above_floor, one.above_floor_interval), one.above_floor / one.floor
            print(f"{'':<10}  floor {one.floor:.4f} on the same characters; the loss exceeds it by {above}, {100 * share:.1f} %")


def with_interval(value: float, ends: Sequence[float | None]) -> str:
    """`1.2345 [1.2000, 1.2700]`"""
    return f"{value:.4f} [{', '.join('–' if end is None else f'{end:.4f}' for end in ends)}]"


def score(model: GPT, corpus: Corpus, part: Part, precision: Precision, how: How = "windows", limit: int = SCORED) -> Score:
    """The loss of a part's first `limit` tokens, in nats and bits, with its interval; for tales, also above the floor."""
    from erlangen.measure.token_loss import bits_per_byte, loss_interval
    from erlangen.train.part_losses import document_starts, part_losses

    tally = Tally(min(len(getattr(corpus, part)), limit), f"tokens of {part}")
    losses, at = part_losses(model, corpus, part, precision, limit, how, tally.add)
    tokens = getattr(corpus, part)[at]
    interval, block = loss_interval(losses), model.config.block
    aligned = document_starts(corpus, part) is not None
    name = (
        f"non-overlapping windows of {block}" if how == "windows" else f"sliding windows of {block} with their second half scored"
    )
    found = Score(
        part=part,
        evaluation=f"{'windows of whole tales' if aligned else name}, {precision}",
        tokens=len(losses),
        nats_per_token=interval.estimate,
        interval=(interval.low, interval.high),
        bits_per_byte=bits_per_byte(float(losses.sum()), corpus.bytes_of(tokens)),
    )
    if not (corpus.name == "tales" and aligned):
        return found
    from erlangen.data.tales import floor as floor_of

    floor = floor_of(corpus.tokenizer.decode(tokens))
    above = loss_interval(losses.numpy() - floor)
    return replace(found, floor=float(floor.mean()), above_floor=above.estimate, above_floor_interval=(above.low, above.high))
