"""How an API key looks: `pmk_<id>_<secret><checksum>`; the gateway's half is `callers/api_key.rs`.

The id is public and names the entry. The secret has 190 random bits, so one round of SHA-256 keeps
it as well as a slow hash would. The checksum tells a mistyped key, or a scanner's false find.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import string
import zlib
from dataclasses import dataclass, field

ID_LENGTH = 10
SECRET_LENGTH = 32
CHECKSUM_LENGTH = 6
ID_DIGITS = "0123456789abcdefghjkmnpqrstvwxyz"
DIGITS = string.digits + string.ascii_uppercase + string.ascii_lowercase
SHAPE = re.compile(r"pmk_[0-9A-Za-z]{10}_[0-9A-Za-z]{38}")
"""What scanners for leaked keys look for."""


@dataclass(frozen=True)
class Made:
    """A new key: shown once, then only its hash is known."""

    id: str
    key: str = field(repr=False)

    @property
    def hash(self) -> str:
        """What is kept of it."""
        return hash_of(self.key)


def make() -> Made:
    """A key that nobody has seen."""
    key_id = "".join(secrets.choice(ID_DIGITS) for _ in range(ID_LENGTH))
    secret = "".join(secrets.choice(DIGITS) for _ in range(SECRET_LENGTH))
    body = f"pmk_{key_id}_{secret}"
    return Made(key_id, body + checksum(body))


def is_well_formed(text: str) -> bool:
    """Whether it is a whole key without a typing mistake."""
    return (
        SHAPE.fullmatch(text) is not None
        and checksum(text[:-CHECKSUM_LENGTH]) == text[-CHECKSUM_LENGTH:]
    )


def hash_of(key: str) -> str:
    """`sha256:` and the hex digest of the whole key."""
    return "sha256:" + hashlib.sha256(key.encode()).hexdigest()


def checksum(body: str) -> str:
    """CRC-32 in six digits of base 62."""
    rest = zlib.crc32(body.encode())
    digits = []
    for _ in range(CHECKSUM_LENGTH):
        rest, digit = divmod(rest, len(DIGITS))
        digits.append(DIGITS[digit])
    return "".join(reversed(digits))
