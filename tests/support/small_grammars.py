"""Small grammars, ambiguous ones among them, for hypothesis to draw; all that they derive, one by one, as an oracle."""

import math
import re
from collections import Counter
from itertools import product

from hypothesis import strategies as st

from erlangen.data.grammar import Grammar

PIECES = ("a", "b", "ab", "{s.x}", "{s.y}", "{t.x}")
TEXTS = st.sampled_from(["", "a", "b", "ab", "bab", "c"])
WEIGHTS = st.sampled_from([0.5, 1.0, 3.0])


@st.composite
def grammars(draw: st.DrawFn) -> Grammar:
    """Three rules, each mentions those before it, and two slots, all over few letters: many texts have many derivations."""
    rules = {}
    for i in range(3):
        piece = st.sampled_from([*PIECES, *(f"{{r{j}}}" for j in range(i)), *(f"{{r{j}}}" for j in range(i))])
        rules[f"r{i}"] = draw(st.dictionaries(st.lists(piece, max_size=3).map("".join), WEIGHTS, min_size=1, max_size=2))
    entry = st.tuples(WEIGHTS, st.fixed_dictionaries({"x": TEXTS, "y": TEXTS}))
    slots = {slot: draw(st.lists(entry, min_size=1, max_size=2)) for slot in "st"}
    return Grammar(start="r2", rules=rules, slots=slots)


def derivations(grammar: Grammar) -> list[tuple[float, str]]:
    """(probability, text) of every derivation: first all rules are applied, then the slots that are mentioned are drawn."""
    out = []
    for p, template in _templates(grammar, grammar.start):
        slots = sorted(set(re.findall(r"\{(\w+)\.", template)))
        for entries in product(*(grammar.slots[slot] for slot in slots)):
            drawn = {slot: forms for slot, (_, forms) in zip(slots, entries, strict=True)}
            share = [w / sum(v for v, _ in grammar.slots[slot]) for slot, (w, _) in zip(slots, entries, strict=True)]
            text = re.sub(r"\{(\w+)\.(\w+)\}", lambda mention, drawn=drawn: drawn[mention[1]][mention[2]], template)
            out.append((p * math.prod(share), text))
    return out


def _templates(grammar: Grammar, name: str) -> list[tuple[float, str]]:
    out = []
    for template, weight in grammar.rules[name].items():
        pieces = re.split(r"\{(\w+)\}", template)  # every other one is a nonterminal
        ways = [[(1.0, piece)] if i % 2 == 0 else _templates(grammar, piece) for i, piece in enumerate(pieces)]
        for way in product(*ways):
            share = weight / sum(grammar.rules[name].values())
            out.append((share * math.prod(p for p, _ in way), "".join(text for _, text in way)))
    return out


def texts(grammar: Grammar) -> dict[str, float]:
    """Every text with its probability, all its derivations added up."""
    total: Counter[str] = Counter()
    for p, text in derivations(grammar):
        total[text] += p
    return dict(total)


def entropy(probabilities: list[float]) -> float:
    return -math.fsum(p * math.log(p) for p in probabilities)
