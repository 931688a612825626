"""R3: the broker stopped, frozen, killed and wiped; the API goes on, no accepted job is lost, workers come back."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest

from graph import events, jobs, keys
from graph.connection import Graph
from graph.server.process import free_ports, stop
from graph.settings import Settings
from kith.stack import broker as valkey
from kith.stack import checks
from tests.faults import marked
from tests.faults.client import Client, at_work, stream_of
from tests.faults.conftest import FULL, Report
from tests.faults.shop import Cypher, Event, Stream, judge
from tests.workers.processes import api_server, process, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1_800 if FULL else 280)]

SEED = 20_261_122
USERS = 50
AWAY_S = 20.0 if FULL else 4.0
FAULTS = ("stop", "freeze", "kill", "wipe") * 2 if FULL else ("freeze", "wipe")
ANSWER_S, CONSUMING_S, CLEARED_S = 2.0, 10.0, 60.0
LIMIT_S, PAUSE_S = 180.0, 0.3
WORKERS = ("worker-default", "beat")


class OwnBroker:
    """A Valkey of this module's own, as the local stack runs it."""

    def __init__(self, home: Path) -> None:
        (port,) = free_ports(1)
        self.settings = Settings(home=home, broker_port=port)
        self._log = home / "valkey.log"
        self._start()

    def away(self, fault: str, seconds_s: float) -> float:
        """Be away for so long; return when it was there again, as the monotonic clock says."""
        number = {"stop": signal.SIGTERM, "freeze": signal.SIGSTOP}.get(fault, signal.SIGKILL)
        self.child.send_signal(number)
        time.sleep(seconds_s)
        if fault == "freeze":
            self.child.send_signal(signal.SIGCONT)
        else:
            self.child.wait()
            if fault == "wipe":
                (self.settings.home / "valkey").rename(self.settings.home / f"lost-{time.monotonic_ns()}")
            self._start()
        until(lambda: checks.ping(str(self.settings.broker_port)))
        return time.monotonic()

    def end(self) -> None:
        self.child.send_signal(signal.SIGCONT)
        stop(self.child)

    def _start(self) -> None:
        with self._log.open("ab") as log:
            self.child = subprocess.Popen(valkey.command(self.settings), stdout=log, stderr=log)
        until(lambda: checks.ping(str(self.settings.broker_port)))


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnBroker]:
    running = OwnBroker(tmp_path_factory.mktemp("broker"))
    try:
        yield running
    finally:
        running.end()


class Jobs:
    """Asks for the publication of the live version, and keeps the ids of what was accepted."""

    def __init__(self, client: Client, graph: Graph) -> None:
        self.client, self._graph = client, graph
        self.accepted: list[str] = []
        self.attempted = 0

    def ask(self) -> bool:
        """Ask once; whether it was accepted."""
        self.attempted += 1
        job = self.client.ask("POST", "/v1/models/m1:publish", good=(202,))
        self.accepted += [job["jobId"]] if job else []
        return job is not None

    def insist(self) -> str:
        """Ask until it is accepted, and return the job's id."""
        until(self.ask)
        return self.accepted[-1]

    def is_done(self, job_id: str) -> bool:
        return jobs.get(self._graph, job_id)["state"] == "done"

    def undone(self) -> list[str]:
        states = {job["jobId"]: job["state"] for job in jobs.list_jobs(self._graph, limit=jobs.BATCH_LIMIT)}
        return [job_id for job_id in self.accepted if states.get(job_id) != "done"]


class Beside:
    """Writes such events straight into Neo4j, without API and broker: how slow the machine is at the time."""

    def __init__(self, graph: Graph, settings: Settings) -> None:
        self._graph, self._settings = graph, settings
        self._stream = Stream("d", np.random.default_rng(SEED + 1))
        self.sent: list[Event] = []
        self.slowest_s = 0.0

    def write(self) -> None:
        batch = self._stream.batch(10)
        began_s = time.monotonic()
        outcome = events.ingest(self._graph, self._settings, batch)
        self.slowest_s = max(self.slowest_s, time.monotonic() - began_s)
        assert outcome.accepted == len(batch), outcome.rejected
        self.sent += batch


