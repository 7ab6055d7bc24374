# A fake Conductor render farm, not as root, its data in /data. docs/how-to/run-it-elsewhere.md says how to use it.
ARG PYTHON=3.13

FROM python:${PYTHON}-slim AS build
WORKDIR /src
COPY LICENSE README.md hatch_build.py pyproject.toml ./
COPY client ./client
COPY contracts ./contracts
COPY mock_server ./mock_server
COPY examples/quickstart.py ./examples/quickstart.py
RUN python -m venv --without-pip /opt/conductor-mock
RUN pip --python /opt/conductor-mock/bin/python install --no-cache-dir ./client .

FROM python:${PYTHON}-slim
COPY --from=build /opt/conductor-mock /opt/conductor-mock
RUN useradd --system --uid 10001 --home-dir /data conductor && install -d -o conductor -m 0700 /data
ENV PATH=/opt/conductor-mock/bin:$PATH PYTHONUNBUFFERED=1
USER 10001
VOLUME /data
EXPOSE 8089
HEALTHCHECK --interval=5s --timeout=4s --start-period=20s \
  CMD ["python", "-c", "import http.client as h; c = h.HTTPConnection('127.0.0.1', 8089, timeout=3); c.request('GET', '/_mock/health/ready'); raise SystemExit(c.getresponse().status != 200)"]
ENTRYPOINT ["conductor-mock"]
CMD ["serve", "--host", "0.0.0.0", "--port", "8089", "--data-dir", "/data"]
