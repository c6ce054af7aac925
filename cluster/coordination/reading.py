"""The machine of one read command: data from the nearest replica, digests from the others that the level wants.

    ASKED ------enough, digests agree---> the client gets the data
      | --slow--> one more replica is asked (speculative_retry)
      | --digests differ--> COMPARING: all who were asked tell their data
                              --enough--> what each lacks is sent to it: REPAIRING
                                            --acknowledged--> the client gets what was merged (read_repair BLOCKING)
                              --enough, and they filtered--> PROTECTING: each is asked for the rows that others told
                                            --all told--> REPAIRING
    too many failures: ReadFailure; the time is over: ReadTimeout. Until then nothing was promised to anybody.

Range reads ask all for data at once (service/reads/range/RangeCommandIterator.java).
"""

from collections.abc import Callable
from enum import Enum, auto
from math import inf

from cluster.coordination.errors import read_failure, read_timeout
from cluster.coordination.outcome import Outcome
from cluster.coordination.plans import ReadPlan
from cluster.internode.frames import Message
from cluster.internode.texts import decode_texts, encode_texts
from cluster.internode.verbs import FailureReason, Verb
from cluster.reading.answer import DataAnswer, decode_answer, decode_digest
from cluster.reading.command import ReadCommand, encode_command
from cluster.reading.merging import Merged, Page, merged, page_of
from cluster.reading.passing import PassedOver, Passing
from cluster.reading.protection import Protection
from cluster.replica import Failed, Replica, decode_failed
from cluster.ring import Node
from protocol.errors import PeerError
from storage.mutation import PartitionUpdate
from storage.reads import TableStore


class Phase(Enum):
    ASKED = auto()
    COMPARING = auto()
    PROTECTING = auto()
    REPAIRING = auto()
    OVER = auto()


