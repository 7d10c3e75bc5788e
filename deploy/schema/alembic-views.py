"""The views that left4me-generator reads: skeleton of an Alembic migration.

Copy this file and web-views.sql into the application's versions/ directory, adapt the SQL to its tables, and set
down_revision to the present head. A later change of the views is a new migration with a new SQL file.

SQLite refuses to rename or rebuild a table (batch_alter_table does) of which a view reads: such a migration calls
drop_views() first and create_views() last. While there are no views the generator goes on with the last good rows.
"""
from pathlib import Path

from alembic import op

revision = "left4me_views"
down_revision = None
branch_labels = None
depends_on = None

SQL = Path(__file__).with_name("web-views.sql")


def statements(text):
    """One by one, as SQLite's driver takes them; no text of the file's has a semicolon within a statement."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("--")]
    return [part.strip() for part in "\n".join(lines).split(";") if part.strip()]


def transaction(commands):
    """The driver begins no transaction for CREATE or DROP; without one a reader could see half of the views. In one
    that the migrations before have begun, or that env.py begins, these commands take part."""
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
