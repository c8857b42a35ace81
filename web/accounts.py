"""Staff as Flask-Security wants them, over `billing.services.staff`."""

from __future__ import annotations

from typing import Any

from flask import session
from flask_security import RoleMixin, Totp, UserDatastore, UserMixin
from passlib.exc import UsedTokenError

from billing.model.staff import SessionLimits, StaffMember
from billing.services import staff
from web import parts

SESSION_KEY = "staff_session"
"""Where the browser's cookie holds the token of its session; the database knows its hash."""
_PROVED_AT = "proved_at"
_CODE_SECONDS = 600


class StaffRoleName(RoleMixin):
    """A role as Flask-Security wants it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.permissions: list[str] = []


class StaffUser(UserMixin):
    """A StaffMember as Flask-Security wants it."""

    fs_uniquifier = ""
    tf_phone_number = None

    def __init__(self, member: StaffMember) -> None:
        self.member = member
        self.email = member.email
        self.fs_uniquifier = member.session_token
        self.active = member.active
        self.roles = [StaffRoleName(role) for role in sorted(member.roles)]
        self.tf_primary_method = None if member.two_factor_exempt else member.two_factor_method
        self.tf_totp_secret = member.totp_secret_sealed

    def check_tf_required(
        self, tf_setup_methods: list[tuple[str, str]], tf_fresh: bool
    ) -> tuple[bool, list[tuple[str, str]]]:
        """A second factor at every login, whatever the browser (security.md 4)."""
        return not self.member.two_factor_exempt, tf_setup_methods

    def track_failed_authn(self, auth_type: str, tfa: bool = False) -> None:
        if tfa:
            staff.code_failed(parts.login_context(), self.member.staff_id, parts.now())


class StaffDatastore(UserDatastore):
    """Finds people by their browser session; one who gave the password and still owes the code
    is found for ten minutes. Whoever has neither is nobody."""

    def __init__(self) -> None:
        super().__init__(StaffUser, StaffRoleName)

    def commit(self) -> None:
        """Nothing to do: every service commits its own transaction."""

    def find_user(self, case_insensitive: bool = False, **identity: Any) -> StaffUser | None:
        wanted, token = identity.get("fs_uniquifier"), session.get(SESSION_KEY)
        member = None
        if token is not None:
            member = staff.session_member(
                parts.login_context(), str(token), SessionLimits(), parts.now()
            )
        elif wanted and wanted == session.get("tf_user_id") and code_is_awaited():
            member = staff.by_session_token(parts.login_context(), str(wanted))
        if member is None or member.session_token != wanted:
            return None
        return StaffUser(member)

    def put(self, user: StaffUser) -> StaffUser:
        """The second factor is all that Flask-Security changes."""
        staff.set_two_factor(
            parts.login_context(),
            user.member,
            user.tf_primary_method,
            user.tf_totp_secret,
            parts.now(),
        )
        return user


class StaffTotp(Totp):
    """A code works once (security.md 4)."""

    def get_last_counter(self, user: StaffUser) -> int | None:
        return user.member.totp_last_counter

    def set_last_counter(self, user: StaffUser, tmatch: Any) -> None:
        if not staff.use_totp_counter(parts.login_context(), user.member.staff_id, tmatch.counter):
            raise UsedTokenError


def begin_login() -> None:
    """Forget who this browser was; the second factor is owed within ten minutes from now."""
    session.clear()
    session[_PROVED_AT] = parts.now().timestamp()


def code_is_awaited() -> bool:
    return parts.now().timestamp() - float(session.get(_PROVED_AT, 0)) <= _CODE_SECONDS
