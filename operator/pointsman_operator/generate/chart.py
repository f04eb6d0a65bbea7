"""The chart's copy of the CRDs, as templates: upgraded with the release, kept at uninstall.

Helm never upgrades what lies in a chart's `crds/` folder. Called by `__main__`.
"""

from __future__ import annotations

from pointsman_operator.generate.crds import crd_files

METADATA = "metadata:\n"
KEEP = """metadata:
  labels: {{- include "pointsman.labels" . | nindent 4 }}
  {{- if .Values.crds.keep }}
  annotations: {helm.sh/resource-policy: keep}
  {{- end }}
"""


def chart_files() -> dict[str, str]:
    """File name below `templates/crds/` of the chart -> text."""
    return {name: _template(text) for name, text in crd_files().items()}


def _template(text: str) -> str:
    if "{{" in text:
        raise ValueError("a CRD's text holds {{, which the chart would take for a template")
    return (
        "{{- if .Values.crds.enabled }}\n" + text.replace(METADATA, KEEP, 1) + "{{- end }}\n"
    )
