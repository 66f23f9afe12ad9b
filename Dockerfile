# The operator's image and the detector's: a static binary and the certificate authorities it may trust, no more. The detector has
# Mozilla's within itself.
# `make images` builds both; first images/stage lays what is copied here into target/image, then, with either builder,
#
#     docker build --target operator --tag anomaly-operator .
#     buildah bud --target detector --tag anomaly-detector .

FROM scratch AS base
LABEL org.opencontainers.image.source=https://github.com/anomaly-operator/anomaly-operator \
      org.opencontainers.image.licenses=Apache-2.0
# A number, not a name: only so can Kubernetes see that it is not root (runAsNonRoot).
USER 65532:65532

FROM base AS operator
COPY target/image/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY target/image/operator /operator
# glibc gives back what models took on their way from pods into ConfigMaps. By itself it would hold on to all of it, once
# the first large buffer was freed.
ENV MALLOC_MMAP_THRESHOLD_=65536 MALLOC_TRIM_THRESHOLD_=131072
EXPOSE 8080
ENTRYPOINT ["/operator"]

FROM base AS detector
COPY target/image/detector /detector
EXPOSE 8080 8000
# Blocks of requests go back to the system when they are freed, and not to the heap of the thread that had them.
ENV MALLOC_MMAP_THRESHOLD_=131072
ENTRYPOINT ["/detector"]
