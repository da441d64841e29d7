from collections import Counter

from ravyn.conf import settings

from harbor.models import Berthed, Ship, Summary

RATES = {"cargo": 4.5, "ferry": 3.0, "tug": 1.25}


class Full(Exception):
    pass


class Quay:
    """All that lies at the quay."""

    def __init__(self):
        self.ships: dict[int, Berthed] = {}
        self.journal: list[str] = []

    def moor(self, ship: Ship) -> Berthed:
        free = [n for n in range(1, settings.berth_limit + 1) if n not in self.ships]
        if not free:
            raise Full(ship.name)
        fee = round(ship.length * RATES[ship.kind.value], 2)
        moored = Berthed(**ship.model_dump(), berth=free[0], fee=fee)
        self.ships[free[0]] = moored
        return moored

    def leave(self, berth: int) -> Berthed:
        return self.ships.pop(berth)

    def summary(self) -> Summary:
        kinds = Counter(s.kind.value for s in self.ships.values())
        return Summary(ships=len(self.ships), fees=sum(s.fee for s in self.ships.values()),
                       by_kind=dict(sorted(kinds.items())))


QUAY = Quay()


def get_quay() -> Quay:
    return QUAY
