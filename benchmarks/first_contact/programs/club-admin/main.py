"""The club's desk: the server is started and used as its members and its treasurer do."""
import re
import socket
import tempfile
import threading
import time
from pathlib import Path

import httpx
import uvicorn

from club.app import create
from club.users import SENT


def start(database: Path) -> tuple[uvicorn.Server, threading.Thread, str]:
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(create(f"sqlite+aiosqlite:///{database}"), log_level="warning"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    while not server.started:
        time.sleep(0.02)
    return server, thread, f"http://127.0.0.1:{listener.getsockname()[1]}"


def treasurer(url: str) -> dict[str, object]:
    """Everything that happens in the admin pages."""
    with httpx.Client(base_url=url, follow_redirects=True, timeout=20) as browser:
        assert "Login" in browser.get("/admin").text
        assert browser.post("/admin/login", data={"username": "ann", "password": "wrong"}).status_code == 400
        home = browser.post("/admin/login", data={"username": "ann", "password": "whistle"})
        assert "Club desk" in home.text
        static = re.findall(r'(?:href|src)="(http[^"]+/statics/[^"]+)"', home.text)
        sizes = [len(browser.get(link).raise_for_status().content) for link in static]
        for name in ("Hockey", "Rowing"):
            browser.post("/admin/team/create", data={"name": name, "save": "Save"}).raise_for_status()
        for index in range(12):
            data = {"name": f"Member {index:02d}", "joined": f"2024-03-{index + 1:02d}", "fee": str(20 + index), "team": str(index % 2 + 1), "save": "Save"}
            browser.post("/admin/member/create", data=data).raise_for_status()
        refused = browser.post("/admin/member/create", data={"name": "Rich", "joined": "2024-03-01", "fee": "900", "team": "1", "save": "Save"})
        found = browser.get("/admin/member/list", params={"search": "Member 07", "sortBy": "fee"}).text
        browser.get("/admin/member/action/raise-fee", params={"pks": "1,2,3"}).raise_for_status()
        exported = browser.get("/admin/member/export/csv").text.splitlines()
        as_json = browser.get("/admin/member/export/json").json()
        fees = re.findall(r"total (\d+\.\d\d)", browser.get("/admin/fees").text)
        deleted = browser.delete("/admin/member/delete", params={"pks": "12"}).status_code
        return {"statics": len(static), "large": sum(size > 10_000 for size in sizes), "refused": refused.status_code, "range": "between 1 and 500" in refused.text, "found": found.count("EUR "), "rows": len(exported), "json": len(as_json), "fees": fees, "deleted": deleted}


def member(url: str) -> dict[str, object]:
    """Everything that a member's app asks."""
    person = {"email": "bo@example.com", "password": "longenough", "nickname": "Bo"}
    with httpx.Client(base_url=url, timeout=20) as app:
        short = app.post("/auth/register", json=person | {"password": "short"}).json()["detail"]["reason"]
        unreal = app.post("/auth/register", json=person | {"email": "nobody"}).json()["detail"][0]["ctx"]["reason"]
        created = app.post("/auth/register", json=person).status_code
        token = app.post("/auth/jwt/login", data={"username": person["email"], "password": person["password"]}).json()["access_token"]
        app.headers["Authorization"] = f"Bearer {token}"
        before = app.get("/teams").status_code
        app.post("/auth/request-verify-token", json={"email": person["email"]}).raise_for_status()
        verified = app.post("/auth/verify", json={"token": SENT[-1][1]}).json()["is_verified"]
        teams = app.get("/teams").json()
        nickname = app.patch("/users/me", json={"nickname": "Captain Bo"}).json()["nickname"]
        del app.headers["Authorization"]
        cookie = app.post("/auth/cookie/login", data={"username": person["email"], "password": person["password"]})
        mine = app.get("/users/me").json()["nickname"]
        paths = len(app.get("/openapi.json").json()["paths"])
    assert mine == nickname and "fastapiusersauth" in cookie.cookies
    return {"short": short, "unreal": unreal, "created": created, "before": before, "verified": verified, "teams": teams, "nickname": nickname, "paths": paths, "mails": [kind for kind, _ in SENT]}


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        server, thread, url = start(Path(name) / "club.db")
        try:
            desk = treasurer(url)
            phone = member(url)
        finally:
            server.should_exit = True
            thread.join()
    print("desk:", desk)
    print("phone:", phone)
    print(f"OK {desk['statics']} statics, {desk['rows']} csv lines {desk['json']} json, fees {' '.join(desk['fees'])}, refused {desk['refused']} {desk['range']}, found {desk['found']}, {phone['before']} then {phone['teams']}, {phone['nickname']}, {phone['paths']} paths, mails {'+'.join(phone['mails'])}")


if __name__ == "__main__":
    main()
