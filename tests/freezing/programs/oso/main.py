from oso import Oso, OsoError, Variable


class User:
    def __init__(self, name):
        self.name = name


def main():
    o = Oso()
    o.register_class(User)
    o.load_str('allow(u: User, "read", "doc") if u.name = "ann"; f(1); f(2); f(x) if x = "é";')
    r = o.is_allowed(User("ann"), "read", "doc"), o.is_allowed(User("bob"), "read", "doc")
    xs = [q["bindings"]["x"] for q in o.query_rule("f", Variable("x"))]
    try:
        o.load_str("bad( if")
        e = "none"
    except OsoError as ex:
        e = type(ex).__name__
    print("OK oso", r, xs, e)


main()
