"""The tables of the club's archive."""
from __future__ import annotations

from datetime import date, datetime
from typing import Optional
from uuid import UUID

from advanced_alchemy.base import UUIDv7AuditBase
from advanced_alchemy.mixins import SlugKey
from advanced_alchemy.types import DateTimeUTC, EncryptedString, FernetBackend, FileObject, JsonB, PasswordHash, StoredObject
from advanced_alchemy.types.password_hash.argon2 import Argon2Hasher
from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

HASHER = Argon2Hasher(time_cost=1, memory_cost=8192, parallelism=1)


class Member(UUIDv7AuditBase, SlugKey):
    __tablename__ = "member"
    name: Mapped[str] = mapped_column(String(80))
    born: Mapped[Optional[date]]
    iban: Mapped[Optional[str]] = mapped_column(EncryptedString(key="a very secret passphrase", backend=FernetBackend, length=34))
    password: Mapped[Optional[str]] = mapped_column(PasswordHash(backend=HASHER))
    tags: Mapped[dict] = mapped_column(JsonB, default=dict)
    papers: Mapped[list[Paper]] = relationship(back_populates="member", lazy="selectin", cascade="all, delete-orphan")


class Paper(UUIDv7AuditBase):
    __tablename__ = "paper"
    title: Mapped[str] = mapped_column(String(120))
    filed: Mapped[Optional[datetime]] = mapped_column(DateTimeUTC(timezone=True))
    file: Mapped[Optional[FileObject]] = mapped_column(StoredObject(backend="papers"))
    member_id: Mapped[UUID] = mapped_column(ForeignKey("member.id", ondelete="cascade"))
    member: Mapped[Member] = relationship(back_populates="papers", lazy="joined", innerjoin=True)
