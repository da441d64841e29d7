import tempfile
from pathlib import Path

from rust_fst import Map, Set


def main():
    p = str(Path(tempfile.mkdtemp()) / "a.fst")
    with Set.build(p) as b:
        for w in sorted(["bar", "baz", "foo", "foobar"]):
            b.insert(w)
    s = Set(p)
    assert "foo" in s
    assert "nope" not in s
    m = Map.from_iter(sorted([("a", 1), ("b", 22), ("c", 3)]))
    z = list(s.search("bax", 1))
    g = list(s.search_re(r"fo.*"))
    print("OK rust-fst", len(s), m["b"], z, g, dict(m.items()))


main()
