import json

from yggdrasil_engine.engine import UnleashEngine


def main():
    e = UnleashEngine()
    e.take_state(
        json.dumps(
            {
                "version": 1,
                "features": [
                    {
                        "name": "a",
                        "enabled": True,
                        "strategies": [{"name": "default", "parameters": {}}],
                        "variants": [{"name": "v1", "weight": 1000, "overrides": []}],
                    },
                    {
                        "name": "b",
                        "enabled": True,
                        "strategies": [{"name": "userWithId", "parameters": {"userIds": "7,9"}}],
                    },
                    {"name": "c", "enabled": False, "strategies": []},
                ],
            }
        )
    )
    r = [
        (n, e.is_enabled(n, {"userId": u}).is_enabled)
        for n, u in (("a", "1"), ("b", "7"), ("b", "8"), ("c", "1"))
    ]
    v = e.get_variant("a", {"userId": "1"})
    t = e.list_known_toggles()
    print("OK yggdrasil", r, str(v)[:80].replace("\n", " "), len(t))


main()
