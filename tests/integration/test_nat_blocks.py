"""Who had an outer address and port behind NAT, by imported port blocks (rule U12)."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from billing.errors import BadLines, InvalidInput
from billing.model.who_had import Certainty, Held, WhoHad
from billing.services import nat_blocks, who_had
from billing.services.context import Context
from billing.store import tables
from tests.integration.meter_world import MeterWorld, at
from tests.integration.test_searches import (  # noqa: F401 (fixtures)
    HOUR,
    LATER,
    WHY,
    operator,
    panel,
    reseller,
    reseller_id,
    session,
    tollway,
)

HEADER = "outer,first_port,last_port,inner,since,until\n"


def written(path: Path, *lines: str, header: str = HEADER) -> Path:
    path.write_text(header + "".join(f"{line}\n" for line in lines))
    return path


def asked(context: Context, address: str, port: int, seconds: float, tolerance: int = 0) -> WhoHad:
    return who_had.who_had(
        context,
        address,
        at=at(seconds),
        reason=WHY,
        now=LATER,
        port=port,
        tolerance_seconds=tolerance,
    )


def found(answer: WhoHad) -> list[tuple[int, Held, Certainty]]:
    return [(one.session.subscription_id, one.held, one.certainty) for one in answer.holders]


@pytest.mark.rule("U12")
def test_a_port_leads_to_who_had_the_inner_address_then(
    world: MeterWorld,
    context: Context,
    operator: Context,  # noqa: F811
    reseller: Context,  # noqa: F811
    tmp_path: Path,
) -> None:
    one, _ = session(world, framed_ip="100.64.0.7")
    other, _ = session(world, framed_ip="100.64.0.8")
    half = at(HOUR / 2).isoformat()
    blocks = written(
        tmp_path / "nat.csv",
        f"203.0.113.9,1024,2047,100.64.0.7,2026-03-01,{half}",
        f"203.0.113.9,1024,2047,100.64.0.8,{at(HOUR / 2 + 1).isoformat()},",
        "203.0.113.9,2048,3071,100.64.0.8,2026-03-01,",
    )
    report = nat_blocks.import_blocks(context, blocks, LATER)
    assert (report.blocks, report.added, report.changed) == (3, 3, 0)
    then = (Held.PORT_BLOCK, Certainty.THEN)
    assert found(asked(operator, "203.0.113.9", 1024, 60)) == [(one.subscription_id, *then)]
    assert found(asked(operator, "203.0.113.9", 2047, HOUR / 2)) == [(one.subscription_id, *then)]
    assert found(asked(operator, "203.0.113.9", 2047, HOUR)) == [(other.subscription_id, *then)]
    assert found(asked(operator, "203.0.113.9", 2048, 60)) == [(other.subscription_id, *then)]
    assert found(asked(operator, "203.0.113.9", 2048, HOUR + 1)) == []
    near = asked(operator, "203.0.113.9", 1500, HOUR / 2, tolerance=10)
    assert found(near) == [
        (one.subscription_id, *then),
        (other.subscription_id, Held.PORT_BLOCK, Certainty.NEAR),
    ]
    assert near.holders[0].block in near.blocks
    for port in (1023, 3072):
        unknown = asked(operator, "203.0.113.9", port, 60)
        assert (unknown.holders, unknown.blocks) == ((), ())
    assert asked(reseller, "203.0.113.9", 1024, 60).blocks == ()
    with pytest.raises(InvalidInput, match="of an IPv4 address"):
        asked(operator, "2001:db8::1", 1024, 60)
    with context.transaction() as tx:
        last = tx.query(tables.AuditLog).order_by(tables.AuditLog.audit_id.desc()).first()
        assert last is not None
        assert (last.action, json.loads(last.detail)["port"]) == ("address.who_had", 1024)


@pytest.mark.rule("U12")
def test_a_file_may_come_again_with_the_ends_of_its_blocks(
    context: Context,
    operator: Context,  # noqa: F811
    tmp_path: Path,
) -> None:
    line = "203.0.113.10,1024,2047,100.64.1.7,2026-03-01T00:00:00+01:00,"
    file = written(tmp_path / "nat.csv", line)
    rehearsed = nat_blocks.import_blocks(context, file, LATER, dry_run=True)
    assert (rehearsed.added, rehearsed.dry_run) == (1, True)
    assert asked(operator, "203.0.113.10", 1024, 0).blocks == ()
    assert nat_blocks.import_blocks(context, file, LATER).added == 1
    again = nat_blocks.import_blocks(context, file, LATER)
    assert (again.blocks, again.added, again.changed) == (1, 0, 0)
    ended = written(tmp_path / "nat.csv", f"{line}2026-03-05")
    assert nat_blocks.import_blocks(context, ended, LATER).changed == 1
    assert asked(operator, "203.0.113.10", 1024, 0).blocks == ()


@pytest.mark.rule("U12")
def test_of_a_file_with_a_bad_line_nothing_is_taken(
    context: Context,
    operator: Context,  # noqa: F811
    tmp_path: Path,
    tollway: Callable[..., tuple[int, str, str]],  # noqa: F811
) -> None:
    file = written(
        tmp_path / "nat.csv",
        "203.0.113.11,0,65535,100.64.2.7,2026-03-01,",
        "203.0.113.x,5,4,100.64.2.7,2026-03-01,",
        "203.0.113.11,5,4,100.64.2.7,2026-03-01,",
        "203.0.113.11,5,65536,2001:db8::1,yesterday,",
        "203.0.113.11,5,6,100.64.2.7,2026-03-02,2026-03-01",
        "203.0.113.11,5",
    )
    with pytest.raises(BadLines) as refused:
        nat_blocks.import_blocks(context, file, LATER)
    assert [(line, field) for line, field, _ in refused.value.lines] == [
        (3, "outer"),
        (4, "last_port"),
        (5, "last_port"),
        (5, "since"),
        (5, "inner"),
        (6, "until"),
        (7, "line"),
    ]
    assert asked(operator, "203.0.113.11", 5, 0).blocks == ()
    code, said, error = tollway("import", "nat-blocks", str(file))
    assert (code, said) == (2, "") and "line 3: outer" in error
    with pytest.raises(InvalidInput, match="no port block"):
        nat_blocks.import_blocks(context, written(tmp_path / "nat.csv"), LATER)
    with pytest.raises(InvalidInput, match="columns missing: inner"):
        header = "outer,first_port,last_port,since\n"
        nat_blocks.import_blocks(context, written(tmp_path / "nat.csv", header=header), LATER)
    good = written(tmp_path / "nat.csv", "203.0.113.11,0,65535,100.64.2.7,2026-03-01,")
    code, said, _ = tollway("import", "nat-blocks", str(good), "--dry-run")
    assert (code, said) == (0, "would import 1 port block(s): 1 new, 0 with another end\n")
    asking = ("who-had", "203.0.113.11", "--port", "7", "--at", at(0).isoformat())
    code, said, _ = tollway(*asking, "--reason", WHY)
    assert (code, "no port block of it is known" in said) == (0, True)
