"""What each phase of an installation last worked with (workflows/applied.py); NULL where nobody kept it."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.add_column("podium_installations", sa.Column("applied", sa.JSON))
