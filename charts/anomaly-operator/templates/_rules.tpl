{{/* What the operator may do in every namespace that it watches. It has no verb on Secrets: the kubelet mounts them. */}}
{{- define "anomaly-operator.rules" -}}
# What people ask for; get: an object that an older or newer version wrote is read as it is.
- apiGroups: [anomaly.dev]
  resources: [anomalydetectors]
  verbs: [get, list, watch]
# What became of it: conditions, replicas, the model.
- apiGroups: [anomaly.dev]
  resources: [anomalydetectors/status]
  verbs: [patch]
# To be the owner that blocks deletion, where the cluster enforces that right (OwnerReferencesPermissionEnforcement).
- apiGroups: [anomaly.dev]
  resources: [anomalydetectors/finalizers]
  verbs: [update]
# The detector's address. Created by server-side apply, which takes create and patch; get, so that an object of that
# name which is somebody else's is seen before it is written.
- apiGroups: [""]
  resources: [services]
  verbs: [get, list, watch, create, patch]
# Whether the address leads to the pods.
- apiGroups: [discovery.k8s.io]
  resources: [endpointslices]
  verbs: [list, watch]
# The detector's manifest, the models that are kept for it, and its dashboard; delete, for models over the number that
# is kept, and for when no dashboard is asked for.
- apiGroups: [""]
  resources: [configmaps]
  verbs: [get, list, watch, create, patch, delete]
# The detector's identity; delete, for when the spec names another.
- apiGroups: [""]
  resources: [serviceaccounts]
  verbs: [get, list, watch, create, patch, delete]
# The detector's pods.
- apiGroups: [apps]
  resources: [deployments]
  verbs: [get, list, watch, create, patch]
# Why a pod does not run, and where it reports how far its training is.
- apiGroups: [""]
  resources: [pods]
  verbs: [list, watch]
# So that a drained node takes one replica at a time; delete, for when there is only one.
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: [get, list, watch, create, patch, delete]
# So that a detector talks to its sources and to nothing else.
- apiGroups: [networking.k8s.io]
  resources: [networkpolicies]
  verbs: [get, list, watch, create, patch]
# So that Prometheus scrapes the detector and alerts on its anomalies; delete, for when the spec asks for neither.
- apiGroups: [monitoring.coreos.com]
  resources: [servicemonitors, prometheusrules]
  verbs: [get, list, watch, create, patch, delete]
# So that `kubectl describe` shows what happened.
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, patch]
{{- end -}}
