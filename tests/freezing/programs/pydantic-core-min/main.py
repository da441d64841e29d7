from pydantic_core import SchemaValidator, core_schema, to_json, to_jsonable_python

u = SchemaValidator(core_schema.uuid_schema()).validate_python("12345678123456781234567812345678")
d = SchemaValidator(core_schema.decimal_schema()).validate_python("1.5")
t = SchemaValidator(core_schema.datetime_schema()).validate_python("2024-01-01T00:00:00+02:00")
f = SchemaValidator(core_schema.timedelta_schema()).validate_python("PT1H")
print("OK", u, d, t.utcoffset(), f, to_json(u), to_jsonable_python({"a": d, "u": u}))
