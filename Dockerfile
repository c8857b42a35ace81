# One base, two images: `app` (panel, worker, set-up, test NAS, mail) and `radius` (FreeRADIUS with
# the hooks). docs/docker.md
ARG BASE_IMAGE=debian:bookworm-slim

# --- Debian packages: the list is ./run's ------------------------------------------------------
FROM ${BASE_IMAGE} AS packages
COPY rig/install-packages.sh rig/apt-source.sh rig/packages /opt/rig/
RUN sh /opt/rig/install-packages.sh $(sed -n 's/^app: //p' /opt/rig/packages) \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/*
RUN useradd --system --uid 10001 --user-group --no-create-home --home-dir /nonexistent \
        --shell /usr/sbin/nologin tollway \
    && install -d -o tollway -g tollway -m 700 /var/lib/tollway /var/lib/tollway/keys \
        /var/mail/tollway \
    # The database's container looks its password up in there as a user of its own.
    && install -d -o tollway -g tollway -m 711 /run/database-secrets

# --- Python packages: locked versions with hashes ----------------------------------------------
FROM packages AS built
RUN /usr/bin/python3 -m venv /opt/tollway
COPY requirements-build.lock requirements.lock requirements-mail.lock /src/
RUN /opt/tollway/bin/pip install --quiet --no-cache-dir --disable-pip-version-check \
        --no-build-isolation --require-hashes -r /src/requirements-build.lock \
    && /opt/tollway/bin/pip install --quiet --no-cache-dir --disable-pip-version-check \
        --no-build-isolation --require-hashes -r /src/requirements.lock -r /src/requirements-mail.lock
COPY pyproject.toml README.md /src/
COPY billing /src/billing
COPY radius_plugin /src/radius_plugin
COPY web /src/web
COPY sql /src/sql
COPY freeradius-config /src/freeradius-config
COPY rig /src/rig
RUN /opt/tollway/bin/pip install --quiet --no-cache-dir --disable-pip-version-check \
        --no-build-isolation --no-deps /src

# --- what runs ------------------------------------------------------------------------------------
FROM packages AS app
COPY --from=built /opt/tollway /opt/tollway
ENV PATH=/opt/tollway/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    LC_ALL=C.UTF-8 PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    TOLLWAY_STATE_DIR=/var/lib/tollway
USER tollway
WORKDIR /var/lib/tollway
ENTRYPOINT ["/opt/tollway/bin/python", "-P", "-m", "rig.container"]

FROM packages AS radius-packages
RUN sh /opt/rig/install-packages.sh $(sed -n 's/^radius: //p' /opt/rig/packages) \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/*

FROM radius-packages AS radius
COPY --from=built /opt/tollway /opt/tollway
ENV PATH=/opt/tollway/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    LC_ALL=C.UTF-8 PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    TOLLWAY_STATE_DIR=/var/lib/tollway
USER tollway
WORKDIR /var/lib/tollway
ENTRYPOINT ["/opt/tollway/bin/python", "-P", "-m", "rig.container"]
CMD ["radius"]
