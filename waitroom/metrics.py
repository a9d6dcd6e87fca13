"""Prometheus metrics of the line: an observer of its events. ``docs/metrics.md`` lists them; a test compares."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from waitroom import events
from waitroom.clock import Clock
from waitroom.room import Line, Phase, Room

_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)
_BATCH = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class LineMetrics:
    """Counts what this process does; shows what the line in the store says. Call it with each event.

    ``clock`` measures how long ago the line was read.
    """

    def __init__(self, registry: CollectorRegistry, clock: Clock | None = None) -> None:
        self._gauges = _LineGauges(registry, clock or Clock())

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"waitroom_{name}", text, labels, registry=registry)

        def histogram(name: str, text: str, label: str, buckets: tuple[float, ...]) -> Histogram:
            return Histogram(f"waitroom_{name}", text, [label], buckets=buckets, registry=registry)

        self._store_up = Gauge("waitroom_store_up", "Whether the store answers this gate.", registry=registry)
        self._store_up.set(1)
        self._joins = counter("joins", "Joins answered: new tickets, or known ones.", "room", "result")
        self._batch = histogram("join_batch_size", "Joins in one script call.", "room", _BATCH)
        self._knocks = counter("knocks", "Knocks by answer.", "room", "result")
        self._each: dict[type[events.Event], Counter] = {
            events.Entered: counter("entered", "Places let in by this gate.", "room"),
            events.Deferred: counter(
                "deferred", "Called places that let others by, through this gate.", "room"
            ),
            events.TicketMoved: counter("moved", "Places moved to another device through this gate.", "room"),
            events.Extended: counter("extended", "Visits made longer through this gate.", "room"),
            events.Left: counter("left", "Visits ended early through this gate.", "room"),
        }
        self._scripts = histogram("script_seconds", "Time of a verb's script call.", "verb", _SECONDS)
        self._failed = counter("script_failures", "Script calls that the store did not answer.", "verb")

    def __call__(self, event: events.Event) -> None:
        """Take one event into account."""
        match event:
            case events.ScriptRan(verb, seconds, ok):
                self._scripts.labels(verb).observe(seconds)
                if not ok:
                    self._failed.labels(verb).inc()
            case events.Joined(room, new, known):
                self._joins.labels(room, "new").inc(new)
                self._joins.labels(room, "known").inc(known)
                self._batch.labels(room).observe(new + known)
            case events.Knocked(room, result):
                self._knocks.labels(room, result).inc()
            case (
                events.Entered()
                | events.Deferred()
                | events.TicketMoved()
                | events.Extended()
                | events.Left()
            ):
                self._each[type(event)].labels(event.room).inc()
            case events.LineRead(room, line, phase):
                self._gauges.show(room, line, phase)
            case events.StoreLost():
                self._store_up.set(0)
            case events.StoreBack():
                self._store_up.set(1)
            case _:
                pass


class _LineGauges:
    """What the line says, for each room, as last read."""

    def __init__(self, registry: CollectorRegistry, clock: Clock) -> None:
        self._monotonic = clock.monotonic
        self._read_at: dict[str, float] = {}

        def gauge(name: str, text: str, *more: str) -> Gauge:
            return Gauge(f"waitroom_{name}", text, ["room", *more], registry=registry)

        self._of_line = {
            "issued": gauge("issued_tickets", "Tickets issued so far, by all gates."),
            "called": gauge("called_places", "Places called so far."),
            "waiting": gauge("waiting_places", "Places issued and not called yet."),
            "coming": gauge("coming_places", "Places called within the lead time that have not knocked."),
            "at_door": gauge("door_places", "Places at the door."),
            "visits": gauge("visits", "Visits in the shop now."),
            "entries": gauge("entries", "Entries so far, by all gates."),
            "show_rate": gauge("show_ratio", "Share of called places that come within the lead time."),
            "entering_per_minute": gauge("entering_per_minute", "Entries a minute, as measured lately."),
            "units_left": gauge("units_left", "Units neither sold nor held, as the shop says."),
            "units_held": gauge("units_held", "Units in baskets, as the shop says."),
        }
        self._trouble = gauge("shop_trouble", "1 while the door stands still because the shop is in trouble.")
        self._trouble_seconds = gauge(
            "shop_trouble_seconds",
            "For how long the shop has been in trouble, in all.",
        )
        self._rate = gauge("rate_per_minute", "Most entries a minute, as set.")
        self._capacity = gauge("capacity_visits", "Most visits at once, as set; +Inf for no limit.")
        self._burst = gauge("burst_entries", "Entries allowed back to back, as set.")
        self._phase = gauge("phase", "1 for the phase the room is in.", "phase")
        self._age = gauge(
            "state_age_seconds", "Time since the line was last read; the public state is as old."
        )

    def show(self, room: Room, line: Line, phase: Phase) -> None:
        """Take over a line that was read just now."""
        if room.name not in self._read_at:
            self._age.labels(room.name).set_function(lambda: self._monotonic() - self._read_at[room.name])
        self._read_at[room.name] = self._monotonic()
        for name, gauge in self._of_line.items():
            value = getattr(line, name)
            gauge.labels(room.name).set(float("nan") if value is None else value)
        self._trouble.labels(room.name).set(line.in_trouble)
        self._trouble_seconds.labels(room.name).set(line.trouble_so_far(line.trouble_until) / 1000)
        self._rate.labels(room.name).set(room.pace.rate)
        self._capacity.labels(room.name).set(
            float("inf") if room.pace.capacity is None else room.pace.capacity
        )
        self._burst.labels(room.name).set(room.pace.burst)
        for each in Phase:
            self._phase.labels(room.name, each).set(each is phase)
