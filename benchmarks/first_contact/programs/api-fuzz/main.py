"""A fuzzer for an API: Schemathesis reads the OpenAPI document of a FastAPI app, makes cases, and finds the planted bug."""
import schemathesis
from fastapi import FastAPI, HTTPException
from hypothesis import HealthCheck, Phase, given, settings
from pydantic import BaseModel, Field
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup

app = FastAPI(title="Stock", version="1")


class Item(BaseModel):
    name: str = Field(min_length=1, max_length=5)
    amount: int = Field(ge=0, le=100)


@app.get("/items/{key}")
def read(key: int, verbose: bool = False):
    if key < 0:
        raise HTTPException(404)
    return {"key": key, "verbose": verbose}


@app.post("/items", status_code=201)
def create(item: Item):
    if item.amount > 10:
        raise RuntimeError("the planted bug")
    return item


OPTIONS = settings(max_examples=20, derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate])


def main():
    schema = schemathesis.openapi.from_asgi("/openapi.json", app)
    counts, failures = {}, {}
    for result in schema.get_all_operations():
        op = result.ok()
        seen = []

        @OPTIONS
        @given(case=op.as_strategy())
        def test(case):
            seen.append(case.method)
            case.call_and_validate(checks=[not_a_server_error])

        try:
            test()
        except FailureGroup as e:
            failures[op.label] = sorted({type(f).__name__ for f in e.exceptions})
        except Exception as e:
            failures[op.label] = [type(e).__name__]
        counts[op.label] = bool(seen)
    response = schema["/items/{key}"]["GET"].Case(path_parameters={"key": 4}).call()
    schema["/items/{key}"]["GET"].validate_response(response)
    curl = schema["/items"]["POST"].Case(body={"name": "a", "amount": 3}, media_type="application/json").as_curl_command()
    assert list(failures) == ["POST /items"], failures
    print("OK", counts, failures, response.json()["key"], curl.split()[0])


if __name__ == "__main__":
    main()
