"""The model of a line keeps the invariants that the scripts are held to, whatever happens to it."""

from fractions import Fraction

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from waitroom.model import AtDoor, Entered, Model, Refused
from waitroom.room import Hold, Pace

NOW = 1_432_033_200_000
VISIT = 60_000
MORE = 10_000


class AnySale(RuleBasedStateMachine):
    """Shoppers, gates and an operator do what they like, in any order."""

    @initialize(
        rate=st.sampled_from([6, 60, 77, 6000]),
        capacity=st.none() | st.integers(0, 5),
        burst=st.integers(1, 3),
    )
    def found(self, rate: float, capacity: int | None, burst: int) -> None:
        """A room opens; forty have joined."""
        self.now = NOW
        self.model = Model(Pace(rate, capacity, burst, VISIT, 2 * VISIT))
        for number in range(40):
            self.model.join(NOW, number.to_bytes(32))
        self.model.call(NOW)
        self.answers: dict[int, Entered] = {}
        self.generations: dict[int, int] = {}
        self.entries: list[tuple[int, Fraction]] = []
        self.called = 0
        self.allowed = Fraction(0)
        self.since = Fraction(NOW)
        self.most_burst = burst

    @rule(ms=st.sampled_from([0, 1, 100, 250, 1000, 2000, 7000, VISIT]))
    def time_passes(self, ms: int) -> None:
        """Some gate calls after a while."""
        self.now += ms
        self.model.call(self.now)

    @rule(entropy=st.binary(min_size=1, max_size=1))
    def join(self, entropy: bytes) -> None:
        """A shopper comes, or comes again."""
        issued = self.model.issued
        number = self.model.join(self.now, entropy)
        assert issued in {number, self.model.issued}

    @rule(data=st.data())
    def knock(self, data: st.DataObject) -> None:
        """Anyone knocks, called or not, present or not, spent or not."""
        model, place = self.model, data.draw(st.integers(0, self.model.issued - 1))
        spent, lasting = place in model.spent, place in model.visits and model.visits[place].lasts(self.now)
        answer = model.knock(self.now, place, place, generation=self.generations.get(place, 0))
        if isinstance(answer, Entered):
            if lasting:
                assert answer.enter_at == self.answers[place].enter_at
                return
            assert not spent
            assert place < model.called
            assert answer.enter_at >= self.now
            self.answers[place] = answer
            since = (answer.enter_at - self.since) / Fraction(model.interval)
            self.entries.append((answer.enter_at, self.allowed + since))
            inside = sum(visit.lasts(self.now) for visit in model.visits.values())
            assert model.pace.capacity is None or inside <= model.pace.capacity
        else:
            assert not lasting
        if isinstance(answer, AtDoor):
            assert answer.before == sum(other < place for other in model.door)
            assert self.now + 1000 <= answer.knock_again_at <= self.now + 20_000

    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        """Someone is done, or gives up."""
        place = data.draw(st.integers(0, self.model.called))
        self.model.leave(place, place, self.generations.get(place, 0))
        assert place not in self.model.door

    @rule(data=st.data())
    def defer(self, data: st.DataObject) -> None:
        """Someone lets others by: nobody waits for them, and they lose nothing."""
        model, place = self.model, data.draw(st.integers(0, self.model.issued - 1))
        answer = model.defer(self.now, place, place, generation=self.generations.get(place, 0))
        if not isinstance(answer, Refused):
            assert place < model.called
            assert place not in model.coming.keys() | model.knocks.keys()
            assert place not in model.spent

    @rule(data=st.data())
    def claim(self, data: st.DataObject) -> None:
        """Another device takes a place over, twice; the old one gets nothing more."""
        model, place = self.model, data.draw(st.integers(0, self.model.issued - 1))
        old = self.generations.get(place, 0)
        answer = model.claim(self.now, place, place, b"phone", generation=old)
        if not isinstance(answer, Refused):
            assert answer > old
            assert model.claim(self.now, place, place, b"phone", generation=old) == answer
            assert model.claim(self.now, place, place, b"tablet", generation=old) == Refused("used")
            assert model.knock(self.now, place, place, generation=old) == Refused("moved")
            self.generations[place] = answer

    @precondition(lambda self: self.model.visits)
    @rule(data=st.data())
    def touch(self, data: st.DataObject) -> None:
        """A visitor is active, or asks for more time: never beyond what is given."""
        place = data.draw(st.sampled_from(sorted(self.model.visits)))
        self.model.touch(self.now, place)
        ends_at = self.model.extend(self.now, place, self.model.visits[place].ends_at)
        assert ends_at in {self.model.visits[place].ends_at, Refused("over"), Refused("no_more")}
        assert self.model.visits[place].ends_at <= self.answers[place].enter_at + 2 * VISIT + 2 * MORE

    @rule(action=st.sampled_from([Hold.PAUSE, Hold.RESUME]))
    def hold(self, action: Hold) -> None:
        """The operator halts the door or lets it go on."""
        self.model.hold(self.now, action)

    @rule(
        rate=st.sampled_from([6, 60, 77, 6000]),
        capacity=st.none() | st.integers(0, 5),
        burst=st.integers(1, 3),
    )
    def set_pace(self, rate: float, capacity: int | None, burst: int) -> None:
        """The operator changes everything at once."""
        model = self.model
        booked = model.tat - model.pace.burst * model.interval
        turn = max(self.since, Fraction(max(float(self.now), booked)))
        self.allowed += (turn - self.since) / Fraction(model.interval)
        self.since = turn
        self.most_burst = max(self.most_burst, burst)
        model.set_pace(self.now, Pace(rate, capacity, burst, VISIT, 2 * VISIT, MORE, 2))

    @invariant()
    def counters_only_grow(self) -> None:
        """I3, and nobody is called who has not joined."""
        assert self.called <= self.model.called <= self.model.issued
        self.called = self.model.called

    @invariant()
    def no_window_exceeds_rate_and_burst(self) -> None:
        """I5, with every rate that was in force."""
        for first, (_, start) in enumerate(self.entries):
            for last in range(first, len(self.entries)):
                assert last - first + 1 <= self.most_burst + self.entries[last][1] - start

    @invariant()
    def a_place_is_in_one_spot(self) -> None:
        """The door is in order and knows until when; nobody is at the door, on the way and inside at once."""
        model = self.model
        assert model.door == sorted(model.knocks)
        assert not set(model.door) & set(model.coming)
        assert not set(model.door) & set(model.visits)
        assert set(self.answers) <= model.spent


TestAnySale = AnySale.TestCase
TestAnySale.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
