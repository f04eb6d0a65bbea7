{{/* What belongs to another way of keeping the ledger would do nothing, so it is refused with a sentence:
     dict "at" "hub.storage" "values" VALUES "of" {name: default} "why" "with …" */}}
{{- define "pointsman.unused" -}}
{{- $here := . -}}
{{- range $name, $default := .of -}}
{{- if and (hasKey $here.values $name) (not (deepEqual (get $here.values $name) $default)) -}}
{{- fail (printf "%s.%s does nothing %s: leave it out (or null, where it was set before)" $here.at $name $here.why) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "pointsman.checkStorage" -}}
{{- $made := dict "size" "5Gi" "storageClassName" "" "accessModes" (list "ReadWriteOncePod") -}}
{{- with .Values.hub.storage -}}
{{- $type := printf "with type %s" .type -}}
{{- if ne .type "PersistentVolumeClaim" -}}
{{- $claim := merge (dict "existingClaim" "") $made -}}
{{- include "pointsman.unused" (dict "at" "hub.storage" "values" . "of" $claim "why" $type) -}}
{{- else if .existingClaim -}}
{{- $why := "with existingClaim, which is as you made it" -}}
{{- include "pointsman.unused" (dict "at" "hub.storage" "values" . "of" $made "why" $why) -}}
{{- end -}}
{{- with .postgresql -}}
{{- if ne $.Values.hub.storage.type "PostgreSQL" -}}
{{- $key := dict "key" "url" -}}
{{- include "pointsman.unused" (dict "at" "hub.storage.postgresql" "values" . "of" $key "why" $type) -}}
{{- end -}}
{{- if not (or .ca.configMap .ca.secret) -}}
{{- $key := dict "key" "ca.crt" -}}
{{- $why := "without ca.configMap or ca.secret" -}}
{{- include "pointsman.unused" (dict "at" "hub.storage.postgresql.ca" "values" .ca "of" $key "why" $why) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
