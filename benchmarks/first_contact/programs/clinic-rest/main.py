"""A clinic's REST API: Django REST framework with filters, throttling and RS256 tokens, its OpenAPI schema made by drf-spectacular, an orjson renderer."""
import sys

import django
import orjson
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from django.conf import settings

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PEM = KEY.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()).decode()
PUB = KEY.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()
settings.configure(
    SECRET_KEY="s" * 40, ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], USE_TZ=True, DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    CACHES={"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}},
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "rest_framework", "django_filters", "drf_spectacular"],
    TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}],
    REST_FRAMEWORK={
        "DEFAULT_AUTHENTICATION_CLASSES": ["rest_framework_simplejwt.authentication.JWTAuthentication"],
        "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
        "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
        "DEFAULT_PAGINATION_CLASS": "rest_framework.pagination.LimitOffsetPagination", "PAGE_SIZE": 2,
        "DEFAULT_THROTTLE_CLASSES": ["rest_framework.throttling.UserRateThrottle"], "DEFAULT_THROTTLE_RATES": {"user": "100/min"},
        "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    },
    SIMPLE_JWT={"ALGORITHM": "RS256", "SIGNING_KEY": PEM, "VERIFYING_KEY": PUB},
)
django.setup()
from django.contrib.auth.models import User
from django.core.management import call_command
from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView
from rest_framework import renderers, routers, serializers, viewsets
from rest_framework.test import APIClient
from rest_framework_simplejwt.views import TokenObtainPairView


class Fast(renderers.BaseRenderer):
    media_type, format = "application/fast+json", "fast"

    def render(self, data, accepted_media_type=None, renderer_context=None):
        return orjson.dumps(data, option=orjson.OPT_SORT_KEYS)


class Staff(serializers.ModelSerializer):
    class Meta:
        model = User
        fields = ["id", "username", "email", "is_staff"]


class StaffView(viewsets.ModelViewSet):
    queryset = User.objects.order_by("id")
    serializer_class = Staff
    filterset_fields = ["is_staff"]
    renderer_classes = [renderers.JSONRenderer, renderers.BrowsableAPIRenderer, Fast]


router = routers.DefaultRouter()
router.register("staff", StaffView)
urlpatterns = [path("token/", TokenObtainPairView.as_view()), path("schema/", SpectacularAPIView.as_view(permission_classes=[])), path("", include(router.urls))]


def main():
    call_command("migrate", verbosity=0)
    for n in range(4):
        User.objects.create_user(f"u{n}", f"u{n}@clinic.example", "pw", is_staff=n % 2 == 0)
    web = APIClient()
    denied = web.get("/staff/").status_code
    token = web.post("/token/", {"username": "u0", "password": "pw"}, format="json").json()["access"]
    web.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
    page = orjson.loads(web.get("/staff/?is_staff=true&limit=1", HTTP_ACCEPT="application/fast+json").content)
    html = web.get("/staff/", HTTP_ACCEPT="text/html").content.decode()
    bad = web.post("/staff/", {"username": "", "email": "x"}, format="json")
    schema = web.get("/schema/").content.decode()
    assert "Django REST framework" in html
    print("OK", denied, page["count"], len(page["results"]), sorted(bad.json()), "/staff/{id}/" in schema, token.count("."))


sys.exit(main())
