# Kith's two images. `service`: API, default worker, scheduler, imports; no torch. `gpu`: the training worker.
# docs/containers.md says how to build and run them; tests/containers run the install steps without a container.

FROM python:3.11.14-slim-trixie AS base
ENV PATH=/opt/kith/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    KITH_HOME=/var/lib/kith \
    KITH_API_HOST=0.0.0.0
RUN groupadd --system --gid 10001 kith \
    && useradd --system --uid 10001 --gid kith --home-dir /var/lib/kith --no-create-home --shell /usr/sbin/nologin kith \
    && install --directory --owner=kith --group=kith --mode=0750 /var/lib/kith

FROM base AS tools
ENV PIP_NO_CACHE_DIR=1 \
    UV_CACHE_DIR=/var/cache/uv \
    UV_LINK_MODE=copy \
    UV_COMPILE_BYTECODE=1
WORKDIR /src
COPY bootstrap.lock ./
COPY containers/install.sh containers/build.lock containers/
RUN --mount=type=cache,target=/var/cache/uv ./containers/install.sh tools /opt/tools

FROM tools AS service-build
COPY containers/service.lock containers/
RUN --mount=type=cache,target=/var/cache/uv ./containers/install.sh packages /opt/tools service /opt/kith
COPY . .
RUN ./containers/install.sh kith /opt/tools /opt/kith

FROM tools AS gpu-build
COPY containers/gpu.lock containers/
RUN --mount=type=cache,target=/var/cache/uv ./containers/install.sh packages /opt/tools gpu /opt/kith
COPY . .
RUN ./containers/install.sh kith /opt/tools /opt/kith

# The training worker. A warm stop would wait for a training of hours: SIGQUIT ends it, its lease brings the job back.
FROM base AS gpu
LABEL org.opencontainers.image.title="Kith training worker" org.opencontainers.image.licenses="Apache-2.0"
COPY --from=gpu-build /opt/kith /opt/kith
USER 10001:10001
WORKDIR /var/lib/kith
VOLUME /var/lib/kith
STOPSIGNAL SIGQUIT
HEALTHCHECK --interval=60s --timeout=30s --start-period=120s --retries=3 \
    CMD ["python", "-m", "kith.stack.role", "worker-train", "--check"]
CMD ["python", "-m", "kith.stack.role", "worker-train"]

# Last, so that a build that names no target makes the small image.
FROM base AS service
LABEL org.opencontainers.image.title="Kith" org.opencontainers.image.licenses="Apache-2.0"
COPY --from=service-build /opt/kith /opt/kith
USER 10001:10001
WORKDIR /var/lib/kith
VOLUME /var/lib/kith
EXPOSE 8480
HEALTHCHECK --interval=30s --timeout=20s --start-period=60s --retries=3 \
    CMD ["python", "-m", "kith.stack.role", "api", "--check"]
CMD ["python", "-m", "kith.stack.role", "api"]
