"""A route without an authorisation decorator is a hole; so is one that changes without CSRF."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask

from billing.model.staff import StaffRole
from billing.settings import Settings
from web import create_app

# Flask's own files, and Flask-Security's pages, which guard themselves.
THEIR_OWN = {
    "static",
    "security.static",
    "security.login",
    "security.logout",
    "security.two_factor_setup",
    "security.two_factor_token_validation",
}
GUESTS = {
    "portal.arrive",
    "portal.brand_css",
    "portal.by_password",
    "portal.by_voucher",
    "portal.came_back",
    "portal.lost",
    "portal.offers",
    "portal.online",
    "portal.order",
    "portal.ordered",
    "portal.style",
    "portal.to_provider",
}
ABSENT = {
    "security.verify",
    "security.tf_select",
    "security.two_factor_rescue",
    "security.two_factor_setup_validate",
}


@pytest.fixture
def app(settings: Settings) -> Iterator[Flask]:
    made = create_app(settings)
    yield made
    made.extensions["tollway"].close()


def test_every_route_says_who_may_call_it(app: Flask) -> None:
    bare = [
        rule.endpoint
        for rule in app.url_map.iter_rules()
        if rule.endpoint not in THEIR_OWN | ABSENT
        and not hasattr(app.view_functions[rule.endpoint], "allowed")
    ]
    assert bare == []


def test_public_routes_are_these_only(app: Flask) -> None:
    public = {
        name for name, view in app.view_functions.items()
        if getattr(view, "allowed", None) == "public"
    }  # fmt: skip
    guests = {name for name in app.view_functions if name.startswith("portal.")}
    assert public - guests == {
        "api.redeem", "customer.brand_css", "customer.log_in", "entry.enrol", "entry.healthz",
        "hooks.hook",
    }  # fmt: skip
    # Guests of a hotspot have no account: what they hold is a card, or the address of an order.
    assert guests == GUESTS <= public
    for rule in app.url_map.iter_rules():
        assert (rule.endpoint in guests) == rule.rule.startswith("/hotspot/"), rule.rule


def test_the_customers_pages_are_for_customers_and_no_other_page_is(app: Flask) -> None:
    own = {
        name for name, view in app.view_functions.items()
        if getattr(view, "allowed", None) == "subscriber"
    }  # fmt: skip
    assert own == {
        name for name in app.view_functions if name.startswith("customer.")
    } - {"customer.brand_css", "customer.log_in"}  # fmt: skip
    for rule in app.url_map.iter_rules():
        assert rule.endpoint.startswith("customer.") == rule.rule.startswith("/my/"), rule.rule


# What others than owners may change: customers and their money; support takes promises, asks
# providers, and hands out pages to pay at.
CASHIERS = {StaffRole.OWNER, StaffRole.BILLING}
SHOPKEEPERS = {StaffRole.RESELLER}
SELLERS = SHOPKEEPERS | {StaffRole.SHOP_CASHIER}
EMPLOYERS = {StaffRole.OWNER, StaffRole.RESELLER}
DESK = CASHIERS | {StaffRole.SUPPORT}
# What a reseller's cashier may open at all, beside what it changes.
TO_READ_AT_A_SHOP = {
    "bill_dunning",
    "bill_pdf",
    "bills",
    "counter",
    "counter_packages",
    "counter_sale",
    "credit_note_pdf",
    "customer",
    "customer_ledger",
    "customer_list",
    "customer_statement",
    "receipt_pdf",
    "shift",
    "subscriber",
    "subscribers",
    "voucher",
    "voucher_batch",
    "voucher_find",
    "vouchers",
}
COLLECTORS = CASHIERS | {StaffRole.COLLECTOR}
OTHERS = {
    "bank_import": CASHIERS,
    "bank_try": CASHIERS,
    "billing_dismiss": CASHIERS,
    "billing_run": CASHIERS,
    "brand": SHOPKEEPERS,
    "brand_mails": SHOPKEEPERS,
    "brand_mails_code": SHOPKEEPERS,
    "collect_from": COLLECTORS,
    "collections": CASHIERS,
    "collector_book_close": CASHIERS,
    "collector_hand_over": CASHIERS,
    "collector_limit": CASHIERS,
    "counter_confirm": SELLERS,
    "counter_money": SHOPKEEPERS,
    "counter_new": SELLERS,
    "counter_renew": SELLERS,
    "counter_renew_sell": SELLERS,
    "counter_undo": SELLERS,
    "customer_access": CASHIERS,
    "customer_alerts": CASHIERS,
    "customer_attribute": CASHIERS,
    "customer_bill_now": CASHIERS,
    "customer_cap": CASHIERS,
    "customer_charge": CASHIERS,
    "customer_charge_card": CASHIERS,
    "customer_checkout": DESK | SHOPKEEPERS,
    "customer_credit": CASHIERS,
    "customer_details": CASHIERS,
    "customer_discontinue": CASHIERS,
    "customer_discount": CASHIERS,
    "customer_end_charge": CASHIERS,
    "customer_hold": CASHIERS,
    "customer_ipv6": CASHIERS,
    "customer_keep_plan": CASHIERS,
    "customer_mandate": CASHIERS,
    "customer_lift": CASHIERS,
    "customer_new": CASHIERS,
    "customer_numbers": CASHIERS,
    "customer_password": CASHIERS,
    "customer_pause": CASHIERS,
    "customer_pay": CASHIERS,
    "customer_prepay": CASHIERS,
    "customer_plan": CASHIERS,
    "customer_profile": CASHIERS,
    "customer_promise": DESK,
    "customer_recharge": CASHIERS,
    "customer_redeem": CASHIERS,
    "customer_remove_attribute": CASHIERS,
    "customer_remove_card": CASHIERS,
    "customer_renewal": CASHIERS,
    "customer_resume": CASHIERS,
    "customer_resume_recharge": CASHIERS,
    "customer_sell": CASHIERS,
    "customer_statements": CASHIERS,
    "customer_stop_recharge": CASHIERS,
    "customer_stop_prepay": CASHIERS,
    "customer_subscription": CASHIERS,
    "customer_waive": CASHIERS,
    "customer_write_off": CASHIERS,
    "debit_again": CASHIERS,
    "debit_arrived": CASHIERS,
    "debit_carry_out": CASHIERS,
    "debit_collect": CASHIERS,
    "debit_returned": CASHIERS,
    "debit_status": CASHIERS,
    "payment_cancel": CASHIERS,
    "payment_look_up": DESK,
    "payment_refund": CASHIERS,
    "payment_retry": CASHIERS,
    "purchase_undo": CASHIERS | SHOPKEEPERS,
    "reseller_limits": EMPLOYERS,
    "reseller_price": EMPLOYERS,
    "reseller_transfer": CASHIERS | SHOPKEEPERS,
    "reseller_request": CASHIERS | SHOPKEEPERS,
    "shift_close": CASHIERS | SELLERS,
    "shift_deposit": CASHIERS | SHOPKEEPERS,
    "shift_hand_over": CASHIERS | SELLERS,
    "shifts": CASHIERS | SELLERS,
    "staff": EMPLOYERS,
    "staff_active": EMPLOYERS,
    "staff_member": EMPLOYERS,
    "staff_reset": EMPLOYERS,
    "suspense_match": CASHIERS,
    "suspense_receive": CASHIERS,
    "suspense_return": CASHIERS,
    "suspense_undone": CASHIERS,
    "voucher_replace": CASHIERS,
    "voucher_sell": CASHIERS | SELLERS,
    "who_had": {StaffRole.OWNER, StaffRole.SUPPORT},
}


def test_pages_that_change_something_are_for_owners_but_for_the_listed(app: Flask) -> None:
    changing = {
        rule.endpoint.removeprefix("admin.")
        for rule in app.url_map.iter_rules()
        if rule.endpoint.startswith("admin.") and "POST" in (rule.methods or ())
    }
    assert OTHERS.keys() <= changing
    for name in changing:
        allowed = app.view_functions[f"admin.{name}"].allowed
        assert allowed == OTHERS.get(name, {StaffRole.OWNER}), name


@pytest.mark.rule("R1")
def test_a_resellers_cashier_opens_these_pages_only(app: Flask) -> None:
    opens = {
        name.removeprefix("admin.") for name, view in app.view_functions.items()
        if name.startswith("admin.") and StaffRole.SHOP_CASHIER in view.allowed
    }  # fmt: skip
    changing = {name for name, roles in OTHERS.items() if StaffRole.SHOP_CASHIER in roles}
    assert opens == TO_READ_AT_A_SHOP | changing


@pytest.mark.rule("R4")
def test_a_collector_opens_these_pages_only(app: Flask) -> None:
    opens = {
        name.removeprefix("admin.") for name, view in app.view_functions.items()
        if name.startswith("admin.") and StaffRole.COLLECTOR in view.allowed
    }  # fmt: skip
    assert opens == {"collect", "collect_from", "collected", "receipt_pdf", "subscribers"}


def test_only_what_looks_at_no_cookie_is_exempt_from_csrf(app: Flask) -> None:
    protection = app.extensions["csrf"]
    assert protection._exempt_views == {"web.api.redeem", "web.hooks.hook"}
    assert not protection._exempt_blueprints
