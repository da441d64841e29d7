"""A stand-in for the Bot API: keeps what the bot sends, hands out files."""
import orjson
from aiohttp import web

SENT = []


async def method(request):
    name = request.match_info["method"]
    data = {k: v if isinstance(v, str) else v.file.read().decode() for k, v in (await request.post()).items()}
    SENT.append((name, data))
    result = True
    if name == "getMe":
        result = {"id": 42, "is_bot": True, "first_name": "Counter", "username": "counter_bot"}
    elif name == "getFile":
        result = {"file_id": data["file_id"], "file_unique_id": "u1", "file_path": "documents/list.csv"}
    elif name.startswith("send"):
        chat = {"id": int(data["chat_id"]), "type": "private", "first_name": "Ada"}
        result = {"message_id": len(SENT), "date": 1767225600, "chat": chat, "text": data.get("text", "")}
        if int(data["chat_id"]) == 13:
            error = {"ok": False, "error_code": 403, "description": "Forbidden: bot was blocked by the user"}
            return web.Response(body=orjson.dumps(error), status=403, content_type="application/json")
    return web.Response(body=orjson.dumps({"ok": True, "result": result}), content_type="application/json")


async def file(request):
    return web.Response(body=b"apple,3\npear,4\n")


def app():
    app = web.Application()
    app.router.add_post("/bot{token}/{method}", method)
    app.router.add_get("/file/bot{token}/{path:.*}", file)
    return app
