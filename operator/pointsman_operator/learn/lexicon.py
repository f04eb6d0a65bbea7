"""The words that the surface features count, by class: ASCII, lower case, whole words.

The engine keeps the same lists (`sidecar/engine/core/src/features/lexicon.rs`); the golden cases
hold both to one copy. A word may stand in several classes.
"""

from __future__ import annotations

from typing import Final


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


LEXICON: Final[dict[str, tuple[str, ...]]] = {
    "question": _words("what which who whom whose when where why how many much"),
    "reasoning": _words(
        "prove proof explain derive justify compare contrast analyze analyse evaluate discuss "
        "argue because therefore assume suppose implies reason reasoning step steps"
    ),
    "maths": _words(
        "compute calculate solve simplify sum product equation equations integer integers "
        "probability triangle circle polynomial root roots average mean ratio angle area volume "
        "remainder divided divisible multiple factor factors prime digit digits sequence series "
        "matrix vector derivative integral function functions graph square cube perimeter radius "
        "expression inequality modulo theorem sqrt"
    ),
    "relation": _words(
        "each every per half twice double triple times remaining left more less "
        "fewer than percent percentage difference dozen pair cost costs price pays paid earns "
        "spends hour hours day days week weeks month months year years minutes miles"
    ),
    "condition": _words(
        "if then else not never no none without except unless only but however until both neither "
        "exactly least most"
    ),
    "imperative": _words(
        "write list give make create find tell show describe generate name provide suggest "
        "implement fix determine complete express draft rewrite design build"
    ),
    "code": _words(
        "code python java javascript typescript rust golang sql html css bash regex algorithm def "
        "import assert compile compiler bug debug script api json unittest refactor stacktrace "
        "exception print elif lambda recursion linux git docker"
    ),
    "program": _words(
        "function functions class method program return returns string array loop variable"
    ),
    "authoring": _words("write implement fix refactor debug"),
    "quantity": _words("many much total altogether combined"),
    "number": _words(
        "two three four five six seven eight nine ten eleven twelve twenty thirty forty fifty "
        "hundred thousand third quarter fifth"
    ),
    "translation": _words("translate translates translated translating translation"),
    "summary": _words(
        "summarize summarise summarized summarised summarizing summarising summary summaries tldr "
        "condense shorten abridge recap"
    ),
    "extraction": _words(
        "extract extracts extracting extraction parse entities entity fields classify classifying "
        "categorize categorise invoice"
    ),
    "chat": _words(
        "hi hello hey thanks thank bye goodbye morning please you your i my me we feel love like "
        "joke favorite favourite"
    ),
}
"""Class to words. The order of the classes is the bit order of the engine's word table."""
