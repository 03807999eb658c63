{{- define "medidesk.fullname" -}}
{{- if .Values.fullnameOverride -}}{{ .Values.fullnameOverride }}
{{- else if regexMatch "(^|-)medidesk$" .Release.Name -}}{{ .Release.Name | trunc 40 }}
{{- else -}}{{ printf "%s-medidesk" (.Release.Name | trunc 30 | trimSuffix "-") }}
{{- end -}}
{{- end -}}

{{- define "medidesk.selectorLabels" -}}
app.kubernetes.io/name: medidesk
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{- define "medidesk.labels" -}}
{{ include "medidesk.selectorLabels" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/part-of: medidesk
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end -}}

{{- define "medidesk.image" -}}
{{- with .root.Values.image.registry }}{{ . }}/{{ end -}}
{{ .root.Values.image.repository }}-{{ .component }}:{{ .root.Values.image.tag | default .root.Chart.AppVersion }}
{{- end -}}

{{/* host of a service, as the others dial it and as its certificate names it */}}
{{- define "medidesk.host" -}}
{{ include "medidesk.fullname" .root }}-{{ .component }}.{{ .root.Release.Namespace }}.svc
{{- end -}}

{{- define "medidesk.tlsSecret" -}}
{{- if eq .root.Values.tls.mode "secret" -}}
{{ required (printf "tls.secrets.%s: the name of a Secret with ca.crt, tls.crt and tls.key" .component) (index .root.Values.tls.secrets .component) }}
{{- else -}}{{ include "medidesk.fullname" .root }}-{{ .component }}-tls
{{- end -}}
{{- end -}}

{{- define "medidesk.databaseSecret" -}}
{{- if .Values.postgresql.enabled -}}{{ include "medidesk.fullname" . }}-postgresql
{{- else -}}{{ required "database.secret.name: the Secret with DATABASE_URL (or postgresql.enabled for a trial)" .Values.database.secret.name }}
{{- end -}}
{{- end -}}

{{/* true where the migration Job runs: not with the bundled database, which an install makes after its hooks */}}
{{- define "medidesk.migrationJob" -}}
{{- if and .Values.migrations.job (not .Values.postgresql.enabled) -}}true{{- end -}}
{{- end -}}

{{- define "medidesk.secretEnv" -}}
- name: {{ .variable }}
  valueFrom:
    secretKeyRef:
      name: {{ .name }}
      key: {{ .key }}
{{- end -}}

{{/* variables of one container: {root, component, settings}; one entry for each name, the service's own wins */}}
{{- define "medidesk.settings" -}}
{{- $all := merge (dict) (.settings | default dict) (.fixed | default dict) .root.Values.settings -}}
{{- range $name := keys $all | sortAlpha }}
- name: {{ $name }}
  value: {{ get $all $name | quote }}
{{- end }}
{{- end -}}

{{- define "medidesk.tlsEnv" -}}
{{- if eq .Values.tls.mode "off" }}
- name: ALLOW_PLAINTEXT
  value: "1"
{{- else }}
- name: TLS_CA
  value: /etc/medidesk/tls/ca.crt
- name: TLS_CERT
  value: /etc/medidesk/tls/tls.crt
- name: TLS_KEY
  value: /etc/medidesk/tls/tls.key
{{- end }}
{{- end -}}

{{/* DATABASE_URL, and the owner's login where the store migrates by itself */}}
{{- define "medidesk.databaseEnv" -}}
{{ include "medidesk.secretEnv" (dict "variable" "DATABASE_URL" "name" (include "medidesk.databaseSecret" .) "key" .Values.database.secret.key) }}
{{- if and .Values.database.migrateSecret.name (not (include "medidesk.migrationJob" .)) }}
{{ include "medidesk.secretEnv" (dict "variable" "MIGRATE_DATABASE_URL" "name" .Values.database.migrateSecret.name "key" .Values.database.migrateSecret.key) }}
{{- end }}
{{- end -}}

