"""Surface features and task type of a request: what the heads see (docs/contracts.md 5).

`fit` and `lambda0` call this; the engine's twin is `sidecar/engine/core/src/features.rs`, and
`tests/golden/features/cases.json` holds the two equal. Classes of characters are ASCII; every other
character counts as part of a word, so that no Unicode table has to agree between the languages.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Final

from pointsman_operator.learn.lexicon import LEXICON

SIDE_CHARS: Final = 500
"""Characters kept of the start and of the end of the last user text."""

TASKS: Final = ("code", "math", "extraction", "translation", "summary", "chat", "other")
"""Task types in the order of the one-hot features."""

SURFACE: Final = (
    "ln_chars",
    "ln_words",
    "word_length",
    "type_token_ratio",
    "ln_newlines",
    "digit_share",
    "upper_share",
    "non_ascii_share",
    "operator_share",
    "bracket_share",
    "ln_numbers",
    "ln_longest_number",
    "ln_dollars",
    "ln_backslashes",
    "ln_code_marks",
    "ln_indents",
    "ln_list_marks",
    "ln_quotes",
    "ln_question_marks",
    "ln_question_words",
    "ln_reasoning_words",
    "ln_maths_words",
    "ln_relation_words",
    "ln_condition_words",
    "ln_imperative_words",
    "ln_messages",
    "ln_context_tokens",
    "structured",
    "ln_images",
)
"""The 29 surface features, in order; `ln_x` is ln(1 + x), shares are of the characters seen."""

NAMES: Final = SURFACE + tuple(f"task_{task}" for task in TASKS)
"""All 36, in the order of a head's weights."""

PAIR: Final = 2
"""One mark or word may be chance; two are a hint."""

CODE_MARKS: Final = 4
"""This many code marks and indented lines are code without a word that says so."""

CHAT_WORDS: Final = 40
"""Longer texts are not small talk."""

_GAP: Final = "\0"
_WORD: Final = re.compile("[0-9A-Za-z\u0080-\U0010ffff]+")
_NUMBER: Final = re.compile("[0-9]+")
_UPPER: Final = re.compile("[A-Z]")
_NON_ASCII: Final = re.compile("[\u0080-\U0010ffff]")
_OPERATOR: Final = re.compile(r"[-+*/=<>^%]")
_BRACKET: Final = re.compile(r"[()\[\]{}]")
_CODE_MARK: Final = re.compile(r"[`;#]|=(?==)|\(\)")
_INDENT: Final = re.compile(r"\n(?=[ \t])")
_LIST_MARK: Final = re.compile(r"(?:\A|(?<=\n))(?:[-*]|[0-9]+[.)])")
_QUOTE: Final = re.compile("\"|(?<![0-9A-Za-z\u0080-\U0010ffff])'")
_CLASSES: Final = {
    word: tuple(name for name, words in LEXICON.items() if word in words)
    for words in LEXICON.values()
    for word in words
}
_SEEN_BITS: Final = 2048


@dataclass(frozen=True, slots=True)
class FeatureInput:
    """The last user text and the request's shape.

    `head` and `tail` are its first and last 500 characters (no overlap; `tail` is empty up to 500),
    `chars` its whole length in characters, `prompt_tokens` the estimate for the whole prompt.
    """

    head: str
    tail: str
    chars: int
    messages: int = 1
    tools: bool = False
    json: bool = False
    images: int = 0
    prompt_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Survey:
    """Counts of one text; `words_of` counts its words by lexicon class."""

    seen: int
    words: int
    word_chars: int
    distinct: int
    newlines: int
    digits: int
    upper: int
    non_ascii: int
    operators: int
    brackets: int
    numbers: int
    longest_number: int
    dollars: int
    backslashes: int
    code_marks: int
    fences: int
    indents: int
    list_marks: int
    quotes: int
    question_marks: int
    words_of: dict[str, int]


