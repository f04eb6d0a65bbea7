"""The life of the authority, step by step, by the clock of the test."""

from __future__ import annotations

import datetime as dt

import pytest
from cryptography import x509

from pointsman_operator.owned.authority import (
    Roots,
    advance,
    leaf_data,
    leaf_of,
    read_pair,
    read_roots,
    roots_data,
)
from pointsman_operator.owned.certificates import LEAF_LASTS, ROOT_LASTS, Pair, signed_by

START = dt.datetime(2026, 11, 22, 12, tzinfo=dt.UTC)
OVERLAP = dt.timedelta(minutes=10)
NAMES = ["hub.pointsman.svc", "hub.pointsman"]


def certificate(pair: Pair | None) -> x509.Certificate:
    """Of a pair that must be whole."""
    assert pair is not None
    found = pair.parsed()
    assert found is not None
    return found


def first() -> Roots:
    """A new authority."""
    return advance(Roots(), [None], START, OVERLAP)


def test_an_empty_secret_gets_a_root() -> None:
    """Nothing there: a root that signs at once; then nothing changes for long."""
    roots = first()
    assert len(x509.load_pem_x509_certificates(roots.bundle.encode())) == 1
    assert advance(roots, [None], START + dt.timedelta(days=400), OVERLAP) == roots


def test_the_secret_holds_the_whole_state() -> None:
    """Written and read again, it is the same; a key that is not the root's own is not taken."""
    roots = first()
    assert read_roots(roots_data(roots)) == roots
    other = roots_data(first())
    assert read_roots(roots_data(roots) | {"tls.key": other["tls.key"]}).signing is None
    assert read_roots({"tls.crt": "!", "previous.crt": "AAAA"}) == Roots()


def test_a_leaf_is_kept_until_it_must_go() -> None:
    """Same names, same root, young enough: the same leaf; else a new one."""
    roots = first()
    leaf = leaf_of(roots, None, NAMES, START)
    assert signed_by(certificate(leaf), certificate(roots.signing))
    assert leaf_of(roots, leaf, NAMES, START + LEAF_LASTS / 2) == leaf
    assert leaf_of(roots, leaf, NAMES, START + LEAF_LASTS * 0.7) != leaf
    assert leaf_of(roots, leaf, ["other.svc"], START) != leaf
    assert leaf_of(first(), leaf, NAMES, START) != leaf
    assert read_pair(leaf_data(leaf, roots.bundle), "tls.crt", "tls.key") == leaf


@pytest.mark.parametrize("why", ["age", "wish"])
def test_rotation_keeps_every_leaf_trusted(why: str) -> None:
    """By age or at a wish: at each look the leaf's root is in the bundle that was out before."""
    roots = first()
    leaf = leaf_of(roots, None, NAMES, START)
    now = START + (ROOT_LASTS * 0.7 if why == "age" else dt.timedelta(hours=1))
    wish = now if why == "wish" else None
    leaf = leaf_of(roots, leaf, NAMES, now)
    states, spread = [], roots.bundle
    for _ in range(60):
        roots = advance(roots, [leaf], now, OVERLAP, wish)
        leaf = leaf_of(roots, leaf, NAMES, now)
        trusted = x509.load_pem_x509_certificates(spread.encode())
        assert any(signed_by(certificate(leaf), root) for root in trusted)
        states.append((roots.coming is not None, bool(roots.previous)))
        spread, now = roots.bundle, now + dt.timedelta(minutes=1)
    seen = [state for index, state in enumerate(states) if index == 0 or states[index - 1] != state]
    assert seen == [(True, False), (False, True), (False, False)]


def test_a_root_whose_time_is_up_is_replaced_at_once() -> None:
    """After an outage of years there is nothing to overlap with."""
    roots = first()
    late = START + ROOT_LASTS + dt.timedelta(days=1)
    renewed = advance(roots, [None], late, OVERLAP)
    assert renewed.signing != roots.signing
    assert renewed.previous == ""


def test_the_old_root_stays_while_a_leaf_of_its_is_left() -> None:
    """One of two servers has not got its new leaf: the old root is still trusted."""
    roots = first()
    leaf = leaf_of(roots, None, NAMES, START)
    now = START + dt.timedelta(hours=1)
    roots = advance(roots, [leaf, leaf], now, OVERLAP, now)
    now += OVERLAP
    roots = advance(roots, [leaf, leaf], now, OVERLAP)
    renewed = leaf_of(roots, leaf, NAMES, now)
    now += OVERLAP * 2
    assert advance(roots, [renewed, leaf], now, OVERLAP).previous
    assert advance(roots, [renewed, None], now, OVERLAP).previous
    assert not advance(roots, [renewed, renewed], now, OVERLAP).previous
