"""The controller among a thousand policies and ten thousand pods: memory, and an edit's way out.

On the control plane tier (etcd, API server, controller manager, scheduler) with plain objects: the
controller reads pods' metadata, so nothing has to run them. The hub is the tests' scripted one and
tells of one connected sidecar a pod. Edits come at 200 a minute, one at a time, each of another
policy; RSS is sampled all the while, and its slope is fitted after the first quarter.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from harness.control_plane import ControlPlane
from harness.fixtures import CRDS
from scale.populated import Population, edited, populate
from scale.rows import Row
from scale.size import Size
from scale.watched import load, processor_s, rss_mib
from support.cluster_hub import ClusterHub, cluster_hub
from support.controllers import ControllerProcess, controller, make_home
from support.eventually import eventually
from support.resources_in_cluster import API, envelope

NAME, SECONDS = "controller-edits", 900
RSS_MIB, PUBLISHED_S, SLOPE_MIB_H = 400, 1.0, 1.0
EDIT_EVERY_S, EDITS_MIN = 0.3, 100
_BEFORE_S = 3600.0
"""Until edits begin; the controller's token must outlast them."""
_ALL_WITHIN_S, _ONE_WITHIN_S, _LOOK_EVERY_S = 900.0, 30.0, 0.01


def measure(folder: Path, size: Size) -> list[Row]:
    """Fill a control plane, start a controller, edit for some minutes."""
    with ControlPlane() as cluster, cluster_hub() as hub:
        cluster.install(*CRDS)
        people = populate(cluster, size.share)
        for uid in people.pods:
            hub.report(uid)
        began = time.monotonic()
        with controller(
            make_home(cluster, int(size.minutes * 60 + _BEFORE_S)), hub, folder / "replica"
        ) as replica:
            eventually(partial(_all_published, hub, people), _ALL_WITHIN_S)
            first_s = time.monotonic() - began
            eventually(partial(_idle, replica), _ALL_WITHIN_S)
            settled_s = time.monotonic() - began
            busy_s, edits_began = processor_s(replica.process.pid), time.monotonic()
            waits, samples = _edit(cluster, hub, replica, people, size.minutes)
            busy_s = processor_s(replica.process.pid) - busy_s
            busy = busy_s / (time.monotonic() - edits_began)
            peak = rss_mib(replica.process.pid, peak=True)
    firsts = (first_s, settled_s)
    return _rows(people, firsts, sorted(waits), samples, busy, peak)


def _idle(replica: ControllerProcess) -> bool:
    return replica.metric("pointsman_controller_queue_depth") == 0


def _all_published(hub: ClusterHub, people: Population) -> bool:
    return all(hub.digest(*name) for name in people.policies)


def _edit(
    cluster: ControlPlane,
    hub: ClusterHub,
    replica: ControllerProcess,
    people: Population,
    minutes: float,
) -> tuple[list[float], list[tuple[float, float]]]:
    """How long each edit took, and the controller's memory over time (seconds, MiB)."""
    names = people.policies
    random.Random(7).shuffle(names)
    waits: list[float] = []
    samples: list[tuple[float, float]] = []
    began = time.monotonic()
    while len(waits) < EDITS_MIN or time.monotonic() - began < minutes * 60:
        time.sleep(max(0.0, began + len(waits) * EDIT_EVERY_S - time.monotonic()))
        space, name = names[len(waits) % len(names)]
        before = hub.digest(space, name)
        spec = edited(int(name.removeprefix("p")), len(waits) + 1)
        cluster.api.merge(f"{API}/{space}/routingpolicies/{name}", {"spec": spec})
        sent = time.monotonic()
        waits.append(_published_s(partial(_published, cluster, hub, (space, name), before), sent))
        samples.append((time.monotonic() - began, rss_mib(replica.process.pid)))
    return waits, samples


def _published_s(published: Callable[[], bool], sent: float) -> float:
    """How long it took; an edit that is given up counts as long as it was waited for."""
    while not published() and time.monotonic() - sent < _ONE_WITHIN_S:
        time.sleep(_LOOK_EVERY_S)
    return time.monotonic() - sent


def _published(
    cluster: ControlPlane, hub: ClusterHub, policy: tuple[str, str], before: str
) -> bool:
    """Whether hub and ConfigMap hold one and the same new table."""
    there = hub.digest(*policy)
    return there != before and envelope(cluster, *policy).get("digest") == there


def _slope_row(samples: list[tuple[float, float]]) -> Row:
    """Missed only where growth is shown: the interval's lower end is what is held to the limit."""
    fitted, span = slope(samples), samples[-1][0] / 60
    if fitted is None:
        method = f"{span:.1f} minutes are too few to say; not judged"
        return Row(NAME, "rss_slope_shown", 0.0, "MiB/h", method)
    growth, within = fitted
    method = f"lower end of {growth:.1f} +- {within:.1f} (95 %), {span:.1f} minutes less a quarter"
    return Row(NAME, "rss_slope_shown", growth - within, "MiB/h", method, at_most=SLOPE_MIB_H)


def slope(samples: list[tuple[float, float]]) -> tuple[float, float] | None:
    """MiB an hour by least squares after the first quarter, and half its 95 % interval.

    The interval takes minutes' means as independent; single samples are not. None: too few.
    """
    warm = samples[-1][0] / 4
    minutes: dict[int, list[float]] = {}
    for when, value in samples:
        if when >= warm:
            minutes.setdefault(int(when // 60), []).append(value)
    if len(minutes) < 3:
        return None
    hours = np.array(sorted(minutes)) / 60
    means = np.array([float(np.mean(minutes[key])) for key in sorted(minutes)])
    centred = hours - hours.mean()
    found = float((centred * means).sum() / (centred**2).sum())
    rest = means - means.mean() - found * centred
    error = float(np.sqrt((rest**2).sum() / (len(hours) - 2) / (centred**2).sum()))
    return found, 1.96 * error


def _rows(
    people: Population,
    firsts: tuple[float, float],
    waits: list[float],
    samples: list[tuple[float, float]],
    busy: float,
    peak: float,
) -> list[Row]:
    size = f"{len(people.namespaces)} namespaces, {len(people.policies):,} policies"
    size += f", {len(people.pods):,} pods, load {load()}"
    middle, last = waits[len(waits) // 2], waits[len(waits) * 99 // 100]
    told = (
        f"from the API server's answer to hub and ConfigMap; {len(waits)} edits, p50 {middle:.2f}"
    )
    return [
        Row(NAME, "rss", samples[-1][1], "MiB", f"controller's RSS; {size}", at_most=RSS_MIB),
        Row(NAME, "rss_peak", peak, "MiB", "the most since its start", at_most=RSS_MIB),
        Row(NAME, "published_p99", last, "s", told, at_most=PUBLISHED_S),
        _slope_row(samples),
        Row(NAME, "cpu", busy * 100, "% of a core", "while edits come"),
        Row(NAME, "first_publish", firsts[0], "s", "its start until every table is at the hub"),
        Row(NAME, "first_status", firsts[1], "s", "its start until nothing waits for work"),
    ]
