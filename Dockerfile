# syntax=docker/dockerfile:1
ARG PYTHON_IMAGE=python:3.12-slim-bookworm

# Wheels: everything from the lock, checked against its hashes.
FROM ${PYTHON_IMAGE} AS build
ENV PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /build
COPY requirements/build.txt requirements/runtime.txt requirements/
RUN python -m pip install --require-hashes --no-deps --target /build/tools -r requirements/build.txt \
 && python -m pip wheel --require-hashes --no-deps --wheel-dir /build/wheels -r requirements/runtime.txt
COPY pyproject.toml README.md LICENSE ./
COPY bridge bridge
RUN PYTHONPATH=/build/tools python -m pip wheel --no-deps --no-build-isolation --wheel-dir /build/wheels . \
 && python -m pip install --no-index --no-deps --target /opt/alertbridge /build/wheels/*.whl \
 && install -d -m 0750 /empty

FROM ${PYTHON_IMAGE}
LABEL org.opencontainers.image.title="alertbridge" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /opt/alertbridge /opt/alertbridge
COPY --from=build --chown=65532:65532 /empty /var/lib/alertbridge
COPY routes/examples/container.yml /etc/alertbridge/main.yml
ENV PATH=/opt/alertbridge/bin:$PATH \
    PYTHONPATH=/opt/alertbridge \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    ALERTBRIDGE_HEALTH_URL=http://127.0.0.1:9098/-/healthy
WORKDIR /var/lib/alertbridge
USER 65532:65532
VOLUME ["/var/lib/alertbridge"]
EXPOSE 9099 9098
HEALTHCHECK --interval=15s --timeout=5s --start-period=10s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen(os.environ['ALERTBRIDGE_HEALTH_URL'], timeout=4)"]
ENTRYPOINT ["python", "-m", "bridge"]
CMD ["serve", "--config", "/etc/alertbridge"]
