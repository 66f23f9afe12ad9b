# One line per target; `make help` lists them. Each target installs what it needs (on Debian, as root).
.DEFAULT_GOAL := help
.PHONY: docs man test test-parquet test-plugin test-serving test-drain test-helm3 test-reference test-all test-sources test-monitoring test-rust test-brokers test-metrics test-imports test-versions test-python test-fuzz test-readme test-report test-images test-cluster test-hostile lint images cluster-up cluster-down kubectl demo bench bench-forest bench-quality bench-nab bench-skab bench-calibration bench-operator bench-monitoring bench-scrape bench-sources bench-model bench-desk test-aarch64 test-s3 test-push test-clients test-page bench-serving help

test: ## What CI runs, including the set-up
	tests/all
test-all: test test-versions test-s3 test-push test-clients test-page test-sources test-serving test-monitoring test-images test-helm3 test-aarch64 ## make test, plus the tests that take too long for every change
test-rust: ## The Rust tests; they need nothing but Rust
	cargo test --quiet --workspace
test-brokers: ## Sources against real servers, with network faults: Mosquitto, mochi-mqtt, Prometheus, VictoriaMetrics, toxiproxy
	tests/brokers
test-metrics: ## Both programs' metrics, checked by Prometheus' own linter
	tests/metrics
test-imports: ## Imported models, compared with the oldest and the newest scikit-learn and with ONNX Runtime
	tests/imports/run
test-versions: ## Imported models, compared with each version of scikit-learn
	tests/imports/run all
test-python: ## The Python package: built, tested in its own environment, measured beside scikit-learn
	tests/python
test-parquet: ## Parquet files of pandas and pyarrow, read and written by a detector with the feature parquet
	tests/parquet/run
test-s3: ## Models from a server that speaks S3
	tests/s3/run
test-push: ## Readings pushed by a real Prometheus, OpenTelemetry's SDK and curl
	tests/push/run
test-page: ## The page of a running detector in a real Chromium: a fault appears, no errors, accessible
	tests/page/run
test-clients: ## Predictions through third-party clients (requests, KServe's SDK, Triton's); every route by schemathesis (CASES requests, default 2,000), every status
	tests/clients/run
test-aarch64: ## The same models and verdicts on aarch64, emulated
	tests/aarch64
test-fuzz: ## Every parser of untrusted bytes, fuzzed for SECONDS each (default 10)
	tests/fuzz $(SECONDS)
test-hostile: ## The release detector under attack, in the default pod's memory limit
	tests/hostile/run
test-report: ## Reports in a real Chromium: no errors, accessible, the slider moves the alarms
	tests/report/run
test-readme: ## The README's laptop commands, run exactly as written
	tests/readme laptop
test-reference: ## Check that docs/reference matches the code (UPDATE=1 rewrites it)
	tests/reference
test-images: images ## The images: small, without root, the same bytes wherever they are built
	images/check twice
test-cluster: ## End to end on a real Kubernetes: images, operator, chart, the README's cluster commands
	tests/end-to-end
test-sources: images ## Live sources on the test cluster: a broker, pushed readings, a Prometheus; a fault is found, each server is killed and restarted
	tests/on-cluster sources
test-plugin: images ## kubectl anomaly on the test cluster
	tests/on-cluster plugin
test-serving: images ## Predictions over TLS and with a token, through a Service of the test cluster
	tests/on-cluster serving
test-helm3: images ## The chart with Helm 3 (security fixes until February 2027): same output as Helm 4, life cycle on the test cluster
	tests/chart/helm3
test-drain: images ## No prediction fails while pods come and go: 2,000 a second through the Service, at least DRAIN_REQUESTS (default a million)
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
cluster-down: ## Stop the test cluster and remove all its state
	tests/cluster/down
kubectl: ## The test cluster's kubectl: make kubectl ARGS='get ad -A'
	tests/cluster/kubectl $(ARGS)
demo: ## Detectors, Prometheus Operator and Prometheus on the test cluster, with what to look at; Ctrl-C ends it
	demo/run
bench: bench-forest bench-quality bench-nab bench-skab bench-calibration bench-operator bench-monitoring bench-scrape bench-sources bench-model bench-desk bench-serving ## Every benchmark; those with a variable below (QUALITY_DATA, NAB, SKAB) need data sets
bench-forest: ## The forest beside scikit-learn, isotree, coniferest, tl2cgen, ONNX Runtime and Rust crates
	benches/forest/run
bench-scrape: ## How long a scrape of 100 sensors takes
	benches/scrape/run
bench-quality: ## How well the forest judges, beside scikit-learn, isotree and SHAP, on labelled tables: make bench-quality QUALITY_DATA=FOLDER
	benches/quality/run
bench-desk: ## CSV to scores, beside pandas and scikit-learn; a report of a million readings, drawn in a browser
	benches/desk/run
bench-serving: ## The service beside a bare actix echo, Flask and FastAPI with scikit-learn, MLServer, and batches beside the forest alone, in one run
	benches/serving/run
bench-model: ## A stored model: time from start to ready, model swaps under load, file sizes
	benches/model/run
bench-nab: ## NAB's score on its streams, beside half-space trees: NAB=DIRECTORY make bench-nab
	benches/nab/run
bench-skab: ## SKAB's score on faults of a test rig, beside scikit-learn, PCA and MSET: SKAB=DIRECTORY make bench-skab
	benches/skab/run
bench-calibration: ## Ratio of realised to promised alarm rate, on real and simulated drift: SKAB=DIRECTORY NAB=DIRECTORY make bench-calibration
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
