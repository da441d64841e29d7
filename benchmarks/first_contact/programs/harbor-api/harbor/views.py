from ravyn import (
    Controller,
    Gateway,
    Inject,
    Injects,
    JSONResponse,
    NotFound,
    Request,
    Template,
    WebSocket,
    WebSocketGateway,
    delete,
    get,
    post,
    websocket,
)

from harbor.guards import IsPilot
from harbor.models import Berthed, Ship, Summary
from harbor.services import Full, Quay, get_quay


class ShipController(Controller):
    path = "/ships"
    tags = ["ships"]
    dependencies = {"quay": Inject(get_quay)}

    @get("/", operation_id="listShips", summary="All ships")
    async def index(self, quay: Quay = Injects()) -> list[Berthed]:
        return list(quay.ships.values())

    @get("/summary", operation_id="summary")
    async def summary(self, quay: Quay = Injects()) -> Summary:
        return quay.summary()

    @post("/", operation_id="moorShip", permissions=[IsPilot], status_code=201)
    async def moor(self, data: Ship, quay: Quay = Injects()) -> Berthed:
        return quay.moor(data)

    @get("/{berth:int}", operation_id="getShip")
    async def one(self, berth: int, quay: Quay = Injects()) -> Berthed:
        if berth not in quay.ships:
            raise NotFound(detail=f"berth {berth} is empty")
        return quay.ships[berth]

    @delete("/{berth:int}", permissions=[IsPilot], operation_id="leaveBerth", status_code=204)
    async def leave(self, berth: int, quay: Quay = Injects()) -> None:
        quay.leave(berth)


@get("/board", include_in_schema=False)
async def board(request: Request) -> Template:
    ships = sorted(get_quay().ships.values(), key=lambda s: s.berth)
    return Template(name="board.html", context={"ships": ships, "tides": request.app.state.tides})


@websocket("/radio")
async def radio(socket: WebSocket) -> None:
    await socket.accept()
    name = await socket.receive_text()
    await socket.send_json({"to": name, "ships": len(get_quay().ships)})
    await socket.close()


async def full_handler(request: Request, exc: Full) -> JSONResponse:
    return JSONResponse({"detail": f"no berth for {exc}"}, status_code=409)


routes = [
    Gateway(handler=ShipController),
    Gateway(handler=board),
    WebSocketGateway(handler=radio),
]
