"""Whose token is it: checked offline by the cluster's keys, by TokenReview only where that fails.

Called by the hub at every request. A token that was good is remembered until it expires or its pod
is gone, so ten thousand sidecars that come back at once cost no call to the API server.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import jwt

from pointsman_operator.kube import limits
from pointsman_operator.kube.api import Api, ApiError
from pointsman_operator.kube.connection import Connection
from pointsman_operator.kube.pacing import Pace
from pointsman_operator.kube.presence import Presence

AUDIENCE = "pointsman"
ALGORITHMS = ("RS256", "ES256", "ES384", "ES512", "EdDSA")
REVIEWS = "/apis/authentication.k8s.io/v1/tokenreviews"
_log = logging.getLogger(__name__)


class CannotTellError(Exception):
    """Neither keys nor API server can be reached: nobody is refused for good by this."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Whose token it is; `expires_s` is Unix time."""

    username: str
    expires_s: float
    namespace: str = ""
    service_account: str = ""
    pod: str = ""
    pod_uid: str = ""
    groups: tuple[str, ...] = ()
    extra: tuple[tuple[str, tuple[str, ...]], ...] = ()
    person: bool = False
    """The token is for the API server itself, not for us."""


class Keys:
    """The cluster's public keys and issuer, kept in a file for starts without an API server."""

    def __init__(self, connection: Connection, file: Path | None) -> None:
        self._connection = connection
        self._file = file
        self._keys: dict[str, jwt.PyJWK] = {}
        self._issuer = ""
        self._next_s = 0.0
        self._asking = asyncio.Lock()
        if file is not None and file.exists():
            try:
                self._take(json.loads(file.read_bytes()))
            except (ValueError, KeyError, OSError, jwt.PyJWTError) as error:
                _log.warning("the keys kept in %s cannot be read: %s", file, error)

    @property
    def issuer(self) -> str:
        """Who signs; empty while unknown."""
        return self._issuer

    async def find(self, key_id: str) -> jwt.PyJWK | None:
        """The key of that id; asks the API server again for one that is new, not too often."""
        if key_id not in self._keys:
            # Who comes while the API server is being asked waits for its answer.
            async with self._asking:
                if key_id not in self._keys and time.monotonic() >= self._next_s:
                    await self._ask()
        return self._keys.get(key_id)

    async def _ask(self) -> None:
        try:
            async with self._connection.streaming(limits.CONNECT_WITHIN_S) as http:
                said = await http.get("/.well-known/openid-configuration")
                keys = await http.get("/openid/v1/jwks")
            said.raise_for_status()
            keys.raise_for_status()
            document = {"issuer": said.json()["issuer"], "keys": keys.json()["keys"]}
            self._take(document)
        except (httpx.HTTPError, ValueError, KeyError, jwt.PyJWTError) as error:
            _log.warning("the cluster's keys cannot be read, TokenReview decides: %s", error)
            return
        finally:
            self._next_s = time.monotonic() + limits.KEYS_AGAIN_S
        if self._file is not None:
            draft = self._file.with_suffix(".new")
            draft.write_text(json.dumps(document))
            draft.replace(self._file)

    def _take(self, document: Mapping[str, Any]) -> None:
        self._issuer = str(document["issuer"])
        keys = [jwt.PyJWK(key) for key in document["keys"] if key.get("kid")]
        self._keys = {str(key.key_id): key for key in keys}


