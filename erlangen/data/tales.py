"""Any number of fairy tales drawn from a grammar: a corpus that is always available and whose true entropy is known.

A tale is one line that ends in END. Its hero, beast, treasure, ... are drawn once and recur a hundred characters later, with
matching pronouns. No text has two derivations (tested on samples), so `GRAMMAR.entropy` is the entropy of a tale. Compare a
model's loss on whole tales with the mean of `floor` over the same characters: no model can be better, except by chance.
"""

from __future__ import annotations

import random

import numpy as np

from erlangen.data.grammar import Grammar
from erlangen.data.prefix_filter import character_log_probabilities, log_probability

END = "\n"
"""The last character of each tale; it does not occur within a tale."""


def _words(words: str, weight: float = 1.0) -> dict[str, float]:
    """'a b_c' -> 'a' and 'b c', with equal weights."""
    return {word.replace("_", " "): weight for word in words.split()}


def _slot(words: str, form: str = "noun") -> list[tuple[float, dict[str, str]]]:
    return [(1.0, {form: word}) for word in _words(words)]


def _people(names: str, **forms: str) -> list[tuple[float, dict[str, str]]]:
    return [(1.0, {"name": name, **forms}) for name in names.split()]


WILD = "fox wolf bear hare stag mouse frog toad lynx badger otter mole"
BIRDS = "owl raven goose duck hen swan crow dove hawk stork eagle robin"
TAME = "dog cat pig cow goat horse donkey calf lamb ram mule pony"
FOOD = "bread honey cheese soup cake ham nuts salt butter jam fish plums beans pie cream corn"

SLOTS = {
    "hero": [
        *_people(
            "Gretel Ilse Lena Rosa Anna Clara Marta Elsa Trude Liesel Ida Helga Berta Paula Frieda Dora Nora Lotte Emma Minna",
            he="she", He="She", his="her", own="hers", child="girl",
        ),
        *_people(
            "Hans Jakob Karl Otto Peter Konrad Fritz Emil Anton Kaspar Ludwig Max Oskar Paul Jost Veit Bruno Franz Kurt Hugo",
            he="he", He="He", his="his", own="his", child="boy",
        ),
    ],
    "trade": _slot(
        "cook smith miller tailor weaver piper hunter baker farmer beggar fiddler potter fisher orphan gardener servant "
        "pilgrim cobbler carter juggler"
    ),
    "beast": _slot(f"{WILD} {BIRDS} {TAME}"),
    "wild": _slot(WILD),
    "bird": _slot(BIRDS),
    "tame": _slot(TAME),
    "thing": _slot(
        "ring key apple lamp harp crown cup comb bell spindle horn mirror shoe sword flute needle coin chest spoon pearl nail"
    ),
    "garb": _slot("caps coats cloaks belts scarves shirts hats gloves socks veils vests wigs"),
    "home": _slot(
        "valley village castle cottage forest cave tower town mill palace hut garden wood barn meadow inn harbor swamp city tent"
    ),
    "kin": _slot("sister mother brother father aunt uncle cousin friend"),
    "foe": _slot("witch giant dwarf king queen ogre troll knight elf duke prince wizard"),
}  # fmt: skip

