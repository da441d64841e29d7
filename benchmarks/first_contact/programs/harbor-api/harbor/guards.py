import jwt
from lilya.types import Receive, Scope, Send
from ravyn import BasePermission, NotAuthenticated, Request, RavynInterceptor
from ravyn.conf import settings
from ravyn.pluggables import Extension

from harbor.services import QUAY


class IsPilot(BasePermission):
    def has_permission(self, request: Request, controller) -> bool:
        header = request.headers.get("authorization", "")
        try:
            claims = jwt.decode(header.removeprefix("Bearer "), settings.secret_key, ["HS256"])
        except jwt.PyJWTError as exc:
            raise NotAuthenticated(detail=type(exc).__name__) from exc
        return "pilot" in claims["roles"]


class JournalInterceptor(RavynInterceptor):
    async def intercept(self, scope: Scope, receive: Receive, send: Send) -> None:
        QUAY.journal.append(f"{scope.get('method', 'WS')} {scope['path']}")


class TideExtension(Extension):
    """Adds a tide table to the application state."""

    def extend(self, heights=(1.1, 3.4), **kwargs) -> None:
        self.app.state.tides = dict(zip(("low", "high"), heights))
