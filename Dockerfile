# syntax=docker/dockerfile:1
# One image for every process: the web server (its default command), workers, beat and manage.py.
# Pin the base by digest where builds must be repeatable: python:3.11-slim@sha256:... (the tag moves with each patch
# of Python and Debian; `docker buildx imagetools inspect python:3.11-slim` prints the digest of today).

ARG PYTHON_IMAGE=python:3.11-slim
FROM ${PYTHON_IMAGE} AS packages
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/docent
COPY requirements.txt ./
# Wheels only, each against its hash: nothing is compiled, nothing is taken that was not pinned.
RUN /opt/docent/bin/pip install --only-binary :all: --require-hashes -r requirements.txt

FROM ${PYTHON_IMAGE}
LABEL org.opencontainers.image.title="Docent" \
      org.opencontainers.image.description="Self-hosted, multi-tenant AI recommendations" \
      org.opencontainers.image.licenses="Apache-2.0"
ENV PATH=/opt/docent/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    DJANGO_SETTINGS_MODULE=config.settings.base \
    HOST=0.0.0.0 \
    PORT=8000 \
    VAR_DIR=/var/lib/docent \
    STATIC_ROOT=/app/static
# What implicit and lightgbm link against, and the slim image lacks.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends libgomp1 \
    && rm -rf /var/lib/apt/lists/*
# The id is fixed so that a volume keeps its owner from one image to the next.
RUN useradd --system --uid 10001 --home-dir /app --shell /usr/sbin/nologin docent \
    && install --directory --owner=docent --group=docent --mode=0750 /var/lib/docent /var/lib/docent/storage
COPY --from=packages /opt/docent /opt/docent
WORKDIR /app
COPY . .
RUN python -m compileall -q . && SECRET_KEY=for-this-step-only python manage.py collectstatic --noinput --verbosity 0
USER 10001
VOLUME /var/lib/docent
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=4s --start-period=30s --retries=3 CMD ["python", "-c", "\
import http.client, os; \
web = http.client.HTTPConnection('127.0.0.1', int(os.environ.get('PORT') or 8000), timeout=3); \
web.request('GET', '/healthz'); \
raise SystemExit(web.getresponse().status != 200)"]
# The folder in which the server's processes share their metrics is the web server's alone.
CMD ["env", "PROMETHEUS_MULTIPROC_DIR=/tmp/docent-metrics", \
     "gunicorn", "-c", "config/gunicorn.py", "config.wsgi:application"]
