from sentry_relay.auth import generate_key_pair
from sentry_relay.exceptions import RelayError, UnpackErrorBadSignature
from sentry_relay.processing import StoreNormalizer, parse_release


def main():
    sk, pk = generate_key_pair()
    d = sk.pack({"a": "é"})
    back = pk.unpack(*d)
    try:
        generate_key_pair()[1].unpack(*d)
        r = "none"
    except UnpackErrorBadSignature as e:
        r = type(e).__name__
    ev = StoreNormalizer(project_id=1).normalize_event({"message": "hi", "platform": "python"})
    rel = parse_release("org.example.Foo@1.2.3+42")
    try:
        parse_release("../bad")
        s = "none"
    except RelayError as e:
        s = type(e).__name__
    print("OK sentry-relay", back, r, ev["platform"], rel["package"], s)


main()