def from_text(text: str) -> FeatureInput:
    """A one-message request with this last user text; tokens are ceil(characters / 4)."""
    tail = text[SIDE_CHARS:][-SIDE_CHARS:]
    tokens = -(-len(text) // 4)
    return FeatureInput(text[:SIDE_CHARS], tail, len(text), prompt_tokens=tokens)


def extract(request: FeatureInput) -> tuple[float, ...]:
    """The 36 features in the order of `NAMES`."""
    survey = survey_of(request)
    task = task_of(survey)
    return (*_surface(survey, request), *(float(task == name) for name in TASKS))


def task(text: str) -> str:
    """The task type of a text, by rules."""
    return task_of(survey_of(from_text(text)))


def survey_of(request: FeatureInput) -> Survey:
    """Count everything once. A cut-out middle separates words and lines."""
    gap = _GAP if request.chars > 2 * SIDE_CHARS else ""
    text = f"{request.head}{gap}{request.tail}"
    words = _WORD.findall(text)
    numbers = _NUMBER.findall(text)
    words_of = dict.fromkeys(LEXICON, 0)
    for word in words:
        for name in _CLASSES.get(_lower(word), ()):
            words_of[name] += 1
    return Survey(
        seen=len(text) - len(gap),
        words=len(words),
        word_chars=sum(map(len, words)),
        distinct=len({_slot(word) for word in words}),
        newlines=text.count("\n"),
        digits=sum(map(len, numbers)),
        upper=len(_UPPER.findall(text)),
        non_ascii=len(_NON_ASCII.findall(text)),
        operators=len(_OPERATOR.findall(text)),
        brackets=len(_BRACKET.findall(text)),
        numbers=len(numbers),
        longest_number=max(map(len, numbers), default=0),
        dollars=text.count("$"),
        backslashes=text.count("\\"),
        code_marks=len(_CODE_MARK.findall(text)),
        fences=text.count("```"),
        indents=len(_INDENT.findall(text)),
        list_marks=len(_LIST_MARK.findall(text)),
        quotes=len(_QUOTE.findall(text)),
        question_marks=text.count("?"),
        words_of=words_of,
    )


def task_of(survey: Survey) -> str:
    """Rules in order; the first that holds names the task."""
    of = survey.words_of
    named = next((name for name in ("translation", "summary", "extraction") if of[name]), None)
    notation = survey.backslashes >= PAIR or survey.dollars >= PAIR
    if notation and of["code"] < PAIR and named is None and survey.fences == 0:
        return "math"
    if _is_code(survey):
        return "code"
    if named is not None:
        return named
    if _is_math(survey):
        return "math"
    chat = of["chat"] > 0 and survey.numbers == 0 and survey.words <= CHAT_WORDS
    return "chat" if chat else "other"


def _is_code(survey: Survey) -> bool:
    of = survey.words_of
    marks = survey.code_marks + survey.indents
    hints = marks + of["program"] + of["authoring"]
    authored = of["program"] >= 1 and of["authoring"] >= 1
    named = of["code"] >= PAIR or (of["code"] >= 1 and hints >= 1) or authored
    return survey.fences > 0 or marks >= CODE_MARKS or named


def _is_math(survey: Survey) -> bool:
    of = survey.words_of
    if of["maths"] >= 1 and survey.numbers + of["number"] + survey.operators >= 1:
        return True
    if of["quantity"] >= 1 and survey.numbers + of["number"] >= PAIR:
        return True
    amounts = survey.numbers + of["number"] + of["relation"] + survey.operators
    return survey.numbers >= 1 and of["question"] >= 1 and amounts > PAIR


def _surface(survey: Survey, request: FeatureInput) -> tuple[float, ...]:
    seen = max(survey.seen, 1)
    words = max(survey.words, 1)
    of = survey.words_of
    return (
        math.log1p(request.chars),
        math.log1p(survey.words),
        survey.word_chars / words / 10,
        survey.distinct / words,
        math.log1p(survey.newlines),
        survey.digits / seen,
        survey.upper / seen,
        survey.non_ascii / seen,
        survey.operators / seen,
        survey.brackets / seen,
        math.log1p(survey.numbers),
        math.log1p(survey.longest_number),
        math.log1p(survey.dollars),
        math.log1p(survey.backslashes),
        math.log1p(survey.code_marks),
        math.log1p(survey.indents),
        math.log1p(survey.list_marks),
        math.log1p(survey.quotes),
        math.log1p(survey.question_marks),
        math.log1p(of["question"]),
        math.log1p(of["reasoning"]),
        math.log1p(of["maths"]),
        math.log1p(of["relation"]),
        math.log1p(of["condition"]),
        math.log1p(of["imperative"]),
        math.log1p(request.messages),
        math.log1p(max(0, request.prompt_tokens - -(-request.chars // 4))),
        float(request.tools or request.json),
        math.log1p(request.images),
    )


def _lower(word: str) -> str:
    return word.lower() if word.isascii() else "".join(c.lower() if c < "\x80" else c for c in word)


def _slot(word: str) -> int:
    """A place in a bitmap of 2,048: distinct words are counted as the engine counts them."""
    digest = 0x811C9DC5
    for byte in _lower(word).encode("utf-8", "replace"):
        digest = (digest ^ byte) * 0x01000193 & 0xFFFFFFFF
    return (digest ^ digest >> 15) % _SEEN_BITS
