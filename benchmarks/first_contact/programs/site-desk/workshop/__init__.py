"""The workshop: a Pyramid application with its own session, security policy and renderers."""
import orjson
from pyramid.authentication import AuthTktCookieHelper
from pyramid.authorization import ACLHelper, Authenticated, Everyone
from pyramid.config import Configurator
from pyramid.csrf import CookieCSRFStoragePolicy
from pyramid.session import JSONSerializer, SignedCookieSessionFactory
from sqlalchemy import engine_from_config
from sqlalchemy.orm import sessionmaker
from sqlalchemy.pool import StaticPool
from zope.sqlalchemy import register

from .models import Base

STAFF = {"mia": ["group:clerk"], "otto": ["group:clerk", "group:master"]}


class Security:
    def __init__(self, secret):
        self.tickets = AuthTktCookieHelper(secret, hashalg="sha512")
        self.acl = ACLHelper()

    def identity(self, request):
        found = self.tickets.identify(request)
        return found and found["userid"] in STAFF and found["userid"] or None

    def authenticated_userid(self, request):
        return self.identity(request)

    def permits(self, request, context, permission):
        who = self.identity(request)
        principals = [Everyone] + ([Authenticated, who, *STAFF[who]] if who else [])
        return self.acl.permits(context, principals, permission)

    def remember(self, request, userid, **kw):
        return self.tickets.remember(request, userid, **kw)

    def forget(self, request, **kw):
        return self.tickets.forget(request, **kw)


class OrjsonRenderer:
    def __init__(self, info):
        self.info = info

    def __call__(self, value, system):
        request = system.get("request")
        if request is not None:
            request.response.content_type = "application/json"
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def db(request):
    session = request.registry["dbsession"]()
    register(session, transaction_manager=request.tm)
    return session


def main(global_config, **settings):
    engine = engine_from_config(settings, "sqlalchemy.", poolclass=StaticPool, connect_args={"check_same_thread": False})
    Base.metadata.create_all(engine)
    with Configurator(settings=settings, root_factory="workshop.models.Root") as config:
        config.registry["dbsession"] = sessionmaker(engine)
        config.set_security_policy(Security("a long secret"))
        config.set_session_factory(SignedCookieSessionFactory("another secret", serializer=JSONSerializer()))
        config.set_csrf_storage_policy(CookieCSRFStoragePolicy())
        config.add_request_method(db, reify=True)
        config.add_renderer("orjson", OrjsonRenderer)
        config.add_static_view("deform", "deform:static")
        config.add_route("login", "/login/{name}")
        config.add_route("new", "/tickets/new")
        config.add_route("tickets", "/")
        config.add_route("ticket", r"/tickets/{id:\d+}")
        config.add_route("report", "/report.{ext:json|csv|txt}")
        config.scan("workshop.views")
        return config.make_wsgi_app()
