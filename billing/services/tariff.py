"""At a tariff switch running sessions are told the limits that hold from then on (rule Q3).

All of a version's at once, by one statement: at midnight a free night may begin for everybody, and
who is cut at that instant must not wait behind them.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from billing.model.tariff import tariff_windows
from billing.rules.windows import last_switch
from billing.services.context import Context
from billing.store import catalog
from billing.store import enforcement as intents
from billing.store import tariff as store

LOOKED_BACK = timedelta(hours=1)
"""When the worker starts, it tells switches of so long ago; older ones are left to accounting."""


def tell_switches(context: Context, since: datetime, now: datetime) -> int:
    """Write the orders for switches after `since`, up to `now`; returns how many. It may be called
    again for the same time: nobody is told twice."""
    with context.transaction() as tx:
        versions = store.windowed_versions(tx)
        operator = catalog.operator(tx) if versions else None
        if operator is None:
            return 0
        switched = {}
        for version, text in versions.items():
            moment = last_switch(tariff_windows(text), since, now, operator.time_zone)
            if moment is not None:
                switched[version] = moment
        if not switched:
            return 0
        orders = store.order_switches(tx, switched, now)
        if orders:
            intents.notify(tx)
        return orders