class ReadOperation:
    """See the module. `speculate_s`: when one more is asked; `repairs`: whether differences are written;
    `node_took` hears how long a node took for what it was asked first, or has until another one is asked; `mismatched` hears
    that replicas of a partition differ, and are to be repaired; `passing` gathers what the replicas pass over."""

    def __init__(
        self,
        plan: ReadPlan,
        command: ReadCommand,
        store: TableStore,
        deadline_s: float,
        speculate_s: float = inf,
        repairs: bool = True,
        clock: Callable[[], float] = lambda: 0.0,
        node_took: Callable[[Node, float], None] = lambda node, seconds: None,
        mismatched: Callable[[], None] = lambda: None,
        passing: Passing[Node] | None = None,
    ) -> None:
        self._clock, self._node_took, self._mismatched = clock, node_took, mismatched
        self._plan, self._command, self._store, self._repairs = plan, command, store, repairs
        self._deadline_s = deadline_s
        self._spares = list(plan.spares)
        self.wake_s = min(deadline_s, speculate_s) if self._spares else deadline_s
        self.phase = Phase.ASKED
        self.outcome: Outcome[Page] = Outcome()
        self._contacts: dict[Node, float] = {}  # and when each was asked
        self._data: dict[Node, DataAnswer] = {}
        self._digests: dict[Node, bytes] = {}
        self._failures: dict[Node, int] = {}
        self._page: Page | None = None
        self._protection: Protection[Node] | None = None
        self._fetching: dict[Node, list[ReadCommand]] = {}
        self._repairing: dict[Node, None] = {}
        self._passing = passing if passing is not None else Passing()
        self._passed: dict[Node, PassedOver] = {}

    @property
    def is_over(self) -> bool:
        return self.phase is Phase.OVER

    # --- what happens ----------------------------------------------------------------------------------------------------

    def start(self, local: Node, replica: Replica, ask: Callable[[Node, int, bytes], None]) -> None:
        """Asks others first: they work while the local replica reads."""
        self._local, self._replica, self._ask = local, replica, ask
        contacts = self._plan.contacts
        self._passing.is_alone &= len(contacts) == 1
        first_data = 1 if self._command.is_of_partition else len(contacts)
        verbs = [Verb.READ if at < first_data else Verb.READ_DIGEST for at in range(len(contacts))]
        self._ask_all(dict(zip(contacts, verbs, strict=True)))
        self._judge()

    def receive(self, sender: Node, message: Message, now_s: float) -> None:
        if self.phase is Phase.ASKED and message.verb in (Verb.DATA, Verb.DIGEST):
            self._tell_time(sender)
        if message.verb == Verb.DATA:
            self._data[sender], passed = decode_answer(message.body)
            self._hear(sender, passed)
        elif message.verb == Verb.DIGEST:
            self._digests[sender], passed = decode_digest(message.body)
            self._hear(sender, passed)
        elif message.verb == Verb.DONE:
            self._repairing.pop(sender, None)
        elif message.verb == Verb.FETCHED:
            self._take_fetched(sender, [decode_answer(text)[0] for text in decode_texts(message.body)])
        elif sender in self._contacts:
            reason, tombstones = decode_failed(message.body)
            if reason == FailureReason.READ_TOO_MANY_TOMBSTONES:
                self._passing.refused(sender, tombstones)
            self._fail(sender, reason)
        self._judge()

    def _hear(self, node: Node, passed: PassedOver) -> None:
        self._passed[node] = passed
        self._passing.heard(node, passed)

    def _tell_time(self, node: Node) -> None:
        asked_s = self._contacts.get(node)
        if asked_s is not None:
            self._node_took(node, self._clock() - asked_s)

    def _fail(self, node: Node, reason: int) -> None:
        if reason != FailureReason.NOT_A_REPLICA:
            self._failures[node] = reason
        elif self.phase is Phase.ASKED and self._spares:  # it knows more of the ring than this node
            del self._contacts[node]
            verb = Verb.READ_DIGEST if self._contacts and self._command.is_of_partition and self._data else Verb.READ
            self._ask_all({self._spares.pop(0): verb})
        else:
            self._failures[node] = FailureReason.UNKNOWN

    def tick(self, now_s: float) -> None:
        if self.phase is Phase.ASKED:
            for node in self._contacts:
                if node not in self._data and node not in self._digests:
                    self._tell_time(node)
        if now_s >= self._deadline_s:
            self._time_out()
            return
        self.wake_s = self._deadline_s
        if self.phase is Phase.ASKED and self._spares:
            # data where the one who was to give it may be the slow one
            verb = Verb.READ_DIGEST if self._data else Verb.READ
            self._ask_all({self._spares.pop(0): verb})
            self._judge()

    # --- phases ------------------------------------------------------------------------------------------------------------

    def _ask_all(self, verbs: dict[Node, Verb]) -> None:
        encoded, before = encode_command(self._command), self._passing.before
        for node, verb in verbs.items():
            self._contacts[node] = self._clock()
            if node != self._local:
                passed = before.get(node, 0)
                self._ask(node, verb, encode_command(self._command, passed) if passed else encoded)
        if self._local in verbs:
            self._read_here()

    def _read_here(self) -> None:
        local, passing = self._local, self._passing
        counting = self._replica.counting(passing.before.get(local, 0))
        try:
            answer = self._replica.read(self._command, counting)
        except Failed as failure:
            self._failures[local] = failure.reason
            if failure.tombstones:
                passing.refused(local, failure.tombstones)
        else:
            self._data[local] = answer
            self._hear(local, counting.passed)
        passing.read_here(counting)

    @property
    def _received(self) -> int:
        return len(self._data.keys() | self._digests.keys())

    def _judge(self) -> None:
        required = self._plan.required
        if self.phase is Phase.ASKED and self._data and self._received >= required:
            self._compare()
        if self.phase is Phase.COMPARING and len(self._data) >= required:
            self._merge()
        if self.phase is Phase.REPAIRING and len(self._data) - len(self._repairing) >= required:
            assert self._page is not None
            self._end(self._page)
        is_asking = self.phase in (Phase.ASKED, Phase.COMPARING)
        if (is_asking and required + len(self._failures) > len(self._contacts)) or self._fails_protection:
            self.phase = Phase.OVER
            received = self._received - len(self._fetching.keys() & self._failures.keys())
            self.outcome.fail(read_failure(self._plan.level, received, required, self._failures, bool(self._data)))

    def _compare(self) -> None:
        data = list(self._data.values())
        if self._received == 1:
            self._end(self._page_of(data[0]))
            return
        digests = {node: answer.digest for node, answer in self._data.items()} | self._digests
        if len(set(digests.values())) == 1:
            self._end(self._page_of(data[0], 0 if self._command.criteria is None else len(digests)))
            return
        if self._repairs and self._command.is_of_partition:
            self._mismatched()
        self.phase = Phase.COMPARING
        told = [node for node in self._contacts if node in digests and node not in self._data]
        self._ask_all(dict.fromkeys(told, Verb.READ))

    def _page_of(self, answer: DataAnswer, replicas: int = 0) -> Page:
        return page_of(answer, self._store.table, self._store.layouts, replicas)

    def _merge(self) -> None:
        command, store = self._command, self._store
        if command.criteria is not None:
            self.phase = Phase.PROTECTING
            self._protection = Protection(self._data, command, store.table, store.layouts)
            self._protect()
        else:
            self._repair_all(merged(self._data, command, store.table, store.layouts))

    def _repair_all(self, found: Merged[Node]) -> None:
        self._page = found.page
        self.phase = Phase.REPAIRING
        if self._repairs:
            for node, lacking in found.repairs.items():
                self._repair(node, lacking)

    # --- what replicas filtered --------------------------------------------------------------------------------------------

    def _protect(self) -> None:
        protection = self._protection
        assert protection is not None
        while wanted := protection.wanted():
            for node, commands in wanted.items():
                if node != self._local:
                    self._fetch(node, commands)
            if self._local in wanted:
                try:
                    protection.take(self._local, [self._replica.read(command) for command in wanted[self._local]])
                except Failed as failure:
                    self._fetching[self._local] = []
                    self._failures[self._local] = failure.reason
                    return
            if self._fetching:
                return
        self._repair_all(protection.merged())

    def _fetch(self, node: Node, commands: list[ReadCommand]) -> None:
        self._fetching[node] = commands
        self._ask(node, Verb.FETCH, encode_texts(map(encode_command, commands)))

    def _take_fetched(self, node: Node, answers: list[DataAnswer]) -> None:
        commands = self._fetching.pop(node, None)
        if commands is None:
            return
        if not 0 < len(answers) <= len(commands):
            raise PeerError(f"{len(answers)} answers to {len(commands)} read commands")
        assert self._protection is not None
        self._protection.take(node, answers)
        if len(answers) < len(commands):
            self._fetch(node, commands[len(answers) :])
        elif not self._fetching:
            self._protect()

    @property
    def _fails_protection(self) -> bool:
        return self.phase is Phase.PROTECTING and any(node in self._failures for node in self._fetching)

    def _repair(self, node: Node, lacking: list[PartitionUpdate]) -> None:
        mutations = [update.encode() for update in lacking]
        if node == self._local:
            try:
                self._replica.apply(mutations)
            except Failed:
                self._repairing[node] = None  # as with one that does not acknowledge
            return
        self._repairing[node] = None
        self._ask(node, Verb.MUTATE, encode_texts(mutations))

    def _end(self, page: Page) -> None:
        """What a replica told from behind the page's end it will tell again, and pass over again."""
        before, data = self._passing.before, self._data
        for node, passed in self._passed.items():
            if passed.tombstones and (node not in data or data[node].end == page.end):
                before[node] = passed.tombstones
        self.phase = Phase.OVER
        self.outcome.settle(page)

    def _time_out(self) -> None:
        required, received = self._plan.required, self._received
        if self.phase is not Phase.ASKED:  # all had answered, but not to the last question (BlockingReadRepair.java)
            received = required - 1
        failures, has_data = self._failures, bool(self._data)
        self.phase = Phase.OVER
        if failures and required > received:
            self.outcome.fail(read_failure(self._plan.level, received, required, failures, has_data))
        else:
            self.outcome.fail(read_timeout(self._plan.level, received, required, has_data))