def reading(client: Client) -> None:
    """Read what a shop and an operator read; none of it needs the broker."""
    for path in ("/v1/users/u1/recommendations", "/v1/items/i1/similar", "/v1/models", "/ready", "/live"):
        client.ask("GET", path)


def warm_up(turns: list[Callable[[], None]]) -> None:
    """Take all turns until a round takes no second, so that Neo4j has compiled what is timed later."""

    def is_quick() -> bool:
        began_s = time.monotonic()
        for turn in turns:
            turn()
        return time.monotonic() - began_s < 1.0

    until(is_quick)


def slowest(clients: list[Client]) -> float:
    """Return how long the slowest answer took since this was last asked."""
    taken_s = max(client.slowest_s for client in clients)
    for client in clients:
        client.slowest_s = 0.0
    return taken_s


def test_r3_the_broker_away_in_every_way(
    own: OwnBroker, settings: Settings, graph: Graph, cypher: Cypher, report: Report, tmp_path: Path
) -> None:
    report.seed = SEED
    consuming_s, cleared_s = [], []
    with ExitStack() as running:
        api = running.enter_context(api_server(settings, own.settings.broker, tmp_path))
        logs = [api.settings.logs / f"{name}.log" for name in WORKERS]
        workers = [
            running.enter_context(process(["kith.stack.role", name], api.settings, log))
            for name, log in zip(WORKERS, logs, strict=True)
        ]
        marked.create_nodes(cypher, USERS)
        marked.write(api.settings.artifacts, 1, USERS)
        bearer = f"Bearer {keys.create(graph, ['admin'])}"
        clients, stream = [Client(api.port, bearer) for _ in range(4)], Stream("c", np.random.default_rng(SEED))
        asked, last = Jobs(clients[2], graph), Jobs(clients[3], graph)
        turns = [stream_of(clients[0], stream, 10), lambda: reading(clients[1]), lambda: asked.ask() and None]
        beside = Beside(graph, settings)
        if not FULL:
            turns.append(beside.write)
        warm_up(turns)
        slowest(clients)
        with at_work(turns, PAUSE_S):
            time.sleep(AWAY_S)
        well_s = max(slowest(clients), beside.slowest_s)
        until(lambda: not asked.undone(), LIMIT_S)
        children = {worker.pid: children_of(worker.pid) for worker in workers}
        for fault in FAULTS:
            with at_work(turns, PAUSE_S):
                time.sleep(1.0)
                back_s = own.away(fault, AWAY_S)
            new = last.insist()
            until(lambda new=new: last.is_done(new), LIMIT_S)
            consuming_s.append(time.monotonic() - back_s)
            if FULL or fault == FAULTS[-1]:
                until(lambda: not asked.undone(), LIMIT_S)
                cleared_s.append(time.monotonic() - back_s)
        assert {worker.pid: children_of(worker.pid) for worker in workers} == children
        assert "Traceback" not in "".join(log.read_text() for log in logs)
    sent = clients[0].sent
    report.attempted = len(sent) + asked.attempted + last.attempted
    report.acknowledged = clients[0].acknowledged + len(asked.accepted) + len(last.accepted)
    judge(report, cypher, [*sent, *beside.sent])
    report.lost += len(asked.undone())
    report.unexpected += sum(len(client.wrong) for client in clients)
    report.recovered = len(FAULTS)
    away_s = slowest(clients)
    print(
        f"R3 {' '.join(FAULTS)}: consuming again after {told(consuming_s)} s, backlog cleared after "
        f"{told(cleared_s)} s, slowest answer {away_s:.2f} s, before the faults {well_s:.2f} s, without API and broker "
        f"{beside.slowest_s:.2f} s"
    )
    assert (report.lost, report.duplicated, report.unexpected) == (0, 0, 0), [client.wrong[:3] for client in clients]
    assert clients[0].acknowledged == len(sent)
    # The short form runs beside other tests: what is slow there without a broker, or with one that is well, is not the
    # broker's fault.
    assert away_s <= (ANSWER_S if FULL else ANSWER_S + max(well_s, beside.slowest_s))
    assert max(consuming_s) <= CONSUMING_S
    assert max(cleared_s) <= CLEARED_S


def children_of(pid: int) -> list[int]:
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def told(seconds: list[float]) -> str:
    return " ".join(f"{each:.1f}" for each in seconds)
