"""Billing profiles and plans: made, refused with the reason at the field, changed."""

from __future__ import annotations

from datetime import timedelta

import pytest
from playwright.sync_api import Page, expect

from billing.clock import utc_now
from billing.model.dunning import DunningSchedule
from billing.model.profile import BillingKind, Payment, TaxPoint
from billing.services import catalog, dunning, plan_runs
from billing.services.context import Context
from tests.web.conftest import Visitor
from tests.web.isp import Isp


def _save(page: Page) -> None:
    page.locator(".panel-buttons button").click()


@pytest.mark.rule("B12")
@pytest.mark.rule("B10")
def test_an_impossible_switch_is_refused_at_its_field_then_the_profile_is_added(
    at_desk: Visitor, context: Context
) -> None:
    page = at_desk.open("/profiles/new")
    page.fill("#name", "Offices")
    page.check("input[name=kind][value=monthly]")
    page.check("input[name=payment][value=postpaid]")
    page.check("#cycle_ends_with_month")
    page.fill("#cycle_day", "10")
    page.check("#automatic_suspend")
    page.fill("#tax_rate_ppm", "seven")
    _save(page)
    expect(page.locator("#field-tax_rate_ppm")).to_contain_text("Not a percentage")
    page.fill("#tax_rate_ppm", "7.5")
    _save(page)
    expect(page.locator("#field-cycle_day")).to_contain_text("rule B12")
    expect(page.locator("#field-suspended_pool")).to_contain_text("rule B10")
    expect(page.locator("#name")).to_have_value("Offices")
    page.fill("#cycle_day", "1")
    page.fill("#suspended_pool", "pay-first")
    page.fill("#credit_limit_micros", "150.50")
    page.fill("#no_cut_dates", "2026-12-25 2027-01-01")
    page.check("input[name=no_cut_weekdays][value='4']")
    _save(page)
    expect(page.get_by_role("status")).to_contain_text("Offices was added")
    stored = catalog.find_profile(context, "Offices").profile
    assert (stored.kind, stored.payment) == (BillingKind.MONTHLY, Payment.POSTPAID)
    assert stored.automatic_suspend and stored.cycle_ends_with_month
    assert not stored.automatic_bill
    assert (stored.credit_limit_micros, stored.tax_rate_ppm) == (150_500_000, 75_000)
    assert (stored.suspended_pool, stored.no_cut_weekdays) == ("pay-first", frozenset({4}))
    assert {day.isoformat() for day in stored.no_cut_dates} == {"2026-12-25", "2027-01-01"}


def test_a_profile_is_edited_and_a_taken_name_refused(
    at_desk: Visitor, context: Context, isp: Isp
) -> None:
    page = at_desk.open(f"/profiles/{isp.profile_id}")
    expect(page.locator("#name")).to_have_value("Prepaid daily")
    page.fill("#name", "Homes monthly")
    _save(page)
    expect(page.locator("#field-name")).to_contain_text("exists")
    page.fill("#name", "Prepaid daily")
    page.fill("#tax_rate_ppm", "19")
    _save(page)
    expect(page.get_by_role("status")).to_contain_text("was saved")
    view = catalog.get_profile(context, isp.profile_id)
    assert (view.revision, view.profile.tax_rate_ppm) == (2, 190_000)


@pytest.mark.rule("B14")
def test_the_kind_of_a_profile_in_use_stays(at_desk: Visitor, isp: Isp) -> None:
    page = at_desk.open(f"/profiles/{isp.profile_id}")
    page.check("input[name=kind][value=monthly]")
    _save(page)
    expect(page.locator("#field-kind")).to_contain_text("rule B14")


@pytest.mark.rule("M6")
def test_a_plan_is_added_and_gets_a_new_version(at_desk: Visitor, context: Context) -> None:
    page = at_desk.open("/plans/new")
    page.fill("#plan_name", "Evening 5 GB")
    page.fill("#validity", "soon")
    _save(page)
    expect(page.locator("#field-validity")).to_contain_text("write it like 30 days")
    expect(page.locator("#field-price_micros")).to_contain_text("Must be filled in")
    page.fill("#price_micros", "2.50")
    page.fill("#validity", "12 h")
    page.fill("#octets", "5 GB")
    page.fill("#speed_down_kbps", "20 Mbit/s")
    page.fill("#payg_octet_step_micros", "0.01")
    _save(page)
    expect(page.locator("#field-payg_octet_step")).to_contain_text("missing")
    page.fill("#payg_octet_step", "1 MB")
    page.fill("#outage_minutes", "30 days")
    _save(page)
    expect(page.locator("#field-outage_minutes")).to_contain_text("1 minute to 7 days")
    page.fill("#outage_minutes", "2 h")
    page.fill("#fair_use", "3GB")
    _save(page)
    expect(page.locator("#field-fair_use")).to_contain_text("50GB:2M")
    page.fill("#fair_use", "1GB:5M, 3 GB:512k")
    _save(page)
    expect(page.get_by_role("status")).to_contain_text("Evening 5 GB was added")
    page.get_by_role("link", name="Evening 5 GB").click()
    expect(page.locator("#octets")).to_have_value("5 GB")
    expect(page.locator("#validity")).to_have_value("12 h")
    expect(page.locator("#outage_minutes")).to_have_value("2 h")
    expect(page.locator("#fair_use")).to_have_value("1GB:5M, 3GB:512k")
    page.fill("#price_micros", "3.00")
    _save(page)
    expect(page.get_by_role("status")).to_contain_text("has version 2 now")
    row = page.locator("tr", has_text="Evening 5 GB")
    expect(row).to_contain_text("3.00 USD")
    assert at_desk.complaints == [] or all("422" in text for text in at_desk.complaints)


