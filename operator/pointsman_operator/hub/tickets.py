"""Tickets: our word that a pod may use a pool of another namespace.

The keys and who holds a ticket lie in the database: a restart keeps tickets good, and finds those
whose pods left meanwhile. `feed` mints for streams and tells gateways whom to let in.
"""

from __future__ import annotations

import base64
import json
import secrets
from dataclasses import dataclass

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Connection, delete, insert, select

from pointsman_operator.hub import limits, schema
from pointsman_operator.ledger.database import Database
from pointsman_operator.ledger.store import chunks


@dataclass(frozen=True, slots=True)
class SigningKey:
    """One key; the seed is its private half."""

    kid: str
    seed: bytes
    made_s: int

    def private(self) -> Ed25519PrivateKey:
        """What signs."""
        return Ed25519PrivateKey.from_private_bytes(self.seed)

    def public(self) -> str:
        """What gateways check with: the raw public key in base64."""
        return base64.b64encode(self.private().public_key().public_bytes_raw()).decode()


@dataclass(frozen=True, slots=True)
class Bearer:
    """Whom tickets are for: a pod, by its token."""

    pod: str
    """Its UID."""
    namespace: str
    workload: str


class Tickets:
    """Mints tickets, and knows which are void before their time."""

    def __init__(self, database: Database) -> None:
        self.revision = 0
        """Rises with everything that gateways have to be told."""
        self._database = database
        self._keys: list[SigningKey] = []
        self._issued: dict[str, int] = {}
        """When the last ticket of a pod expires, Unix seconds."""
        self._unstored: set[str] = set()
        self._revoked: dict[str, int] = {}
        self._line = b""

    async def load(self) -> None:
        """Read what an earlier process stored, and make the first key."""
        async with self._database.reading() as connection:
            for row in await connection.execute(select(schema.signing_keys)):
                self._keys.append(SigningKey(row.kid, row.seed, row.made_s))
            for row in await connection.execute(select(schema.ticket_holders)):
                self._issued[row.pod] = row.expires_s
        self._keys.sort(key=lambda key: key.made_s)
        await self.tend()

    def holders(self) -> frozenset[str]:
        """Pods that may hold a ticket that is still good."""
        return frozenset(self._issued)

    def mint(self, bearer: Bearer, audience: str, life_s: int) -> str:
        """A ticket for one gateway; JWS in compact form."""
        now_s, key = self._now_s(), self._signing()
        claims = {
            "aud": audience,
            "sub": bearer.pod,
            "ns": bearer.namespace,
            "wl": bearer.workload,
            "iat": now_s,
            "exp": now_s + life_s,
        }
        if self._issued.get(bearer.pod, 0) < now_s + life_s:
            self._issued[bearer.pod] = now_s + life_s
            self._unstored.add(bearer.pod)
        return jwt.encode(claims, key.private(), algorithm="EdDSA", headers={"kid": key.kid})

    def revoke(self, pod: str) -> bool:
        """The pod is gone; whether gateways have to be told."""
        expires_s = self._issued.get(pod)
        if expires_s is None or pod in self._revoked:
            return False
        self._revoked[pod] = expires_s
        self._changed()
        return True

    def admission(self) -> bytes:
        """The event that tells gateways all that they need."""
        if not self._line:
            keys = {key.kid: key.public() for key in self._keys}
            event = {"event": "admission", "keys": keys, "revoked": sorted(self._revoked)}
            self._line = json.dumps(event, separators=(",", ":")).encode() + b"\n"
        return self._line

    async def tend(self) -> bool:
        """Store who holds tickets, forget the expired, rotate keys; whether gateways must know."""
        before, now_s = self.revision, self._now_s()
        over = [pod for pod, expires_s in self._issued.items() if _is_over(expires_s, now_s)]
        fresh = {pod: self._issued[pod] for pod in self._unstored if pod in self._issued}
        made, dropped = self._rotation(now_s)
        if over or fresh or made or dropped:
            await self._database.write(lambda it: _store(it, fresh, over, made, dropped))
        # While that was written, a pod may have been given a ticket that lasts longer.
        self._unstored -= {pod for pod, until_s in fresh.items() if self._issued[pod] == until_s}
        for pod in (it for it in over if _is_over(self._issued[it], now_s)):
            del self._issued[pod]
            self._revoked.pop(pod, None)
        if made or dropped:
            self._keys = [key for key in (*self._keys, *made) if key not in dropped]
            self._changed()
        return self.revision != before

    def _rotation(self, now_s: int) -> tuple[list[SigningKey], list[SigningKey]]:
        """Keys to be made, and those whose last ticket has expired."""
        newest = max((key.made_s for key in self._keys), default=None)
        made = []
        if newest is None or now_s >= newest + limits.SIGNING_KEY_LIFE_S:
            made = [SigningKey(secrets.token_hex(8), secrets.token_bytes(32), now_s)]
        until_s = limits.SIGNING_KEY_LIFE_S + limits.SIGNING_KEY_SPREAD_S + limits.TICKET_LIFE_MAX_S
        return made, [key for key in self._keys if now_s >= key.made_s + 2 * until_s]

    def _signing(self) -> SigningKey:
        """The newest key that gateways have had time to learn of."""
        now_s = self._now_s()
        spread = [it for it in self._keys if now_s >= it.made_s + limits.SIGNING_KEY_SPREAD_S]
        return spread[-1] if spread else self._keys[0]

    def _changed(self) -> None:
        self.revision += 1
        self._line = b""

    def _now_s(self) -> int:
        return self._database.clock.now_ms() // 1000


def _is_over(expires_s: int, now_s: int) -> bool:
    return now_s >= expires_s + limits.TICKET_GRACE_S


def _store(
    connection: Connection,
    fresh: dict[str, int],
    over: list[str],
    made: list[SigningKey],
    dropped: list[SigningKey],
) -> None:
    holders, keys = schema.ticket_holders, schema.signing_keys
    for some in chunks((*over, *fresh)):
        connection.execute(delete(holders).where(holders.c.pod.in_(some)))
    if fresh:
        rows = [{"pod": pod, "expires_s": expires_s} for pod, expires_s in fresh.items()]
        connection.execute(insert(holders), rows)
    for key in dropped:
        connection.execute(delete(keys).where(keys.c.kid == key.kid))
    for key in made:
        row = {"kid": key.kid, "seed": key.seed, "made_s": key.made_s}
        connection.execute(insert(keys), [row])