RULES = {
    "tale": {
        "{opening} {barter} {end}" + END: 2.0,
        "{opening} {spell} {end}" + END: 3.0,
        "{opening} {order} {end}" + END: 3.0,
        "{opening} {luck} {end}" + END: 2.0,
        "{opening} {band} {end}" + END: 4.0,
    },
    "opening": {
        "In a {site} {home.noun} lived {hero.name}, a {mood} {trade.noun}.": 1.0,
        "A {mood} {trade.noun} named {hero.name} had {count} {color} {herd}.": 1.0,
        "{hero.name} was a {mood} {trade.noun} in a {site} {home.noun}.": 1.0,
    },
    "barter": {
        '"{Food} and {drink} for a {metal} {thing.noun}!" {said} a {mood} {look} {beast.noun}. {hero.name} {agreed}, '
        "and the {thing.noun} was {hero.own}.": 1.0,
    },
    "spell": {
        "{When} a {mood} {look} {foe.noun} turned {hero.his} {mood} {kin.noun} into a {color} {beast.noun}. "
        "{Food} and a {metal} {thing.noun} saved the {kin.noun}.": 1.0,
    },
    "order": {
        '"Bring me {count} {color} {herd} by {time}!" {said} a {mood} {look} {foe.noun}. '
        "{hero.name} {caught} them with a {metal} {thing.noun}.": 1.0,
    },
    "luck": {
        "{hero.He} {swapped} a {metal} {thing.noun} for a {mood} {look} {tame.noun}, the {tame.noun} for "
        "{count} {color} {garb.noun}, and the {garb.noun} for {food}.": 1.0,
    },
    "band": {
        "{When} {hero.he} met a {mood} {wild.noun}, a {mood} {bird.noun} and a {mood} {look} {tame.noun}. "
        '"{Let_us} {play}!" {said} the {wild.noun}.': 1.0,
    },
    "end": {
        "{hero.name} {did}, {did2} and {did3} {span}.": 1.0,
        "The {trade.noun} {did}, {did2} and {did3} {span}.": 1.0,
        "The {hero.child} {did}, {did2} and {did3} {span}.": 1.0,
    },
    "span": {
        "for {count} {days}": 1.0,
        "with {hero.his} {mood} {kin.noun}": 2.0,
        "in the {home.noun}": 1.0,
    },
    "mood": _words(
        "sly shy sad wise poor kind bold proud lazy mad meek calm vain brave merry greedy hungry tired loyal silent lonely "
        "clever gentle cruel jolly grim rude quick slow strong weak happy grumpy timid noble fierce"
    ),
    "look": _words("old young fat thin tall tiny lame blind bald deaf pale little"),
    "site": _words(
        "misty dark green quiet snowy sunny windy mossy tiny grand distant hidden sleepy humble chilly rocky dusty muddy steep"
    ),
    "count": _words("two three four five six seven eight nine ten twelve"),
    "color": _words("red blue green white black brown gray pink golden spotted"),
    "herd": _words("hens goats cats ducks pigs cows geese doves sheep dogs bees owls mice frogs snails"),
    "metal": _words("gold silver glass copper crystal wooden stone brass bronze magic"),
    "food": _words(FOOD),
    "Food": _words(FOOD.title()),
    "drink": _words("milk wine beer tea cider water mead juice"),
    "said": _words("said cried called sang whispered hissed roared begged"),
    "When": _words("At_dawn At_noon At_dusk At_night In_May In_June In_spring In_winter On_Sunday On_Monday One_day One_night"),
    "time": _words("dawn noon dusk night May June spring winter"),
    "agreed": _words("agreed nodded paid obeyed"),
    "caught": _words("caught found tamed lured"),
    "swapped": _words("swapped sold traded gave"),
    "Let_us": _words("Let_us Come_and We_must Now_we"),
    "play": _words("sing dance play travel feast dream"),
    "did": _words("sang laughed wept slept prayed smiled cheered whistled grinned yawned shouted knelt"),
    "did2": _words("danced feasted rested sighed sneezed jumped hummed snored bowed wrote drank waited"),
    "did3": _words("ran rode swam blushed sailed read baked sewed walked spun fished climbed"),
    "days": _words("days nights weeks years hours months"),
}

GRAMMAR = Grammar(start="tale", rules=RULES, slots=SLOTS)
"""The grammar of tales, each with its END. In nats, a tale has `.entropy` and a character `.entropy / .expected_length`.

The longest tale fits a window of 256 characters.
"""


def tales(n: int, seed: int) -> str:
    """n independent tales, each ending in END. A smaller n with the same seed gives the first of them."""
    rng = random.Random(seed)
    return "".join(GRAMMAR.sample(rng) for _ in range(n))


def floor(text: str) -> np.ndarray:
    """-log p of each character of whole tales in nats, given its tale so far, (len(text),); inf where the text is not a tale.

    The mean is the lowest loss that a model can reach. Raises ValueError if the last tale does not end in END.
    """
    *whole, rest = text.split(END)
    if rest:
        raise ValueError(f"floor: the text must be whole tales, each ending in {END!r}, but it ends in {rest[-20:]!r}")
    return 0.0 - np.concatenate([np.zeros(0), *(character_log_probabilities(GRAMMAR, tale + END) for tale in whole)])  # no -0.0


def is_grammatical(tale: str) -> bool:
    """Whether `tales` can generate `tale`, given with or without its END."""
    return log_probability(GRAMMAR, tale.removesuffix(END) + END) > -np.inf
