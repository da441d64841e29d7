"""Billing on Temporal, tried without a server: workflows validated for the sandbox, activities in the test environment, an encrypting codec."""
import asyncio
import base64
import dataclasses
import logging
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal

from cryptography.fernet import Fernet
from pydantic import BaseModel, Field
from temporalio import activity, workflow
from temporalio.api.common.v1 import Payload
from temporalio.client import Client, Schedule, ScheduleActionStartWorkflow, ScheduleIntervalSpec, ScheduleSpec
from temporalio.common import RetryPolicy, SearchAttributeKey, SearchAttributePair, TypedSearchAttributes
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.converter import PayloadCodec
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError
from temporalio.testing import ActivityEnvironment
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions
from temporalio.workflow import _Definition


class Bill(BaseModel):
    customer: str
    cents: int = Field(ge=0)
    rate: Decimal = Decimal("0.2")


class Codec(PayloadCodec):
    def __init__(self):
        self.box = Fernet(base64.urlsafe_b64encode(b"k" * 32))

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return [Payload(metadata={"encoding": b"binary/encrypted"}, data=self.box.encrypt(p.SerializeToString())) for p in payloads]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return [Payload.FromString(self.box.decrypt(p.data)) for p in payloads]


@activity.defn
async def charge(bill: Bill) -> str:
    for i in range(3):
        activity.heartbeat(i)
    if bill.cents > 10_000:
        raise ApplicationError("too much", non_retryable=True)
    return f"{bill.customer}:{bill.cents + int(bill.cents * bill.rate)}"


@activity.defn
def receipt(text: str) -> str:
    return text.upper() + f" try {activity.info().attempt}"


@workflow.defn(name="billing")
class Billing:
    def __init__(self):
        self.paid = False

    @workflow.run
    async def run(self, bill: Bill) -> str:
        done = await workflow.execute_activity(charge, bill, start_to_close_timeout=timedelta(seconds=5), retry_policy=RetryPolicy(maximum_attempts=2))
        await workflow.wait_condition(lambda: self.paid)
        return done

    @workflow.signal
    def pay(self):
        self.paid = True

    @workflow.query
    def state(self) -> bool:
        return self.paid


async def work():
    conv = dataclasses.replace(pydantic_data_converter, payload_codec=Codec())
    bill = Bill(customer="ann", cents=500)
    payloads = await conv.encode([bill])
    hidden = b"ann" not in payloads[0].data
    (back,) = await conv.decode(payloads, [Bill])
    beats = []
    env = ActivityEnvironment()
    env.on_heartbeat = beats.append
    charged = await env.run(charge, back)
    text = env.run(receipt, charged)
    try:
        await env.run(charge, Bill(customer="bob", cents=20_000))
        refused = False
    except ApplicationError as e:
        refused = e.non_retryable
    SandboxedWorkflowRunner(restrictions=SandboxRestrictions.default.with_passthrough_modules("pydantic", "cryptography")).prepare_workflow(_Definition.must_from_class(Billing))
    try:
        await Client.connect("127.0.0.1:1", data_converter=conv)
        connected = True
    except (RuntimeError, RPCError) as e:
        connected = "onnect" in str(e) and "failed" in str(e).lower()
    key = SearchAttributeKey.for_keyword("customer")
    attrs = TypedSearchAttributes([SearchAttributePair(key, "ann")])
    action = ScheduleActionStartWorkflow(Billing.run, bill, id="w", task_queue="q", typed_search_attributes=attrs)
    sched = Schedule(action=action, spec=ScheduleSpec(intervals=[ScheduleIntervalSpec(every=timedelta(hours=1))]))
    return hidden, back.rate, charged, beats, text, refused, connected, len(sched.spec.intervals)


def main():
    logging.disable(logging.CRITICAL)
    print("OK", *asyncio.run(work()))


if __name__ == "__main__":
    main()
