"""Resellers to look at: wallets, requests, sales, and the statement of a wallet (rules R1, R2)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from flask import render_template, request
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from wtforms import DateField

from billing.errors import InvalidInput, Refused
from billing.model.money import Money
from billing.model.resellers import ResellerStatement, ResellerView
from billing.model.statements import Account
from billing.services import reseller_money, reseller_sales, resellers, statements
from billing.services.context import Context
from web import parts
from web.admin import blueprint
from web.admin.reseller_desk import is_above
from web.formats import local_day
from web.forms import needed, show_errors
from web.guards import EVERYONE, staff_only
from web.tables import csv_response

_A_DAY = timedelta(days=1)


class DaysForm(FlaskForm):
    """Local days, both included."""

    first_day = DateField("From", [needed], name="from")
    last_day = DateField("To", [needed], name="to")


@dataclass(frozen=True, slots=True)
class WalletStatement:
    """What a reseller sold and earned, and each movement of its wallet."""

    earned: ResellerStatement
    wallet: Account


@blueprint.get("/resellers", endpoint="resellers")
@staff_only(EVERYONE)
def resellers_page() -> ResponseReturnValue:
    """With what their wallets have, and who waits for money."""
    context = parts.context()
    return render_template(
        "admin/resellers.html",
        shops=resellers.listed(context),
        asked=reseller_money.requests(context),
    )


@blueprint.get("/resellers/<int:org_id>")
@staff_only(EVERYONE)
def reseller(org_id: int) -> ResponseReturnValue:
    """One: wallet, price list, last sales."""
    context = parts.context()
    shop = resellers.show(context, org_id)
    return render_template(
        "admin/reseller.html",
        shop=shop,
        above=is_above(context, shop),
        moved=reseller_money.transfers(context, org_id),
        prices=resellers.price_list(context, org_id, parts.now()),
        sales=reseller_sales.listed(context, org_id),
    )


@blueprint.get("/resellers/<int:org_id>/statement")
@staff_only(EVERYONE)
def reseller_statement(org_id: int) -> ResponseReturnValue:
    """Of the local days `from` and `to`, this month so far unless given."""
    context = parts.context()
    shop = resellers.show(context, org_id)
    form, found = _asked(context, shop)
    page = render_template("admin/reseller_statement.html", shop=shop, form=form, found=found)
    return page, 422 if form.errors or form.form_errors else 200


@blueprint.get("/resellers/<int:org_id>/statement/<any(wallet, sales):what>.csv")
@staff_only(EVERYONE)
def reseller_csv(org_id: int, what: str) -> ResponseReturnValue:
    """The same as a table for a spreadsheet: the wallet's movements, or sales with commission."""
    context = parts.context()
    form, found = _asked(context, resellers.show(context, org_id))
    if found is None:
        problems = [*form.form_errors, *(one for field in form for one in field.errors)]
        raise InvalidInput("; ".join(map(str, problems)))
    rows = _wallet_rows(found) if what == "wallet" else _sales_rows(found)
    days = f"{found.wallet.first_day}-{found.wallet.last_day}"
    return csv_response(f"reseller-{org_id}-{what}-{days}.csv", rows)


def _asked(context: Context, shop: ResellerView) -> tuple[DaysForm, WalletStatement | None]:
    form = DaysForm(request.args if request.args else None, meta={"csrf": False})
    if not request.args:
        form.last_day.data = date.fromisoformat(local_day(parts.now()))
        form.first_day.data = form.last_day.data.replace(day=1)
    elif not form.validate():
        return form, None
    first_day, last_day = form.first_day.data, form.last_day.data
    try:
        with context.together() as joined:
            found = WalletStatement(
                reseller_money.statement_of_days(joined, shop.org_id, first_day, last_day + _A_DAY),
                statements.statement(joined, shop.account_customer_id, first_day, last_day).account,
            )
    except (InvalidInput, Refused) as error:
        show_errors(form, error, {"to": "last_day"})
        return form, None
    except OverflowError:
        form.last_day.errors = ["lies outside of the calendar"]
        return form, None
    return form, found


def _wallet_rows(found: WalletStatement) -> Iterable[Sequence[str]]:
    currency = found.earned.currency
    yield ("day", "text", "amount", "balance", "currency")
    opening = _number(found.wallet.opening_micros, currency)
    yield (found.wallet.first_day.isoformat(), "Opening balance", "", opening, currency)
    for line in found.wallet.lines:
        amount = _number(line.amount_micros, currency)
        balance = _number(line.balance_micros, currency)
        yield (line.on.isoformat(), line.text, amount, balance, currency)


def _sales_rows(found: WalletStatement) -> Iterable[Sequence[str]]:
    currency = found.earned.currency
    yield (
        "seller",
        "kind",
        "plan",
        "sold",
        "undone",
        "paid",
        "cost",
        "wallet",
        "commission",
        "currency",
    )
    for line in found.earned.lines:
        amounts = (line.paid_micros, line.cost_micros, line.wallet_micros, line.commission_micros)
        yield (
            line.seller_name,
            line.kind.words,
            line.plan_name,
            str(line.sold),
            str(line.undone),
            *(_number(micros, currency) for micros in amounts),
            currency,
        )


def _number(micros: int, currency: str) -> str:
    """`-1234.50`, for programs."""
    return str(Money(micros, currency)).partition(" ")[0]
