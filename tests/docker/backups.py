"""Back up and restore as docs/docker.md tells it, into an empty project."""

from __future__ import annotations

from collections.abc import Callable

from tests.docker.composition import Composition
from tests.docker.crashes import USERNAME, charged_octets
from tests.docker.engine import Trouble

_KEY = "/var/lib/tollway/keys/master.key"


def restored(rig: Composition, say: Callable[[str], None]) -> None:
    """Raises Trouble when what comes back is not what was there."""
    before = charged_octets(rig, USERNAME)
    admin = ("-U", "tollway_admin")
    dump = rig.piped(b"", "exec", "-T", "db", "pg_dump", *admin, "-d", "tollway", "-Fc")
    key = rig.piped(b"", "exec", "-T", "worker", "cat", _KEY)
    rig.must("down", "--volumes")
    run = ("run", "--rm", "-T")
    write = f"umask 377; cat > {_KEY}"
    rig.piped(key, *run, "--no-deps", "--entrypoint", "sh", "setup", "-c", write)
    rig.must(*run, "migrate")
    rig.must("exec", "-T", "db", "dropdb", *admin, "tollway")
    rig.piped(dump, "exec", "-T", "db", "pg_restore", *admin, "-d", "postgres", "--create")
    rig.must("up", "-d", "--no-build")
    rig.wait_healthy("radius", "worker", "web")
    after = charged_octets(rig, USERNAME)
    if not before or after != before:
        raise Trouble(f"charged before the backup: {before} octets, after the restore: {after}")
    rig.must(*run, "nas")
    say(f"restored from {len(dump) // 1000} kB; the story holds in what was restored")
