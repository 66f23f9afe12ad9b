# One line a target. `make help` lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help

test: lint test-rust test-imports test-readme test-images test-cluster ## Everything that must pass, set-up included: what CI runs
test-rust: ## The Rust tests; they need nothing but Rust
	cargo test --workspace --quiet
lint: tools ## Formatting, clippy, licences, shell scripts, the chart
	tests/lint
images: ## Both images, into the test cluster if it is up
	images/build
cluster-up: ## A real Kubernetes of one node on this machine (with KUBECONFIG set: that cluster)
	tests/cluster/up
cluster-down: ## Stop it, leave nothing
	tests/cluster/down
help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