{{- define "medidesk.webhookEnv" -}}
{{- if not (or .Values.webhook.secret.name .Values.webhook.open .Values.supabase.secret) -}}
{{- fail "webhook.secret.name: the Secret with the webhook's key; or supabase.secret, or webhook.open: true to leave it open to everybody who reaches it" -}}
{{- end -}}
{{- with .Values.webhook.secret }}{{- if .name }}
{{ include "medidesk.secretEnv" (dict "variable" "WEBHOOK_KEY" "name" .name "key" .key) }}
{{- end }}{{- end }}
{{- if .Values.webhook.open }}
- name: WEBHOOK_OPEN
  value: "1"
{{- end }}
{{- if .Values.supabase.secret }}
{{- range list "SUPABASE_ANON_KEY" "SUPABASE_JWT_SECRET" "SUPABASE_JWKS" }}
- name: {{ . }}
  valueFrom:
    secretKeyRef: {name: {{ $.Values.supabase.secret }}, key: {{ . }}, optional: true}
{{- end }}
{{- end }}
{{- end -}}

{{- define "medidesk.eventFeedEnv" -}}
{{- if .Values.eventFeed.secret.name }}
{{ include "medidesk.secretEnv" (dict "variable" "REDIS_URL" "name" .Values.eventFeed.secret.name "key" .Values.eventFeed.secret.key) }}
{{- end }}
{{- end -}}

{{- define "medidesk.claudeEnv" -}}
{{- if .Values.claude.secret.name }}
{{ include "medidesk.secretEnv" (dict "variable" "ANTHROPIC_API_KEY" "name" .Values.claude.secret.name "key" .Values.claude.secret.key) }}
{{- end }}
{{- end -}}

{{- define "medidesk.masterKeyEnv" -}}
{{- if .Values.masterKey.secret.name }}
{{ include "medidesk.secretEnv" (dict "variable" "MEDIDESK_MASTER_KEY" "name" .Values.masterKey.secret.name "key" .Values.masterKey.secret.key) }}
{{- end }}
{{- end -}}

{{- define "medidesk.containerSecurity" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
{{- end -}}

{{/* what every pod has: {root, component, values} */}}
{{- define "medidesk.podBasics" -}}
serviceAccountName: {{ include "medidesk.fullname" .root }}-{{ .component }}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  {{- toYaml .root.Values.podSecurityContext | nindent 2 }}
{{- with .root.Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
affinity:
  podAntiAffinity:
    preferredDuringSchedulingIgnoredDuringExecution:
      - weight: 100
        podAffinityTerm:
          topologyKey: kubernetes.io/hostname
          labelSelector:
            matchLabels:
              {{- include "medidesk.selectorLabels" . | nindent 14 }}
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: topology.kubernetes.io/zone
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "medidesk.selectorLabels" . | nindent 8 }}
{{- with .values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* Started when it has done something that it can only do with what is behind it; from then on it is ready while it
     listens: to stop calling services whose database is away would only make their return slower. */}}
{{- define "medidesk.grpcProbes" -}}
startupProbe:
  exec:
    command: [medidesk-cli, "--{{ .component }}_address=localhost:{{ .port }}", --timeout=4s, health, {{ .component }}]
  periodSeconds: 5
  timeoutSeconds: 5
  failureThreshold: 60
readinessProbe:
  tcpSocket: {port: grpc}
  periodSeconds: 5
  failureThreshold: 2
livenessProbe:
  tcpSocket: {port: grpc}
  periodSeconds: 10
  failureThreshold: 6
{{- end -}}

{{- define "medidesk.httpProbes" -}}
readinessProbe:
  httpGet: {path: /readyz, port: http}
  periodSeconds: 5
  timeoutSeconds: 3
  failureThreshold: 2
livenessProbe:
  httpGet: {path: /livez, port: http}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
{{- end -}}
