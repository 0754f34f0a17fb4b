# The digest of this tag is on the release checklist in CONTRIBUTING.md.
FROM python:3.13.11-slim-bookworm AS build
WORKDIR /src
COPY . .
RUN pip install --no-cache-dir --require-hashes --requirement requirements-build.lock \
    && pip wheel --no-deps --no-build-isolation --no-index --wheel-dir /wheel .

FROM python:3.13.11-slim-bookworm
COPY requirements.lock /tmp/
COPY --from=build /wheel /tmp/wheel
RUN pip install --no-cache-dir --require-hashes --requirement /tmp/requirements.lock \
    && pip install --no-cache-dir --no-deps --no-index /tmp/wheel/*.whl
WORKDIR /home
USER nobody
# Another address than loopback needs MOCKSERVER_ADMIN_TOKEN; give it when you run the image.
ENV MOCKSERVER_HOST=0.0.0.0
EXPOSE 8490-8495
HEALTHCHECK --interval=10s --timeout=3s CMD ["mockserver", "healthcheck"]
CMD ["mockserver", "serve"]
