"""A library's lending desk: Django models in SQLite, Django Ninja's API with orjson, JWT bearer tokens, called by Django's client."""
import json
import sys

import django
from django.conf import settings

settings.configure(
    SECRET_KEY="not-a-secret-but-long-enough-for-hs256-signing", DEBUG=False, ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], USE_TZ=True,
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions", "ninja"],
    MIDDLEWARE=["django.middleware.security.SecurityMiddleware", "django.middleware.common.CommonMiddleware",
                "django.contrib.sessions.middleware.SessionMiddleware", "django.contrib.auth.middleware.AuthenticationMiddleware"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    PASSWORD_HASHERS=["django.contrib.auth.hashers.Argon2PasswordHasher"],
    CACHES={"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}},
    LANGUAGE_CODE="de", TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True, "OPTIONS": {"context_processors": ["django.template.context_processors.request"]}}],
)
django.setup()

import jwt
import orjson
from django.contrib.auth import authenticate
from django.contrib.auth.models import Group, User
from django.core.management import call_command
from django.test import Client
from django.urls import path
from django.utils.translation import gettext as _
from ninja import ModelSchema, NinjaAPI, Query, Schema
from ninja.pagination import LimitOffsetPagination, paginate
from ninja.parser import Parser
from ninja.renderers import BaseRenderer
from ninja.security import HttpBearer
from pydantic import EmailStr  # noqa: F401
from pydantic import Field


class ORJSONParser(Parser):
    def parse_body(self, request):
        return orjson.loads(request.body)


class ORJSONRenderer(BaseRenderer):
    media_type = "application/json"

    def render(self, request, data, *, response_status):
        return orjson.dumps(data)


class Token(HttpBearer):
    def authenticate(self, request, token):
        try:
            return jwt.decode(token, settings.SECRET_KEY, algorithms=["HS256"])["sub"]
        except jwt.InvalidTokenError:
            return None


class Login(Schema):
    username: str = Field(min_length=2)
    password: str


class Shelf(ModelSchema):
    class Meta:
        model = Group
        fields = ["id", "name"]


class Filters(Schema):
    name: str | None = None


api = NinjaAPI(parser=ORJSONParser(), renderer=ORJSONRenderer(), title="Library")


@api.post("/login", response={200: dict, 401: dict})
def login(request, data: Login):
    user = authenticate(username=data.username, password=data.password)
    if user is None:
        return 401, {"detail": str(_("Please correct the errors below."))}
    return {"token": jwt.encode({"sub": user.username}, settings.SECRET_KEY, algorithm="HS256")}


@api.get("/shelves", response=list[Shelf], auth=Token())
@paginate(LimitOffsetPagination)
def shelves(request, filters: Query[Filters]):
    found = Group.objects.order_by("name")
    return found.filter(name__icontains=filters.name) if filters.name else found


urlpatterns = [path("api/", api.urls)]


def main():
    call_command("migrate", verbosity=0)
    User.objects.create_user("ann", "ann@example.com", "pw")
    Group.objects.bulk_create(Group(name=f"shelf {i}") for i in range(12))
    c = Client()
    bad = c.post("/api/login", {"username": "ann", "password": "no"}, content_type="application/json")
    token = c.post("/api/login", {"username": "ann", "password": "pw"}, content_type="application/json").json()["token"]
    denied = c.get("/api/shelves")
    page = c.get("/api/shelves?limit=3&name=1", headers={"authorization": f"Bearer {token}"}).json()
    invalid = c.post("/api/login", {"username": "a"}, content_type="application/json")
    spec = c.get("/api/openapi.json").json()
    docs = c.get("/api/docs")
    assert (bad.status_code, denied.status_code, invalid.status_code, docs.status_code) == (401, 401, 422, 200)
    print("OK", page["count"], [s["name"] for s in page["items"]], json.dumps(sorted(spec["paths"])), bad.json()["detail"], len(sys.argv))


if __name__ == "__main__":
    main()
