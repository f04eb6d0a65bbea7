{{/* Names, labels and what every pod of ours has in common. */}}

{{- define "pointsman.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- define "pointsman.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains (include "pointsman.name" .) .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "pointsman.name" .) | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "pointsman.labels" -}}
app.kubernetes.io/name: {{ include "pointsman.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{/* Selector labels of one role: list . "hub" */}}
{{- define "pointsman.selector" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: {{ include "pointsman.name" $root }}
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{/* Reference of one of the two images: list . .Values.image.sidecar */}}
{{- define "pointsman.image" -}}
{{- $root := index . 0 -}}
{{- $image := index . 1 -}}
{{- with $root.Values.image.registry }}{{ trimSuffix "/" . }}/{{ end -}}
{{- $image.repository -}}
{{- if $image.digest -}}@{{ $image.digest }}{{- else -}}:{{ default $root.Chart.AppVersion $image.tag }}{{- end -}}
{{- end -}}

{{- define "pointsman.podSecurity" -}}
runAsNonRoot: true
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "pointsman.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end -}}

{{/* Where a role's pods may run: list . "hub" .Values.hub */}}
{{- define "pointsman.placement" -}}
{{- $root := index . 0 -}}
{{- $role := index . 1 -}}
{{- $values := index . 2 -}}
{{- include "pointsman.onNodes" $values }}
topologySpreadConstraints:
- maxSkew: 1
  topologyKey: kubernetes.io/hostname
  whenUnsatisfiable: ScheduleAnyway
  labelSelector:
    matchLabels: {{- include "pointsman.selector" (list $root $role) | nindent 6 }}
{{- end -}}

{{- define "pointsman.pullSecrets" -}}
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
{{- range . }}
- name: {{ . }}
{{- end }}
{{- end }}
{{- end -}}

{{/* A role's environment: list $ "hub" (YAML list of ours) (list of the user's). A name that is there twice is an error in
     server-side apply, so it is one here, with a sentence. */}}
{{- define "pointsman.env" -}}
{{- $ours := fromYamlArray (index . 2) -}}
{{- $seen := dict -}}
{{- range $ours }}{{ $_ := set $seen .name true }}{{ end -}}
{{- range index . 3 -}}
{{- if hasKey $seen .name }}{{ fail (printf "%s.extraEnv: %s is there already" (index $ 1) .name) }}{{ end -}}
{{- $_ := set $seen .name true -}}
{{- end -}}
{{- toYaml (concat $ours (index . 3)) -}}
{{- end -}}

{{/* Annotations of a role's pods: list .Values.hub "hub" */}}
{{- define "pointsman.podAnnotations" -}}
{{- $ours := dict "kubectl.kubernetes.io/default-container" (index . 1) -}}
{{- toYaml (merge (deepCopy (index . 0).podAnnotations) $ours) -}}
{{- end -}}

{{- define "pointsman.hubURL" -}}
https://{{ include "pointsman.fullname" . }}-hub.{{ .Release.Namespace }}.svc:443
{{- end -}}

{{/* The part of a role's placement that its errands share: .Values.controller */}}
{{- define "pointsman.onNodes" -}}
{{- with .priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}
