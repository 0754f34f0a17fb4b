# The digest of this tag is on the release checklist in CONTRIBUTING.md.
FROM python:3.13.11-slim-bookworm AS build
# A fixed time, and no bytecode by pip: the same sources give the same files.
ENV SOURCE_DATE_EPOCH=1767225600 \
    PIP_NO_CACHE_DIR=1 \
    PIP_NO_COMPILE=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /src
COPY requirements.lock requirements-build.lock ./
RUN python -m venv --without-pip /opt/mockserver \
    && pip --python /opt/mockserver install --require-hashes --requirement requirements.lock \
    && pip install --require-hashes --requirement requirements-build.lock
COPY . .
RUN pip wheel --no-deps --no-build-isolation --no-index --wheel-dir /wheel . \
    && pip --python /opt/mockserver install --no-deps --no-index /wheel/*.whl \
    && python -m compileall -q --invalidation-mode unchecked-hash /opt/mockserver/lib

FROM python:3.13.11-slim-bookworm
COPY --from=build /opt/mockserver /opt/mockserver
# What a volume at /ca or /trust starts with: the user below owns it.
RUN install --directory --owner=65534 --group=65534 /ca /trust
WORKDIR /home
USER 65534:65534
# Another address than loopback needs MOCKSERVER_ADMIN_TOKEN or MOCKSERVER_ADMIN_TOKEN_FILE.
ENV PATH=/opt/mockserver/bin:$PATH \
    MOCKSERVER_HOST=0.0.0.0
EXPOSE 8490-8495 8499
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s CMD ["mockserver", "healthcheck"]
ENTRYPOINT ["mockserver"]
CMD ["serve"]
