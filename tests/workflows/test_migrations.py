"""Podium's own tables: what the migrations make is what the code expects."""

from pathlib import Path

import sqlalchemy as sa
from alembic.migration import MigrationContext

from workflows.runtime import make_engine, migrate, schema_version
from workflows.tables import SCHEMA_VERSION, VERSION_TABLE, metadata


def test_the_migrations_make_the_tables_that_the_code_uses(tmp_path: Path) -> None:
    engine = make_engine(f"sqlite:///{tmp_path}/podium.db", 1)
    assert schema_version(engine) is None
    migrate(engine)
    assert schema_version(engine) == SCHEMA_VERSION
    found = sa.inspect(engine)
    for table in metadata.sorted_tables:
        assert {column["name"] for column in found.get_columns(table.name)} == set(table.columns.keys())
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
        assert context.get_current_revision() == SCHEMA_VERSION
    migrate(engine)
    engine.dispose()


def test_the_schema_version_is_that_of_the_newest_migration() -> None:
    versions = Path(__file__).parents[2] / "workflows" / "migrations" / "versions"
    newest = max(path.name for path in versions.glob("[0-9]*.py"))
    assert newest.startswith(f"{SCHEMA_VERSION}_")
