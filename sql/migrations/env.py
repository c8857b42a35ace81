"""Alembic environment. billing.store.migrate hands the connection in; there is no ini file."""

from alembic import context

from billing.store.tables import Base


def ours(_object: object, name: str | None, kind: str, _reflected: bool, _other: object) -> bool:
    """Compare only Tollway's own tables: not partitions, not the job queue's."""
    if kind != "table" or name is None:
        return True
    return name in Base.metadata.tables


def compare_nothing_generated(name: str | None, kind: str, parents: dict[str, str | None]) -> bool:
    return kind != "table" or name in Base.metadata.tables


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    compare_type=True,
    compare_server_default=True,
    include_object=ours,
    include_name=compare_nothing_generated,
    version_table="schema_version",
    transaction_per_migration=True,
)
with context.begin_transaction():
    context.run_migrations()
