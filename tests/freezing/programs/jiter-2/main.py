import jiter

d = jiter.from_json(b'{"a": 1.25, "b": [1, 12345678901234567890123]}', float_mode="decimal")
lossless = jiter.from_json(b'{"a": 1.25}', float_mode="lossless-float")
try:
    jiter.from_json(b"{")
except ValueError as e:
    er = str(e)
print("OK", d, lossless["a"].as_decimal(), er)
