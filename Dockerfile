# The tap behind Airbyte's protocol. As a Singer tap: --entrypoint tap-instantly
FROM python:3.13.7-slim-bookworm

ENV PYTHONUNBUFFERED=1 PIP_NO_CACHE_DIR=1

WORKDIR /airbyte/integration_code
COPY pyproject.toml README.md LICENSE ./
COPY tap_instantly ./tap_instantly
# What is installed is this directory, whose version needs no pin.
# hadolint ignore=DL3013
RUN pip install '.[airbyte]' \
    && useradd --create-home --uid 1000 airbyte

USER 1000
ENV AIRBYTE_ENTRYPOINT="source-instantly"
ENTRYPOINT ["source-instantly"]
