import ormsgpack

print("OK", ormsgpack.unpackb(ormsgpack.packb({"a": [1, 2.5]})))
