# Two images that share their layers: `app` (panel, worker, set-up, test NAS, mail) and `radius`
# (the same with FreeRADIUS and the hooks). docs/docker.md
ARG BASE_IMAGE=debian:bookworm-20260824-slim@sha256:88200866dfff7ea7f5cbcb6ec7c8a701889efe6fe859fe64d6990e4b07ea4171

# --- Debian packages: the list is ./run's ------------------------------------------------------
FROM ${BASE_IMAGE} AS packages
COPY rig/container/dpkg-excludes /etc/dpkg/dpkg.cfg.d/tollway
COPY rig/install-packages.sh rig/apt-source.sh rig/packages /opt/rig/
RUN sh /opt/rig/install-packages.sh $(sed -n 's/^app: //p' /opt/rig/packages) \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/* \
    && dpkg-query -W >/opt/rig/versions
RUN useradd --system --uid 10001 --user-group --no-create-home --home-dir /nonexistent \
        --shell /usr/sbin/nologin tollway \
    && install -d -o tollway -g tollway -m 700 /var/lib/tollway /var/lib/tollway/keys \
        /var/mail/tollway \
    # The database's container looks its password up in there as a user of its own.
    && install -d -o tollway -g tollway -m 711 /run/database-secrets

# --- Python packages: locked versions with hashes; pip and what builds stay behind -------------
FROM packages AS built
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_QUIET=1
RUN sh /opt/rig/install-packages.sh $(sed -n 's/^build: //p' /opt/rig/packages)
COPY requirements-build.lock requirements.lock requirements-mail.lock /src/
RUN /usr/bin/python3 -m venv /build && /usr/bin/python3 -m venv --without-pip /opt/tollway \
    && /build/bin/pip install --require-hashes -r /src/requirements-build.lock \
    && /build/bin/pip wheel --no-build-isolation --require-hashes --wheel-dir /wheels \
        -r /src/requirements.lock -r /src/requirements-mail.lock \
    && /build/bin/pip --python /opt/tollway/bin/python install --no-index --no-deps /wheels/* \
    # Tests of other people's packages, and what was compiled.
    && find /opt/tollway/lib -type d \( -name tests -o -name testing -o -name SelfTest \) -prune \
        -exec rm -rf {} + \
    && find /opt/tollway/lib -type f \( -name '*.c' -o -name '*.h' -o -name '*.pyx' -o -name '*.pxd' \) \
        -delete
COPY pyproject.toml README.md /src/
COPY billing /src/billing
COPY radius_plugin /src/radius_plugin
COPY web /src/web
COPY sql /src/sql
COPY freeradius-config /src/freeradius-config
COPY rig /src/rig
RUN /build/bin/pip wheel --no-build-isolation --no-deps --wheel-dir /tollway /src \
    && /build/bin/pip --python /opt/tollway/bin/python install --no-index --no-deps \
        --prefix /product /tollway/*

# --- what runs ------------------------------------------------------------------------------------
FROM packages AS python
COPY --from=built /opt/tollway /opt/tollway
ENV PATH=/opt/tollway/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    LC_ALL=C.UTF-8 PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    TOLLWAY_STATE_DIR=/var/lib/tollway
WORKDIR /var/lib/tollway
ENTRYPOINT ["/opt/tollway/bin/python", "-P", "-m", "rig.container"]

FROM python AS app
COPY --from=built /product /opt/tollway
USER tollway

FROM python AS radius
RUN sh /opt/rig/install-packages.sh $(sed -n 's/^radius: //p' /opt/rig/packages) \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/* \
    && dpkg-query -W >/opt/rig/versions \
    && version=$(dpkg-query -W -f '${Version}' freeradius) \
    && dpkg --compare-versions "$version" ge 3.2.7 && dpkg --compare-versions "$version" lt 3.3 \
    || { echo "tollway: FreeRADIUS 3.2 from 3.2.7 on is needed, not '$version'" >&2; exit 1; }
COPY --from=built /product /opt/tollway
USER tollway
CMD ["radius"]
