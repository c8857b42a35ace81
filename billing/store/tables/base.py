"""Column types shared by all tables, named by their unit."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, ClassVar

from sqlalchemy import BigInteger, Date, ForeignKey, Identity, Integer, MetaData, SmallInteger, Text
from sqlalchemy.dialects.postgresql import ARRAY, INET, TIMESTAMP
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

NAMING = {
    "ix": "%(table_name)s_%(column_0_N_name)s_idx",
    "uq": "%(table_name)s_%(column_0_N_name)s_key",
    "ck": "%(table_name)s_%(constraint_name)s_check",
    "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
    "pk": "%(table_name)s_pkey",
}


class Base(DeclarativeBase):
    """Text is `text`, integers are `bigint`, instants are `timestamptz`, whatever the class."""

    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        str: Text(),
        int: BigInteger(),
        datetime: TIMESTAMP(timezone=True),
        date: Date(),
        list[int]: ARRAY(BigInteger()),
        list[str]: ARRAY(Text()),
        list[date]: ARRAY(Date()),
    }


SerialKey = Annotated[int, mapped_column(BigInteger(), Identity(always=False), primary_key=True)]
Small = Annotated[int, mapped_column(SmallInteger())]
Int = Annotated[int, mapped_column(Integer())]
Address = Annotated[str, mapped_column(INET())]
OrgId = Annotated[int, mapped_column(ForeignKey("organisation.org_id"), index=True)]
CustomerKey = Annotated[
    int, mapped_column(ForeignKey("customer.customer_id"), primary_key=True, autoincrement=False)
]


def serial_key() -> Mapped[int]:
    """A generated key; the distribution column, where there is one, stands before it."""
    return mapped_column(BigInteger(), Identity(always=False), primary_key=True)
