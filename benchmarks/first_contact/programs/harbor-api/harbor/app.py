from ravyn import Ravyn
from ravyn.pluggables import Pluggable

from harbor.guards import JournalInterceptor, TideExtension
from harbor.services import Full
from harbor.views import full_handler, routes


def create_app() -> Ravyn:
    return Ravyn(
        routes=routes,
        interceptors=[JournalInterceptor],
        exception_handlers={Full: full_handler},
        extensions={"tides": Pluggable(TideExtension, heights=(0.8, 3.9))},
    )
