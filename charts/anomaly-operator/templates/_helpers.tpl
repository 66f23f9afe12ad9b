{{/* The name of every object: the release's, with the chart's unless the release's holds it already. */}}
{{- define "anomaly-operator.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* The Lease that the pods of a release share, and no other release. */}}
{{- define "anomaly-operator.leaseName" -}}
{{- .Values.leaderElection.leaseName | default (include "anomaly-operator.fullname" .) -}}
{{- end -}}

{{- define "anomaly-operator.serviceAccountName" -}}
{{- .Values.serviceAccount.name | default (ternary (include "anomaly-operator.fullname" .) "default" .Values.serviceAccount.create) -}}
{{- end -}}

{{/* The labels by which Deployment, Service and policies find the operator's pods. They can never change. */}}
{{- define "anomaly-operator.selectorLabels" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: operator
{{- end -}}

{{/* The labels of every object: ours win over commonLabels, which must not break the selectors. */}}
{{- define "anomaly-operator.labels" -}}
{{- $ours := include "anomaly-operator.selectorLabels" . | fromYaml -}}
{{- $_ := set $ours "app.kubernetes.io/version" .Chart.AppVersion -}}
{{- $_ := set $ours "app.kubernetes.io/part-of" .Chart.Name -}}
{{- $_ := set $ours "app.kubernetes.io/managed-by" .Release.Service -}}
{{- $_ := set $ours "helm.sh/chart" (printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_") -}}
{{- toYaml (merge $ours .Values.commonLabels) -}}
{{- end -}}

{{/* metadata of an object of the release's namespace. (list $ NAME [ANNOTATIONS [LABELS]]) */}}
{{- define "anomaly-operator.metadata" -}}
{{- $root := index . 0 -}}
name: {{ index . 1 }}
namespace: {{ $root.Release.Namespace }}
{{ include "anomaly-operator.labelsAndAnnotations" (concat (list $root) (slice . 2)) }}
{{- end -}}

{{/* (list $ [ANNOTATIONS [LABELS]]); an object's own annotations win over commonAnnotations, its labels over all. */}}
{{- define "anomaly-operator.labelsAndAnnotations" -}}
{{- $root := index . 0 -}}
{{- $labels := include "anomaly-operator.labels" $root | fromYaml -}}
{{- if gt (len .) 2 }}{{ $labels = merge (deepCopy (index . 2)) $labels }}{{ end -}}
{{- $annotations := deepCopy $root.Values.commonAnnotations -}}
{{- if gt (len .) 1 }}{{ $annotations = merge (deepCopy (index . 1)) $annotations }}{{ end -}}
labels:
  {{- toYaml $labels | nindent 2 }}
{{- with $annotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* (list $ IMAGE-VALUES): global.imageRegistry takes the place of the registry, the part before the first slash where it
has a dot or a colon, or is localhost. */}}
{{- define "anomaly-operator.image" -}}
{{- $root := index . 0 -}}
{{- $image := index . 1 -}}
{{- $repository := $image.repository -}}
{{- with $root.Values.global.imageRegistry -}}
{{- $repository = printf "%s/%s" (trimSuffix "/" .) (regexReplaceAll "^([^/]*[.:][^/]*|localhost)/" $repository "") -}}
{{- end -}}
{{- if $image.digest -}}
{{ $repository }}@{{ $image.digest }}
{{- else -}}
{{ $repository }}:{{ $image.tag | default $root.Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{/* The chart's pull secrets and the global ones, which may be names alone. */}}
{{- define "anomaly-operator.imagePullSecrets" -}}
{{- $secrets := .Values.imagePullSecrets -}}
{{- range .Values.global.imagePullSecrets -}}
{{- $secrets = append $secrets (kindIs "string" . | ternary (dict "name" .) .) -}}
{{- end -}}
{{- with uniq $secrets -}}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end -}}
{{- end -}}

{{/* What detectors get whose spec leaves it out, as JSON; empty where nothing is set. */}}
{{- define "anomaly-operator.detectorDefaults" -}}
{{- $set := dict -}}
{{- range $name, $value := .Values.detector.defaults -}}
{{- if $value }}{{ $_ := set $set $name $value }}{{ end -}}
{{- end -}}
{{- if $set }}{{ toJson $set }}{{ end -}}
{{- end -}}

{{/* "true" where the operator's PrometheusRule is rendered, else empty. */}}
{{- define "anomaly-operator.prometheusRule" -}}
{{- if .Values.metrics.prometheusRule.enabled -}}
{{- if or (eq .Values.metrics.serviceMonitor.renderMode "alwaysRender") (.Capabilities.APIVersions.Has "monitoring.coreos.com/v1/PrometheusRule") -}}
true
{{- end -}}
{{- end -}}
{{- end -}}

{{/* The namespaces to watch, with a comma between; empty: all. */}}
{{- define "anomaly-operator.watchNamespaces" -}}
{{- if eq .Values.watch.scope "Namespaces" -}}
{{- .Values.watch.namespaces | uniq | join "," -}}
{{- else if eq .Values.watch.scope "ReleaseNamespace" -}}
{{- .Release.Namespace -}}
{{- end -}}
{{- end -}}

{{/* Where `helm test` makes its detector: in the release's namespace if it is watched, else in the first that is. */}}
{{- define "anomaly-operator.testNamespace" -}}
{{- if and (eq .Values.watch.scope "Namespaces") (not (has .Release.Namespace .Values.watch.namespaces)) -}}
{{- first .Values.watch.namespaces -}}
{{- else -}}
{{- .Release.Namespace -}}
{{- end -}}
{{- end -}}

{{/* The name of the container's port that has the metrics. */}}
{{- define "anomaly-operator.metricsPort" -}}
{{- ternary "metrics" "http" (not (empty .Values.metrics.tls.secretName)) -}}
{{- end -}}

{{/* "true"; fails where tokens would not stay secret. */}}
{{- define "anomaly-operator.metricsAuthorization" -}}
{{- if not .Values.metrics.tls.secretName -}}
{{- fail "metrics.authorization: tokens would not stay secret without TLS; set metrics.tls.secretName" -}}
{{- end -}}
true
{{- end -}}

{{/* "true" where the operator's ServiceMonitor is rendered, else empty; fails where it was asked to. */}}
{{- define "anomaly-operator.serviceMonitor" -}}
{{- with .Values.metrics.serviceMonitor -}}
{{- if .enabled -}}
{{- if or (eq .renderMode "alwaysRender") ($.Capabilities.APIVersions.Has "monitoring.coreos.com/v1/ServiceMonitor") -}}
true
{{- else if eq .renderMode "failIfMissing" -}}
{{- fail "metrics.serviceMonitor: the cluster has no ServiceMonitor kind (monitoring.coreos.com/v1); install the Prometheus Operator first, or set renderMode to skipIfMissing" -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Whom the operator, and the pod of `helm test`, may talk to. */}}
{{- define "anomaly-operator.egress" -}}
# Names.
- to:
  - namespaceSelector: {}
  - ipBlock: {cidr: 169.254.0.0/16} # a DNS cache on the node
  ports:
  - {port: 53, protocol: UDP}
  - {port: 53, protocol: TCP}
# The API server.
- ports:
  {{- range .Values.networkPolicy.apiServerPorts }}
  - port: {{ . }}
  {{- end }}
# The detectors' reports and models.
- to:
  - namespaceSelector: {}
    podSelector:
      matchLabels:
        app.kubernetes.io/name: anomaly-detector
  ports:
  - port: 8000
{{- end -}}
