"""Jobs of billing serve customers by pages, a transaction each; who fails is parked.

Where one of a page fails, the page is done again customer by customer: that one is parked with its
problem and tried again by the next run, the others are served.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import TypeVar

from billing.errors import NotFound, Refused, Unavailable
from billing.model.bills import Parked
from billing.services.context import Context
from billing.store import billing_jobs

log = logging.getLogger(__name__)

PAGE = 200

_Done = TypeVar("_Done")

Progress = Callable[[int, int], None]
"""Told how many customers were looked at, of how many."""


def quiet(_done: int, _of: int) -> None:
    """Progress that nobody looks at."""


def pages(customer_ids: Sequence[int]) -> Iterator[Sequence[int]]:
    """So many customers at a time as a transaction serves."""
    for start in range(0, len(customer_ids), PAGE):
        yield customer_ids[start : start + PAGE]


def serve_page(
    context: Context,
    job: str,
    page: Sequence[int],
    now: datetime,
    serve: Callable[[Sequence[int]], list[_Done]],
    parked: list[Parked],
) -> list[_Done]:
    """What `serve`, a transaction a call, has done for these customers; who fails is added to
    `parked`. Raises Unavailable."""
    try:
        return serve(page)
    except Unavailable:
        raise
    except Exception as error:
        if len(page) == 1:
            parked.append(_park(context, job, page[0], error, now))
            return []
    return [
        done for one in page for done in serve_page(context, job, [one], now, serve, parked)
    ]  # fmt: skip


def preview_page(
    job: str,
    page: Sequence[int],
    now: datetime,
    look: Callable[[Sequence[int]], list[_Done]],
) -> Iterator[_Done | Parked]:
    """What `look` finds for these customers, and whom a run at `now` would park."""
    try:
        found = look(page)
    except (NotFound, Refused) as error:
        if len(page) == 1:
            yield Parked(job=job, customer_id=page[0], at=now, problem=error.message)
        else:
            for one in page:
                yield from preview_page(job, [one], now, look)
        return
    yield from found


def _park(context: Context, job: str, customer_id: int, error: Exception, now: datetime) -> Parked:
    log.error("%s: customer %d cannot be served", job, customer_id, exc_info=error)
    problem = str(error) or type(error).__name__
    with context.transaction() as tx:
        billing_jobs.park(tx, job, customer_id, problem, now)
    return Parked(job=job, customer_id=customer_id, at=now, problem=problem)
