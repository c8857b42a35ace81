#!/bin/sh
# Install the Debian packages given as arguments, as root. On Debian 12 FreeRADIUS, and only it,
# comes from bookworm-backports. No daemon is started, no database cluster is made.
set -eu

BACKPORTS=bookworm-backports
FREERADIUS_PACKAGES="freeradius freeradius-common freeradius-config freeradius-postgresql \
freeradius-python3 freeradius-utils libfreeradius3"
SOURCES_DIR=/etc/apt/sources.list.d
POLICY=/usr/sbin/policy-rc.d
CLUSTER_CONF=/etc/postgresql-common/createcluster.d/tollway.conf
DEBIAN_FRONTEND=noninteractive
export DEBIAN_FRONTEND

say() { printf '   %s\n' "$*"; }
die() {
    printf 'tollway: %s\n' "$*" >&2
    exit 1
}

add_backports() {
    for file in "$SOURCES_DIR"/*.sources /etc/apt/sources.list "$SOURCES_DIR"/*.list; do
        [ -e "$file" ] || continue
        entry=$(sh "${0%/*}/apt-source.sh" "$file" bookworm "$BACKPORTS")
        [ -n "$entry" ] || continue
        added=$SOURCES_DIR/tollway-backports.${file##*.}
        printf '%s\n' "$entry" >"$added"
        say "added $added, as in $file"
        return
    done
    die "no source of Debian bookworm is configured to derive $BACKPORTS from"
}

pin_backports() {
    cat >/etc/apt/preferences.d/tollway <<END
# FreeRADIUS 3.2.7 or newer; nothing else is taken from $BACKPORTS.
Package: $FREERADIUS_PACKAGES
Pin: release n=$BACKPORTS
Pin-Priority: 600
END
}

refresh() { apt-get -q -q update || die "apt-get update failed"; }

put_back() {
    rm -f "$CLUSTER_CONF"
    if [ -e "$POLICY.before-tollway" ]; then
        mv -f "$POLICY.before-tollway" "$POLICY"
    elif [ -n "${policy_written:-}" ]; then
        rm -f "$POLICY"
    fi
}

start_no_daemon() {
    trap put_back EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
    if [ -e "$POLICY" ] && [ ! -e "$POLICY.before-tollway" ]; then
        cp -p "$POLICY" "$POLICY.before-tollway"
    fi
    policy_written=yes
    printf '#!/bin/sh\nexit 101\n' >"$POLICY"
    chmod 755 "$POLICY"
    mkdir -p "${CLUSTER_CONF%/*}"
    printf 'create_main_cluster = false\n' >"$CLUSTER_CONF"
}

codename=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
say "reading the package lists"
refresh
if [ "$codename" = bookworm ]; then
    if ! apt-cache madison freeradius | grep -q -F "$BACKPORTS"; then
        add_backports
        refresh
    fi
    pin_backports
fi
start_no_daemon
say "installing"
apt-get -q -q -y --no-install-recommends -o Dpkg::Options::=--force-confold \
    -o Dpkg::Use-Pty=0 install "$@" >/var/log/tollway-install.log 2>&1 || {
    tail -n 25 /var/log/tollway-install.log >&2
    die "apt-get install failed; its whole output is in /var/log/tollway-install.log"
}
