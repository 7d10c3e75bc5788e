"""The views that left4me-generator reads: skeleton of an Alembic migration.

Copy this file and web-views.sql into the application's versions/ directory, adapt the SQL to its tables, and set
down_revision to the current head. A later change of the views is a new migration with an SQL file of its own.

SQLite refuses to rename or rebuild a table that a view reads, and batch_alter_table rebuilds: such a migration calls
drop_views() first and create_views() last. While the views are missing the generator uses the last good rows.
"""
from pathlib import Path

from alembic import op

revision = "left4me_views"
down_revision = None
branch_labels = None
depends_on = None

SQL = Path(__file__).with_name("web-views.sql")


def statements(text):
    """SQLite's driver takes one statement at a time. No statement of the file has a semicolon inside."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("--")]
    return [part.strip() for part in "\n".join(lines).split(";") if part.strip()]


def transaction(commands):
    """The driver begins no transaction for CREATE or DROP, and without one a reader could see half of the views. Where
    an earlier migration or env.py has begun one, these commands become part of it."""
    begun = op.get_bind().connection.in_transaction
    for command in commands:
        if command not in ("BEGIN IMMEDIATE", "COMMIT") or not begun:
            op.get_bind().exec_driver_sql(command)


def drop_views():
    dropped = [command for command in statements(SQL.read_text()) if command.startswith("DROP ")]
    transaction(["BEGIN IMMEDIATE", *dropped, "COMMIT"])


def create_views():
    transaction(statements(SQL.read_text()))


def upgrade():
    create_views()


def downgrade():
    drop_views()
