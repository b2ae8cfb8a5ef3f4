{{- define "lcm.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "lcm.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" -}}
{{- else if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 52 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "lcm.selector" -}}
app.kubernetes.io/name: {{ include "lcm.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: reconciler
{{- end -}}

{{- define "lcm.labels" -}}
{{ include "lcm.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "lcm.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "lcm.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "lcm.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{/* The configuration as the daemon reads it. */}}
{{- define "lcm.config" -}}
{{- $c := deepCopy .Values.config -}}
{{- $_ := set $c "metrics" (dict "listen" ":9090") -}}
{{- if eq $c.state.type "etcd" -}}
{{- $_ := unset $c.state "path" -}}
{{- else if gt (int .Values.replicaCount) 1 -}}
{{- fail "replicaCount above 1 needs config.state of the type etcd: with the state in a file one replica alone may run (values-ha.yaml)" -}}
{{- else if not .Values.persistence.enabled -}}
{{- fail "persistence.enabled: false needs config.state of the type etcd: a daemon that loses its state stops until an operator vouches for a revision" -}}
{{- end -}}
{{- if and .Values.webhook.enabled (not (hasKey $c "webhook")) -}}
{{- fail "webhook.enabled needs config.webhook, with listen: \":8081\" and a secret" -}}
{{- end -}}
{{- toYaml $c -}}
{{- end -}}
