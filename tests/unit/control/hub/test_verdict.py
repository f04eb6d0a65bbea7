"""When a target counts as down: by two witnesses, against those whom it answers."""

from __future__ import annotations

import pytest

from pointsman_operator.hub import limits
from pointsman_operator.hub.verdict import Evidence

NOW = 1_000.0


def fails(
    evidence: Evidence, pod: str, since_s: float = NOW, failed_s: float | None = None
) -> None:
    """A pod's breaker is not closed."""
    voice = evidence.says(pod)
    voice.class_, voice.since_s = "Connect", since_s
    voice.failed_s = since_s if failed_s is None else failed_s


def answers(evidence: Evidence, pod: str, at_s: float) -> None:
    """A pod's call that began then was answered, so that its breaker is closed."""
    voice = evidence.says(pod)
    voice.class_, voice.answered_s = "", at_s


def down(evidence: Evidence, now_s: float) -> bool:
    """What is judged after whatever held the last verdict."""
    evidence.changed_s = float("-inf")
    evidence.judge(now_s)
    return evidence.verdict is not None


def test_one_witness_is_not_enough_where_another_sidecar_is_answered() -> None:
    """Its own network may be broken."""
    evidence = Evidence()
    answers(evidence, "a", NOW - 20)
    fails(evidence, "b")
    assert not down(evidence, NOW + 2)
    fails(evidence, "c", NOW + 1)
    assert not down(evidence, NOW + 1.5), "the others may yet say that they are answered"
    assert down(evidence, NOW + 2), "two are"
    assert evidence.verdict is not None
    assert (evidence.verdict.since_s, evidence.verdict.class_) == (NOW, "Connect")


def test_one_witness_is_enough_where_nobody_else_calls() -> None:
    """Until somebody does, and is answered."""
    evidence = Evidence()
    answers(evidence, "a", NOW - limits.EVIDENCE_S - 5)
    fails(evidence, "b")
    assert down(evidence, NOW + 1)
    answers(evidence, "a", NOW + 3)
    assert not down(evidence, NOW + 4)
    fails(evidence, "b", NOW, failed_s=NOW + 30)
    assert not down(evidence, NOW + 31), "also while it goes on failing"


def test_answers_from_before_the_outage_do_not_speak_against_it() -> None:
    """However many: they tell of another time."""
    evidence = Evidence()
    for number in range(50):
        answers(evidence, f"pod-{number}", NOW - 1)
    fails(evidence, "b")
    fails(evidence, "c", NOW + 0.2)
    assert down(evidence, NOW + 2)


@pytest.mark.parametrize(("answered", "outages"), [(2, 1), (3, 0), (40, 0)])
def test_as_many_answers_since_it_began_outweigh_the_witnesses(answered: int, outages: int) -> None:
    """A part of a fleet that has lost its way to a provider takes it from nobody."""
    evidence = Evidence()
    for number in range(3):
        fails(evidence, f"broken-{number}", NOW, failed_s=NOW + 20)
    for number in range(answered):
        answers(evidence, f"pod-{number}", NOW + 10)
    assert down(evidence, NOW + 21) == outages


def test_two_answers_after_all_failures_end_an_outage() -> None:
    """Idle witnesses, who have not looked since, do not hold it up."""
    evidence = Evidence()
    for number in range(30):
        fails(evidence, f"pod-{number}", NOW, failed_s=NOW + 5)
    assert down(evidence, NOW + 6)
    answers(evidence, "pod-0", NOW + 7)
    assert down(evidence, NOW + 8), "one may be luck"
    answers(evidence, "pod-1", NOW + 8)
    assert not down(evidence, NOW + 9)


def test_an_idle_witness_of_the_last_outage_does_not_hide_the_next() -> None:
    """Its long memory would make all answers in between speak against the new one."""
    evidence = Evidence()
    fails(evidence, "idle", NOW)
    fails(evidence, "idle-too", NOW)
    for number in range(9):
        answers(evidence, f"pod-{number}", NOW + 5)
    assert not down(evidence, NOW + 6)
    fails(evidence, "pod-1", NOW + 10)
    fails(evidence, "pod-2", NOW + 10)
    assert down(evidence, NOW + 11)


def test_words_grow_old() -> None:
    """Who has not failed for a while says nothing about now."""
    evidence = Evidence()
    fails(evidence, "a")
    fails(evidence, "b")
    assert down(evidence, NOW + 1)
    assert down(evidence, NOW + limits.CLAIM_FRESH_S - 1)
    assert not down(evidence, NOW + limits.CLAIM_FRESH_S)
    assert not evidence.idle(NOW + limits.CLAIM_FRESH_S)
    assert evidence.idle(NOW + limits.EVIDENCE_S + 1)


def test_a_flapping_target_changes_its_verdict_once_a_second_at_most() -> None:
    """What all sidecars are told is no storm."""
    evidence = Evidence()
    changes = 0
    for tenth in range(100):
        now_s = NOW + tenth / 10
        for pod in ("a", "b"):
            if tenth % 2:
                answers(evidence, pod, now_s)
            else:
                fails(evidence, pod, NOW - 5, failed_s=now_s)
        changes += evidence.judge(now_s)
    assert 2 <= changes <= 10 / limits.VERDICT_HOLDS_S


def test_voices_are_bounded() -> None:
    """Those heard of last are kept."""
    evidence = Evidence()
    for number in range(limits.VOICES_MAX + 50):
        answers(evidence, f"pod-{number}", NOW)
    assert len(evidence) == limits.VOICES_MAX
