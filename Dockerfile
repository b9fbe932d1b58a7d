# Podium, and on request the sandbox. Not built on the machines this was written on: they run no container engine.
#   docker build --target podium -t podium .
#   docker build --target sandbox -t podium-sandbox .

FROM alpine/helm:3.19.2 AS helm

FROM python:3.12-slim AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/podium && /opt/podium/bin/pip install uv==0.13.9
WORKDIR /src
COPY requirements.lock pyproject.toml README.md LICENSE ./
RUN /opt/podium/bin/uv pip install --python /opt/podium/bin/python --require-hashes -r requirements.lock
COPY service service
COPY workflows workflows
COPY steps steps
COPY web web
COPY sandbox sandbox
RUN /opt/podium/bin/uv pip install --python /opt/podium/bin/python --no-deps .

FROM build AS build-app
COPY examples/app/requirements.lock /src/app.lock
RUN python -m venv /opt/app \
 && /opt/podium/bin/uv pip install --python /opt/app/bin/python --require-hashes -r /src/app.lock

FROM python:3.12-slim AS podium
RUN useradd --uid 10001 --create-home --home-dir /home/podium podium && install -d -o podium /data
COPY --from=helm /usr/bin/helm /usr/local/bin/helm
COPY --from=build /opt/podium /opt/podium
ENV PATH=/opt/podium/bin:$PATH PODIUM_HOME=/data HOME=/data PYTHONDONTWRITEBYTECODE=1
USER 10001
WORKDIR /data
VOLUME /data
EXPOSE 8000
ENTRYPOINT ["podium"]
CMD ["serve"]

FROM podium AS sandbox
COPY --from=build-app /opt/app /opt/app
COPY examples /opt/podium/lib/python3.12/site-packages/examples
ENV SANDBOX_APP_PYTHON=/opt/app/bin/python
CMD ["sandbox", "--home", "/data/sandbox"]
