"""What the chart holds of ours, as templates: the CRDs and the webhook configuration.

CRDs are upgraded with the release and kept at uninstall: Helm never upgrades what lies in a chart's
`crds/` folder. The webhooks are the builder's own, so that the tests' are the users'. Called by
`__main__`.
"""

from __future__ import annotations

from typing import Any

import yaml

from pointsman_operator.generate.crds import crd_files
from pointsman_operator.inject.webhooks import service_client, webhook_configuration

METADATA = "metadata:\n"
KEEP = """metadata:
  labels: {{- include "pointsman.labels" . | nindent 4 }}
  {{- if .Values.crds.keep }}
  annotations: {helm.sh/resource-policy: keep}
  {{- end }}
"""
NAMESPACE = "{{ $.Release.Namespace }}"
FULLNAME = '{{ include "pointsman.fullname" $ }}'
WIDE = 10_000
"""YAML lines are never folded: a template's action is one line."""
SCOPE = "in-scope"
SCOPED = """{{- with $.Values.namespaces }}
    - {key: kubernetes.io/metadata.name, operator: In, values: {{ toJson . }}}
    {{- end }}
"""
WEBHOOKS_HEAD = """\
{{- /* Generated from pointsman_operator.inject.webhooks by `make gen`. caBundle is left out: the
   controller writes it, and neither an upgrade nor a forced apply takes it away. */ -}}
"""


def chart_files() -> dict[str, str]:
    """File name below the chart's `templates/` -> text."""
    crds = {f"crds/{name}": _crd(text) for name, text in crd_files().items()}
    return {**crds, "webhooks.yaml": _webhooks()}


def _crd(text: str) -> str:
    _plain(text)
    return "{{- if .Values.crds.enabled }}\n" + text.replace(METADATA, KEEP, 1) + "{{- end }}\n"


def _webhooks() -> str:
    # Checked without our own placeholders: what the builder says must be plain text.
    _plain(_dumped(webhook_configuration("name", "home", {}, service_client("home", "service"))))
    client = service_client(NAMESPACE, f"{FULLNAME}-injector")
    document = webhook_configuration(FULLNAME, NAMESPACE, {"labels": "here"}, client)
    for webhook in document["webhooks"]:
        webhook["timeoutSeconds"] = "{{ $.Values.injector.timeoutSeconds }}"
        scope = {"key": SCOPE}
        expressions = webhook["namespaceSelector"]["matchExpressions"]
        webhook["namespaceSelector"] = {"matchExpressions": [*expressions, scope]}
    text = _dumped(document)
    text = text.replace(
        "  labels:\n    labels: here\n",
        '  labels: {{- include "pointsman.labels" . | nindent 4 }}\n',
    )
    # A number, where every other placeholder stands for text.
    text = text.replace(
        "'{{ $.Values.injector.timeoutSeconds }}'", "{{ $.Values.injector.timeoutSeconds }}"
    )
    return WEBHOOKS_HEAD + text.replace(f"- key: {SCOPE}\n", SCOPED)


def _dumped(document: dict[str, Any]) -> str:
    return yaml.dump(document, Dumper=_WithoutAliases, sort_keys=False, width=WIDE)


def _plain(text: str) -> None:
    if "{{" in text:
        raise ValueError("a generated part of the chart holds {{, which Helm would evaluate")


class _WithoutAliases(yaml.SafeDumper):
    """Writes shared parts out each time: Helm's readers know no anchors."""

    def ignore_aliases(self, _data: Any) -> bool:
        return True
