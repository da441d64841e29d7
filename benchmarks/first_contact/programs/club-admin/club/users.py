import uuid
from typing import Any, AsyncIterator

from fastapi import Depends, Request
from fastapi_users import BaseUserManager, FastAPIUsers, InvalidPasswordException, UUIDIDMixin, schemas
from fastapi_users.authentication import AuthenticationBackend, BearerTransport, CookieTransport, JWTStrategy
from fastapi_users.db import SQLAlchemyUserDatabase
from fastapi_users.password import PasswordHelper
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher
from pwdlib.hashers.bcrypt import BcryptHasher
from pydantic import Field
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from club.models import User

SECRET = "one secret that is long enough for signing"
SENT: list[tuple[str, str]] = []


class UserRead(schemas.BaseUser[uuid.UUID]):
    nickname: str


class UserCreate(schemas.BaseUserCreate):
    nickname: str = Field(min_length=2)


class UserUpdate(schemas.BaseUserUpdate):
    nickname: str | None = None


class UserManager(UUIDIDMixin, BaseUserManager[User, uuid.UUID]):
    reset_password_token_secret = verification_token_secret = SECRET

    async def validate_password(self, password: str, user: Any) -> None:
        if len(password) < 8:
            raise InvalidPasswordException("too short")

    async def on_after_register(self, user: User, request: Request | None = None) -> None:
        SENT.append(("welcome", user.email))

    async def on_after_request_verify(self, user: User, token: str, request: Request | None = None) -> None:
        SENT.append(("verify", token))


class Users:
    """The users' routers, bound to one database."""

    def __init__(self, sessions: async_sessionmaker[AsyncSession]) -> None:
        passwords = PasswordHelper(PasswordHash((BcryptHasher(rounds=5), Argon2Hasher(time_cost=1, memory_cost=1024))))

        async def session() -> AsyncIterator[AsyncSession]:
            async with sessions() as opened:
                yield opened

        async def manager(opened: AsyncSession = Depends(session)) -> AsyncIterator[UserManager]:
            yield UserManager(SQLAlchemyUserDatabase(opened, User), passwords)

        def strategy() -> JWTStrategy:
            return JWTStrategy(secret=SECRET, lifetime_seconds=3600)

        self.bearer = AuthenticationBackend("jwt", BearerTransport(tokenUrl="auth/jwt/login"), strategy)
        self.cookie = AuthenticationBackend("cookie", CookieTransport(cookie_secure=False), strategy)
        self.api = FastAPIUsers[User, uuid.UUID](manager, [self.bearer, self.cookie])
