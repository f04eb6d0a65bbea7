"""Kubernetes Events (events.k8s.io/v1) about our resources: told once, not again and again."""

from __future__ import annotations

import datetime as dt
import logging
import time
import uuid
from collections import OrderedDict
from collections.abc import Callable
from typing import Literal

from pointsman_operator.api.meta import API_VERSION, ObjectRef
from pointsman_operator.kube import limits
from pointsman_operator.kube.api import MANAGER, Api, ApiError

_log = logging.getLogger(__name__)


class Events:
    """Tells of an object once each reason and note within ten minutes."""

    def __init__(self, api: Api, instance: str, now: Callable[[], float] = time.monotonic) -> None:
        self._api = api
        self._instance = instance
        self._now = now
        self._told: OrderedDict[tuple[ObjectRef, str, str], float] = OrderedDict()

    async def tell(
        self,
        ref: ObjectRef,
        uid: str,
        kind: Literal["Normal", "Warning"],
        reason: str,
        note: str,
    ) -> None:
        """Write one Event; a failure is logged, because an Event is never worth a retry."""
        if not self.fresh(ref, reason, note):
            return
        document = {
            "apiVersion": "events.k8s.io/v1",
            "kind": "Event",
            "metadata": {"name": f"{ref.name}.{uuid.uuid4().hex[:16]}", "namespace": ref.namespace},
            "eventTime": dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "reportingController": f"pointsman.dev/{MANAGER.removeprefix('pointsman-')}",
            "reportingInstance": self._instance,
            "action": "Reconcile",
            "type": kind,
            "reason": reason,
            "note": note[: limits.NOTE_CHARACTERS],
            "regarding": {
                "apiVersion": API_VERSION,
                "kind": ref.kind,
                "namespace": ref.namespace,
                "name": ref.name,
                "uid": uid,
            },
        }
        path = f"/apis/events.k8s.io/v1/namespaces/{ref.namespace}/events"
        try:
            await self._api.create(path, document)
        except ApiError as error:
            _log.warning("event %s about %s is not written: %s", reason, ref, error)

    def fresh(self, ref: ObjectRef, reason: str, note: str) -> bool:
        """Whether this was not told lately; remembers that it now is."""
        key, now = (ref, reason, note), self._now()
        told_at = self._told.pop(key, None)
        again = told_at is None or now - told_at >= limits.EVENT_AGAIN_S
        self._told[key] = now if again or told_at is None else told_at
        if len(self._told) > limits.EVENTS_REMEMBERED:
            self._told.popitem(last=False)
        return again
