"""Text for LaTeX: every character that its default fonts cannot typeset becomes a command or a formula."""

from __future__ import annotations

import re
import unicodedata

ESCAPES = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "|": r"\textbar{}", "<": "$<$", ">": "$>$",
    "–": "--", "—": "---", "…": r"\ldots{}", "“": "``", "”": "''", "‘": "`", "’": "'", "·": r"$\cdot$", "′": "$'$",
    "\N{NO-BREAK SPACE}": "~", "\n": " ",
}  # fmt: skip
SYMBOLS = {
    "−": "-", "±": r"\pm", "×": r"\times", "÷": r"\div", "≤": r"\leq", "≥": r"\geq", "≠": r"\neq", "≈": r"\approx",
    "≡": r"\equiv", "∝": r"\propto", "→": r"\to", "←": r"\leftarrow", "↔": r"\leftrightarrow", "⇒": r"\Rightarrow",
    "√": r"\surd", "‖": r"\|", "∞": r"\infty", "⌊": r"\lfloor", "⌋": r"\rfloor", "⌈": r"\lceil", "⌉": r"\rceil",
    "⟨": r"\langle", "⟩": r"\rangle", "∑": r"\sum", "∏": r"\prod", "∫": r"\int", "∂": r"\partial", "∇": r"\nabla",
    "∈": r"\in", "∉": r"\notin", "⊂": r"\subset", "⊆": r"\subseteq", "∪": r"\cup", "∩": r"\cap", "∅": r"\emptyset",
    "∀": r"\forall", "∃": r"\exists", "¬": r"\neg", "∘": r"\circ", "°": r"{}^\circ", "⊙": r"\odot", "⊗": r"\otimes",
    "⊕": r"\oplus", "∗": r"\ast", "∼": r"\sim", "ℓ": r"\ell", "µ": r"\mu", "✗": r"\times", "✓": r"\surd", "•": r"\bullet",
    "⁻": r"{}^{-}", "⁺": r"{}^{+}", "₋": r"{}_{-}", "₊": r"{}_{+}", "ℝ": r"\mathbf{R}", "ᵀ": "{}^{T}", "ϵ": r"\epsilon",
    "ε": r"\varepsilon", "φ": r"\varphi", "ϕ": r"\phi", "ς": r"\varsigma",
}  # fmt: skip


def in_latex(text: str) -> str:
    """Text with LaTeX's special characters escaped, for pdfLaTeX without any package.

    Letters with accents stay, since LaTeX reads UTF-8; a character that is neither known nor has a plain equivalent is given by
    its code, as in [U+2318].
    """
    return re.sub(r"(?<!\\)\$\$", "", "".join(map(character, text)))  # two formulas side by side are one


def character(sign: str) -> str:
    """One character."""
    if sign in ESCAPES:
        return ESCAPES[sign]
    if sign.isascii():
        return sign
    if sign in SYMBOLS:
        return f"${SYMBOLS[sign]}$"
    return greek(sign) or raised(sign) or plain(sign) or f"[U+{ord(sign):04X}]"


def greek(sign: str) -> str:
    """'α' -> '$\\alpha$', 'Δ' -> '$\\Delta$'; what looks like a Latin letter is that. '' for other characters."""
    kind, _, letter = unicodedata.name(sign, "").partition(" LETTER ")
    name = letter.lower().replace("lamda", "lambda")
    if kind == "GREEK CAPITAL":
        return rf"$\{name.capitalize()}$" if name in CAPITALS else LATIN.get(name, "")
    if kind == "GREEK SMALL" and name in {*CAPITALS, *LATIN}:
        return "o" if name == "omicron" else rf"$\{name}$"
    return ""


CAPITALS = ("gamma", "delta", "theta", "lambda", "xi", "pi", "sigma", "upsilon", "phi", "psi", "omega")
LATIN = {
    "alpha": "A", "beta": "B", "epsilon": "E", "zeta": "Z", "eta": "H", "iota": "I", "kappa": "K", "mu": "M", "nu": "N",
    "omicron": "O", "rho": "P", "tau": "T", "chi": "X",
}  # fmt: skip


def raised(sign: str) -> str:
    """'²' -> '${}^{2}$', '₁' -> '${}_{1}$'; '' for other characters."""
    where = {"<super>": "^", "<sub>": "_"}.get(unicodedata.decomposition(sign).partition(" ")[0])
    base = unicodedata.normalize("NFKD", sign)
    return f"${{}}{where}{{{base}}}$" if where and base.isascii() and base.isalnum() else ""


def plain(sign: str) -> str:
    """A Latin letter with one of the accents of LaTeX's default fonts as it is, another character by what it is made of."""
    parts = unicodedata.normalize("NFD", sign)
    if parts[0].isascii() and parts[0].isalpha() and sign.isalpha() and set(parts[1:]) <= set(ACCENTS):
        return sign
    if sign in "ßæœøåÆŒØÅłŁ":
        return sign
    base = unicodedata.normalize("NFKD", sign)
    return in_latex(base) if base.isascii() else ""


ACCENTS = "\N{COMBINING GRAVE ACCENT}\N{COMBINING ACUTE ACCENT}\N{COMBINING CIRCUMFLEX ACCENT}\N{COMBINING TILDE}" + (
    "\N{COMBINING DIAERESIS}\N{COMBINING CARON}\N{COMBINING CEDILLA}\N{COMBINING RING ABOVE}\N{COMBINING MACRON}"
)
