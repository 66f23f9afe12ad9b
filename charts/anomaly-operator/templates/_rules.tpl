{{/* What the operator may do in every namespace that it watches. It has no verb on Secrets: the kubelet mounts them. */}}
{{- define "anomaly-operator.rules" -}}
# What people ask for.
- apiGroups: [anomaly.dev]
  resources: [anomalydetectors]
  verbs: [get, list, watch]
# What became of it: conditions, replicas, the model.
- apiGroups: [anomaly.dev]
  resources: [anomalydetectors/status]
  verbs: [patch]
# The detector's manifest, its address and its identity. Written by server-side apply, which creates by patch; get, so
# that an object of that name which is not ours is seen before it is written.
- apiGroups: [""]
  resources: [configmaps, services, serviceaccounts]
  verbs: [get, list, watch, create, patch, delete]
# The detector's pods.
- apiGroups: [apps]
  resources: [deployments]
  verbs: [get, list, watch, create, patch, delete]
# Why there are no pods: a quota or a policy that forbids them is told on the ReplicaSet.
- apiGroups: [apps]
  resources: [replicasets]
  verbs: [list, watch]
# Why a pod does not run, and where it reports how far its training is.
- apiGroups: [""]
  resources: [pods]
  verbs: [list, watch]
# So that a drained node takes one replica at a time.
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: [get, list, watch, create, patch, delete]
# So that a detector talks to its sources and to nobody else.
- apiGroups: [networking.k8s.io]
  resources: [networkpolicies]
  verbs: [get, list, watch, create, patch, delete]
# So that `kubectl describe` tells what happened.
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, patch]
{{- end -}}
