{{- define "chancery.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- define "chancery.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- $name := include "chancery.name" . -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "chancery.selector" -}}
app.kubernetes.io/name: {{ include "chancery.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "chancery.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{ include "chancery.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{- define "chancery.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "chancery.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- .Values.serviceAccount.name | default (include "chancery.fullname" .) -}}
{{- else -}}
{{- .Values.serviceAccount.name | default "default" -}}
{{- end -}}
{{- end -}}

{{- define "chancery.secretName" -}}
{{- .Values.credentials.existingSecret | default (include "chancery.fullname" .) -}}
{{- end -}}

{{/* server.max_batch_events → CHANCERY_SERVER_MAX_BATCH_EVENTS */}}
{{- define "chancery.variable" -}}
CHANCERY_{{ . | replace "." "_" | upper }}
{{- end -}}

{{/*
Every pool with all that has a default filled in, as YAML: name → {fullname, roles, replicaCount, autoscaling, …}.
What would leave a cluster without one of its roles is refused here.
*/}}
{{- define "chancery.pools" -}}
{{- $all := list "gateway" "projector" "archiver" "sealer" "exporter" "relay" -}}
{{- $fullname := include "chancery.fullname" . -}}
{{- $given := .Values.pools | default (dict "node" dict) -}}
{{- $pools := dict -}}
{{- $covered := list -}}
{{- range $name, $pool := $given -}}
{{- if not (kindIs "invalid" $pool) -}}
{{- $roles := $pool.roles | default $all -}}
{{- $covered = concat $covered $roles -}}
{{- $replicas := $.Values.replicaCount -}}
{{- if hasKey $pool "replicaCount" -}}{{- $replicas = $pool.replicaCount -}}{{- end -}}
{{- $autoscaling := mergeOverwrite (deepCopy $.Values.autoscaling) (deepCopy ($pool.autoscaling | default dict)) -}}
{{- if and $autoscaling.enabled (gt (int $autoscaling.minReplicas) (int $autoscaling.maxReplicas)) -}}
{{- fail (printf "pool %s: autoscaling.minReplicas is more than maxReplicas" $name) -}}
{{- end -}}
{{- $_ := set $pools $name (dict
  "fullname" (empty $.Values.pools | ternary $fullname (printf "%s-%s" $fullname $name))
  "roles" $roles
  "gateway" (has "gateway" $roles)
  "replicas" $replicas
  "least" ($autoscaling.enabled | ternary $autoscaling.minReplicas $replicas)
  "autoscaling" $autoscaling
  "resources" ($pool.resources | default $.Values.resources)
  "nodeSelector" ($pool.nodeSelector | default $.Values.nodeSelector)
  "tolerations" ($pool.tolerations | default $.Values.tolerations)
  "settings" ($pool.settings | default dict)) -}}
{{- end -}}
{{- end -}}
{{- range $role := $all -}}
{{- if not (has $role $covered) -}}
{{- fail (printf "no pool has the role %s" $role) -}}
{{- end -}}
{{- end -}}
{{- toYaml $pools -}}
{{- end -}}

{{- define "chancery.poolSelector" -}}
matchLabels:
  {{- include "chancery.selector" (index . 0) | nindent 2 }}
  app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}
