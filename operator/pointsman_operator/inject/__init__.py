"""Injection: a pod or a workload as submitted -> a decision -> a JSON patch. Pure, like compile.

`injector` calls `inject_pod` and `label_template`; `webhooks` builds the configurations that the
chart installs, so that the API server asks only about what concerns us.
"""

from pointsman_operator.inject.facts import Namespace, Settings
from pointsman_operator.inject.pods import PodOutcome, inject_pod
from pointsman_operator.inject.reasons import Reason
from pointsman_operator.inject.workloads import WorkloadOutcome, label_template

__all__ = [
    "Namespace",
    "PodOutcome",
    "Reason",
    "Settings",
    "WorkloadOutcome",
    "inject_pod",
    "label_template",
]
