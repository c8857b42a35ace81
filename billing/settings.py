"""Settings of one installation, read from the environment (prefix TOLLWAY_) and `settings.env`.

Only composition roots (radius_plugin.runtime, web.create_app, the worker, the CLI) read this.
"""

from __future__ import annotations

import hmac
import os
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal, get_args

from psycopg.conninfo import conninfo_to_dict, make_conninfo
from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from billing.errors import InvalidInput

Role = Literal["owner", "panel", "radius", "worker", "readonly"]
ROLES: tuple[Role, ...] = get_args(Role)
WEBHOOK_SECRET_MIN = 24


class Settings(BaseSettings):
    """Fields mirror the environment: `auth_port` is TOLLWAY_AUTH_PORT, and so on."""

    model_config = SettingsConfigDict(env_prefix="TOLLWAY_", extra="ignore")

    state_dir: Path = Path("var")
    database_url: str = Field(
        default="",
        description="libpq URL of an admin role of the PostgreSQL server (may create roles)",
    )
    database_name: str = "tollway"
    bind_address: str = "127.0.0.1"
    auth_port: int = 1812
    acct_port: int = 1813
    coa_port: int = 3799
    http_address: str = Field(
        default="127.0.0.1", description="where the panel listens; a proxy in front ends TLS"
    )
    http_port: int = 8080
    panel_connections: int = Field(
        default=5,
        ge=1,
        le=500,
        description="connections to the database that each process of the panel keeps, and as many "
        "again while it is busy",
    )
    panel_url: str = Field(
        default="",
        description="public https:// address of the panel; empty: plain HTTP, on loopback only",
    )
    portal_url: str = Field(
        default="",
        description="https:// address where customers recharge; empty: messages have no link",
    )

    hotspot_url: str = Field(
        default="",
        description="public address of the captive portal, a host name of its own; empty: under "
        "/hotspot/ of the panel's address",
    )

    eap_certificate: str = Field(
        default="", description="PEM file of your own for PEAP and EAP-TTLS; empty: one is made"
    )
    eap_key: str = Field(default="", description="PEM file of the private key that belongs to it")

    dictionary_dir: Path = Field(
        default=Path("/usr/share/freeradius"),
        description="FreeRADIUS's dictionaries, which a subscriber's own attributes must fit",
    )

    auth_lanes: int = Field(default=1, ge=1, le=16)
    auth_processes: int = Field(
        default=-1,
        ge=-1,
        le=16,
        description="processes beside radiusd that decide logins; -1: three, none on a single CPU",
    )
    acct_lanes: int = Field(default=3, ge=1, le=16)
    pin_cpus: bool = Field(
        default=True, description="keep each radiusd on one CPU: auth on the first, acct the second"
    )
    auth_batch_max: int = Field(
        default=20,
        ge=1,
        le=512,
        description="logins decided together at most: a third of radiusd's threads (adr/0023)",
    )
    acct_batch_max: int = Field(
        default=32,
        ge=1,
        le=512,
        description="records charged together at most: a third of radiusd's threads (adr/0023)",
    )
    batch_max: int = Field(
        default=128, ge=1, le=512, description="what else is written together at most"
    )
    queue_max: int = Field(default=4096, ge=64)
    statement_timeout_ms: int = Field(default=3000, ge=100)
    lock_timeout_ms: int = Field(default=300, ge=50)
    acct_journal: bool = Field(
        default=False,
        description="answer accounting during an outage from a journal on the local disk",
    )
    acct_journal_mib: int = Field(default=512, ge=1, description="what the journal may hold")
    journal_days: int = Field(
        default=400, ge=7, description="days that the raw accounting records are kept"
    )
    login_days: int = Field(default=400, ge=7, description="days that the login history is kept")
    dead_letter_days: int = Field(
        default=400, ge=7, description="days that accounting of no session is kept"
    )
    message_days: int = Field(
        default=400, ge=7, description="days that messages sent or given up are kept"
    )
    metrics_dir: str = Field(
        default="", description="where figures for Prometheus are written; empty: in the state dir"
    )
    snapshot_accounts: int = Field(
        default=100_000, ge=100, description="accounts kept for logins during an outage"
    )

    smtp_host: str = Field(
        default="", description="the relay that messages are handed to; empty: they stay queued"
    )
    smtp_port: int = Field(default=587, ge=1, le=65535)
    smtp_security: Literal["starttls", "tls", "none"] = "starttls"
    smtp_user: str = Field(default="", description="empty: no login at the relay")
    smtp_password_file: str = Field(
        default="", description="empty: keys/smtp.password in the state dir"
    )
    mail_papers: bool = Field(
        default=True, description="bills, credit notes, statements and receipts go with their mails"
    )
    mail_from: str = Field(
        default="", description="From address of organisations that have none of their own"
    )

    webhook_url: str = Field(
        default="",
        description="https:// address that messages are POSTed to, as for SMS; empty: they stay "
        "queued",
    )
    webhook_secret_file: str = Field(
        default="", description="what POSTs are signed with; empty: keys/webhook.secret"
    )

    def __init__(self, **values: Any) -> None:
        state_dir = Path(str(values.get("state_dir") or os.environ.get("TOLLWAY_STATE_DIR", "var")))
        super().__init__(_env_file=state_dir / "settings.env", **values)

    def decision_processes(self, cpus: int) -> int:
        """How many processes decide logins beside radiusd: while one waits for the database the
        next one works. None where radiusd cannot have a CPU of its own."""
        if self.auth_processes >= 0:
            return self.auth_processes
        return 3 if cpus > 1 else 0

    @property
    def key_file(self) -> Path:
        """32 random bytes as hex; everything secret at rest hangs on it (security.md 10)."""
        return self.state_dir / "keys" / "master.key"

    @property
    def journal_dir(self) -> Path:
        """Accounting that waits for the database (docs/adr/0010)."""
        return self.state_dir / "journal"

    def metrics_file(self, process: str) -> Path:
        """The figures of one process, in Prometheus's text format."""
        directory = Path(self.metrics_dir) if self.metrics_dir else self.state_dir / "metrics"
        return directory / f"{process}.prom"

    @property
    def snapshot_dir(self) -> Path:
        """What each radiusd keeps for an outage of the database (rule A8)."""
        return self.state_dir / "snapshot"

    def master_key(self) -> bytes:
        """The key of this installation. Raises InvalidInput when missing or malformed."""
        try:
            key = bytes.fromhex(self.key_file.read_text().strip())
        except (OSError, ValueError) as error:
            raise InvalidInput(
                f"the key file {self.key_file} cannot be read ({error}); restore it from your "
                "backup: without it stored secrets cannot be opened",
                field="state_dir",
            ) from error
        if len(key) != 32:
            raise InvalidInput(f"{self.key_file} must hold 32 bytes as hex", field="state_dir")
        return key

    def smtp_password(self) -> str:
        """What `smtp_user` logs in with. Raises InvalidInput when its file cannot be read."""
        return self._secret("smtp_password_file", self.smtp_password_file, "smtp.password")

    def webhook_secret(self) -> str:
        """What signs messages to the webhook. Raises InvalidInput when its file cannot be read, or
        holds a secret that could be guessed."""
        field = "webhook_secret_file"
        secret = self._secret(field, self.webhook_secret_file, "webhook.secret")
        if len(secret) < WEBHOOK_SECRET_MIN:
            raise InvalidInput(
                f"the webhook's secret must have {WEBHOOK_SECRET_MIN} characters or more",
                field=field,
            )
        return secret

    def _secret(self, field: str, given: str, usual: str) -> str:
        path = Path(given) if given else self.state_dir / "keys" / usual
        try:
            return path.read_text(encoding="utf-8").strip()
        except (OSError, ValueError) as error:
            raise InvalidInput(f"the secret cannot be read: {error}", field=field) from error

    def subkey(self, purpose: str) -> bytes:
        """A key derived from the master key for one purpose, 32 bytes."""
        return hmac.new(self.master_key(), purpose.encode(), sha256).digest()

    def secrets_key(self) -> bytes:
        """What seals passwords and NAS secrets at rest, 32 bytes (rule A2, security.md 10)."""
        return self.subkey("secrets at rest")

    def role_password(self, role: Role) -> str:
        """The database password of a role; derived, so it is stored nowhere."""
        return self.subkey(f"database role {role}").hex()

    def admin_dsn(self, dbname: str | None = None) -> str:
        """Connection string of the admin role; raises InvalidInput when none is configured."""
        if not self.database_url:
            raise InvalidInput(
                "TOLLWAY_DATABASE_URL is not set; start with ./run up, or point it at PostgreSQL",
                field="database_url",
            )
        return make_conninfo(self.database_url, **({"dbname": dbname} if dbname else {}))

    def dsn(self, role: Role) -> str:
        """Connection string of one of Tollway's roles on Tollway's database (security.md 14)."""
        parts: dict[str, Any] = conninfo_to_dict(self.admin_dsn())
        parts.update(
            user=f"tollway_{role}",
            password=self.role_password(role),
            dbname=self.database_name,
            application_name=f"tollway-{role}",
        )
        return make_conninfo(**parts)
