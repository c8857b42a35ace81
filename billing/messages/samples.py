"""Facts of every kind as they might be, for previews."""

from __future__ import annotations

from billing.model.messages import Facts, MessageKind

CUSTOMER = "Ada Example"

SAMPLES: dict[MessageKind, Facts] = {
    MessageKind.LOW_BALANCE: {
        "username": "ada",
        "available_micros": 1_500_000,
        "currency": "USD",
        "recharge_url": None,
    },
    MessageKind.EXHAUSTED: {
        "username": "ada",
        "reason": "data-used-up",
        "recharge_url": None,
    },
    MessageKind.ALLOWANCE_USED: {
        "username": "ada",
        "package": "Home 100",
        "percent": 80,
        "recharge_url": None,
    },
    MessageKind.RESTORED: {"username": "ada"},
    MessageKind.INVOICE_ISSUED: {
        "number": "INV-1042",
        "text": "Home 100",
        "first_day": "2026-04-10",
        "last_day": "2026-05-09",
        "currency": "USD",
        "total_micros": 30_000_000,
        "open_micros": 17_740_000,
        "due_on": "2026-04-11",
    },
    MessageKind.REMINDER: {
        "number": "INV-1042",
        "currency": "USD",
        "open_micros": 17_740_000,
        "due_on": "2026-04-11",
        "overdue": True,
        "fee_micros": 5_000_000,
        "suspend_on": "2026-04-18",
    },
    MessageKind.SUSPENDED: {
        "username": "ada",
        "reason": "overdue",
        "open_micros": 17_740_000,
        "currency": "USD",
    },
    MessageKind.RECHARGE_FAILED: {
        "amount_micros": 10_000_000,
        "currency": "USD",
        "reason": "the card was declined",
        "came_micros": None,
        "came_currency": None,
        "recharge_url": None,
        "confirm": False,
        "retry_on": "2026-04-12",
    },
    MessageKind.VOUCHER_RECEIPT: {
        "serial": "00001042",
        "plan_name": None,
        "amount_micros": 10_000_000,
        "currency": "USD",
        "redeemed_on": "2026-04-11",
        "available_micros": 12_260_000,
    },
    MessageKind.CREDIT_NOTE: {
        "number": "CN-12",
        "invoice_number": "INV-1042",
        "currency": "USD",
        "total_micros": 10_000_000,
        "to_wallet_micros": 4_000_000,
        "reason": "two days without service",
    },
    MessageKind.STATEMENT: {
        "first_day": "2026-04-01",
        "last_day": "2026-04-30",
        "currency": "USD",
        "opening_micros": -12_260_000,
        "charged_micros": 30_000_000,
        "credited_micros": 24_520_000,
        "closing_micros": -17_740_000,
        "open_micros": 17_740_000,
        "due_on": "2026-05-11",
    },
    MessageKind.PRICE_NOTICE: {
        "username": "ada",
        "plan": "Home 100",
        "old_micros": 30_000_000,
        "new_micros": 33_000_000,
        "currency": "USD",
        "starts_on": "2026-06-10",
    },
    MessageKind.PAYMENT_RECEIVED: {
        "number": "RCP-77",
        "invoice_number": "INV-1042",
        "amount_micros": 17_740_000,
        "currency": "USD",
    },
    MessageKind.PREPAYMENT_DUE: {
        "number": "PRE-12",
        "month": "2026-05",
        "amount_micros": 30_000_000,
        "currency": "USD",
        "due_on": "2026-05-15",
        "recharge_url": None,
    },
    MessageKind.HOTSPOT_CODE: {
        "serial": "00001042",
        "plan_name": "Day pass",
        "code": "7KQM-WXR2-9HTD",
    },
    MessageKind.DEBIT_NOTICE: {
        "amount_micros": 30_000_000,
        "currency": "EUR",
        "collect_on": "2026-04-17",
        "number": "INV-1042",
        "account": "DE89 … 3000",
        "mandate": "TW12-4F1A22C0",
        "creditor": "Example Net",
        "creditor_id": "DE98ZZZ09999999999",
    },
    MessageKind.SENDER_CHECK: {"address": "help@shop.example", "check": 7, "code": "04711815"},
}
