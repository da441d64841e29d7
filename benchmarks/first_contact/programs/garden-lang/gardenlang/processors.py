from textx import get_location
from textx.exceptions import TextXSemanticError

SECONDS = {"s": 1, "min": 60, "h": 3600}


class Duration:
    def __init__(self, parent, amount, unit):
        self.parent, self.amount, self.unit = parent, amount, unit

    @property
    def seconds(self) -> int:
        return round(self.amount * SECONDS[self.unit])


def factor(f):
    return f.value if f.inner is None else f.inner


def term(t):
    value = t.left
    for step in t.rest:
        value = value * step.factor if step.op == "*" else value / step.factor
    return value


def expression(e):
    value = e.left
    for step in e.rest:
        value = value + step.term if step.op == "+" else value - step.term
    return value


def check_pins(model, metamodel):
    seen = {}
    for sensor in model.sensors:
        if sensor.pin in seen:
            raise TextXSemanticError(f"pin {sensor.pin} used by {seen[sensor.pin]} and {sensor.name}",
                                     **get_location(sensor))
        seen[sensor.pin] = sensor.name


OBJECT_PROCESSORS = {"Factor": factor, "Term": term, "Expression": expression}
MODEL_PROCESSORS = [check_pins]
