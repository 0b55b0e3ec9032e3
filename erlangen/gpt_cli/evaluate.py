"""`erlangen gpt evaluate`. Parsing and printing only; torch is loaded when the command runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from erlangen.gpt_cli.scores import print_scores, score, with_interval
from erlangen.results import ErlangenError
from erlangen.terminal import emit, foresee_file, say

if TYPE_CHECKING:
    from erlangen.data.corpus import Corpus
    from erlangen.data.tokenizer import Tokenizer
    from erlangen.models.gpt import GPT

PROMPT = 64  # characters of held-out text that each text goes on from
GRAMS = (("words", 5), ("characters", 20))  # what is looked for in the training text


def evaluate(
    checkpoint: Annotated[
        Path, typer.Argument(metavar="CHECKPOINT", help="What `erlangen gpt train` wrote, or GPT-2 as Hugging Face keeps it.")
    ],
    text: Annotated[
        str | None, typer.Argument(metavar="[FILE]", help="A text to score; default the parts of the one it was trained on.")
    ] = None,
    copied: Annotated[
        int | None, typer.Option(min=2, metavar="N", help="Let it write N texts, and look for them in its training text.")
    ] = None,
    tokens: Annotated[int, typer.Option(min=20, help="Of each of those.")] = 500,
    temperature: Annotated[float, typer.Option(min=0, help="Of those.")] = 1.0,
    seed: Annotated[int, typer.Option(min=0, help="Of those.")] = 0,
    precision: Annotated[str, typer.Option(help="auto (bfloat16 in hardware), float32, bfloat16, float16.")] = "auto",
    device: Annotated[str, typer.Option(help="cpu, cuda, cuda:N or mps.")] = "cpu",
    target: Annotated[str | None, typer.Option("--json", metavar="FILE", help="Results as JSON; `-`: to stdout.")] = None,
) -> None:
    """Loss of a model on text it was trained on and on text it was not, by two evaluations; and whether it copies.

    Of each part its first 100 000 tokens. A model that has learned by heart has a low loss on train alone, and writes what
    stands there.
    """
    from erlangen.train.seeds import check_device, has_bfloat16

    if precision == "auto":
        precision = "bfloat16" if has_bfloat16(device) else "float32"
    if precision not in ("float32", "bfloat16", "float16"):
        raise ErlangenError(f"--precision {precision}: choose auto, float32, bfloat16, float16")
    check_device(device, precision)
    if copied is not None and text is not None:
        raise ErlangenError(f"--copied looks in the text that the model was trained on: leave {text} out")
    if target not in (None, "-"):
        foresee_file(Path(str(target)), [])
    model, corpus, parts = read(checkpoint, text)
    model.to(device)
    evaluations = ("windows",) if corpus.validation_starts is not None else ("windows", "sliding")
    scores: list[dict[str, Any]] = []
    for how in evaluations:
        some = []
        for part, shown in parts.items():
            some.append({**score(model, corpus, part, precision, how), "part": shown})  # type: ignore[arg-type]
        if target != "-":
            print(f"{some[0]['evaluation'].capitalize()}:")
            print_scores(some)
            print(flush=True)
        scores += some
    data: dict[str, Any] = {"checkpoint": str(checkpoint), "corpus": corpus.name, "scores": scores}
    if copied is not None:
        data["copied"] = copies(model, corpus, copied, tokens, temperature, seed)
        if target != "-":
            print_copies(data["copied"])
    elif target != "-":
        print("95 % intervals over contiguous blocks of text.")
    emit(data, target)


def read(checkpoint: Path, text: str | None) -> tuple[GPT, Corpus, dict[str, str]]:
    """The model, a corpus, and its parts with what to call them. Raises ErlangenError where it is not known which text."""
    from erlangen.gpt_cli.opened import is_gpt2, opened
    from erlangen.train.checkpoint import load_checkpoint

    if text is not None:
        model, tokenizer, notes = opened(checkpoint)
        for note in notes:
            say(f"note: {note}")
        return model, whole(text, tokenizer), {"test": "text"}
    if is_gpt2(checkpoint):
        raise ErlangenError(f"{checkpoint} does not say which text it was trained on: name one to score")
    found = load_checkpoint(checkpoint)
    options = found.about.get("options")
    if not isinstance(options, dict) or "corpus" not in options:
        raise ErlangenError(f"{found.path} does not say which text it was trained on: name one to score")
    from erlangen.data.corpus import load_corpus
    from erlangen.train.language_model import fingerprint

    size = {} if options.get("tales") is None else {"tales": options["tales"]}
    corpus = load_corpus(options["corpus"], block=found.config.block, tokenizer=found.tokenizer, **size)
    if fingerprint(corpus) != found.about.get("corpus_sha256"):
        raise ErlangenError(f"{options['corpus']} is no longer what {found.path} was trained on: name it, to score all of it")
    return found.model, corpus, {part: part for part in ("train", "validation", "test")}


def whole(name: str, tokenizer: Tokenizer) -> Corpus:
    """A file as one part, `test`. Raises DataError where it cannot be read, or has characters that the tokenizer lacks."""
    from erlangen.data.corpus import Corpus
    from erlangen.data.files import DataError
    from erlangen.data.text import read_text, strip_gutenberg

    path = Path(name).expanduser()
    try:
        tokens = tokenizer.encode(strip_gutenberg(read_text(path)))  # (n,)
    except DataError:
        raise
    except ErlangenError as error:
        raise DataError(f"{name}: {error}") from None
    if len(tokens) < 2:
        raise DataError(f"{name}: {len(tokens)} tokens: a loss needs two")
    return Corpus(name=path.stem, tokenizer=tokenizer, train=tokens[:0], validation=tokens[:0], test=tokens)


def copies(model: GPT, corpus: Corpus, n: int, length: int, temperature: float, seed: int) -> dict[str, Any]:
    """Of n texts that the model writes after held-out passages, how much stands word for word in its training text; beside
    them how the passages go on, which was never seen. Shares per text, with Student's t over the texts.
    """
    from erlangen.data.files import DataError
    from erlangen.generate.writing import copied, passages, written
    from erlangen.stats import mean_interval

    held_out = corpus.tokenizer.decode(corpus.validation)
    try:
        pairs = passages(held_out, n, PROMPT, length)
    except ValueError as error:
        raise DataError(f"--copied {n}: {error}: ask for fewer or shorter texts") from None
    say(f"writing {n} texts of {length} tokens")
    own = written(model, corpus.tokenizer, [pair.prompt for pair in pairs], length, (temperature, 1.0), seed)
    say("looking for them in the training text")
    training = corpus.tokenizer.decode(corpus.train)
    found: dict[str, Any] = {"n": n, "tokens": length, "temperature": temperature, "seed": seed, "shares": []}
    for name, texts in (("written", own), ("held out", [pair.rest for pair in pairs])):
        shares = copied(texts, training, [GRAMS[1][1]], [GRAMS[0][1]])
        for unit, size in GRAMS:
            interval = mean_interval(shares[unit][0])
            ends = [min(max(end, 0.0), 1.0) for end in (interval.low, interval.high)]
            found["shares"].append({"texts": name, "of": f"{size} {unit}", "share": interval.estimate, "interval": ends})
    return found


def print_copies(found: dict[str, Any]) -> None:
    print(f"Found word for word in train, of {found['n']} texts of {found['tokens']} tokens after passages of validation:")
    for one in found["shares"]:
        what = "what it wrote" if one["texts"] == "written" else "the passages' own next page"
        percent = with_interval(100 * one["share"], [100 * end for end in one["interval"]])
        print(f"{one['of']:<13}  {what:<27}  {percent} %")
    print("\n95 % intervals: of losses over contiguous blocks of text, of shares over the texts.")
