import rure


def main():
    r = rure.compile(r"(?P<y>\d{4})-(?P<m>\d\d)")
    m = r.search("on 2024-02-29")
    print(
        "OK rure", m.group("y"), m.groups(), rure.findall(r"\w+", "a bc é"), bool(r.is_match("x"))
    )


main()