@pytest.mark.rule("Q3", "M6")
def test_free_and_dearer_hours_are_entered_one_a_line(at_desk: Visitor, context: Context) -> None:
    page = at_desk.open("/plans/new")
    page.fill("#plan_name", "Nights")
    page.fill("#price_micros", "2.50")
    page.fill("#validity", "30 days")
    page.fill("#tariff_windows", "night mon-sun 00:00-06:00 gratis")
    _save(page)
    expect(page.locator("#field-tariff_windows")).to_contain_text("indow 'night': price")
    page.fill("#tariff_windows", "night mon-sun 00:00-06:00 free\nlate sat 23:00-01:00 free")
    _save(page)
    expect(page.locator("#field-tariff_windows")).to_contain_text("'night' and 'late' overlap")
    page.fill("#tariff_windows", "night mon-sun 00:00-06:00 free\nnoon sun 12:00-13:00 0.02/min")
    _save(page)
    expect(page.locator("#field-tariff_windows")).to_contain_text("no pay-as-you-go price")
    page.fill("#payg_second_step_micros", "0.01")
    page.fill("#payg_second_step", "1 min")
    _save(page)
    expect(page.get_by_role("status")).to_contain_text("Nights was added")
    row = page.locator("tr", has_text="Nights")
    expect(row).to_contain_text("night mon-sun 00:00-06:00 free")
    expect(row).to_contain_text("noon sun 12:00-13:00 0.02/min")
    page.get_by_role("link", name="Nights").click()
    expect(page.locator("#tariff_windows")).to_have_value(
        "night mon-sun 00:00-06:00 free\nnoon sun 12:00-13:00 0.02/min"
    )
    page.fill("#tariff_windows", "")
    _save(page)
    expect(page.get_by_role("status")).to_contain_text("has version 2 now")
    views = [view for view in catalog.list_plans(context, utc_now()) if view.name == "Nights"]
    assert [view.terms.tariff_windows for view in views] == [None]


@pytest.mark.rule("B1")
def test_a_plan_without_any_limit_is_refused(at_desk: Visitor) -> None:
    page = at_desk.open("/plans/new")
    page.fill("#plan_name", "For ever")
    page.fill("#price_micros", "1")
    _save(page)
    expect(page.locator("#field-validity")).to_contain_text("used for ever")


@pytest.mark.rule("I5")
def test_a_profile_has_its_dunning_in_the_words_of_the_command_line(
    at_desk: Visitor, context: Context
) -> None:
    page = at_desk.open("/profiles/new")
    page.fill("#name", "Chased")
    page.check("input[name=kind][value=monthly]")
    page.check("input[name=payment][value=postpaid]")
    page.fill("#dunning_steps", "7 remind fee")
    _save(page)
    expect(page.locator("#field-dunning_steps")).to_contain_text("'fee' is not understood")
    page.fill("#dunning_steps", "14 remind fee 5.00 2.5% most 20.00\n0 fee 1.00")
    _save(page)
    expect(page.locator("#field-dunning_steps")).to_contain_text("a fee comes on day 1 or later")
    assert all(view.profile.name != "Chased" for view in catalog.list_profiles(context))
    page.fill("#dunning_steps", "14 remind fee 5.00 2.5% most 20.00\n-3 remind")
    page.fill("#dunning_tolerance_micros", "1")
    page.fill("#reconnection_fee_micros", "10")
    _save(page)
    expect(page.get_by_role("status")).to_contain_text("Chased was added")
    profile_id = catalog.find_profile(context, "Chased").profile_id
    kept = dunning.schedule_of(context, profile_id)
    assert [step.days for step in kept.steps] == [-3, 14]
    assert (kept.tolerance_micros, kept.reconnection_fee_micros) == (1_000_000, 10_000_000)
    page = at_desk.open(f"/profiles/{profile_id}")
    steps = page.locator("#dunning_steps")
    expect(steps).to_have_value("-3 remind\n14 remind fee 5.00 2.5% most 20.00")
    page.check("input[name=kind][value=daily]")
    page.check("input[name=payment][value=prepaid]")
    _save(page)
    expect(page.locator("#field-kind")).to_contain_text("End its dunning first")
    page.fill("#dunning_steps", "")
    page.fill("#dunning_tolerance_micros", "")
    page.fill("#reconnection_fee_micros", "")
    _save(page)
    expect(page.get_by_role("status")).to_contain_text("was saved")
    assert dunning.schedule_of(context, profile_id) == DunningSchedule()
    assert catalog.get_profile(context, profile_id).profile.kind is BillingKind.DAILY


