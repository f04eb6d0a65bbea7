"""The authority's life: a new root is trusted before it signs, an old one while leaves are left.

Pure but for the keys that are made. All of its state lies in the Secret itself, in the times of the
certificates:

    signing            the root that signs                      trusted: signing
    signing + next     a new root, spread before it is used     trusted: signing, next
    signing + previous the new root signs, the old one fades    trusted: signing, previous
"""

from __future__ import annotations

import base64
import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from cryptography import x509

from pointsman_operator.owned.certificates import (
    Pair,
    ages,
    dns_names,
    issue_leaf,
    issue_root,
    made_at,
    signed_by,
)

NAME = "Pointsman"
BUNDLE, CERTIFICATE, KEY = "ca.crt", "tls.crt", "tls.key"
NEXT_CERTIFICATE, NEXT_KEY, PREVIOUS = "next.crt", "next.key", "previous.crt"


@dataclass(frozen=True)
class Roots:
    """What the Secret of the authority holds."""

    signing: Pair | None = None
    coming: Pair | None = None
    previous: str = ""
    """Certificate only (PEM): its key is gone."""

    @property
    def bundle(self) -> str:
        """Whom to trust (PEM)."""
        held = [self.signing.certificate if self.signing else ""]
        held += [self.coming.certificate if self.coming else "", self.previous]
        return "".join(held)


def read_roots(data: Mapping[str, str]) -> Roots:
    """From a Secret's data; what is not usable is left out."""
    signing = read_pair(data, CERTIFICATE, KEY)
    coming = read_pair(data, NEXT_CERTIFICATE, NEXT_KEY)
    previous = _text(data, PREVIOUS)
    return Roots(signing, coming, previous if _certificate(previous) else "")


def roots_data(roots: Roots) -> dict[str, str]:
    """As a Secret's data."""
    held = {BUNDLE: roots.bundle, PREVIOUS: roots.previous}
    for pair, names in (
        (roots.signing, (CERTIFICATE, KEY)),
        (roots.coming, (NEXT_CERTIFICATE, NEXT_KEY)),
    ):
        if pair is not None:
            held |= dict(zip(names, (pair.certificate, pair.key), strict=True))
    return {name: _encoded(text) for name, text in held.items() if text}


def leaf_data(leaf: Pair, bundle: str) -> dict[str, str]:
    """A server's Secret: certificate, key, and whom its clients trust."""
    held = {CERTIFICATE: leaf.certificate, KEY: leaf.key, BUNDLE: bundle}
    return {name: _encoded(text) for name, text in held.items()}


def read_pair(data: Mapping[str, str], certificate: str, key: str) -> Pair | None:
    """A certificate with its key; None where they are not there or do not belong together."""
    pair = Pair(_text(data, certificate), _text(data, key))
    return pair if pair.parsed() is not None else None


def advance(
    roots: Roots,
    leaves: Sequence[Pair | None],
    now: dt.datetime,
    overlap: dt.timedelta,
    renew_before: dt.datetime | None = None,
) -> Roots:
    """The roots as they should be now; one step at a time, because others have to follow.

    A root that was made before `renew_before` is replaced, however young it is.
    """
    signing = roots.signing.parsed() if roots.signing else None
    if signing is None or signing.not_valid_after_utc <= now:
        # Nobody can trust anything of the old one: there is nothing to overlap with.
        return Roots(signing=issue_root(NAME, now))
    coming = roots.coming.parsed() if roots.coming else None
    if roots.coming and coming and roots.signing and now >= made_at(coming) + overlap:
        return Roots(signing=roots.coming, previous=roots.signing.certificate)
    due = ages(signing, now) or (renew_before is not None and made_at(signing) < renew_before)
    if coming is None and not roots.previous and due:
        return replace(roots, coming=issue_root(NAME, now))
    if roots.previous and all(_settled(leaf, signing, now, overlap) for leaf in leaves):
        return replace(roots, previous="")
    return roots


def leaf_of(roots: Roots, there: Pair | None, names: Sequence[str], now: dt.datetime) -> Pair:
    """The server's certificate: the one that is there, unless it must be replaced."""
    if roots.signing is None:
        raise ValueError("there is no root to sign with")
    root, leaf = roots.signing.parsed(), there.parsed() if there else None
    if (
        there is not None
        and leaf is not None
        and root is not None
        and signed_by(leaf, root)
        and dns_names(leaf) == list(names)
        and not ages(leaf, now)
    ):
        return there
    return issue_leaf(roots.signing, names, now)


def _settled(
    leaf: Pair | None, root: x509.Certificate, now: dt.datetime, overlap: dt.timedelta
) -> bool:
    """Whether the server has certainly taken up a leaf of this root."""
    found = leaf.parsed() if leaf else None
    return found is not None and signed_by(found, root) and now >= made_at(found) + overlap


def _certificate(text: str) -> x509.Certificate | None:
    try:
        return x509.load_pem_x509_certificate(text.encode()) if text else None
    except ValueError:
        return None


def _text(data: Mapping[str, str], name: str) -> str:
    try:
        return base64.b64decode(data.get(name, ""), validate=True).decode()
    except ValueError:
        return ""


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