class Tokens:
    """Identities by token."""

    def __init__(self, keys: Keys, api: Api, presence: Presence) -> None:
        self._keys = keys
        self._api = api
        self._presence = presence
        self._known: OrderedDict[str, Identity] = OrderedDict()
        self._refused: OrderedDict[str, float] = OrderedDict()
        self._reviewing = asyncio.Semaphore(limits.REVIEWS_AT_ONCE)
        self._pace = Pace(limits.REVIEWS_PER_S, limits.REVIEWS_IN_A_ROW)
        self._reviews_waiting = 0

    async def identify(self, token: str) -> Identity | None:
        """Whose it is; None where it is nobody's. Raises `CannotTellError`."""
        name = hashlib.sha256(token.encode()).hexdigest()
        if self._refused.get(name, 0) > time.monotonic():
            return None
        known = self._known.get(name)
        if known is not None and known.expires_s > time.time() and not self._is_gone(known):
            return known
        found = await self._find(token)
        if found is None or self._is_gone(found):
            self._known.pop(name, None)
            _keep(self._refused, name, time.monotonic() + limits.REFUSED_FOR_S)
            return None
        _keep(self._known, name, found)
        return found

    def _is_gone(self, identity: Identity) -> bool:
        return bool(identity.pod_uid) and self._presence.is_gone(identity.pod_uid)

    async def _find(self, token: str) -> Identity | None:
        key_id, audiences = _claimed(token)
        if AUDIENCE not in audiences:
            # Or no JWT: a webhook's or an OIDC proxy's opaque token, which only the server knows.
            return await self._review(token, ours=False)
        key = await self._keys.find(key_id)
        if key is None:
            return await self._review(token, ours=True)
        found = self._offline(token, key)
        return await self._with_pod(token, found) if found and found.pod_uid else found

    async def _with_pod(self, token: str, found: Identity) -> Identity | None:
        """The identity, if its pod exists."""
        # After a restart all come back at once: by the list of pods, not by a review each.
        await self._presence.listed()
        if self._presence.is_here(found.pod_uid):
            return found
        # A pod that the watch has not shown yet, or never will.
        try:
            return await self._review(token, ours=True)
        except CannotTellError:
            # The signature is good; only whether the pod still exists cannot be asked now.
            again_s = time.time() + limits.UNCONFIRMED_FOR_S
            return replace(found, expires_s=min(found.expires_s, again_s))

    def _offline(self, token: str, key: jwt.PyJWK) -> Identity | None:
        try:
            claims = jwt.decode(
                token,
                key,
                algorithms=list(ALGORITHMS),
                audience=AUDIENCE,
                issuer=self._keys.issuer,
                leeway=limits.CLOCK_SKEW_S,
                options={"require": ["exp", "iss", "aud", "sub"]},
            )
        except jwt.PyJWTError as error:
            _log.info("a token was refused: %s", error)
            return None
        own = claims.get("kubernetes.io") or {}
        pod = own.get("pod") or {}
        return Identity(
            username=str(claims["sub"]),
            expires_s=float(claims["exp"]),
            namespace=str(own.get("namespace", "")),
            service_account=str((own.get("serviceaccount") or {}).get("name", "")),
            pod=str(pod.get("name", "")),
            pod_uid=str(pod.get("uid", "")),
        )

    async def _review(self, token: str, *, ours: bool) -> Identity | None:
        """Ask the API server; without our audience it is a person's token for the server."""
        if self._reviews_waiting >= limits.REVIEWS_WAITING:
            raise CannotTellError("too many tokens wait for a review")
        spec: dict[str, Any] = {"token": token} | ({"audiences": [AUDIENCE]} if ours else {})
        document = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenReview",
            "spec": spec,
        }
        self._reviews_waiting += 1
        try:
            async with asyncio.timeout(limits.REVIEW_WITHIN_S), self._reviewing:
                await self._pace.take()
                answer = await self._api.create(REVIEWS, document)
        except TimeoutError as error:
            raise CannotTellError("no review in time") from error
        except ApiError as error:
            raise CannotTellError(f"TokenReview: {error}") from error
        finally:
            self._reviews_waiting -= 1
        status = answer.get("status") or {}
        if not status.get("authenticated"):
            return None
        if ours and AUDIENCE not in (status.get("audiences") or ()):
            # A server that ignores audiences would let any token in.
            return None
        return _reviewed(status.get("user") or {}, person=not ours)


class Rights:
    """SubjectAccessReview for people, remembered for seconds."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._known: OrderedDict[tuple[str, ...], tuple[float, bool]] = OrderedDict()

    async def allowed(
        self, identity: Identity, group: str, verb: str, resource: str, namespace: str
    ) -> bool:
        """Whether they may, as RBAC says; raises `CannotTellError`."""
        key = (identity.username, *identity.groups, "\0", group, verb, resource, namespace)
        until_s, answer = self._known.get(key, (0.0, False))
        if until_s > time.monotonic():
            return answer
        attributes = {"group": group, "verb": verb, "resource": resource, "namespace": namespace}
        document = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SubjectAccessReview",
            "spec": {
                "user": identity.username,
                "groups": list(identity.groups),
                "extra": {name: list(values) for name, values in identity.extra},
                "resourceAttributes": attributes,
            },
        }
        try:
            path = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
            said = await self._api.create(path, document)
        except ApiError as error:
            raise CannotTellError(f"SubjectAccessReview: {error}") from error
        answer = bool((said.get("status") or {}).get("allowed"))
        _keep(self._known, key, (time.monotonic() + limits.RIGHTS_FOR_S, answer))
        return answer


def _keep(known: OrderedDict[Any, Any], key: Any, value: Any) -> None:
    known[key] = value
    known.move_to_end(key)
    if len(known) > limits.TOKENS_REMEMBERED:
        known.popitem(last=False)


def _claimed(token: str) -> tuple[str, tuple[str, ...]]:
    """Key id and audiences that a token claims, proven by nothing: which way to check it.

    Not by `jwt`, which goes over every character: ten thousand tokens come at once, and the check
    itself, once the way is known, is its.
    """
    try:
        head, body, _ = token.split(".")
        header, claims = json.loads(_unpacked(head)), json.loads(_unpacked(body))
        named = claims.get("aud", ())
        audiences = (named,) if isinstance(named, str) else tuple(map(str, named))
        return str(header.get("kid", "")), audiences
    except (ValueError, TypeError, AttributeError, RecursionError):
        return "", ()


def _unpacked(segment: str) -> bytes:
    return base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))


def _reviewed(user: Mapping[str, Any], *, person: bool) -> Identity:
    """What TokenReview says of a user; it names no expiry, so it is asked again soon."""
    username = str(user.get("username", ""))
    extra = {
        str(name): tuple(map(str, values)) for name, values in (user.get("extra") or {}).items()
    }
    first: Callable[[str], str] = lambda name: next(  # noqa: E731 - one expression, used twice
        iter(extra.get(f"authentication.kubernetes.io/{name}", ())), ""
    )
    kind, _, rest = username.partition("system:serviceaccount:")
    namespace, _, account = rest.partition(":") if not kind else ("", "", "")
    return Identity(
        username=username,
        expires_s=time.time() + limits.REVIEWED_FOR_S,
        namespace=namespace,
        service_account=account,
        pod=first("pod-name"),
        pod_uid=first("pod-uid"),
        groups=tuple(map(str, user.get("groups") or ())),
        extra=tuple(sorted(extra.items())),
        person=person,
    )
