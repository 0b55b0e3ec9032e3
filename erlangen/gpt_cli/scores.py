"""What a training has come to: loss on text not trained on, with its interval, beside the floor where that is known."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from erlangen.terminal import emit

if TYPE_CHECKING:
    from erlangen.gpt_cli.plan import Plan
    from erlangen.train.language_model import LanguageHistory

SCORED = 100_000  # tokens of a part that the evaluations at the end take at most


def conclude(plan: Plan, history: LanguageHistory, folder: Path, seconds: float, target: str | None) -> None:
    """Evaluate the best weights on text not trained on; print, and write JSON where it is asked for."""
    scores = [scored(plan, part) for part in ("validation", "test")]
    made = history.steps - (plan.start.step if plan.start else 0)
    speed = made * plan.schedule.batch * plan.model.config.block / seconds
    data = {
        "folder": str(folder), "options": plan.options, "schedule": asdict(plan.schedule), "config": asdict(plan.model.config),
        "parameters": plan.model.parameter_count(), "steps": history.steps, "best_step": history.best_step,
        "ended": history.ended, "seconds": round(seconds, 2), "tokens_per_second": speed,
        "evaluations": [one._asdict() for one in history.evaluations], "scores": scores,
    }  # fmt: skip
    if target == "-":
        emit(data, target)
        return
    ended = " (ended by --patience)" if history.ended == "patience" else ""
    print(f"Best of {history.steps} steps{ended}: step {history.best_step}")
    print(f"{made} steps in {seconds:.0f} s, {speed:,.0f} tokens/s, evaluations among them\n")
    for score in scores:
        loss, bits = _with_interval(score["nats_per_token"], score["interval"]), score["bits_per_byte"]
        print(f"{score['part']:<10}  {loss} nats per token, {bits:.4f} bits per byte (n = {score['tokens']} tokens)")
        if "floor" in score:
            above, share = (
                _with_interval(score["above_floor"], score["above_floor_interval"]),
                score["above_floor"] / score["floor"],
            )
            print(
                f"{'':<10}  floor {score['floor']:.4f} on the same characters, the loss above it by {above}, {100 * share:.1f} %"
            )
    print(f"\nEvaluation: {scores[0]['evaluation']}; 95 % intervals over contiguous blocks of text.")
    print(f"Checkpoints: {folder}\nWrite with it: erlangen gpt generate {folder}", flush=True)
    emit(data, target)  # what is printed is not lost where it cannot be written


def _with_interval(value: float, ends: list[float]) -> str:
    return f"{value:.4f} [{ends[0]:.4f}, {ends[1]:.4f}]"


def scored(plan: Plan, part: Any) -> dict[str, Any]:
    """One part's loss, in nats and bits, with its interval; for tales the floor on the same characters, paired."""
    from erlangen.measure.token_loss import bits_per_byte, loss_interval
    from erlangen.train.language_model import part_losses

    losses, at = part_losses(plan.model, plan.corpus, part, plan.precision, SCORED)
    tokens = getattr(plan.corpus, part)[at]
    interval = loss_interval(losses)
    aligned = plan.corpus.validation_starts is not None
    score = {
        "part": part,
        "evaluation": ("windows of whole tales" if aligned else f"non-overlapping windows of {plan.model.config.block}")
        + f", {plan.precision}",
        "tokens": len(losses), "nats_per_token": interval.estimate, "interval": [interval.low, interval.high],
        "bits_per_byte": bits_per_byte(float(losses.sum()), plan.corpus.bytes_of(tokens)),
    }  # fmt: skip
    if plan.corpus.name == "tales" and aligned:
        from erlangen.data import tales

        floor = tales.floor(plan.corpus.tokenizer.decode(tokens))
        above = loss_interval(losses.numpy() - floor)
        score |= {
            "floor": float(floor.mean()), "above_floor": above.estimate, "above_floor_interval": [above.low, above.high],
        }  # fmt: skip
    return score
