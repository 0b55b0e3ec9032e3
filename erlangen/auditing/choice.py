"""Which of several outputs of a model are judged, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from erlangen.auditing.spelling import option


@dataclass(frozen=True)
class Choice:
    """names: of the outputs to judge, the main one first; () if the model returns a single tensor. left_out: name -> why."""

    names: tuple[str, ...] = ()
    left_out: Mapping[str, str] = field(default_factory=dict)

    def only_main(self, why: str) -> Choice:
        """The main output alone."""
        return Choice(self.names[:1], {**dict.fromkeys(self.names[1:], why), **self.left_out})

    def without(self, left_out: Mapping[str, str]) -> Choice:
        """Without these, too."""
        return Choice(tuple(name for name in self.names if name not in left_out), {**self.left_out, **left_out})

    def notes(self) -> tuple[str, ...]:
        """What is judged, and what is not, in one line; () if there was nothing to choose."""
        if not self.names:
            return ()
        why: dict[str, list[str]] = {}
        for name, reason in self.left_out.items():
            why.setdefault(reason, []).append(name)
        left = "; ".join(f"{shortened(names)} ({reason})" for reason, names in why.items())
        verb = "are judged" if len(self.names) > 1 else "is judged"
        rest = f", but not {left}" if left else ""
        return (f"Of what the model returns, {shortened(self.names)} {verb}{rest}; {option('select', 'NAME')} judges one alone.",)


def shortened(names: Sequence[str]) -> str:
    """`a, b and c`, `a, b, c, d, e, f and 9 more`"""
    shown, rest = list(names[:6]), len(names) - 6
    if rest > 0:
        shown.append(f"{rest} more")
    return " and ".join([", ".join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown)
