"""The bench's own requests are what a NAS would send, and its exactness check works on the peer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from pyrad.dictionary import Dictionary
from pyrad.packet import AcctPacket, AuthPacket
from rich.console import Console

from rig.account import temporary_state_dir
from rig.postgres import PrivateCluster

from . import packets, table, workload
from .cell import Sending
from .ground import started
from .load import steady_rate
from .peer_target import PeerTarget
from .run import Bench, Options, say_open_loop
from .table import Key

_DICTIONARY = """
ATTRIBUTE User-Name 1 string
ATTRIBUTE User-Password 2 string
ATTRIBUTE Acct-Status-Type 40 integer
ATTRIBUTE Acct-Input-Octets 42 integer
ATTRIBUTE Acct-Output-Octets 43 integer
ATTRIBUTE Acct-Session-Time 46 integer
ATTRIBUTE Acct-Input-Gigawords 52 integer
ATTRIBUTE Acct-Output-Gigawords 53 integer
ATTRIBUTE Message-Authenticator 80 octets
"""


@pytest.fixture(scope="module")
def dictionary() -> Dictionary:
    return Dictionary(StringIO(_DICTIONARY))


def test_access_request_is_read_by_another_implementation(dictionary: Dictionary) -> None:
    raw = packets.access_request(7, user=1234, generation=2)
    packet = AuthPacket(secret=workload.SECRET, dict=dictionary, packet=raw)
    assert packet.id == 7
    assert packet["User-Name"] == [workload.user_name(1234)]
    assert packet.PwDecrypt(packet[2][0]) == workload.password(1234)
    assert packet.verify_message_authenticator()


def test_accounting_request_carries_the_counters_of_its_step(dictionary: Dictionary) -> None:
    raw = packets.accounting_request("interim", 9, user=3, generation=1, step=2000, began_at=10**9)
    packet = AcctPacket(secret=workload.SECRET, dict=dictionary, packet=raw)
    assert packet.VerifyAcctRequest()
    usage = workload.usage_at(3, 2000)
    octets = packet["Acct-Output-Gigawords"][0] * 2**32 + packet["Acct-Output-Octets"][0]
    assert octets == usage.output_octets > 2**32
    assert packet["Acct-Session-Time"] == [usage.seconds]


def test_an_answer_to_another_request_is_not_genuine(dictionary: Dictionary) -> None:
    asked, other = (packets.access_request(1, user, generation=1) for user in (1, 2))
    packet = AuthPacket(secret=workload.SECRET, dict=dictionary, packet=asked)
    answer = packet.CreateReply().ReplyPacket()
    assert packets.answer_is_genuine(answer, asked)
    assert not packets.answer_is_genuine(answer, other)


def test_a_late_answer_does_not_change_the_rate() -> None:
    instants = [number / 100 for number in range(1000)]
    assert steady_rate(instants) == pytest.approx(100, rel=0.01)
    assert steady_rate([*instants, 60.0]) == pytest.approx(100, rel=0.01)
    assert steady_rate([0.0]) == 0.0


@pytest.fixture(scope="module")
def runner() -> Iterator[Bench]:
    """A whole run, as small as it can be, against the peer."""
    options = Options(users=40, rounds=1, threads=4, in_flight=(8,), rates=(200,), open_seconds=1)
    with temporary_state_dir("bench-") as state_dir:
        cluster = PrivateCluster(state_dir)
        postmaster = cluster.start()
        try:
            with started(PeerTarget(cluster, state_dir, options.threads), options.users) as peer:
                bench = Bench(options, [peer], cluster, postmaster.pid, Console(file=StringIO()))
                bench.run()
                yield bench
        finally:
            cluster.stop()


def test_every_request_of_a_run_is_answered_and_accounted(runner: Bench) -> None:
    for rounds in runner.results.values():
        assert all(result.lost == result.wrong == 0 for result in rounds)
    assert runner.sent[39] == workload.usage_at(39, 3) + workload.usage_at(39, 3)
    assert runner.inexact() == {"peer": 0}


def test_the_peer_is_shown_as_installed_too(runner: Bench) -> None:
    key = Key("auth", Sending(in_flight=8), "peer, as installed")
    (result,) = runner.results[key]
    assert result.requests == 40


def test_a_difference_in_usage_is_found(runner: Bench) -> None:
    truth = runner.sent[5]
    try:
        runner.sent[5] = truth + workload.Usage(0, 1, 0)
        assert runner.inexact() == {"peer": 1}
    finally:
        runner.sent[5] = truth


def test_the_table_compares_with_the_peer(runner: Bench, tmp_path: Path) -> None:
    key = Key("auth", Sending(in_flight=8), "peer")
    results = dict(runner.results)
    results[key._replace(target="other")] = results[key]
    ratios = {row.target: ratio for row, _, ratio in table.rows(results) if row[:2] == key[:2]}
    assert (ratios["peer"], ratios["other"]) == (None, 1.0)
    table.write_json(tmp_path / "bench.json", {}, results)
    assert '"server": "other"' in (tmp_path / "bench.json").read_text()


@pytest.mark.parametrize(("p99_ms", "verdict"), [(49.0, " below 50 ms"), (51.0, "NOT below 50 ms")])
def test_the_highest_constant_rate_gets_a_verdict(
    runner: Bench, p99_ms: float, verdict: str
) -> None:
    key = Key("auth", Sending(rate_per_second=200), "peer")
    ours = [replace(one, p99_ms=p99_ms) for one in runner.results[key]]
    console = Console(file=StringIO(), width=200)
    say_open_loop(console, replace(runner, results={key._replace(target="tollway"): ours}))
    assert isinstance(console.file, StringIO)
    assert verdict in console.file.getvalue()
