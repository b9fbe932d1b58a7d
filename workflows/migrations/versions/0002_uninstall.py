"""What an operation was asked to do and reports; what a finished installation knows for the next operation."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("podium_installations", sa.Column("facts", sa.JSON, nullable=False, server_default="{}"))
    op.add_column("podium_operations", sa.Column("options", sa.JSON, nullable=False, server_default="{}"))
    op.add_column("podium_operations", sa.Column("report", sa.JSON))
