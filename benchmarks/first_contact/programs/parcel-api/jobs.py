"""Background jobs: Taskiq tasks with injected dependencies, retries, and a pipeline."""
from dataclasses import dataclass

from taskiq import Context, InMemoryBroker, SmartRetryMiddleware, TaskiqDepends, TaskiqEvents, TaskiqState
from taskiq.serializers import ORJSONSerializer
from taskiq_pipelines import Pipeline, PipelineMiddleware

broker = InMemoryBroker(await_inplace=True).with_serializer(ORJSONSerializer()).with_middlewares(
    PipelineMiddleware(), SmartRetryMiddleware(default_retry_count=3, default_delay=0.05, use_jitter=False)
)


@dataclass
class Rates:
    per_kg: float
    base: float


@broker.on_event(TaskiqEvents.CLIENT_STARTUP, TaskiqEvents.WORKER_STARTUP)
async def startup(state: TaskiqState) -> None:
    state.rates = Rates(per_kg=1.5, base=3.0)
    state.attempts = []


def rates(context: Context = TaskiqDepends()) -> Rates:
    return context.state.rates


@broker.task
async def weights(boxes: list[float]) -> list[float]:
    return [round(box * 1.02, 3) for box in boxes]


@broker.task
async def price(weight: float, table: Rates = TaskiqDepends(rates)) -> float:
    return table.base + weight * table.per_kg


@broker.task
async def heavy(value: float) -> bool:
    return value > 5


@broker.task
async def total(values: list[float]) -> float:
    return round(sum(values), 2)


@broker.task(task_name="parcels:notify", retry_on_error=True, max_retries=3)
async def notify(code: str, context: Context = TaskiqDepends()) -> str:
    context.state.attempts.append(code)
    if len(context.state.attempts) < 2:
        raise ConnectionError("the carrier is away")
    return f"told about {code}"


async def quote(boxes):
    """Weigh, price every box, keep the dear ones, add them up."""
    pipe = Pipeline(broker, weights).map(price).filter(heavy).call_next(total)
    task = await pipe.kiq(boxes)
    return (await task.wait_result(timeout=10)).return_value
