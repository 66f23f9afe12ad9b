# The images of the operator and of the detector: a static binary each, and nothing else but the certificate
# authorities that the operator trusts. The detector has Mozilla's compiled in.
# `make images` builds both. First images/stage puts the files that are copied here into target/image, then
# either builder works:
#
#     docker build --target operator --tag anomaly-operator .
#     buildah bud --target detector --tag anomaly-detector .

FROM scratch AS base
LABEL org.opencontainers.image.source=https://github.com/anomaly-operator/anomaly-operator \
      org.opencontainers.image.licenses=Apache-2.0
# A number, not a name: only with a number can Kubernetes check that the user is not root (runAsNonRoot).
USER 65532:65532

FROM base AS operator
COPY target/image/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY target/image/operator /operator
# Make glibc return the memory of models that were copied from pods into ConfigMaps. By default it raises both
# thresholds when the first large buffer is freed, and then keeps that memory.
ENV MALLOC_MMAP_THRESHOLD_=65536 MALLOC_TRIM_THRESHOLD_=131072
EXPOSE 8080
ENTRYPOINT ["/operator"]

FROM base AS detector
COPY target/image/detector /detector
EXPOSE 8080 8000
# Return large buffers of requests to the system when they are freed, instead of keeping them in a thread's
# heap.
ENV MALLOC_MMAP_THRESHOLD_=131072
ENTRYPOINT ["/detector"]
