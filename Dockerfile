FROM python:3.13-slim
WORKDIR /src
COPY . .
RUN pip install --no-cache-dir --require-hashes --requirement requirements.lock \
    && pip install --no-cache-dir --no-deps . \
    && rm -rf /src/*
WORKDIR /home
USER nobody
# Another address than loopback needs MOCKSERVER_ADMIN_TOKEN; give it when you run the image.
ENV MOCKSERVER_HOST=0.0.0.0
EXPOSE 8490-8495
HEALTHCHECK --interval=10s --timeout=3s CMD ["mockserver", "healthcheck"]
CMD ["mockserver", "serve"]