@pytest.mark.rule("S3", "M6")
def test_a_plan_gives_back_days_of_pause(at_desk: Visitor, context: Context, isp: Isp) -> None:
    page = at_desk.open(f"/plans/{isp.plan_id}")
    page.fill("#pause_days", "0")
    _save(page)
    expect(page.locator("#field-pause_days .panel-error")).to_be_visible()
    page.fill("#pause_days", "30")
    _save(page)
    expect(page.get_by_role("status")).to_contain_text("has version 2 now")
    assert catalog.get_plan(context, isp.plan_id, utc_now()).terms.pause_days == 30


@pytest.mark.rule("I1", "I6", "B4")
def test_a_plan_has_its_own_tax_and_rolls_over(
    at_desk: Visitor, context: Context, isp: Isp
) -> None:
    page = at_desk.open(f"/plans/{isp.plan_id}")
    expect(page.locator("#tax_rate_ppm")).to_have_value("")
    page.check("#rolls_over")
    page.fill("#octets", "")
    page.fill("#seconds", "")
    page.fill("#tax_rate_ppm", "101")
    _save(page)
    expect(page.locator("#field-tax_rate_ppm")).to_contain_text("Must be 0 % to 100 %")
    expect(page.locator("#field-rolls_over")).to_contain_text("limits neither")
    page.fill("#tax_rate_ppm", "7.5")
    page.fill("#octets", "2 GB")
    page.select_option("#tax_point", "payment")
    _save(page)
    expect(page.get_by_role("status")).to_contain_text("version")
    terms = catalog.get_plan(context, isp.plan_id, utc_now()).terms
    assert (terms.tax_rate_ppm, terms.tax_point, terms.rolls_over) == (
        75_000, TaxPoint.PAYMENT, True,
    )  # fmt: skip
    at_desk.open("/plans")
    for words in ("tax 7.5 %", "tax due when bills are paid", "what is unused rolls over"):
        expect(page.locator("main")).to_contain_text(words)
    page = at_desk.open(f"/plans/{isp.plan_id}")
    expect(page.locator("#tax_rate_ppm")).to_have_value("7.5")
    expect(page.locator("#tax_point")).to_have_value("payment")
    expect(page.locator("#rolls_over")).to_be_checked()
    page.fill("#tax_rate_ppm", "")
    page.select_option("#tax_point", "")
    page.uncheck("#rolls_over")
    _save(page)
    terms = catalog.get_plan(context, isp.plan_id, utc_now()).terms
    assert (terms.tax_rate_ppm, terms.tax_point, terms.rolls_over) == (None, None, False)


@pytest.mark.rule("P12")
def test_a_prepaid_profile_has_no_credit_limit(at_desk: Visitor, isp: Isp) -> None:
    page = at_desk.open(f"/profiles/{isp.profile_id}")
    page.fill("#credit_limit_micros", "5.00")
    _save(page)
    expect(page.locator("#field-credit_limit_micros")).to_contain_text("Must be 0 for prepaid")


@pytest.mark.rule("B18")
def test_a_new_price_is_arranged_after_whom_it_concerns_was_listed(
    at_desk: Visitor, context: Context, isp: Isp
) -> None:
    home = catalog.find_plan(context, "Home 50", utc_now())
    page = at_desk.open(f"/plans/{home.plan_id}")
    page.get_by_role("link", name="Change the price").click()
    page.fill("#price_micros", "33")
    page.fill("#from_day", "2001-01-01")
    _save(page)
    expect(page.locator("#field-from_day")).to_contain_text("in the past")
    page.fill("#from_day", (utc_now().date() + timedelta(days=40)).isoformat())
    _save(page)
    quote = page.locator("#quote")
    expect(quote).to_contain_text("30.00 USD becomes 33.00 USD: 2 subscribers, 6.00 USD more")
    rows = page.locator("#moves tbody tr")
    expect(rows).to_have_count(2)
    expect(rows.first).to_contain_text("33.00 USD")
    assert len(catalog.plan_versions(context, home.plan_id, utc_now())) == 1
    page.fill("#price_micros", "34")
    _save(page)
    expect(quote).to_contain_text("34.00 USD: 2 subscribers, 8.00 USD more")
    _save(page)
    expect(page.get_by_role("status").first).to_contain_text("Home 50 has version 2 now")
    assert plan_runs.announce(context, utc_now()) == 2
