# One line a target; `make help` lists them. What a target needs on a machine (Debian, root) it installs.
.DEFAULT_GOAL := help
.PHONY: docs man test test-parquet test-plugin test-serving test-drain test-helm3 test-reference test-all test-sources test-monitoring test-rust test-brokers test-metrics test-imports test-versions test-python test-fuzz test-readme test-report test-images test-cluster test-hostile lint images cluster-up cluster-down kubectl demo bench bench-forest bench-quality bench-nab bench-skab bench-calibration bench-operator bench-monitoring bench-scrape bench-sources bench-model bench-desk test-aarch64 test-s3 test-push test-clients test-page bench-serving help

test: ## What CI runs, set-up included
	tests/all
test-all: test test-versions test-s3 test-push test-clients test-page test-sources test-serving test-monitoring test-images test-helm3 test-aarch64 ## make test, and what is too long for every change
test-rust: ## The Rust tests; they need nothing but Rust
	cargo test --quiet --workspace
test-brokers: ## Sources with real servers and faults between: Mosquitto, mochi-mqtt, Prometheus, VictoriaMetrics, toxiproxy
	tests/brokers
test-metrics: ## Both programs' metrics, by Prometheus' own linter
	tests/metrics
test-imports: ## Models of the oldest and the newest scikit-learn and of ONNX Runtime against ours
	tests/imports/run
test-versions: ## The same of each version of scikit-learn
	tests/imports/run all
test-python: ## The Python package: built, tested in an environment of its own, beside scikit-learn
	tests/python
test-parquet: ## Parquet files of pandas and pyarrow, in and out, by a detector that is built with the feature
	tests/parquet/run
test-s3: ## Models from a server that speaks S3
	tests/s3/run
test-push: ## Readings pushed by a real Prometheus, OpenTelemetry's SDK and curl
	tests/push/run
test-page: ## The page of a running detector in a real Chromium: a fault appears, no errors, accessible
	tests/page/run
test-clients: ## Predictions by clients that others wrote: requests, the KServe SDK, Triton's; every route by schemathesis (CASES of them, 2,000) and every status
	tests/clients/run
test-aarch64: ## The same models and verdicts on aarch64, emulated
	tests/aarch64
test-fuzz: ## Every reader of foreign bytes, fuzzed for SECONDS each
	tests/fuzz $(SECONDS)
test-hostile: ## The release detector under attack, in the default pod's memory limit
	tests/hostile/run
test-report: ## Reports in a real Chromium: no errors, accessible, the slider moves the alarms
	tests/report/run
test-readme: ## The README's laptop commands, as they stand there
	tests/readme laptop
test-reference: ## docs/reference is what the code says (UPDATE=1 rewrites it)
	tests/reference
test-images: images ## The images: small, without root, the same bytes wherever they are built
	images/check twice
test-cluster: ## End to end on a real Kubernetes: images, operator, chart, the README's cluster commands
	tests/end-to-end
test-sources: images ## Live sources on the test cluster: a broker, pushed readings, a Prometheus; a fault found, each server killed and back
	tests/on-cluster sources
test-plugin: images ## kubectl anomaly on the test cluster
	tests/on-cluster plugin
test-serving: images ## Predictions by TLS and with a token, through a Service of the test cluster
	tests/on-cluster serving
test-helm3: images ## The chart with Helm 3, which gets security fixes until February 2027: rendered as by Helm 4, its life on the test cluster
	tests/chart/helm3
test-drain: images ## No prediction fails while pods come and go: 2,000 a second through the Service, DRAIN_REQUESTS of them (a million)
	tests/on-cluster draining
man: ## Man pages of detector and kubectl anomaly: target/man
	docs/man target/man
test-monitoring: images ## End to end with a real Prometheus Operator and Prometheus, on the test cluster
	tests/on-cluster prometheus
lint: ## Formatting, clippy, lock files, import circles, licences, shell scripts, the chart, kstatus
	tests/lint
docs: ## The site: target/book
	docs/build
images: ## Both images, into the test cluster if it is up
	images/build
cluster-up: ## A real Kubernetes of one node on this machine (with KUBECONFIG set: that cluster)
	tests/cluster/up
cluster-down: ## Stop it, leave nothing
	tests/cluster/down
kubectl: ## The test cluster's kubectl: make kubectl ARGS='get ad -A'
	tests/cluster/kubectl $(ARGS)
demo: ## Detectors, Prometheus Operator and Prometheus on the test cluster, with what to look at; Ctrl-C ends it
	demo/run
bench: bench-forest bench-quality bench-nab bench-skab bench-calibration bench-operator bench-monitoring bench-scrape bench-sources bench-model bench-desk bench-serving ## Every benchmark; two want their data: see bench-quality, bench-nab
bench-forest: ## The forest beside scikit-learn, isotree, coniferest, tl2cgen, ONNX Runtime and Rust crates
	benches/forest/run
bench-scrape: ## How long a scrape of 100 sensors takes
	benches/scrape/run
bench-quality: ## How well the forest judges, beside scikit-learn, isotree and SHAP, on labelled tables: make bench-quality QUALITY_DATA=FOLDER
	benches/quality/run
bench-desk: ## CSV to scores beside pandas and scikit-learn; a million readings to a report that is drawn
	benches/desk/run
bench-serving: ## The service beside a bare actix echo, Flask and FastAPI with scikit-learn, MLServer, and batches beside the forest alone, in one run
	benches/serving/run
bench-model: ## A model that lasts: start to ready, models that take over under load, sizes
	benches/model/run
bench-nab: ## Streams beside half-space trees, by NAB's score: NAB=DIRECTORY make bench-nab
	benches/nab/run
bench-skab: ## A test rig's faults beside scikit-learn, PCA and MSET, by SKAB's rule: SKAB=DIRECTORY make bench-skab
	benches/skab/run
bench-calibration: ## Realised to promised alarm rate on real and simulated drift: SKAB=DIRECTORY NAB=DIRECTORY make bench-calibration
	benches/skab/run calibration
bench-sources: ## Live sources beside a bare subscriber: training from history, messages a second, lag, a soak of SOAK seconds
	benches/sources/run
bench-operator: ## The operator on the test cluster: seconds, writes, memory
	benches/operator/run
bench-monitoring: ## The demo, measured: seconds from apply to Ready, to the first scrape, from fault to alert
	benches/operator/run prometheus
help: ## This list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "%-17s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

SECONDS ?= 10
export QUALITY_DATA
